"""Why a key is not linearizable, in English and in data.

The search says: all operations that returned earlier can be placed, this one cannot, and
these are the configurations that were possible just before it returned.  From that come
the sentence, and the handful of operations that a reader needs to see: the operation that
cannot be placed, those open at the same time, and the last ones that were placed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import numpy as np

from checker._model import Model
from checker._verdict import Counterexample
from engine._native import Answer, Operations
from histories import Event, History, Json

_FAIL: Final = 2
_INFO: Final = 3
_READS: Final = ("read", "get", "r")
_STATES_SHOWN: Final = 4
_PLACED_SHOWN: Final = 8
_CONCURRENT_SHOWN: Final = 24
_VALUE_CHARACTERS_MAX: Final = 60


def explain(
    history: History,
    model: Model,
    operations: Operations,
    key: Json,
    answer: Answer,
    states: Sequence[Json] | None,
) -> Counterexample:
    """The counterexample of one key; `states` decodes the numbers of a Python model."""
    assert answer.stuck is not None, "an invalid key has an operation that cannot be placed"
    stuck = answer.stuck
    index = _Indexes(history)
    reached: dict[str, Json] = {}
    configurations = []
    for text, linearized, crashed in answer.configurations:
        state = states[int(text)] if states is not None else msgspec.json.decode(text)
        reached.setdefault(text, state)
        configurations.append(
            {
                "state": state,
                "linearized": [index[i] for i in sorted(linearized)],
                "crashed": [_crashed(history, operations, *taken) for taken in crashed],
            }
        )
    complete = answer.configurations_total == len(answer.configurations)
    events = _evidence(history, stuck, answer.order)
    sentence = _sentence(history, model, key, stuck, list(reached.values()), complete)
    return Counterexample(
        sentence=sentence,
        key=key,
        operation=index[stuck],
        operations=tuple(events),
        states=tuple(reached.values()),
        configurations=tuple(configurations),
        details={
            "placed_before": answer.position,
            "configurations": answer.configurations_total,
            "concurrent": [
                int(history.index[i]) for i in _concurrent(history, stuck) if i != stuck
            ],
            "linearization": [int(history.index[i]) for i in answer.order[-_PLACED_SHOWN:]],
        },
    )


class _Indexes:
    """Positions in a history (which may be a slice) as indexes in the whole."""

    def __init__(self, history: History) -> None:
        self._index = history.index

    def __getitem__(self, position: int) -> int:
        return int(self._index[position])


def _crashed(history: History, operations: Operations, klass: int, count: int) -> Json:
    f, argument, _, _ = operations.classes[klass]
    return {"f": history.f_names[f], "value": history.value_of(argument), "times": count}


def _sentence(
    history: History,
    model: Model,
    key: Json,
    stuck: int,
    states: Sequence[Json],
    complete: bool,
) -> str:
    event = history[stuck]
    partner = int(history.pairs[stuck])
    of_key = "" if key is None else f" of key {_shown(key)}"
    possible = _alternatives(states[:_STATES_SHOWN], complete and len(states) <= _STATES_SHOWN)
    thing = "register" if model.native in ("register", "cas-register") else "state"
    verb = "held" if thing == "register" else "been"
    told = _told(event, history[partner])
    return (
        f"Process {event.process} {told}{of_key}, but no order of the operations allows that: "
        f"when it returned (event {history.index[partner]}), the {thing} could only have {verb} "
        f"{possible}{_provenance(history, model, stuck)}."
    )


def _told(invoked: Event, completed: Event) -> str:
    """The operation in the past tense, with what the client was told."""
    if invoked.f in _READS:
        return f"read {_shown(completed.value)}"
    if invoked.f == "cas" and completed.value is False:
        expected = invoked.value[0] if isinstance(invoked.value, list) else invoked.value
        return f"was told that the value is not {_shown(expected)} (a compare-and-set)"
    if invoked.f == "cas" and isinstance(invoked.value, list) and len(invoked.value) == 2:
        return f"set {_shown(invoked.value[1])} where it found {_shown(invoked.value[0])}"
    if invoked.f in ("write", "put", "w"):
        return f"wrote {_shown(invoked.value)}"
    result = "" if completed.value == invoked.value else f" and was told {_shown(completed.value)}"
    argument = "" if invoked.value is None else f" of {_shown(invoked.value)}"
    return f"did a {invoked.f}{argument}{result}"


def _alternatives(states: Sequence[Json], complete: bool) -> str:
    shown = [_shown(state) for state in states]
    if not complete:
        return f"{', '.join(shown)} or a few others"
    if len(shown) == 1:
        return shown[0]
    return f"{', '.join(shown[:-1])} or {shown[-1]}"


def _provenance(history: History, model: Model, stuck: int) -> str:
    """For a read of a register: who could have written the value that was read."""
    event = history[stuck]
    partner = int(history.pairs[stuck])
    if model.native not in ("register", "cas-register") or event.f not in _READS:
        return ""
    value = history[partner].value
    writers = _writers(history, history.key[stuck], value)
    writers = writers[writers < partner]
    if not len(writers):
        initial = msgspec.json.encode(model.initial) == msgspec.json.encode(value)
        return "" if initial else f"; nobody had begun to write {_shown(value)} by then"
    last = history[int(writers[-1])]
    return f"; {_shown(value)} was last written by process {last.process} (event {last.index})"


def _writers(history: History, key: int, value: Json) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Invocations on a key that would write `value` and were not told that they failed."""
    mask = (history.key == key) & (history.type == 0) & (history.process >= 0)
    invocations = np.flatnonzero(mask)
    ends = history.pairs[invocations]
    observed = history.type[ends]
    made_nothing = (ends >= 0) & (observed == _FAIL)
    invocations = invocations[~made_nothing]
    wanted = []
    distinct = np.unique(np.stack([history.f[invocations], history.value[invocations]]), axis=1)
    for f, code in distinct.T.tolist():
        made = history.value_of(code)
        if history.f_names[f] == "cas" and isinstance(made, list) and len(made) == 2:
            made = made[1]
        elif history.f_names[f] not in ("write", "put", "w"):
            continue
        if msgspec.json.encode(made) == msgspec.json.encode(value):
            wanted.append((f, code))
    chosen = np.zeros(len(invocations), dtype=bool)
    for f, code in wanted:
        chosen |= (history.f[invocations] == f) & (history.value[invocations] == code)
    writers: np.ndarray[tuple[int], np.dtype[np.int64]]
    writers = invocations[chosen & ~_mismatched(history, invocations)]
    return writers


def _mismatched(
    history: History, invocations: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of these completed as a compare-and-set that found another value."""
    ends = history.pairs[invocations]
    results = history.value[ends]
    false = [code for code in np.unique(results) if history.value_of(int(code)) is False]
    mismatched: np.ndarray[tuple[int], np.dtype[np.bool_]] = (ends >= 0) & np.isin(results, false)
    return mismatched


def _concurrent(history: History, stuck: int) -> Iterable[int]:
    """Invocations of the key's client operations that overlap with the operation."""
    end = int(history.pairs[stuck])
    invocations = np.flatnonzero(
        (history.key == history.key[stuck]) & (history.type == 0) & (history.process >= 0)
    )
    invocations = invocations[invocations <= end]
    ends = history.pairs[invocations]
    # A read that nobody saw the answer of explains nothing.
    reads = [code for code, name in enumerate(history.f_names) if name in _READS]
    unseen = (ends < 0) | (history.type[ends] == _INFO)
    open_ended = unseen & ~np.isin(history.f[invocations], reads)
    failed = ((ends >= 0) & (history.type[ends] == _FAIL)) | unseen & ~open_ended
    overlapping = invocations[(open_ended | (ends >= stuck)) & ~failed]
    return [int(index) for index in overlapping[-_CONCURRENT_SHOWN:]]


def _evidence(
    history: History, stuck: int, order: np.ndarray[tuple[int], np.dtype[np.uint32]]
) -> list[Event]:
    """The events worth reading, in their order: invocations and completions."""
    wanted = {stuck, *_concurrent(history, stuck), *map(int, order[-_PLACED_SHOWN:])}
    completions = {int(history.pairs[index]) for index in wanted}
    return [history[index] for index in sorted(wanted | completions) if index >= 0]


def _shown(value: Json) -> str:
    text = msgspec.json.encode(value).decode()
    if len(text) <= _VALUE_CHARACTERS_MAX:
        return text
    half = _VALUE_CHARACTERS_MAX // 2
    return f"{text[: half - 1]}…{text[-half:]}"

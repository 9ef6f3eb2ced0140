"""Why a key is not linearizable, in English and in data.

The search says: all operations that returned earlier can be placed, this one cannot, and
these are the configurations that were possible just before it returned.  From that come
the sentence, and the handful of operations that a reader needs to see: the operation that
cannot be placed, those open at the same time, and the last ones that were placed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from checker._found import Found
from checker._model import Model
from checker._nondeterministic import members, shown_state
from checker._state import frozen
from checker._verdict import Counterexample
from engine._native import Operations
from histories import Event, History, Json

_READS: Final = ("read", "get", "r")
_STATES_SHOWN: Final = 4
_PLACED_SHOWN: Final = 8
_VALUE_CHARACTERS_MAX: Final = 60


def explain(
    history: History,
    model: Model,
    operations: Operations,
    key: Json,
    answer: Found,
) -> Counterexample:
    """The counterexample of one key that is invalid."""
    assert answer.stuck is not None, "an invalid key has an operation that cannot be placed"
    stuck = answer.stuck
    index = _Indexes(history)
    reached: dict[Any, Json] = {}
    configurations = []
    # Asked for once: the engine makes the list anew each time.
    classes = operations.classes
    for text, linearized, crashed in answer.configurations:
        state = answer.states[text]
        reached.update((frozen(each), each) for each in members(state))
        configurations.append(
            {
                "state": shown_state(state),
                "linearized": [index[i] for i in sorted(linearized)],
                "crashed": [_crashed(history, classes, *taken) for taken in crashed],
            }
        )
    complete = answer.configurations_total == len(answer.configurations)
    placed = answer.order[-_PLACED_SHOWN:].tolist()
    sentence = _sentence(history, model, key, answer, list(reached.values()), complete)
    return Counterexample(
        sentence=sentence,
        key=key,
        operation=index[stuck],
        operations=tuple(_evidence(history, {stuck, *answer.concurrent, *placed})),
        states=tuple(reached.values()),
        configurations=tuple(configurations),
        details={
            "placed_before": answer.position,
            "configurations": answer.configurations_total,
            "of_few_operations": answer.excerpt,
            "concurrent": [index[i] for i in answer.concurrent],
            "linearization": [index[i] for i in placed],
        },
    )


class _Indexes:
    """Positions in a history (which may be a slice) as indexes in the whole."""

    def __init__(self, history: History) -> None:
        self._index = history.index

    def __getitem__(self, position: int) -> int:
        return int(self._index[position])


def _crashed(history: History, classes: Sequence[Any], klass: int, count: int) -> Json:
    f, argument = classes[0].item(klass), classes[1].item(klass)
    return {"f": history.f_names[f], "value": history.value_of(argument), "times": count}


def _sentence(
    history: History,
    model: Model,
    key: Json,
    answer: Found,
    states: Sequence[Json],
    complete: bool,
) -> str:
    assert answer.stuck is not None
    invoked = history[answer.stuck]
    completed = history[int(history.pairs[answer.stuck])]
    of_key = "" if key is None else f" of key {shown_value(key)}"
    possible = _alternatives(states[:_STATES_SHOWN], complete and len(states) <= _STATES_SHOWN)
    is_register = model.native in ("register", "cas-register")
    could = "register could only have held" if is_register else "state could only have been"
    written = ""
    if is_register and invoked.f in _READS:
        written = _written(history, model, completed.value, answer.writer)
    provenance = f"; {written}" if written else ""
    did = f"Process {invoked.process} {told(invoked, completed)}{of_key}"
    if answer.excerpt:
        return (
            f"{did}, but no order of it and the few operations that it contradicts allows that: "
            f"by these alone, when it returned (event {completed.index}), the {could} "
            f"{possible}{provenance}."
        )
    return (
        f"{did}, but no order of the operations allows that: when it returned (event "
        f"{completed.index}), the {could} {possible}{provenance}."
    )


def _written(history: History, model: Model, value: Json, writer: int | None) -> str:
    """Who could have written the value that was read; nothing where it is the initial one."""
    if writer is not None:
        last = history[writer]
        return (
            f"{shown_value(value)} was last written by process {last.process} (event {last.index})"
        )
    if shown_value(model.initial) == shown_value(value):
        return ""
    return f"nobody had begun to write {shown_value(value)} by then"


def told(invoked: Event, completed: Event) -> str:
    """The operation in the past tense, with what the client was told."""
    if invoked.f in _READS:
        return f"read {shown_value(completed.value)}"
    if invoked.f == "cas" and completed.value is False:
        expected = invoked.value[0] if isinstance(invoked.value, list) else invoked.value
        return f"was told that the value is not {shown_value(expected)} (a compare-and-set)"
    if invoked.f == "cas" and isinstance(invoked.value, list) and len(invoked.value) == 2:
        return f"set {shown_value(invoked.value[1])} where it found {shown_value(invoked.value[0])}"
    if invoked.f in ("write", "put", "w"):
        return f"wrote {shown_value(invoked.value)}"
    result = (
        "" if completed.value == invoked.value else f" and was told {shown_value(completed.value)}"
    )
    argument = "" if invoked.value is None else f" of {shown_value(invoked.value)}"
    return f"did a {invoked.f}{argument}{result}"


def _alternatives(states: Sequence[Json], complete: bool) -> str:
    shown = [shown_value(state) for state in states]
    if not complete:
        return f"{', '.join(shown)} or a few others"
    if len(shown) == 1:
        return shown[0]
    return f"{', '.join(shown[:-1])} or {shown[-1]}"


def _evidence(history: History, invocations: set[int]) -> list[Event]:
    """The events of these operations in their order, invocations and completions."""
    completions = {int(history.pairs[position]) for position in invocations}
    return history.at([each for each in sorted(invocations | completions) if each >= 0])


def shown_value(value: Json) -> str:
    text = msgspec.json.encode(value).decode()
    if len(text) <= _VALUE_CHARACTERS_MAX:
        return text
    half = _VALUE_CHARACTERS_MAX // 2
    return f"{text[: half - 1]}…{text[-half:]}"

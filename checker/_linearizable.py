"""Is a history linearizable?

Each key is an object of its own (linearizability is local), and each is searched by the
engine: does some order of the operations exist that the model allows and that never puts
an operation before one that had returned when it was invoked?  A `valid` carries that
order for each key; an `invalid` the first operation of each key that cannot be placed and
what was possible just before.

Deliberately not here: the search (engine/src/search), the wording (`_explanation`).
"""

from __future__ import annotations

import functools
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from checker._asking import Asking
from checker._core import Effort, Search, core_of
from checker._core_told import with_core
from checker._explanation import explain
from checker._model import Call, Model, ModelError
from checker._models import MODELS, MONITORS
from checker._nondeterministic import NondeterministicModel, deterministic
from checker._verdict import Linearization, Unknown, Valid, Verdict, merge_valid
from engine._native import Answer, Operations, Suspended, canonical_json
from histories import History, Json

ALGORITHMS: Final = {
    "auto": "whatever is fastest for each key",
    "jit": "just-in-time linearization",
    "monitor": "the near-linear algorithm of the model",
    "zones": "zones of distinct writes",
    "queue": "order of distinct elements in a queue",
}
"""Names on the command line.  ``jit`` is the general search; all behind ``monitor`` are
monitors, each for a model."""

_ASKED_MAX: Final = 10_000
"""A model in Python is asked so often, to find out what never changes a state; less often
for a history that is searched before that would be known."""

_COUNTEREXAMPLES_MAX: Final = 1_000
"""More failing keys than this are counted, not shown."""

_CORES_MAX: Final = 16
"""Of so many failing keys the core is looked for."""

_CORE_SEARCH_SECONDS: Final = 1.0
_CORE_SECONDS: Final = 10.0
"""A safety net: the work on cores is bounded by counting, searches of small histories can
still be hard.  A search that takes longer counts as one that found an explanation."""


class Limits(NamedTuple):
    """What a call may cost: wall seconds, bytes of search tables, threads."""

    seconds: float | None
    bytes: int | None
    jobs: int
    steps: int | None = None
    only: Sequence[int] | None = None
    earlier: Sequence[Suspended | None] = ()
    tell: Callable[[int, Answer], None] | None = None


def linearizable(
    history: History,
    model: str | Model | NondeterministicModel = "cas-register",
    *,
    initial: Json = None,
    time_limit_s: float | None = None,
    memory_limit_bytes: int | None = None,
    algorithm: str = "auto",
    jobs: int | None = None,
    core: bool = True,
) -> Verdict:
    """Judge whether each key of `history` is linearizable with respect to `model`.

    `model` is a name (`register`, `cas-register`, `kv`) with an `initial` value, or a
    `Model` or `NondeterministicModel`, which have their own.  The limits are checked inside
    the search; by default there is no limit in time, and half of the machine's free memory.
    `jobs` threads search different keys (default: all cores).  `core` says whether
    counterexamples are reduced to the few operations that matter, which takes some hundred
    small searches more.

    Raises `ModelError` where an operation does not fit the model, and `ValueError` where
    an argument makes no sense.
    """
    if not isinstance(history, History):
        raise TypeError(f"a History is judged, not {history!r}; History.read(path) reads one")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"unknown algorithm {algorithm!r}; try one of {', '.join(ALGORITHMS)}")
    started = time.perf_counter()
    chosen = _chosen(model, initial)
    limits = Limits(
        time_limit_s,
        memory_limit_bytes if memory_limit_bytes is not None else _free_memory_bytes(),
        jobs if jobs is not None else len(os.sched_getaffinity(0)),
    )
    if limits.jobs < 1 or (limits.seconds is not None and limits.seconds < 0):
        raise ValueError("jobs is at least 1 and time_limit_s at least 0")
    operations = Operations(
        history.time,
        history.process,
        history.type,
        history.f,
        history.key,
        history.value,
        history.pairs,
        chosen.by_process,
        limits.jobs,
    )
    answers, states = _search(history, operations, chosen, algorithm, limits)
    keys = [history.key_of(code) for code in operations.keys]
    unfit = [key for key, answer in zip(keys, answers, strict=True) if answer.exhausted == "unfit"]
    if unfit:
        raise ValueError(
            f"the operations of key {unfit[0]!r} do not meet the conditions of the algorithm "
            f"{algorithm} ({ALGORITHMS[algorithm]}); leave the choice to auto"
        )
    failed = [index for index, answer in enumerate(answers) if answer.verdict == "invalid"]
    counterexamples = [
        explain(history, chosen, operations, keys[index], answers[index], states)
        for index in failed[:_COUNTEREXAMPLES_MAX]
    ]
    search = _search_of_cores(limits, started)
    effort = Effort()
    for number, index in enumerate(failed[:_CORES_MAX] if core else []):
        stuck = answers[index].stuck
        assert stuck is not None, "an invalid key has an operation that cannot be placed"
        found = core_of(history, chosen, stuck, search, effort)
        if found is not None:
            counterexamples[number] = with_core(
                counterexamples[number], history, chosen, stuck, answers[index].writer, found
            )
    return Verdict(
        valid=merge_valid(_valid(answer) for answer in answers),
        checker="linearizable",
        model=chosen.name,
        algorithm=_used(answers),
        operations=operations.count,
        seconds=time.perf_counter() - started,
        counterexamples=tuple(counterexamples),
        unknown=_unknown(keys, answers, limits) if not failed else None,
        notes=_notes(operations, len(failed)),
        details={"keys": len(keys), "invalid_keys": len(failed)},
        certificates=tuple(
            Linearization(key, answer.order)
            for key, answer in zip(keys, answers, strict=True)
            if answer.verdict == "valid"
        ),
    )


def _chosen(model: str | Model | NondeterministicModel, initial: Json) -> Model:
    if isinstance(model, Model | NondeterministicModel):
        if initial is not None:
            raise ValueError("a Model has its own initial state; leave `initial` out")
        return deterministic(model)
    if model not in MODELS:
        raise ValueError(f"unknown model {model!r}; try one of {', '.join(MODELS)}")
    return MODELS[model](initial)


def _search(
    history: History, operations: Operations, model: Model, algorithm: str, limits: Limits
) -> tuple[Sequence[Answer], Sequence[Json] | None]:
    """The answer for each key, and the states by number where Python numbered them."""
    if algorithm not in ("auto", "jit"):
        algorithm = _monitor(model, algorithm)
    if model.native is None:
        asking = Asking(model, [_call(history, klass) for klass in operations.classes])
        declared = [call.f in model.read_only for call in asking.calls]
        asked_max = max(min(_ASKED_MAX, 20 * operations.count), operations.count // 10)
        read_only = asking.never_change(asked_max) or declared
        return operations.search_python(asking, read_only, limits), asking.states
    names = history.f_names
    values = (history.values.offsets, np.frombuffer(history.values.data, dtype=np.uint8))
    initial = canonical_json(msgspec.json.encode(model.initial)).decode()
    try:
        if model.native == "kv":
            return operations.search_strings(names, values, initial, limits), None
        if model.native in ("register", "cas-register"):
            with_cas = model.native == "cas-register"
            asked = (names, values, initial, with_cas, algorithm, limits)
            return operations.search_register(*asked), None
        asked_of = (model.native, names, values, initial, algorithm, limits)
        return operations.search_object(*asked_of), None
    except ValueError as error:
        if len(error.args) != 2:
            raise
        klass, message = error.args
        raise ModelError(f"{_where(history, operations, klass)}: {message}") from None


def _monitor(model: Model, algorithm: str) -> str:
    """The engine's word for the monitor of this name; it must be one for this model."""
    name = MONITORS.get(model.native or "")
    if name is None:
        raise ValueError(f"there is no monitor for the model {model.name}; try auto or jit")
    if algorithm not in ("monitor", name):
        raise ValueError(f"the algorithm {algorithm} is not for {model.name}; try {name}")
    return "monitor"


def _search_of_cores(limits: Limits, started: float) -> Search:
    """The same search for relaxed histories; the time limit of the call holds for it too."""
    deadline = time.perf_counter() + _CORE_SECONDS
    if limits.seconds is not None:
        deadline = min(deadline, started + limits.seconds)

    def search(history: History, model: Model) -> bool | None:
        left = min(deadline - time.perf_counter(), _CORE_SEARCH_SECONDS)
        if left <= 0:
            return None
        clocked = (history.time, history.process, history.type)
        try:
            named = (history.f, history.key, history.value)
            operations = Operations(*clocked, *named, history.pairs, model.by_process, 1)
            answers, _ = _search(history, operations, model, "auto", Limits(left, limits.bytes, 1))
        except Exception:
            # A model in Python may raise in a state that it did not meet before.  The verdict
            # stands; a core is only an explanation.
            return None
        found = merge_valid(_valid(answer) for answer in answers)
        return None if found == "unknown" else found

    return search


def _call(history: History, klass: tuple[int, int, int, bool, int]) -> Call:
    f, argument, result, completed, process = klass
    return Call(
        history.f_names[f],
        history.value_of(argument),
        history.value_of(result),
        completed,
        process if process >= 0 else None,
    )


def _where(history: History, operations: Operations, klass: int) -> str:
    """The first operation of a class, as a place in the user's file."""
    f, argument, *_ = operations.classes[klass]
    mask = (history.f == f) & (history.value == argument) & (history.type == 0)
    event = int((mask & (history.process >= 0)).argmax())
    line = history.line(event)
    name = history.source or "history"
    return f"{name}:{line}" if line is not None else f"{name}, event {event}"


def _valid(answer: Answer) -> Valid:
    if answer.verdict == "unknown":
        return "unknown"
    return answer.verdict == "valid"


def _used(answers: Sequence[Answer]) -> str:
    """The algorithms that decided, and how many keys each where there are several."""
    counts = Counter(answer.algorithm for answer in answers)
    if len(counts) <= 1:
        return ALGORITHMS[next(iter(counts), "jit")]
    return ", ".join(f"{ALGORITHMS[name]} ({count} keys)" for name, count in counts.most_common())


def _unknown(keys: Sequence[Json], answers: Sequence[Answer], limits: Limits) -> Unknown | None:
    """Why there is no verdict: the keys that are still open, and what ended their search."""
    still_open = [
        (key, answer)
        for key, answer in zip(keys, answers, strict=True)
        if answer.verdict == "unknown"
    ]
    if not still_open:
        return None
    key, answer = still_open[0]
    alone = len(keys) == 1 and key is None
    done = "" if alone else f"{len(keys) - len(still_open)} of {len(keys)} keys are decided; "
    of_key = "" if alone else f" of key {key!r}"
    place = f"the search{of_key} had placed {answer.position} completed operations"
    if answer.exhausted == "time":
        sentence = f"The time limit of {limits.seconds:g} s ran out: {done}{place}."
        return Unknown("time", sentence, "Give it more time (--time-limit).")
    if answer.exhausted == "memory":
        allowed = f"{(limits.bytes or 0) / 1e6:,.0f} MB"
        sentence = f"The memory limit of {allowed} was reached: {done}{place}."
        return Unknown("memory", sentence, "Give it more memory (--memory-limit).")
    sentence = f"{done}More than 4,096 operations{of_key} are open at once."
    return Unknown("memory", sentence, "Record the history with fewer clients per key.")


def _notes(operations: Operations, failed: int) -> tuple[str, ...]:
    notes = []
    if operations.timeless:
        notes.append("All time stamps are equal, so the order of the events was taken instead.")
    elif operations.ties:
        notes.append(
            f"{operations.ties} invocations carry the same time as a completion just before "
            "them; intervals are closed, so these operations count as concurrent."
        )
    if failed > _COUNTEREXAMPLES_MAX:
        notes.append(f"{failed} keys fail; the first {_COUNTEREXAMPLES_MAX} are shown.")
    return tuple(notes)


@functools.lru_cache(maxsize=1)
def _free_memory_bytes() -> int | None:
    """Half of the memory that was free at first; None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 // 2
    except OSError:
        pass
    return None

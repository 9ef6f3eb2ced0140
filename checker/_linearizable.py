"""Is a history linearizable?

Each key is an object of its own (linearizability is local), and each is searched by the
engine: does some order of the operations exist that the model allows and that never puts
an operation before one that had returned when it was invoked?  A `valid` carries that
order for each key; an `invalid` the first operation of each key that cannot be placed and
what was possible just before.

Deliberately not here: the search (engine/src/search), the wording (`_explanation`).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from checker._answering import Question, known
from checker._apart import runs_apart
from checker._core import Core
from checker._core_told import with_core
from checker._explanation import explain
from checker._found import Found
from checker._limits import limits_of
from checker._model import Model
from checker._models import MODELS
from checker._nondeterministic import NondeterministicModel, deterministic
from checker._open import told_of_open, why_unknown
from checker._progress import read_progress, write_progress
from checker._resumption import Resumption
from checker._searching import gathered
from checker._set_told import in_terms_of_reads
from checker._verdict import Counterexample, Linearization, Verdict, merge_valid
from engine._native import Operations
from histories import History, Json

ALGORITHMS: Final = {
    "auto": "whatever is fastest for each key",
    "jit": "just-in-time linearization",
    "monitor": "the near-linear algorithm of the model",
    "zones": "zones of distinct writes",
    "queue": "order of distinct elements in a queue",
    "elements": "element by element",
    "versions": "one sweep by version",
    "stack": "nesting of distinct elements in a stack",
    "priority-queue": "stays of distinct elements in a priority queue",
    "lock": "critical sections of a lock",
    "semaphore": "permits of a semaphore",
    "lease": "order of fencing tokens",
    "counter": "equal steps of a counter",
    "offsets": "one sweep by offset",
}
"""Names on the command line.  ``jit`` is the general search; all behind ``monitor`` are
monitors, each for a model."""

_COUNTEREXAMPLES_MAX: Final = 1_000
"""More failing keys than this are counted, not shown."""


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
    step_limit: int | None = None,
    resume: Verdict | None = None,
    progress: str | os.PathLike[str] | None = None,
) -> Verdict:
    """Judge whether each key of `history` is linearizable with respect to `model`.

    `model` is a name (`register`, `cas-register`, `kv`) with an `initial` value, or a
    `Model` or `NondeterministicModel`, which have their own.  The limits are checked inside
    the search; by default there is no limit in time, and half of the machine's free memory.
    `jobs` threads search different keys (default: all cores).  `core` says whether
    counterexamples are reduced to the few operations that matter, which takes some hundred
    small searches more.

    `step_limit` is how many configurations the search of each key may visit; unlike time it
    is the same on every machine.

    `resume` is an unknown verdict over the same history and model: what it had decided is
    not searched again, and what was open goes on where it was left, with new limits.
    `progress` names a file that does the same for later processes: where it exists the search
    goes on from it, and where the verdict is unknown it is written.  It is for models by name.

    Raises `ModelError` where an operation does not fit the model, and `ValueError` where
    an argument makes no sense.
    """
    if not isinstance(history, History):
        raise TypeError(f"a History is judged, not {history!r}; History.read(path) reads one")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"unknown algorithm {algorithm!r}; try one of {', '.join(ALGORITHMS)}")
    started = time.perf_counter()
    chosen = chosen_model(model, initial)
    limits = limits_of(time_limit_s, memory_limit_bytes, jobs, step_limit)
    if progress is not None and (resume is not None or not isinstance(model, str)):
        raise ValueError("progress is for models by name, and leaves nothing to `resume`")
    earlier = None
    if resume is not None:
        earlier = Resumption.of(resume, history, chosen)
    elif progress is not None and os.path.exists(progress):
        earlier = read_progress(progress, history, chosen, initial)
    gathering = earlier.jobs if earlier is not None else limits.jobs
    ready = earlier.operations_of(history) if earlier is not None else None
    operations = ready if ready is not None else gathered(history, chosen, gathering)
    apart = runs_apart(chosen, time_limit_s, memory_limit_bytes)
    question = Question(history, operations, chosen, algorithm, core, apart)
    found, cores, read_only, stop = known(question, limits.since(started), earlier)
    keys = [history.key_of(code) for code in operations.keys]
    unfit = [key for key, each in zip(keys, found, strict=True) if each.exhausted == "unfit"]
    if unfit:
        raise ValueError(
            f"the operations of key {unfit[0]!r} do not meet the conditions of the algorithm "
            f"{algorithm} ({ALGORITHMS[algorithm]}); leave the choice to auto"
        )
    failed = [(key, each) for key, each in zip(keys, found, strict=True) if each.valid is False]
    told = told_of_open(history, operations, keys, found)
    left = Resumption(history, chosen, operations, tuple(found), gathering, read_only)
    if progress is not None and (told or earlier is not None):
        write_progress(progress, initial, left)
    return Verdict(
        valid=merge_valid(each.valid for each in found),
        checker="linearizable",
        model=chosen.name,
        algorithm=_used(found),
        operations=operations.count,
        seconds=time.perf_counter() - started,
        counterexamples=tuple(
            _counterexample(question, cores, key, each)
            for key, each in failed[:_COUNTEREXAMPLES_MAX]
        ),
        unknown=why_unknown(told, limits, found, stop) if told and not failed else None,
        notes=(*_notes(operations, len(failed)), *_note_of_progress(progress, earlier, told)),
        details=_details(found, told),
        certificates=tuple(
            Linearization(key, each.order)
            for key, each in zip(keys, found, strict=True)
            if each.verdict == "valid"
        ),
        resumption=left if told else None,
    )


def _counterexample(
    question: Question, cores: Mapping[int, Core], key: Json, found: Found
) -> Counterexample:
    """Why a key failed, with its core if there is one."""
    history, model = question.history, question.model
    shown = explain(history, model, question.operations, key, found)
    assert found.stuck is not None, "an invalid key has an operation that cannot be placed"
    core = cores.get(found.stuck)
    if core is not None:
        shown = with_core(shown, history, model, found.stuck, found.writer, core)
    return in_terms_of_reads(history, shown) if model.native == "set" else shown


def chosen_model(model: str | Model | NondeterministicModel, initial: Json) -> Model:
    if isinstance(model, Model | NondeterministicModel):
        if initial is not None:
            raise ValueError("a Model has its own initial state; leave `initial` out")
        return deterministic(model)
    if model not in MODELS:
        raise ValueError(f"unknown model {model!r}; try one of {', '.join(MODELS)}")
    return MODELS[model](initial)


def _used(found: Sequence[Found]) -> str:
    """The algorithms that decided, and how many keys each where there are several."""
    counts = Counter(each.algorithm for each in found)
    if len(counts) <= 1:
        return ALGORITHMS[next(iter(counts), "jit")]
    return ", ".join(f"{ALGORITHMS[name]} ({count} keys)" for name, count in counts.most_common())


def _note_of_progress(
    progress: str | os.PathLike[str] | None, earlier: Resumption | None, told: Sequence[object]
) -> list[str]:
    if progress is None:
        return []
    notes = []
    if earlier is not None:
        decided = sum(each.verdict != "unknown" for each in earlier.found)
        keys = f"{decided:,} of {len(earlier.found):,} keys were decided"
        notes.append(f"gone on from {os.fspath(progress)}, where {keys}")
    if told:
        notes.append(f"how far it was is kept in {os.fspath(progress)}")
    return notes


def _details(found: Sequence[Found], told: Sequence[dict[str, Json]]) -> dict[str, Json]:
    counts = Counter(each.verdict for each in found)
    details: dict[str, Json] = {"keys": len(found), "invalid_keys": counts["invalid"]}
    if told:
        details |= {"valid_keys": counts["valid"], "open_keys": counts["unknown"]}
        details["open"] = list(told)
    return details


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

"""From a history to a verdict: which checker, with which model, from which initial value.

This is the one place that joins what the user asked for, what the run recorded about
itself and what the operations suggest, in this order.  A run of a workload says by which
model and which checkers it is to be judged, unless the user names others.  Everything assumed
that the user did not say is a note of the verdict.  A run in which too little succeeded proves
nothing, so its verdict is unknown (vacuous) rather than valid.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from momus._checkers import judged_by, listed, own
from momus._exits import Refusal
from momus._guess import DATA_OPERATIONS, MODELS, Guess, model_of
from momus._minimums import checked, only_if_shown
from momus._receipts import only_if_proven
from momus._sources import Loaded, expand, load

if TYPE_CHECKING:
    from checker import Model, Verdict
    from checker.evidence import Checker
    from histories import Event, History

MISSING_KEY_READS = {"kv": ""}
"""Initial values other than null: a key that was never put reads as the empty string."""


@dataclass(frozen=True)
class Request:
    """What the user wants of the checker; None means "as momus thinks best".

    `initial` is a box of one, since null is a value; limits are in seconds and bytes;
    `minimums` are those of `checker.evidence.Vacuity`.
    """

    model: str | Model | None = None
    initial: tuple[Any] | None = None
    time_limit_s: float | None = None
    memory_limit_bytes: int | None = None
    algorithm: str = "auto"
    jobs: int | None = None
    consistency: str = "linearizable"
    progress: Path | None = None
    minimums: Mapping[str, float] | None = None
    checkers: tuple[str, ...] = ()


def check(
    history: History | Iterable[Event] | str | os.PathLike[str],
    model: str | Model | None = None,
    *,
    initial: Any = msgspec.UNSET,
    time_limit_s: float | None = None,
    memory_limit_bytes: int | None = None,
    algorithm: str = "auto",
    jobs: int | None = None,
    consistency: str = "linearizable",
    progress: str | os.PathLike[str] | None = None,
    minimums: Mapping[str, float] | None = None,
    checkers: Iterable[str] = (),
) -> Verdict:
    """Judge a history, given as itself, as events, or as the path of a file or a run folder.

    The model is guessed where it is not named.  `consistency` is ``linearizable``, or
    ``sequential``, for which only the order of each process's own operations counts.
    `progress` is a file in which an unknown verdict leaves how far it was, for a later call
    to go on from.  `minimums` is what has to succeed for a verdict to be valid, as in
    ``{"operation": 10, "node": 5, "window": 1, "clients": 2}``.  `checkers` are names of
    checkers that need no search, like ``set-full`` (see `checker.evidence`); with them there is
    a search only if a model is named, and each is a part of the verdict.  Raises `HistoryError`
    where the input is not a history and `Refusal` where the request makes no sense.
    """
    from histories import History

    request = Request(
        model=model,
        initial=None if initial is msgspec.UNSET else (initial,),
        time_limit_s=time_limit_s,
        memory_limit_bytes=memory_limit_bytes,
        algorithm=algorithm,
        jobs=jobs,
        consistency=consistency,
        progress=Path(progress) if progress is not None else None,
        minimums=None if minimums is None else checked(minimums),
        checkers=listed(checkers),
    )
    if isinstance(history, str | os.PathLike):
        [source] = expand([os.fspath(history)])
        return judge(load(source), request)
    if not isinstance(history, History):
        history = History.from_events(history)
    return judge_history(history, dict(history.meta), request)


def judge(loaded: Loaded, request: Request) -> Verdict:
    """The verdict over what was loaded; a `Refusal` names the file it is about."""
    try:
        return judge_history(loaded.history, loaded.meta, request)
    except Refusal as refusal:
        name = loaded.history.source or loaded.source.name
        where = "" if str(refusal).startswith(name) else f"{name}: "
        raise Refusal(f"{where}{refusal}") from refusal


def assumed(loaded: Loaded, request: Request) -> tuple[str | Model, Any]:
    """The model and the initial value that a history is judged by."""
    guess = _model(loaded.history, loaded.meta, request)
    model = request.model if request.model is not None else guess.model
    return model, _initial(guess, loaded.meta, request)


def judge_history(history: History, meta: Mapping[str, Any], request: Request) -> Verdict:
    """The verdict over `history`, with everything that was assumed among its notes."""
    left_out = _operations_of_names(history)
    notes: list[str] = []
    verdict = None
    named = request.model is not None or bool(request.checkers)
    checkers = request.checkers if named else own(meta, "checkers")
    asides = () if named else own(meta, "asides")
    others = {} if named else checkers_of_scenario(meta, notes)
    if request.model is not None or not checkers or (not named and meta.get("model")):
        verdict = _searched(history, meta, request, notes)
    if checkers or asides or others:
        if verdict is None:
            _refuse_what_needs_a_model(request)
        verdict = judged_by(history, request, verdict, checkers, asides, others)
    assert verdict is not None, "without checkers there is a search"
    notes += [left_out] if left_out else []
    if history.torn:
        notes.append("the recording was cut off, and ends where the last events reached the disk")
    verdict = msgspec.structs.replace(verdict, notes=(*notes, *verdict.notes))
    verdict = only_if_proven(verdict, history, meta)
    return only_if_shown(verdict, history, meta, request.minimums)


def checkers_of_scenario(meta: Mapping[str, Any], notes: list[str]) -> Mapping[str, Checker]:
    """The checkers of the scenario that a run was of; a note where there is none of this name."""
    scenario = meta.get("scenario")
    if scenario is None or not meta.get("observe_hz"):
        return {}
    from simulation import Case, real

    system, nodes = str(meta.get("system")), int(meta.get("nodes", 0))
    try:
        scene = real.scene_of(system, str(scenario))
    except ValueError as error:
        notes.append(f"the scenario's own checkers are left out: {error}")
        return {}
    case = Case(system, scene.scenario.name, int(meta.get("seed", 0)), meta.get("bug"))
    return real.judges_of(scene, case, tuple(f"n{number + 1}" for number in range(nodes)))


def _searched(
    history: History, meta: Mapping[str, Any], request: Request, notes: list[str]
) -> Verdict:
    """The verdict by a model; what was assumed is added to `notes`."""
    from checker import unless_unread

    guess = _model(history, meta, request)
    initial = _initial(guess, meta, request)
    model = request.model if request.model is not None else guess.model
    verdict = _judged(history, model, initial, request)
    if model == "set":
        verdict = unless_unread(history, verdict)
    notes += [guess.why] if guess.why else []
    if request.initial is None and meta.get("initial") is not None:
        notes.append(f"the initial value is {json.dumps(initial)}, as the history says of itself")
    return verdict


def _refuse_what_needs_a_model(request: Request) -> None:
    given = {
        "initial": request.initial is not None,
        "algorithm": request.algorithm != "auto",
        "consistency": request.consistency != "linearizable",
        "progress": request.progress is not None,
    }
    for option, said in given.items():
        if said:
            raise Refusal(f"--{option} is of a model; name one with --model, or leave it out")


def _judged(history: History, model: str | Model, initial: Any, request: Request) -> Verdict:
    import checker

    if request.initial is not None and not isinstance(model, str):
        raise Refusal("a Model has its own initial state; leave `initial` out")
    try:
        if request.consistency == "sequential":
            if request.progress is not None:
                raise Refusal("progress is kept for linearizability; leave --progress out")
            return _sequential(history, model, initial, request)
        return checker.linearizable(
            history,
            model,
            initial=initial if isinstance(model, str) else None,
            time_limit_s=request.time_limit_s,
            memory_limit_bytes=request.memory_limit_bytes,
            algorithm=request.algorithm,
            jobs=request.jobs,
            progress=request.progress,
        )
    except ValueError as error:  # also an operation that the model does not know
        raise Refusal(str(error)) from error


def _sequential(history: History, model: str | Model, initial: Any, request: Request) -> Verdict:
    import checker

    if request.algorithm != "auto":
        raise Refusal("sequential consistency has one algorithm; leave --algorithm out")
    if model == "set":
        raise Refusal("the model set is judged as linearizable only; leave --consistency out")
    return checker.sequentially_consistent(
        history,
        model,
        initial=initial if isinstance(model, str) else None,
        time_limit_s=request.time_limit_s,
        memory_limit_bytes=request.memory_limit_bytes,
        jobs=request.jobs,
    )


def _model(history: History, meta: Mapping[str, Any], request: Request) -> Guess:
    if request.model is None:
        return model_of(meta, client_operations(history), numbered=answers_are_numbered(history))
    if isinstance(request.model, str) and request.model not in MODELS:
        raise Refusal(f"unknown model {request.model}; try one of {', '.join(MODELS)}")
    return Guess(request.model if isinstance(request.model, str) else "")


def _initial(guess: Guess, meta: Mapping[str, Any], request: Request) -> Any:
    if request.initial is not None:
        return request.initial[0]
    return meta.get("initial", MISSING_KEY_READS.get(guess.model))


def _operations_of_names(history: History) -> str:
    """A note on the operations that are no clients', though they look like it.

    Only numbered processes are clients; the nemesis and other observers have names.  A
    recorder that names its clients would have nothing judged, and nothing wrong found.
    """
    import numpy as np

    data = [code for code, name in enumerate(history.f_names) if name in DATA_OPERATIONS]
    named = (history.process < 0) & (history.type == 0) & np.isin(history.f, data)
    count = int(named.sum())
    if not count:
        return ""
    first = int(named.argmax())
    name = history.process_names[-1 - int(history.process[first])]
    told = f"only processes with a number are clients; process {json.dumps(name)} has a name"
    if not bool((history.process >= 0).any()):
        line = history.line(first)
        where = f"{history.source}:{line}: " if history.source and line is not None else ""
        raise Refusal(f"{where}{told}, and there are no others; try numbers from 0")
    return f"{told}, and {count} operations of such processes were left out"


def client_operations(history: History) -> set[str]:
    """The names of the operations that clients (not the nemesis) invoked."""
    import numpy as np

    codes = np.unique(history.f[history.process >= 0])
    return {history.f_names[code] for code in codes if code >= 0}


def answers_are_numbered(history: History) -> bool:
    """Whether the first answer of each of the clients' operations is ``[number, value]``.

    The number may be null, where it was not learnt, and false is the answer of a
    compare-and-set that did not succeed.
    """
    import numpy as np

    completed = (history.process >= 0) & (history.type == 1)
    found = False
    for code in np.unique(history.f[completed]):
        answer = history.value_of(int(history.value[(completed & (history.f == code)).argmax()]))
        if answer is False:
            continue
        if not isinstance(answer, list) or len(answer) != 2:
            return False
        if answer[0] is not None and type(answer[0]) is not int:
            return False
        found = True
    return found

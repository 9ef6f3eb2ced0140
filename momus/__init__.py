"""The front door: every public name of momus, so that a test says ``import momus`` and no more.

    history = momus.History.read("history.jsonl")
    verdict = momus.check(history, "cas-register", initial=0)
    assert verdict.valid is True, verdict.counterexamples[0].sentence

The rooms are here, too (`momus.checker`, `momus.generators`, `momus.nemesis`, ...), with the
names that would be ambiguous without one: `momus.register` is the model, the workload is
`momus.generators.register`; `momus.nemesis` is the room, its combinator of the same name
is `momus.generators.nemesis`.

A name is imported when it is first used, so ``momus --help`` does not wait for numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import checker
    import cluster
    import generators
    import histories
    import nemesis
    import reports
    import simulation
    from checker import (
        ILLEGAL,
        Call,
        Counterexample,
        Linearization,
        Model,
        ModelError,
        NondeterministicModel,
        Unknown,
        Valid,
        Verdict,
        bank,
        bounded_queue,
        cas_register,
        grow_only_set,
        kv,
        linearizable,
        merge_valid,
        multi_register,
        priority_queue,
        queue,
        register,
        sequentially_consistent,
        stack,
        verify,
        verify_sequential,
    )
    from cluster import (
        Etcd,
        Healed,
        Host,
        HostError,
        Journal,
        System,
        Unsupported,
        heal,
        local,
        namespaces,
        ssh,
    )
    from generators import (
        PENDING,
        Blocking,
        Client,
        Context,
        Generator,
        GeneratorError,
        Outcome,
        Test,
        Workload,
        any_of,
        clients,
        compose,
        concat,
        concurrent_keys,
        cycle,
        delay,
        each_thread,
        f_map,
        flip_flop,
        lift,
        limit,
        log,
        mix,
        on_threads,
        once,
        phases,
        play,
        process_limit,
        repeat,
        reserve,
        sequential_keys,
        set_workload,
        simulate,
        sleep,
        stagger,
        synchronize,
        then,
        time_limit,
        until_ok,
    )
    from histories import (
        NEMESIS,
        OBSERVER,
        CorruptHistory,
        Event,
        History,
        HistoryError,
        Json,
        Op,
        Process,
        Recorder,
        RecorderFailed,
        RecorderMisuse,
        Run,
        Store,
    )
    from momus._exits import (
        Broken,
        Refusal,
    )
    from momus._judge import (
        check,
    )
    from momus._scenario import (
        RealRun,
        run_scenario,
    )
    from momus._version import (
        version,
    )
    from nemesis import (
        Fault,
        Kill,
        Nemesis,
        NotHealed,
        Partition,
        Pause,
        Target,
        final,
        grudges,
        replay,
        schedule,
        script,
        targets,
    )

_ROOMS: Final = (
    "histories",
    "checker",
    "generators",
    "cluster",
    "nemesis",
    "reports",
    "simulation",
)
"""In the order in which a name is looked for; the first that has it decides."""

_OWN: Final = {
    "Broken": "momus._exits",
    "RealRun": "momus._scenario",
    "Refusal": "momus._exits",
    "check": "momus._judge",
    "run_scenario": "momus._scenario",
    "version": "momus._version",
}

__all__ = [
    "ILLEGAL",
    "NEMESIS",
    "OBSERVER",
    "PENDING",
    "Blocking",
    "Broken",
    "Call",
    "Client",
    "Context",
    "CorruptHistory",
    "Counterexample",
    "Etcd",
    "Event",
    "Fault",
    "Generator",
    "GeneratorError",
    "Healed",
    "History",
    "HistoryError",
    "Host",
    "HostError",
    "Journal",
    "Json",
    "Kill",
    "Linearization",
    "Model",
    "ModelError",
    "Nemesis",
    "NondeterministicModel",
    "NotHealed",
    "Op",
    "Outcome",
    "Partition",
    "Pause",
    "Process",
    "RealRun",
    "Recorder",
    "RecorderFailed",
    "RecorderMisuse",
    "Refusal",
    "Run",
    "Store",
    "System",
    "Target",
    "Test",
    "Unknown",
    "Unsupported",
    "Valid",
    "Verdict",
    "Workload",
    "any_of",
    "bank",
    "bounded_queue",
    "cas_register",
    "check",
    "checker",
    "clients",
    "cluster",
    "compose",
    "concat",
    "concurrent_keys",
    "cycle",
    "delay",
    "each_thread",
    "f_map",
    "final",
    "flip_flop",
    "generators",
    "grow_only_set",
    "grudges",
    "heal",
    "histories",
    "kv",
    "lift",
    "limit",
    "linearizable",
    "local",
    "log",
    "merge_valid",
    "mix",
    "multi_register",
    "namespaces",
    "nemesis",
    "on_threads",
    "once",
    "phases",
    "play",
    "priority_queue",
    "process_limit",
    "queue",
    "register",
    "repeat",
    "replay",
    "reports",
    "reserve",
    "run_scenario",
    "schedule",
    "script",
    "sequential_keys",
    "sequentially_consistent",
    "set_workload",
    "simulate",
    "simulation",
    "sleep",
    "ssh",
    "stack",
    "stagger",
    "synchronize",
    "targets",
    "then",
    "time_limit",
    "until_ok",
    "verify",
    "verify_sequential",
    "version",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        value: Any = import_module(name)
    elif name in _OWN:
        value = getattr(import_module(_OWN[name]), name)
    elif name in __all__:
        rooms = map(import_module, _ROOMS)
        value = getattr(next(room for room in rooms if name in room.__all__), name)
    else:
        raise AttributeError(f"momus has no {name!r}; see momus.__all__ for what it has")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

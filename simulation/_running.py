"""One run of one case: the same runner, nemesis and checkers as in a lab, in virtual time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from checker import Verdict
from checker.evidence import Checker, compose
from generators import (
    LoopClock,
    Outcome,
    Test,
    any_of,
    clients,
    limit,
    nemesis,
    on_threads,
    phases,
    play,
    sleep,
    stagger,
    time_limit,
)
from histories import OBSERVER, History, Json, Op
from nemesis import final
from simulation import _loop
from simulation._cluster import SimulatedCluster
from simulation._nemesis import simulated_nemesis
from simulation._tape import Tape
from simulation.scenario import Ask, Case, Scenario, Setting, Strike, System


@dataclass(frozen=True)
class Played:
    """A case that was played: its history, the judgement, and what it reached.

    `checkers` are those who judged it.  `points` counts the crash points, `crashes` those at which
    a machine lost its power, `deaths` are nodes that died of their own mistakes.  `seconds` is how
    long it took, `virtual_s` how long it was.
    """

    case: Case
    history: History
    verdict: Verdict
    checkers: Mapping[str, Checker]
    outcome: Outcome
    points: Mapping[str, int]
    crashes: Mapping[str, int]
    deaths: Mapping[str, tuple[str, ...]]
    messages: int
    seconds: float
    virtual_s: float

    def __repr__(self) -> str:
        """Short, for asyncio writes down the answer of whoever it has run, and so does pytest."""
        return f"<{self.case}: {len(self.history)} events, {self.verdict.valid}>"


def play_case(system: System, case: Case) -> Played:
    """Play a case and judge it.  Raises ValueError for one that the system does not have."""
    scenario = system.scenarios.get(case.scenario)
    if scenario is None:
        known = ", ".join(sorted(system.scenarios))
        raise ValueError(f"{system.name} has no scenario {case.scenario!r}; it has {known}")
    return _loop.run(_played(system, scenario, case))


async def _played(system: System, scenario: Scenario, case: Case) -> Played:
    began = time.perf_counter()
    nodes = [f"n{i + 1}" for i in range(case.nodes or scenario.nodes)]
    program = system.program(nodes, case.bug, scenario.options)
    cluster = SimulatedCluster(nodes, program, case.seed)
    setting = Setting(case, cluster)
    faults = scenario.faults(setting)
    tape = Tape()
    test = Test(
        name=f"{system.name} {scenario.name}",
        nodes=cluster.nodes,
        client=system.client(setting),
        generator=_generator(scenario, setting, faults),
        nemesis=simulated_nemesis(faults, cluster),
        observer=_Ear(cluster),
        concurrency=scenario.concurrency,
        seed=case.seed,
        op_timeout_s=scenario.op_timeout_s,
        reopen_pause_s_max=0.5,
    )
    cluster.start()
    outcome = await play(test, tape, clock=LoopClock())
    cluster.stop()
    history = tape.history({"simulated": msgspec.to_builtins(case), "name": test.name})
    checkers: Mapping[str, Checker] = dict(scenario.checkers(setting))
    return Played(
        case=case,
        history=history,
        verdict=compose(checkers).check(history),
        checkers=checkers,
        outcome=outcome,
        points=dict(cluster.points),
        crashes=dict(cluster.crashes),
        deaths={m.name: tuple(m.deaths) for m in cluster.machines.values() if m.deaths},
        messages=cluster.network.delivered,
        seconds=time.perf_counter() - began,
        virtual_s=cluster.loop.time(),
    )


def _generator(scenario: Scenario, setting: Setting, faults: Any) -> Any:
    case = setting.case
    strikes: Any = (
        scenario.schedule(setting, faults) if case.strikes is None else _strikes(case.strikes)
    )
    settle_s = scenario.settle_s if case.settle_s is None else case.settle_s
    last = (
        scenario.final(setting) if case.final_asks is None else _asked(case.final_asks, timed=False)
    )
    return phases(
        _load(scenario, setting, strikes),
        nemesis(final(faults)) if faults else None,
        clients(sleep(settle_s)) if settle_s else None,
        clients(last),
    )


def _load(scenario: Scenario, setting: Setting, strikes: Any) -> Any:
    case = setting.case
    limit_s = case.time_limit_s
    if case.asks is not None:
        both = clients(_asked(case.asks, timed=True), strikes)
        return both if limit_s is None else time_limit(limit_s, both)
    load = scenario.load(setting)
    if scenario.rate_hz is not None:
        load = stagger(1 / scenario.rate_hz, load)
    if case.operations is not None:
        load = limit(case.operations, load)
    return time_limit(scenario.time_limit_s if limit_s is None else limit_s, clients(load, strikes))


def _strikes(strikes: tuple[Strike, ...]) -> Any:
    return [Op(each.f, each.value, time=round(each.at_s * 1e9)) for each in strikes]


def _asked(asks: tuple[Ask, ...], *, timed: bool) -> Any:
    """Each thread does its own, one after the other; at their times if they are `timed`."""
    by_thread: dict[int, list[Op]] = {}
    for ask in asks:
        due = round(ask.at_s * 1e9) if timed else None
        op = Op(ask.f, ask.value, ask.key, time=due)
        by_thread.setdefault(ask.thread, []).append(op)
    return any_of(*(on_threads({thread}, ops) for thread, ops in by_thread.items()))


class _Ear:
    """The observer of a run: what nodes tell of themselves goes into the history as it happens."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster

    async def watch(self, tell: Callable[[Op], object], now: Callable[[], int]) -> None:  # noqa: ARG002
        """See `generators.ObserverLike`."""

        def hear(node: str, event: str, facts: dict[str, Json]) -> None:
            tell(Op("observe", {"event": event, **facts}, None, "ok", OBSERVER, None, None, node))

        self._cluster.listeners.append(hear)
        try:
            await self._cluster.loop.create_future()
        finally:
            self._cluster.listeners.remove(hear)

"""Scenarios of the simulated world against real processes: the same load, faults that are real.

A fault of the simulation has a twin among those of a lab (see `_twins`), or not; a scenario with
a fault that has none is not for real processes, and says so.  A scenario's own schedule can be
kept: `strikes_of` gives its orders in the words of the lab, and slower, for real faults take
longer than simulated ones.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, TypeVar, cast

import msgspec

from generators import PENDING, Context, Generator, Workload, clients, lift
from generators import map as mapped
from generators._protocol import Emitted, Wrapper
from histories import Event, Op
from nemesis import Fault, Target
from simulation._cluster import SimulatedCluster
from simulation._loop import run
from simulation._network import Weather
from simulation._registry import system_of
from simulation.judges import Linearizable
from simulation.real._exchange import Exchange
from simulation.real._twins import Twin, twins_of
from simulation.scenario import Case, Scenario, Setting

T = TypeVar("T")

AS_IT_IS: Final = "the network is as it is, not slow"


@dataclass(frozen=True)
class Scene:
    """A scenario as it is played for real.

    `faults` are those of the lab, each with the targets that the scenario chooses from (none:
    the usual ones); `points` are the crash points that it speaks of.  `unlike` says in what else
    it differs from the simulated one.
    """

    system: str
    scenario: Scenario
    faults: Mapping[str, tuple[Target, ...]]
    points: tuple[str, ...]
    unlike: tuple[str, ...] = ()


@cache
def scene_of(system: str, scenario: str) -> Scene:
    """The scene of a scenario; ValueError if there is none, or its faults are not of this world."""
    chosen = system_of(system)
    found = chosen.scenarios.get(scenario)
    if found is None:
        known = ", ".join(sorted(chosen.scenarios))
        raise ValueError(f"unknown scenario {scenario!r}; try one of {known}")

    def look(setting: Setting, faults: Sequence[Fault]) -> Scene:
        twins = twins_of(chosen)
        missing = [fault.name for fault in faults if fault.name not in twins]
        if missing:
            raise ValueError(
                f"the scenario {scenario!r} needs {missing[0]}, which real processes do "
                f"not have; try momus sim {system} --scenario {scenario}"
            )
        among: dict[str, tuple[Target, ...]] = {}
        points: tuple[str, ...] = ()
        unlike = [AS_IT_IS] if setting.cluster.network.fair != Weather() else []
        for fault in faults:
            twin = twins[fault.name]
            among[twin.name] = tuple(getattr(fault, "among", ()))
            points += tuple(getattr(fault, "points", ()))
            unlike += [f"{twin.name}: {twin.unlike}"] if twin.unlike else []
        return Scene(system, found, among, points, tuple(unlike))

    nodes = tuple(f"n{number + 1}" for number in range(found.nodes))
    return _in_its_world(found, Case(system, scenario, 0), nodes, look)


def strikes_of(scene: Scene, case: Case, nodes: tuple[str, ...], slower: float) -> Generator | None:
    """The scenario's own orders to the nemesis, in the words of the lab.

    What lasts a second in the simulation lasts `slower` seconds here.
    """

    def look(setting: Setting, faults: Sequence[Fault]) -> Generator | None:
        twins = twins_of(system_of(scene.system))
        told = {fault.name: (twins[fault.name], fault) for fault in faults}
        orders = lift(scene.scenario.schedule(setting, faults))
        if orders is None:
            return None
        return mapped(partial(_in_words_of_the_lab, told), Slower(orders, slower))

    return _in_its_world(scene.scenario, case, nodes, look)


def workload_of(scene: Scene, case: Case, nodes: tuple[str, ...]) -> Workload:
    """What clients do in the scenario, and by which model that is judged."""

    setting = setting_of(case, nodes)
    judges = scene.scenario.checkers(setting).values()
    model = next((each for each in judges if isinstance(each, Linearizable)), None)
    final = scene.scenario.final(setting)
    return Workload(
        name=scene.scenario.name,
        generator=clients(scene.scenario.load(setting)),
        final=None if final is None else clients(final),
        model=None if model is None else model.model,
        initial=None if model is None else model.initial,
        client={"scenario": case.scenario},
    )


class Slower(Wrapper, frozen=True):
    """A generator whose clock runs `by` times slower than that of the run."""

    by: float

    def op(self, ctx: Context) -> Emitted:
        emitted = self.gen.op(msgspec.structs.replace(ctx, time=round(ctx.time / self.by)))
        if emitted is None:
            return None
        op, gen = emitted
        if op is not PENDING and op.time is not None:
            time = max(round(op.time * self.by), ctx.time)
            op = Op(op.f, op.value, op.key, op.type, op.process, time, op.error, op.node)
        return op, None if gen is None else Slower(gen, self.by)

    def update(self, ctx: Context, event: Event) -> Generator:
        there = msgspec.structs.replace(ctx, time=round(ctx.time / self.by))
        heard = msgspec.structs.replace(event, time=round(event.time / self.by))
        return Slower(self.gen.update(there, heard), self.by)


def _in_words_of_the_lab(told: Mapping[str, tuple[Twin, Fault]], op: Op) -> Op:
    verb, _, name = op.f.partition("-")
    if name not in told:
        return op
    twin, fault = told[name]
    value = op.value
    if verb == "start":
        given: dict[str, Any] = value if isinstance(value, dict) else {"targets": value}
        value = twin.said({**getattr(fault, "usual", {}), **given})
    return Op(f"{verb}-{twin.name}", value, op.key, op.type, op.process, op.time, op.error, op.node)


def _in_its_world(
    scenario: Scenario,
    case: Case,
    nodes: tuple[str, ...],
    look: Callable[[Setting, Sequence[Fault]], T],
) -> T:
    """What `look` finds at a cluster with the scenario's faults.

    These are made for a cluster, which lives in a loop of its own, whoever asks.
    """

    async def make() -> T:
        program = system_of(case.system).program(nodes, None, scenario.options)
        setting = Setting(case, SimulatedCluster(nodes, program, case.seed))
        return look(setting, scenario.faults(setting))

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: run(make())).result()


def setting_of(case: Case, nodes: tuple[str, ...]) -> Setting:
    """For loads and judges, which do nothing to their cluster."""
    return Setting(case, cast(SimulatedCluster, Exchange(nodes, "load", _refused)))


async def _refused(node: str) -> socket.socket:
    raise ConnectionRefusedError(111, "a load sends nothing by itself", node)

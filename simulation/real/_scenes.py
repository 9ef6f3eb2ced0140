"""Scenarios of the simulated world against real processes: the same load, faults that are real.

A fault of the simulation has a twin among those of a lab: a crash, for one, is SIGKILL and the
loss of what was not synced.  Not all have one; a scenario with another fault is not for real
processes, and says so.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Final, cast

from generators import Workload, clients
from nemesis import Target
from simulation._cluster import SimulatedCluster
from simulation._loop import run
from simulation._registry import system_of
from simulation.judges import Linearizable
from simulation.real._exchange import Exchange
from simulation.scenario import Case, Scenario, Setting

TWINS: Final[Mapping[str, str]] = {
    "kill": "kill",
    "pause": "pause",
    "partition": "partition",
    "crash": "disk-lose-unsynced",
    "crash-point": "crash-point",
    "packet-loss": "packet-loss",
    "packet-delay": "packet-delay",
    "packet-duplicate": "packet-duplicate",
    "packet-reorder": "packet-reorder",
}
"""Faults of the simulated world, and what they are called in a lab."""


@dataclass(frozen=True)
class Scene:
    """A scenario as it is played for real.

    `faults` are those of the lab, each with the targets that the scenario chooses from (none:
    the usual ones); `points` are the crash points that it speaks of.
    """

    scenario: Scenario
    faults: Mapping[str, tuple[Target, ...]]
    points: tuple[str, ...]


@cache
def scene_of(system: str, scenario: str) -> Scene:
    """The scene of a scenario; ValueError if there is none, or its faults are not of this world."""
    found = system_of(system).scenarios
    if scenario not in found:
        raise ValueError(f"unknown scenario {scenario!r}; try one of {', '.join(sorted(found))}")
    # Faults are made for a cluster, which lives in a loop of its own, whoever asks.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_made, system, found[scenario]).result()


def _made(system: str, scenario: Scenario) -> Scene:
    async def make() -> Scene:
        nodes = [f"n{number + 1}" for number in range(scenario.nodes)]
        program = system_of(system).program(nodes, None, scenario.options)
        setting = Setting(Case(system, scenario.name, 0), SimulatedCluster(nodes, program, 0))
        faults: dict[str, tuple[Target, ...]] = {}
        points: tuple[str, ...] = ()
        for fault in scenario.faults(setting):
            if fault.name not in TWINS:
                raise ValueError(
                    f"the scenario {scenario.name!r} needs {fault.name}, which real processes do "
                    f"not have; try momus sim {system} --scenario {scenario.name}"
                )
            faults[TWINS[fault.name]] = tuple(getattr(fault, "among", ()))
            points += tuple(getattr(fault, "points", ()))
        return Scene(scenario, faults, points)

    return run(make())


def workload_of(scene: Scene, case: Case, nodes: tuple[str, ...]) -> Workload:
    """What clients do in the scenario, and by which model that is judged."""

    setting = Setting(case, cast(SimulatedCluster, Exchange(nodes, "load", _refused)))
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


async def _refused(node: str) -> socket.socket:
    raise ConnectionRefusedError(111, "a load sends nothing by itself", node)

"""A deterministic world: whole clusters in one thread, in virtual time, from one seed.

The code of a node is written against a `World`, a run is a `Case` of a `Scenario`, and
`play_case` plays it under the same runner, nemesis, recorder and checkers as a lab:

    played = play_case(system, Case("register", "crash", seed=7, bug="no-sync"))
    assert played.verdict.valid is False

A name is imported when it is first used, so that a real process of a node (`simulation.real`)
starts without the runner and the checkers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from simulation._audit import Audit, Cell, audit
    from simulation._campaign import (
        Campaign,
        Group,
        campaign,
        cases_of,
        gathered,
        groups_of,
        until,
    )
    from simulation._cluster import SimulatedCluster
    from simulation._dask import NoScheduler, results_by_dask
    from simulation._loop import Deadlock, Standstill, VirtualLoop, run
    from simulation._network import CLIENTS, Endpoint, Weather
    from simulation._players import PlayerFailed, Players
    from simulation._registry import system_of
    from simulation._results import Cause, Result, digest_of, result_of, shown
    from simulation._running import Played, play_case
    from simulation._shrinking import NothingToShrink, Shrunk, shrink
    from simulation._smaller import size_of
    from simulation.judges import Linearizable
    from simulation.scenario import Ask, Bug, Case, Scenario, Setting, Strike, System
    from simulation.world import Clock, Disk, Network, Objects, Program, World

__all__ = [
    "CLIENTS",
    "Ask",
    "Audit",
    "Bug",
    "Campaign",
    "Case",
    "Cause",
    "Cell",
    "Clock",
    "Deadlock",
    "Disk",
    "Endpoint",
    "Group",
    "Linearizable",
    "Network",
    "NoScheduler",
    "NothingToShrink",
    "Objects",
    "Played",
    "PlayerFailed",
    "Players",
    "Program",
    "Result",
    "Scenario",
    "Setting",
    "Shrunk",
    "SimulatedCluster",
    "Standstill",
    "Strike",
    "System",
    "VirtualLoop",
    "Weather",
    "World",
    "audit",
    "campaign",
    "cases_of",
    "digest_of",
    "gathered",
    "groups_of",
    "play_case",
    "result_of",
    "results_by_dask",
    "run",
    "shown",
    "shrink",
    "size_of",
    "system_of",
    "until",
]

_HOMES: Final = (
    "simulation.world",
    "simulation._loop",
    "simulation._network",
    "simulation._cluster",
    "simulation.scenario",
    "simulation._running",
    "simulation.judges",
    "simulation._results",
    "simulation._registry",
    "simulation._players",
    "simulation._campaign",
    "simulation._smaller",
    "simulation._shrinking",
    "simulation._dask",
    "simulation._audit",
)


def __getattr__(name: str) -> Any:
    if name in __all__:
        for home in map(import_module, _HOMES):
            if name in vars(home):
                value = globals()[name] = vars(home)[name]
                return value
    raise AttributeError(f"simulation has no {name!r}; see simulation.__all__ for what it has")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

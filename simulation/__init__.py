"""A deterministic world: whole clusters in one thread, in virtual time, from one seed.

The code of a node is written against a `World`, a run is a `Case` of a `Scenario`, and
`play_case` plays it under the same runner, nemesis, recorder and checkers as a lab:

    played = play_case(system, Case("register", "crash", seed=7, bug="no-sync"))
    assert played.verdict.valid is False
"""

from simulation._cluster import SimulatedCluster
from simulation._loop import Deadlock, VirtualLoop, run
from simulation._running import Played, play_case
from simulation.scenario import Bug, Case, Scenario, Setting, Strike, System
from simulation.world import Clock, Disk, Network, Objects, Program, World

__all__ = [
    "Bug",
    "Case",
    "Clock",
    "Deadlock",
    "Disk",
    "Network",
    "Objects",
    "Played",
    "Program",
    "Scenario",
    "Setting",
    "SimulatedCluster",
    "Strike",
    "System",
    "VirtualLoop",
    "World",
    "play_case",
    "run",
]

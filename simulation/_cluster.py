"""A simulated cluster: machines, the network between them, and whoever listens to what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from histories import Json
from simulation._machine import Machine
from simulation._network import Endpoint, SimulatedNetwork
from simulation._objects import SimulatedObjects
from simulation.world import Objects, Program

Tell = Callable[[str, str, dict[str, Json]], object]
"""Told the node, the event and the facts."""


class SimulatedCluster:
    """Machines by name, all running `program`; everything drawn comes from `seed`.

    `points` counts how often each crash point was reached; `arm` lets a machine die at one.
    """

    def __init__(self, nodes: Sequence[str], program: Program, seed: int) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.seed = seed
        self.nodes = tuple(nodes)
        self.network = SimulatedNetwork(self.loop, Random(f"{seed}/network"))
        self.objects: Objects = SimulatedObjects()
        self.points: dict[str, int] = {}
        self.listeners: list[Tell] = []
        self.machines = {name: Machine(name, self, program) for name in nodes}
        self._armed: dict[tuple[str, str], int] = {}

    def start(self) -> None:
        """Start a process on every machine."""
        for machine in self.machines.values():
            machine.start()

    def stop(self) -> None:
        """End every process; the run is over."""
        for machine in self.machines.values():
            machine.kill()

    def endpoint(self, name: str) -> Endpoint:
        """A name on the network that is no machine: a client."""
        return Endpoint(name, self.network)

    def answer(self, node: str, path: str) -> Json:
        """What the node's admin surface answers to `GET path`; `OSError` if it is silent.

        LookupError if it does not know the path.
        """
        life = self.machines[node].life
        if life is None:
            raise ConnectionRefusedError(111, "no process", node)
        return life.answer(path)

    def arm(self, node: str, point: str, nth: int = 1) -> None:
        """The machine dies when it reaches the crash point for the n-th time from now."""
        self._armed[node, point] = nth

    def disarm(self) -> None:
        """Crash points are only passed from now on."""
        self._armed.clear()

    def told(self, node: str, event: str, facts: dict[str, Json]) -> None:
        """See `Surroundings`."""
        for tell in self.listeners:
            tell(node, event, facts)

    def reached(self, node: str, point: str) -> bool:
        """See `Surroundings`."""
        self.points[point] = self.points.get(point, 0) + 1
        if not self._armed:
            return False
        left = self._armed.get((node, point))
        if left is None:
            return False
        if left > 1:
            self._armed[node, point] = left - 1
            return False
        del self._armed[node, point]
        return True

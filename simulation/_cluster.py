"""A simulated cluster: machines, the network between them, and whoever listens to what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from histories import Json
from simulation._loop import VirtualLoop
from simulation._machine import Machine
from simulation._network import Endpoint, SimulatedNetwork
from simulation._objects import SimulatedObjects
from simulation.world import Program

Tell = Callable[[str, str, dict[str, Json]], object]
"""Told the node, the event and the facts."""

LEADING: Final = frozenset({"leader", "primary", "master"})


class SimulatedCluster:
    """Machines by name, all running `program`; everything drawn comes from `seed`.

    `points` counts how often each crash point was reached, `crashes` how often a machine lost its
    power there; `arm` lets one die at one.
    """

    def __init__(self, nodes: Sequence[str], program: Program, seed: int) -> None:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            raise TypeError("a simulated cluster lives in virtual time: use simulation.run(...)")
        self.loop: VirtualLoop = loop
        self.seed = seed
        self.nodes = tuple(nodes)
        self.network = SimulatedNetwork(loop, Random(f"{seed}/network"), nodes)
        self.objects = SimulatedObjects(loop, Random(f"{seed}/objects"), self.network)
        self.points: dict[str, int] = {}
        self.crashes: dict[str, int] = {}
        self.listeners: list[Tell] = []
        self.machines = {name: Machine(name, self, program) for name in nodes}
        self._armed: dict[tuple[str, str], int] = {}
        self._roles: dict[tuple[str, str], tuple[str, int]] = {}

    def start(self) -> None:
        """Start a process on every machine."""
        for machine in self.machines.values():
            machine.start()

    def stop(self) -> None:
        """End every process; the run is over."""
        for machine in self.machines.values():
            machine.kill("the run is over")

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

    def disarm(self, node: str | None = None, point: str | None = None) -> None:
        """Crash points are only passed from now on; with names, this one."""
        if node is None or point is None:
            self._armed.clear()
        else:
            self._armed.pop((node, point), None)

    def told(self, node: str, event: str, facts: dict[str, Json]) -> None:
        """See `Surroundings`."""
        if event == "role":
            term = facts.get("term")
            at = (node, str(facts.get("shard", "")))
            self._roles.pop(at, None)  # what was told last stands last
            self._roles[at] = (
                str(facts.get("role")),
                term if isinstance(term, int) else 0,
            )
        elif event == "ended":
            self._roles = {at: role for at, role in self._roles.items() if at[0] != node}
        inside = asyncio._get_running_loop()
        asyncio._set_running_loop(self.loop)  # listeners live outside of all nodes
        try:
            for tell in self.listeners:
                tell(node, event, facts)
        finally:
            asyncio._set_running_loop(inside)

    async def primaries(self) -> list[str]:
        """Who leads some shard by what was told last; of several in one shard the newest.

        Nodes tell it of themselves: ``{"event": "role", "role": "leader", "term": 3, "shard":
        "s1"}``; without shards, or terms, these are left out.
        """
        newest: dict[str, tuple[int, str]] = {}
        for (node, shard), (role, term) in self._roles.items():
            if role in LEADING and term >= newest.get(shard, (-1, ""))[0]:
                newest[shard] = (term, node)
        leading = {node for _, node in newest.values()}
        return [node for node in self.nodes if node in leading]

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
        self.crashes[point] = self.crashes.get(point, 0) + 1
        return True

"""Faults of the simulated world, with receipts as in a lab: kill, crash, pause, partition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from histories import Json
from nemesis import Field, Order, Proof, Target, targets
from nemesis._fault import nodes_named
from nemesis.targets import Observations
from simulation._cluster import SimulatedCluster
from simulation._machine import Machine


class OfMachines:
    """A fault that strikes machines: `strike` breaks one, `mend` heals it."""

    intact = frozenset({"running"})
    lane = "process"

    def __init__(
        self,
        name: str,
        cluster: SimulatedCluster,
        strike: Callable[[Machine], object],
        mend: Callable[[Machine], object],
        broken: str,
        among: Target | Sequence[Target] = (targets.one, targets.minority),
    ) -> None:
        self.name = name
        self.broken = frozenset({broken})
        self._cluster = cluster
        self._strike = strike
        self._mend = mend
        self._targets = (among,) if isinstance(among, Target) else tuple(among)
        self._struck: dict[str, None] = {}

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """See `nemesis.Fault`."""
        target = random.choice(self._targets)
        chosen = target(nodes, random, observed)
        return {"targets": None if chosen is None else list(chosen), "choice": target.name}

    async def setup(self, field: Field) -> None:
        """See `nemesis.Fault`."""

    async def read(self, value: Json) -> Order:
        """See `nemesis.Fault`."""
        nodes = await nodes_named(value, self._cluster.nodes, None)
        return Order(frozenset(nodes), tuple(nodes))

    async def prove(self, things: frozenset[str]) -> Proof:
        """See `nemesis.Fault`."""
        return Proof({name: self._cluster.machines[name].state for name in sorted(things)})

    async def inject(self, order: Order) -> dict[str, str]:
        """See `nemesis.Fault`."""
        for name in order.targets:
            self._struck[name] = None
            self._strike(self._cluster.machines[name])
        return {}

    async def heal(self) -> dict[str, str]:
        """See `nemesis.Fault`."""
        for name in list(self._struck):
            self._mend(self._cluster.machines[name])
        self._struck.clear()
        return {}


def kill(cluster: SimulatedCluster) -> OfMachines:
    """SIGKILL, and a new start."""
    return OfMachines("kill", cluster, Machine.kill, Machine.start, "gone")


def crash(cluster: SimulatedCluster) -> OfMachines:
    """Loss of power, and a new start: un-synced writes are lost or torn."""
    return OfMachines("crash", cluster, Machine.crash, Machine.start, "gone")


def pause(cluster: SimulatedCluster) -> OfMachines:
    """SIGSTOP and SIGCONT."""
    return OfMachines("pause", cluster, Machine.pause, Machine.resume, "paused")

"""`crash-point`: a machine loses power right when its code is at a certain place.

The order names the node, the point and which time it is reached from now on; the nemesis waits
for it, for `patience_s`.  It is proven by a machine that was ended there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Final

from histories import Json
from nemesis import Order, targets
from nemesis._fault import nodes_named
from nemesis.targets import Observations
from simulation._cluster import SimulatedCluster
from simulation._machine import Machine
from simulation.faults._of_machines import Numbers, OfMachines, Targets, numbers_in

_POLL_S: Final = 0.01


class CrashPoint(OfMachines):
    """See above; `points` are those that a schedule draws from."""

    def __init__(
        self,
        cluster: SimulatedCluster,
        points: Sequence[str],
        among: Targets,
        nth_max: int,
        patience_s: float,
    ) -> None:
        super().__init__(
            "crash-point", cluster, _nothing, Machine.start, _look, "died there", among=among
        )
        if not points:
            raise ValueError("a crash point has a name; give at least one")
        self.points = tuple(points)
        self._nth_max = nth_max
        self._patience_s = patience_s

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """Whom, where, and the how manieth time."""
        whom = super().choose(nodes, random, observed)
        nth = random.randint(1, self._nth_max)
        return {**whom, "point": random.choice(self.points), "nth": nth}

    async def read(self, value: Json) -> Order:
        """See `nemesis.Fault`."""
        point = value.get("point") if isinstance(value, dict) else None
        if not isinstance(point, str):
            raise ValueError(
                f'start-{self.name} needs {{"targets": ..., "point": ..., "nth": 1}}, not {value!r}'
            )
        nodes = await nodes_named(value, self.cluster.nodes, self.cluster)
        numbers = numbers_in(value, {"nth": 1}, self.name)
        return Order(frozenset(nodes), tuple(nodes), {"point": point, **numbers})

    async def inject(self, order: Order) -> dict[str, str]:
        """Arm the point, and wait until every target has died there."""
        cluster, point = self.cluster, str(order.detail["point"])
        for name in order.targets:
            self._struck[name] = None
            cluster.arm(name, point, int(order.detail["nth"]))
        deadline_s = cluster.loop.time() + self._patience_s
        waiting = [cluster.machines[name] for name in order.targets]
        while waiting and cluster.loop.time() < deadline_s:
            await asyncio.sleep(_POLL_S)
            waiting = [machine for machine in waiting if machine.died_at != point]
            if all(machine.life is None for machine in waiting):
                break  # who is dead comes nowhere
        for machine in waiting:
            cluster.disarm(machine.name, point)
        return {
            machine.name: f"did not come to {point!r} within {self._patience_s:g} s"
            for machine in waiting
        }


def crash_point(
    cluster: SimulatedCluster,
    points: Sequence[str],
    among: Targets = targets.one,
    *,
    nth_max: int = 5,
    patience_s: float = 3.0,
) -> CrashPoint:
    """Power is lost at one of these points, at up to the `nth_max`-th time it is reached."""
    return CrashPoint(cluster, points, among, nth_max, patience_s)


def _look(machine: Machine) -> str:
    return "died there" if machine.died_at is not None and machine.life is None else machine.state


def _nothing(_: Machine, __: Numbers) -> None:
    """The machine does it by itself."""

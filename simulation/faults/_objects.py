"""Faults of the object store, which is one thing: an outage, errors, slowness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from histories import Json
from nemesis import Field, Order, Proof
from nemesis.targets import Observations
from simulation._cluster import SimulatedCluster
from simulation._network import STORE
from simulation._objects import SimulatedObjects
from simulation.faults._of_machines import Numbers, numbers_in


class OfObjects:
    """A fault of the whole object store; processes that fell over it are started again."""

    lane = "objects"
    intact = frozenset({"well"})

    def __init__(
        self,
        name: str,
        cluster: SimulatedCluster,
        strike: Callable[[SimulatedObjects, Numbers], object],
        mend: Callable[[SimulatedObjects], object],
        is_broken: Callable[[SimulatedObjects], bool],
        broken: str,
        numbers: Numbers,
    ) -> None:
        self.name = name
        self.broken = frozenset({broken})
        self._cluster = cluster
        self._store = cluster.objects
        self._strike = strike
        self._mend = mend
        self._is_broken = is_broken
        self._word = broken
        self._numbers = numbers

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:  # noqa: ARG002
        """See `nemesis.Fault`."""
        return dict(self._numbers)

    async def setup(self, field: Field) -> None:
        """See `nemesis.Fault`."""

    async def read(self, value: Json) -> Order:
        """There is one store, and nothing to name."""
        return Order(frozenset({STORE}), (), numbers_in(value, self._numbers, self.name))

    async def prove(self, things: frozenset[str]) -> Proof:
        """See `nemesis.Fault`."""
        word = self._word if self._is_broken(self._store) else "well"
        return Proof(dict.fromkeys(sorted(things), word))

    async def inject(self, order: Order) -> dict[str, str]:
        """See `nemesis.Fault`."""
        self._strike(self._store, order.detail)
        return {}

    async def heal(self) -> dict[str, str]:
        """See `nemesis.Fault`."""
        self._mend(self._store)
        for machine in self._cluster.machines.values():
            if machine.fallen:
                machine.start()
        return {}


def objects_outage(cluster: SimulatedCluster) -> OfObjects:
    """Nothing is stored or given."""

    def strike(store: SimulatedObjects, _: Numbers) -> None:
        store.out = True

    def mend(store: SimulatedObjects) -> None:
        store.out = False

    return OfObjects("objects-outage", cluster, strike, mend, lambda store: store.out, "out", {})


def objects_errors(cluster: SimulatedCluster, *, share: float = 0.3) -> OfObjects:
    """A share of the requests fails; half of these have been carried out all the same."""

    def strike(store: SimulatedObjects, order: Numbers) -> None:
        store.errors = order["share"]

    def mend(store: SimulatedObjects) -> None:
        store.errors = 0.0

    return OfObjects(
        "objects-errors",
        cluster,
        strike,
        mend,
        lambda store: bool(store.errors),
        "failing",
        {"share": share},
    )


def objects_slow(cluster: SimulatedCluster, *, slowness: float = 50.0) -> OfObjects:
    """Everything takes `slowness` times as long."""

    def strike(store: SimulatedObjects, order: Numbers) -> None:
        store.slowness = order["slowness"]

    def mend(store: SimulatedObjects) -> None:
        store.slowness = 1.0

    return OfObjects(
        "objects-slow",
        cluster,
        strike,
        mend,
        lambda store: store.slowness != 1.0,
        "slow",
        {"slowness": slowness},
    )

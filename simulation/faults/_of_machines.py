"""What most faults here have in common: machines for things, and numbers in the order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeAlias

from histories import Json
from nemesis import Field, Order, Proof, Target, targets
from nemesis._fault import nodes_named
from nemesis.targets import Observations
from simulation._cluster import SimulatedCluster
from simulation._machine import Machine

Numbers: TypeAlias = Mapping[str, float]
Targets: TypeAlias = Target | Sequence[Target]
USUAL: tuple[Target, ...] = (targets.one, targets.minority)


class OfMachines:
    """A fault that strikes machines: `strike` breaks one, `mend` heals it, `look` tells its state.

    A process that fell over its trouble is started again when that is healed.
    `numbers` are drawn for each order, and stand in it; who orders may give others.
    """

    def __init__(
        self,
        name: str,
        cluster: SimulatedCluster,
        strike: Callable[[Machine, Numbers], object],
        mend: Callable[[Machine], object],
        look: Callable[[Machine], str],
        broken: str,
        *,
        intact: str = "running",
        lane: str = "process",
        among: Targets = USUAL,
        numbers: Callable[[Random], Numbers] = lambda _: {},
    ) -> None:
        self.name = name
        self.lane = lane
        self.intact = frozenset({intact})
        self.broken = frozenset({broken})
        self.cluster = cluster
        self._strike = strike
        self._mend = mend
        self._look = look
        self.among = (among,) if isinstance(among, Target) else tuple(among)
        self._numbers = numbers
        self._struck: dict[str, None] = {}

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """See `nemesis.Fault`."""
        target = random.choice(self.among)
        chosen = target(nodes, random, observed)
        whom: dict[str, Json] = {
            "targets": None if chosen is None else list(chosen),
            "choice": target.name,
        }
        return {**whom, **self._numbers(random)}

    @property
    def usual(self) -> Numbers:
        """The numbers of an order that gives none."""
        return self._numbers(Random(0))

    async def setup(self, field: Field) -> None:
        """See `nemesis.Fault`."""

    async def read(self, value: Json) -> Order:
        """See `nemesis.Fault`."""
        nodes = await nodes_named(value, self.cluster.nodes, self.cluster)
        return Order(frozenset(nodes), tuple(nodes), numbers_in(value, self.usual, self.name))

    async def prove(self, things: frozenset[str]) -> Proof:
        """See `nemesis.Fault`."""
        return Proof({name: self._look(self.cluster.machines[name]) for name in sorted(things)})

    async def inject(self, order: Order) -> dict[str, str]:
        """See `nemesis.Fault`."""
        for name in order.targets:
            self._struck[name] = None
            self._strike(self.cluster.machines[name], order.detail)
        return {}

    async def heal(self) -> dict[str, str]:
        """See `nemesis.Fault`."""
        for name in self._struck:
            machine = self.cluster.machines[name]
            self._mend(machine)
            if machine.fallen:
                machine.start()
        self._struck.clear()
        return {}


def numbers_in(value: Json, usual: Numbers, fault: str) -> dict[str, Json]:
    """The numbers an order gives, and the usual ones for those it does not."""
    given = value if isinstance(value, dict) else {}
    found: dict[str, Json] = {}
    for key, standard in usual.items():
        number = given.get(key, standard)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError(f"{key} of start-{fault} must be a number, not {number!r}")
        found[key] = number
    return found


def drawn(random: Random, low: float, high: float, *, signed: bool = False) -> float:
    """A number between these, evenly by order of magnitude; with either sign if `signed`."""
    size: float = low * (high / low) ** random.random()
    return round(size * (random.choice((-1, 1)) if signed else 1), 4)

"""What most faults have in common: a name, a field, debts, and nodes for targets."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from cluster import Host
from histories import Json
from nemesis._debts import Debts
from nemesis._fault import Field, Order, nodes_named, stand_ins
from nemesis.targets import Observations, Target


class OfHosts:
    """The ground of a fault whose things are nodes and whose undo is commands.

    Subclasses give `lane`, `intact`, `broken`, `prove` and `inject`, extend `setup` where
    hosts may be unable, and replace `choose` and `read` where more than nodes is ordered.
    """

    def __init__(self, name: str, targets: Target | Sequence[Target] = ()) -> None:
        self.name = name
        self._targets = (targets,) if isinstance(targets, Target) else tuple(targets)
        self._field: Field | None = None
        self._debts: Debts | None = None

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """One of the targets, and the nodes that it names; None if only the cluster can."""
        target = random.choice(self._targets)
        chosen = target(nodes, random, observed)
        return {"targets": None if chosen is None else list(chosen), "choice": target.name}

    async def setup(self, field: Field) -> None:
        """Remember the field; before everything else."""
        self._field = field
        self._debts = Debts(field.journal, self.name)

    async def read(self, value: Json) -> Order:
        """The nodes that the value names are both things and targets."""
        nodes = await nodes_named(value, self.field.nodes, self._system())
        nodes = stand_ins(value, nodes, self.field.nodes, self._system())
        return Order(frozenset(nodes), tuple(nodes))

    async def heal(self) -> dict[str, str]:
        """Run the undo commands in the journal."""
        return await self.debts.pay()

    @property
    def field(self) -> Field:
        assert self._field is not None, f"setup() of {self.name} comes before everything else"
        return self._field

    @property
    def debts(self) -> Debts:
        assert self._debts is not None, f"setup() of {self.name} comes before everything else"
        return self._debts

    def _hosts(self, nodes: Sequence[str] | frozenset[str]) -> list[Host]:
        """The hosts of these nodes, in the cluster's order."""
        return [host for name, host in self.field.hosts.items() if name in nodes]

    def _system(self) -> object:
        """Whom to ask for primaries that nobody has observed."""
        return None

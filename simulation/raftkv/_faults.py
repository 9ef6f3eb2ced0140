"""Orders to raftkv as faults, so that schedules give them: move, change, transfer.

They break nothing.  An order is in force until it is stopped, which does not undo it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from histories import Json
from nemesis import Field, Order, Proof
from nemesis.targets import Observations
from simulation._cluster import SimulatedCluster
from simulation.raftkv import _draws
from simulation.raftkv._draws import Draw
from simulation.raftkv._messages import Answer, Ask, decode, encode

THING: Final = "order"
_TRIES_MAX: Final = 40
_TRY_S: Final = 0.05


class Ordered:
    """Tells every node in turn, until one says that it obeys."""

    lane = "orders"
    intact = frozenset({"quiet"})
    broken = frozenset({"ordered"})

    def __init__(
        self,
        name: str,
        cluster: SimulatedCluster,
        draw: Draw,
    ) -> None:
        self.name = name
        self._cluster = cluster
        self._draw = draw
        self._given = False
        self._answer: Any = None

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:  # noqa: ARG002
        """See `nemesis.Fault`."""
        return self._draw(nodes, random)

    async def setup(self, field: Field) -> None:
        """See `nemesis.Fault`."""

    async def read(self, value: Json) -> Order:
        """See `nemesis.Fault`."""
        if not isinstance(value, dict):
            raise ValueError(f'start-{self.name} needs {{"shard": "s1", ...}}, not {value!r}')
        return Order(frozenset({THING}), (), value)

    async def prove(self, things: frozenset[str]) -> Proof:
        """See `nemesis.Fault`."""
        return Proof(dict.fromkeys(sorted(things), "ordered" if self._given else "quiet"))

    async def inject(self, order: Order) -> dict[str, str]:
        """See `nemesis.Fault`."""
        self._given = True
        endpoint = self._cluster.endpoint(f"orders-{self.name}")
        endpoint.listen(self._receive)
        question = encode(Ask(1, f"/admin/{self.name}", dict(order.detail)))
        nodes = self._cluster.nodes
        for number in range(_TRIES_MAX):
            self._answer = None
            endpoint.send(nodes[number % len(nodes)], question)
            await asyncio.sleep(_TRY_S)
            if self._answer is not None and "ok" in self._answer:
                break
        endpoint.close()
        return {}

    async def heal(self) -> dict[str, str]:
        """See `nemesis.Fault`."""
        self._given = False
        return {}

    def _receive(self, sender: str, data: bytes) -> None:  # noqa: ARG002
        message = decode(data)
        if isinstance(message, Answer):
            self._answer = message.body


def move(cluster: SimulatedCluster, shards: int = 1, replicas: int = 3) -> Ordered:
    """A shard moves to other nodes."""
    return Ordered("move", cluster, _draws.move(shards, replicas))


def change(cluster: SimulatedCluster, shards: int = 1, replicas: Sequence[int] = (3,)) -> Ordered:
    """A group gets other members."""
    return Ordered("change", cluster, _draws.change(shards, replicas))


def transfer(cluster: SimulatedCluster, shards: int = 1) -> Ordered:
    """Somebody else shall lead."""
    return Ordered("transfer", cluster, _draws.transfer(shards))

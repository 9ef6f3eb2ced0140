"""Orders to raftkv, drawn by chance: which shard, and where to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias

from histories import Json

Draw: TypeAlias = Callable[[Sequence[str], Random], dict[str, Json]]
"""An order for these nodes."""


def move(shards: int = 1, replicas: int = 3) -> Draw:
    """A shard moves to so many nodes."""
    return lambda nodes, random: {
        "shard": f"s{random.randint(1, shards)}",
        "nodes": sorted(random.sample(list(nodes), min(replicas, len(nodes)))),
    }


def change(shards: int = 1, replicas: Sequence[int] = (3,)) -> Draw:
    """A group gets so many members."""

    def draw(nodes: Sequence[str], random: Random) -> dict[str, Json]:
        shard = f"s{random.randint(1, shards)}"
        count = min(random.choice(list(replicas)), len(nodes))
        return {"shard": shard, "nodes": sorted(random.sample(list(nodes), count))}

    return draw


def transfer(shards: int = 1) -> Draw:
    """Somebody else shall lead."""
    return lambda nodes, random: {
        "shard": f"s{random.randint(1, shards)}",
        "to": random.choice(list(nodes)),
    }

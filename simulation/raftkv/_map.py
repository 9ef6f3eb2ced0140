"""The map of all shards: which group has which, on which nodes, and where one is moving to.

It is replicated by a group of its own, ``meta``, on all nodes; so each knows it, perhaps late.
A shard that moves gets a new group: ``s1.2`` after ``s1.1``.  The number behind the dot is the
generation, and terms of a generation begin far above those of the one before, so a term
of a shard is never given twice.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from histories import Json
from simulation.raftkv._shard import ACTIVE, Command

META: Final = "meta"
TERMS_BITS: Final = 20


class Place(msgspec.Struct, array_like=True, frozen=True):
    """Where a shard is; `moving` are the nodes it moves to, if it does."""

    generation: int
    nodes: tuple[str, ...]
    moving: tuple[str, ...] = ()


class Kept(msgspec.Struct, array_like=True):
    """The map as a snapshot has it."""

    places: dict[str, Place]
    chain: int


_encoder: Final = msgspec.msgpack.Encoder()
_command: Final = msgspec.msgpack.Decoder(Command)
_kept: Final = msgspec.msgpack.Decoder(Kept)


def group_name(shard: str, generation: int) -> str:
    """The group that has a shard in a generation."""
    return f"{shard}.{generation}"


def shard_name(group: str) -> str:
    """The shard that a group has."""
    return group.partition(".")[0]


def generation_of(group: str) -> int:
    """A group's generation; 1 for the map's."""
    return int(group.partition(".")[2] or 1)


def first_term(group: str) -> int:
    """The term that a group begins with."""
    return (generation_of(group) - 1) << TERMS_BITS


class ShardMap:
    """A replica of the map; see `_shard.Replicated`."""

    state = ACTIVE
    writable = False
    readable = False

    def __init__(self, placements: Mapping[str, tuple[str, ...]]) -> None:
        self._kept = Kept({shard: Place(1, nodes) for shard, nodes in placements.items()}, 0)

    @property
    def places(self) -> Mapping[str, Place]:
        """Where each shard is."""
        return self._kept.places

    @property
    def chain(self) -> int:
        """See `_shard.Shard.chain`."""
        return self._kept.chain

    def apply(self, term: int, data: bytes) -> Json:
        """``begin`` a move, ``finish`` it: both may come twice, and late."""
        kept = self._kept
        kept.chain = zlib.crc32(data, kept.chain + term & 0xFFFFFFFF)
        command = _command.decode(data)
        value: Any = command.value
        shard, generation = value[0], value[1]
        place = kept.places.get(shard)
        if place is None or place.generation != generation:
            return False
        if command.f == "begin" and not place.moving:
            kept.places[shard] = Place(generation, place.nodes, tuple(value[2]))
        elif command.f == "finish" and place.moving:
            kept.places[shard] = Place(generation + 1, place.moving)
        return True

    def read(self, key: str) -> Json:
        """Clients do not read it."""
        raise NotImplementedError(key)

    def answered(self, client: str, seq: int) -> tuple[int, Json] | None:
        """Clients do not write it."""
        raise NotImplementedError(client, seq)

    def piece(self, number: int) -> list[Any]:
        """It does not move."""
        raise NotImplementedError(number)

    def dump(self) -> bytes:
        """All of it, for a snapshot."""
        return _encoder.encode(self._kept)

    def load(self, data: bytes) -> None:
        """Be what a snapshot says."""
        self._kept = _kept.decode(data)

"""Snapshots on disk: one file for each group, replaced as a whole."""

from __future__ import annotations

from typing import Final

import msgspec

from simulation.raftkv._image import Image
from simulation.raftkv._messages import Config
from simulation.raftkv._wal import framed, unframed
from simulation.world import World

SUFFIX: Final = ".snapshot"


class Saved(msgspec.Struct, array_like=True, frozen=True):
    """A snapshot as its file has it."""

    group: str
    index: int
    term: int
    config: Config
    data: bytes


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Saved)


async def save(world: World, group: str, image: Image) -> None:
    """Put a snapshot on disk in the place of the last one.  Raises OSError."""
    disk = world.disk
    name = group + SUFFIX
    saved = Saved(group, image.index, image.term, image.config, image.data)
    await disk.write(name + ".next", framed(_encoder.encode(saved)))
    await disk.sync(name + ".next")
    world.reach("before snapshot rename")
    await disk.rename(name + ".next", name)
    await disk.sync(name)
    world.reach("after snapshot rename")


async def load(world: World) -> dict[str, Image]:
    """The snapshots of all groups; raises RuntimeError for one that is broken."""
    found: dict[str, Image] = {}
    for name in await world.disk.names():
        if not name.endswith(SUFFIX):
            continue
        payload = unframed(await world.disk.read(name), 0)
        await world.disk.sync(name)  # perhaps its new name never was
        if payload is None:
            raise RuntimeError(f"the snapshot {name} is broken, and what it held is lost")
        saved = _decoder.decode(payload)
        found[saved.group] = Image(saved.index, saved.term, saved.config, saved.data)
    return found

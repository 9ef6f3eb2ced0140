"""The simulated disk of one machine, and the view of it that each process has.

`SimulatedDisk` outlives the processes of its machine: the files (see `_storage`), and what is
wrong with the device.  `Files` is what one process has of it: what it waits for comes through
its door, so for a process that is paused it comes late, and for one that is dead never.

Writing goes to memory and takes no time, syncing does; a slow disk takes its time for all.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from random import Random
from typing import Final

from simulation._door import Door, refuse, settle
from simulation._loop import VirtualLoop
from simulation._storage import Inode, Storage

_READ_S: Final = 0.0001
"""What a read or a write takes of a disk that is ten times slower than usual, over ten."""


class SimulatedDisk:
    """`full`, `slowness`, `errors` and `strays` are its troubles; see `faults`.

    `errors` are shares by kind ("read", "write", "sync") of the requests that fail with EIO,
    `strays` is the share of appends that land in another place.
    """

    def __init__(self, loop: VirtualLoop, random: Random, *, sync_s: float = 0.0005) -> None:
        self.sync_s = sync_s
        self.full = False
        self.slowness = 1.0
        self.errors: dict[str, float] = {}
        self.strays = 0.0
        self.strayed = 0
        self.flipped: dict[str, None] = {}
        self._loop = loop
        self._random = random
        self._storage = Storage(Random(random.random()))
        self._boots = 0

    def crash(self) -> None:
        """Lose power: of what was not synced anything may be left."""
        self._boots += 1
        self._at_now().crash()

    @property
    def unsynced(self) -> int:
        """How many writes a crash could undo now."""
        return self._storage.unsynced

    def flip(self, random: Random, *, noticed: bool) -> str | None:
        """Damage one bit of some file; the name, or None if all are empty.

        If it is `noticed` by the device, reading the file fails until it is written anew.
        """
        names = [name for name, inode in sorted(self._storage.names.items()) if inode.data]
        if not names:
            return None
        name = random.choice(names)
        inode = self._storage.find(name)
        if noticed:
            inode.bad = True
        else:
            self._storage.flip(name, random.randrange(len(inode.data)), random.randrange(8))
        self.flipped[name] = None
        return name

    def set_right(self) -> None:
        """The device works again; what was damaged stays so, but can be read."""
        self.full, self.slowness, self.strays = False, 1.0, 0.0
        self.errors.clear()

    def readable(self) -> None:
        """What the device had noticed as damaged can be read again: it was repaired."""
        for inode in self._storage.names.values():
            inode.bad = False
        self.flipped.clear()

    # -- what processes do; see `world.Disk` ----------------------------------------------

    def delay_s(self) -> float:
        """How long a read or a write takes now."""
        return 0.0 if self.slowness == 1.0 else _READ_S * self.slowness * self._luck()

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._storage.names)

    def read(self, name: str) -> bytes:
        """All of a file."""
        self._fail("read")
        inode = self._storage.find(name)
        if inode.bad:
            raise _broken("read", name)
        return bytes(inode.data)

    def append(self, name: str, data: bytes) -> None:
        """At the end; without room a part of it."""
        self._fail("write")
        storage = self._at_now()
        if self.full:
            room = self._random.randint(0, len(data))
            if name in storage.names and room < len(data):
                inode = storage.find(name)
                storage.write(inode, len(inode.data), data[:room])
            raise _full(name)
        inode = storage.make(name)
        if self.strays and data and self._random.random() < self.strays:
            victim = self._victim()
            if victim is not None:
                self.strayed += 1
                storage.stray(inode, data, victim, self._random.randrange(1 << 30))
                return
        storage.write(inode, len(inode.data), data)

    def write(self, name: str, data: bytes) -> None:
        """Anew; without room the file is left empty, or is not made."""
        self._fail("write")
        storage = self._at_now()
        if self.full:
            if name in storage.names:
                storage.cut(storage.find(name), 0)
            raise _full(name)
        inode = storage.make(name)
        storage.cut(inode, 0)
        inode.bad = False
        storage.write(inode, 0, data)

    def truncate(self, name: str, size: int) -> None:
        """Cut."""
        self._fail("write")
        storage = self._at_now()
        storage.cut(storage.find(name), size)

    def rename(self, old: str, new: str) -> None:
        """All or nothing."""
        self._fail("write")
        self._at_now().rename(old, new)

    def remove(self, name: str) -> None:
        """Remove."""
        self._fail("write")
        self._at_now().remove(name)

    def sync(self, name: str, done: Callable[[OSError | None], object]) -> None:
        """Begin to sync; `done` is told at the end how it went, unless the power goes."""
        storage = self._at_now()
        inode, upto, boots = storage.find(name), storage.mark(), self._boots
        fails = self._fails("sync")

        def end() -> None:
            if boots != self._boots:
                return
            if fails:
                storage.fail_sync(inode, upto)
                done(_broken("sync", name))
            else:
                storage.sync(name, inode, upto)
                done(None)

        self._loop.call_later(self.sync_s * self.slowness * self._luck(), end)

    def _at_now(self) -> Storage:
        self._storage.now_s = self._loop.time()
        return self._storage

    def _luck(self) -> float:
        return 0.5 + self._random.random()

    def _fails(self, kind: str) -> bool:
        share = self.errors.get(kind) if self.errors else None
        return bool(share) and self._random.random() < share  # type: ignore[operator]

    def _fail(self, kind: str) -> None:
        if self._fails(kind):
            raise _broken(kind, "")

    def _victim(self) -> Inode | None:
        """Some file with bytes that can be hit; the same one as well."""
        files = [each for _, each in sorted(self._storage.names.items()) if each.durable]
        return self._random.choice(files) if files else None


class Files:
    """The disk as one process has it: a `world.Disk`."""

    def __init__(self, disk: SimulatedDisk, door: Door) -> None:
        self._disk = disk
        self._door = door

    async def names(self) -> list[str]:
        """See `world.Disk`."""
        await self._wait()
        return self._disk.names()

    async def read(self, name: str) -> bytes:
        """See `world.Disk`."""
        await self._wait()
        return self._disk.read(name)

    async def append(self, name: str, data: bytes) -> None:
        """See `world.Disk`."""
        await self._wait()
        self._disk.append(name, data)

    async def write(self, name: str, data: bytes) -> None:
        """See `world.Disk`."""
        await self._wait()
        self._disk.write(name, data)

    async def truncate(self, name: str, size: int) -> None:
        """See `world.Disk`."""
        await self._wait()
        self._disk.truncate(name, size)

    async def sync(self, name: str) -> None:
        """See `world.Disk`."""
        door = self._door
        if door.gone:
            await door.create_future()
        synced: asyncio.Future[None] = door.create_future()

        def done(error: OSError | None) -> None:
            if error is None:
                door.enter(settle, synced, None)
            else:
                door.enter(refuse, synced, error)

        self._disk.sync(name, done)
        await synced

    async def rename(self, old: str, new: str) -> None:
        """See `world.Disk`."""
        await self._wait()
        self._disk.rename(old, new)

    async def remove(self, name: str) -> None:
        """See `world.Disk`."""
        await self._wait()
        self._disk.remove(name)

    async def _wait(self) -> None:
        door = self._door
        if door.gone:
            await door.create_future()
        delay_s = self._disk.delay_s()
        if delay_s:
            await door.after(delay_s)


def _broken(kind: str, name: str) -> OSError:
    return OSError(errno.EIO, f"{os.strerror(errno.EIO)} ({kind})", name or None)


def _full(name: str) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)

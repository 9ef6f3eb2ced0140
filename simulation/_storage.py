"""What a crash leaves of files: the model behind the simulated disk.

Two things are remembered of every file: what is read (`data`), and what is certain to survive
(`durable`) together with the writes since, each of which may or may not be on the disk by now.
Names are kept the same way: a table that is certain, and the changes since.

At a crash any of the writes to a file may have made it, in any order and torn anywhere; a write
that is missing under a later one leaves zeros.  Changes of names are whole; two that concern the
same name happened in their order or not at all, as journals of file systems have it, and those
that have nothing in common are independent.  Whatever is older than `WRITEBACK_S` has long been
written by itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

WRITEBACK_S: Final = 30.0
_PENDING_MAX: Final = 4096


@dataclass(frozen=True)
class Write:
    """Since `at_s`: cut to `offset` bytes (without `data`), or write `data` there."""

    number: int
    at_s: float
    offset: int
    data: bytes | None


@dataclass(frozen=True)
class Change:
    """Since `at_s`: these names mean these files now (None: nothing)."""

    number: int
    at_s: float
    entries: dict[str, Inode | None]


@dataclass(eq=False)
class Inode:
    """A file without its name.  `bad` is whether it can be read no more."""

    data: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Write] = field(default_factory=list)
    bad: bool = False


class Storage:
    """Files by name.  `now_s` is the time of what is done; set it before.

    Invariant: without a crash, misdirection or a failed sync, `durable` with `pending` applied
    in order is `data`, and `_certain` with `_changes` applied in order is `names`.
    """

    def __init__(self, random: Random) -> None:
        self.now_s = 0.0
        self.names: dict[str, Inode] = {}
        self._certain: dict[str, Inode] = {}
        self._changes: list[Change] = []
        self._random = random
        self._number = 0

    # -- what processes do ---------------------------------------------------------------

    def find(self, name: str) -> Inode:
        """The file of this name."""
        inode = self.names.get(name)
        if inode is None:
            raise FileNotFoundError(2, "no such file", name)
        return inode

    def make(self, name: str) -> Inode:
        """The file of this name, which is made if it is not there."""
        inode = self.names.get(name)
        if inode is None:
            inode = Inode()
            self._change({name: inode})
        return inode

    def write(self, inode: Inode, offset: int, data: bytes) -> None:
        """Write at an offset, which is not beyond the end."""
        inode.data[offset : offset + len(data)] = data
        self._note(inode, Write(self._next(), self.now_s, offset, bytes(data)))

    def cut(self, inode: Inode, size: int) -> None:
        """Cut the file."""
        if size < len(inode.data):
            del inode.data[size:]
            self._note(inode, Write(self._next(), self.now_s, size, None))

    def rename(self, old: str, new: str) -> None:
        """All or nothing."""
        inode = self.find(old)
        if old != new:
            self._change({old: None, new: inode})

    def remove(self, name: str) -> None:
        """The name is gone; the bytes are until the name is."""
        self.find(name)
        self._change({name: None})

    def mark(self) -> int:
        """All that was done so far has a number up to this."""
        return self._number

    def sync(self, name: str, inode: Inode, upto: int) -> None:
        """What was done to the file and its name up to this mark is certain now."""
        keep = [write for write in inode.pending if write.number > upto]
        for write in inode.pending:
            if write.number <= upto:
                _apply(inode.durable, write)
        inode.pending = keep
        self._settle_names(name, upto)

    def fail_sync(self, inode: Inode, upto: int) -> None:
        """A sync failed: each write has reached the disk or never will, and nobody knows which.

        As with Linux, which holds the pages for clean from then on: what is read is what was
        written, and the next sync will not try again.
        """
        for write in inode.pending:
            if write.number <= upto:
                self._perhaps(inode.durable, write)
        inode.pending = [write for write in inode.pending if write.number > upto]

    # -- what happens to disks -----------------------------------------------------------

    def crash(self) -> None:
        """Lose power: what is left is what is read from now on, and certain."""
        fate = self._fate()
        lost: set[str] = set()
        for change in self._changes:
            if lost.isdisjoint(change.entries) and fate(change) is True:
                _enter(self._certain, change)
            else:
                lost.update(change.entries)
        self._changes = []
        for name in sorted(self._certain):
            inode = self._certain[name]
            for write in inode.pending:
                kept = fate(write)
                if kept is True:
                    _apply(inode.durable, write)
                elif kept is None:
                    self._perhaps(inode.durable, write)
            inode.pending = []
            inode.data = bytearray(inode.durable)
        self.names = dict(self._certain)

    def flip(self, name: str, at: int, bit: int) -> None:
        """Turn one bit of a file over, silently."""
        inode = self.find(name)
        for image in (inode.data, inode.durable):
            if at < len(image):
                image[at] ^= 1 << bit

    def stray(self, inode: Inode, data: bytes, victim: Inode, at: int) -> None:
        """These bytes were meant for the end of `inode`, and land in `victim`.

        Whoever reads `inode` sees them for as long as the machine is up, for they are in its
        memory; a sync finds nothing to do.  The victim is as it is on the disk.
        """
        inode.data += data
        for image in (victim.data, victim.durable):
            if image:
                place = at % len(image)
                image[place : place + len(data)] = data[: len(image) - place]

    @property
    def unsynced(self) -> int:
        """How many writes and changes of names a crash could still undo."""
        return len(self._changes) + sum(len(inode.pending) for inode in self.names.values())

    # -- inside --------------------------------------------------------------------------

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _note(self, inode: Inode, write: Write) -> None:
        inode.pending.append(write)
        if len(inode.pending) > _PENDING_MAX:  # memory is finite: the older half is written
            half = inode.pending[: _PENDING_MAX // 2]
            for each in half:
                _apply(inode.durable, each)
            del inode.pending[: len(half)]

    def _change(self, entries: dict[str, Inode | None]) -> None:
        change = Change(self._next(), self.now_s, entries)
        _enter(self.names, change)
        self._changes.append(change)
        written = bisect_left(self._changes, self.now_s - WRITEBACK_S, key=lambda each: each.at_s)
        written = max(written, len(self._changes) - _PENDING_MAX)
        if written:
            self._settle_names(None, self._changes[written - 1].number)

    def _settle_names(self, name: str | None, upto: int) -> None:
        """What concerns `name` (None: any) is certain, and all that came before it there."""
        if not self._changes:
            return
        wanted = set() if name is None else {name}
        settled: list[Change] = []
        rest: list[Change] = []
        for change in reversed(self._changes):
            if change.number <= upto and (name is None or not wanted.isdisjoint(change.entries)):
                wanted.update(change.entries)
                settled.append(change)
            else:
                rest.append(change)
        for change in reversed(settled):
            _enter(self._certain, change)
        self._changes = rest[::-1]

    def _fate(self) -> Callable[[Write | Change], bool | None]:
        """What becomes of each write at this crash: it happened, it did not, or None: in part.

        Sometimes nothing has been written, sometimes all up to a moment, sometimes anything.
        """
        way = self._random.choice(("nothing", "beginning", "beginning", "any", "any"))
        written_s = self.now_s - WRITEBACK_S
        oldest = min(
            (each.number for inode in self.names.values() for each in inode.pending),
            default=self._number,
        )
        last = self._random.randint(oldest, self._number) if self._number else 0
        share = self._random.random()

        def fate(each: Write | Change) -> bool | None:
            if each.at_s < written_s:
                return True
            if way == "nothing":
                return False
            if way == "beginning":
                return None if each.number == last else each.number < last
            return True if self._random.random() < share else None

        return fate

    def _perhaps(self, image: bytearray, write: Write) -> None:
        """A write happened, not at all, or in part."""
        chance = self._random.random()
        if chance < 0.4:
            return
        if chance < 0.5 or write.data is None:
            _apply(image, write)
            return
        start = 0 if chance < 0.8 else self._random.randint(0, len(write.data))
        end = self._random.randint(start, len(write.data))
        if start < end:
            part = write.data[start:end]
            _apply(image, Write(write.number, write.at_s, write.offset + start, part))


def _apply(image: bytearray, write: Write) -> None:
    if write.data is None:
        del image[write.offset :]
        return
    if len(image) < write.offset:
        image.extend(bytes(write.offset - len(image)))
    image[write.offset : write.offset + len(write.data)] = write.data


def _enter(table: dict[str, Inode], change: Change) -> None:
    for name, inode in change.entries.items():
        if inode is None:
            table.pop(name, None)
        else:
            table[name] = inode

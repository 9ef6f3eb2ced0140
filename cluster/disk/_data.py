"""Un-synced data: what a file's content was when it was last synced, kept until it is again.

The backing file always has the newest content, so that nothing is lost by accident.  Before
a synced page is overwritten or cut off for the first time, its old bytes are put aside; a
sync throws them away, and a power cut puts them back.  What was appended since needs no
more than the old length.

The kernel of a real machine writes back whenever it likes, so un-synced data may always be
on disk.  Here, too, a file is synced once `KEPT_BYTES_MAX` are put aside.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from random import Random
from typing import Final

from cluster.disk._nodes import Node, Nodes, Unsynced, reopened

PAGE: Final = 4096
SECTOR: Final = 512
"""What a disk writes whole or not at all."""
KEPT_BYTES_MAX: Final = 256 << 20


class Data:
    """The un-synced data of all files.  Who calls holds the node's lock, but for `sync`."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        nodes.buried = self._buried
        self._lock = threading.Lock()
        self._kept = 0
        self.written_back = 0
        """Syncs that nobody asked for, since too much was put aside."""

    def before_write(self, node: Node, fd: int, offset: int, length: int) -> None:
        """Bytes of the file are about to change."""
        unsynced = self._begun(node, fd)
        end = min(offset + length, unsynced.size)
        if offset < end:
            self._keep(node, fd, unsynced, range(offset // PAGE, -(-end // PAGE)))

    def before_resize(self, node: Node, fd: int, size: int) -> None:
        """The file is about to get another length."""
        unsynced = self._begun(node, fd)
        if size < unsynced.size:
            self._keep(node, fd, unsynced, range(size // PAGE, -(-unsynced.size // PAGE)))

    def sync(self, node: Node, fd: int, bring: Callable[[int], None] = os.fsync) -> bool:
        """Bring the file to the disk; True if its length had changed since the last time.

        What is written meanwhile is un-synced; if `bring` fails nothing is synced.
        """
        with node.lock:
            pending = _swapped(node, None)
        try:
            bring(fd)
        except OSError:
            with node.lock:
                newer = _swapped(node, pending)
                if pending is None:
                    node.unsynced = newer
                elif newer is not None:
                    for index, old in newer.pages.items():
                        if index * PAGE < pending.size and index not in pending.pages:
                            pending.pages[index] = old
                        else:
                            self._count(-PAGE)
            raise
        if pending is None:
            return False
        self._count(-_bytes_in(pending))
        self._nodes.tidy(node.key)
        return os.fstat(fd).st_size != pending.size

    def lose(self, draw: Random | None) -> tuple[int, int]:
        """Roll every file back to what was synced; how many files, and how many bytes.

        With `draw` the power failed amid writing: of what was not synced some sectors have
        made it to the disk, as it draws.
        """
        files = lost = 0
        for node in self._nodes:
            with node.lock:
                unsynced = _swapped(node, None)
                if unsynced is not None:
                    self._count(-_bytes_in(unsynced))
                    files += 1
                    lost += _roll_back(node, unsynced, draw)
            if unsynced is not None:
                self._nodes.tidy(node.key)
        return files, lost

    def told(self) -> dict[str, int]:
        """How much is not synced now."""
        files = lost = 0
        for node in self._nodes:
            with node.lock:
                if node.unsynced is not None:
                    files += 1
                    grown = max(node.stat().st_size - node.unsynced.size, 0)
                    lost += _bytes_in(node.unsynced) + grown
        return {"files": files, "bytes": lost, "written_back": self.written_back}

    def _begun(self, node: Node, fd: int) -> Unsynced:
        if node.unsynced is None:
            node.unsynced = Unsynced(os.fstat(fd).st_size)
        return node.unsynced

    def _keep(self, node: Node, fd: int, unsynced: Unsynced, pages: range) -> None:
        missing = [page for page in pages if page not in unsynced.pages]
        if self._kept + len(missing) * PAGE > KEPT_BYTES_MAX:
            self.written_back += 1
            self.sync(node, fd)
            self._begun(node, fd)
            return
        for page in missing:
            at = page * PAGE
            unsynced.pages[page] = os.pread(fd, min(PAGE, unsynced.size - at), at)
        self._count(len(missing) * PAGE)

    def _buried(self, node: Node) -> None:
        if node.unsynced is not None:
            self._count(-_bytes_in(node.unsynced))
            node.unsynced = None

    def _count(self, kept: int) -> None:
        with self._lock:
            self._kept += kept


def _bytes_in(unsynced: Unsynced) -> int:
    return len(unsynced.pages) * PAGE


def _swapped(node: Node, unsynced: Unsynced | None) -> Unsynced | None:
    """What the node had before."""
    before = node.unsynced
    node.unsynced = unsynced
    return before


def _roll_back(node: Node, unsynced: Unsynced, draw: Random | None) -> int:
    """How many bytes that brought back or took away."""
    fd = reopened(node, os.O_RDWR)
    try:
        now = os.fstat(fd).st_size
        old = {page: content for page, content in sorted(unsynced.pages.items())}
        size = unsynced.size
        if draw is not None:
            old = {page: _torn(fd, page, content, draw) for page, content in old.items()}
            if now > size:
                size += draw.randrange(now - size + 1) // SECTOR * SECTOR
        lost = max(now - size, 0)
        os.ftruncate(fd, size)
        for page, content in old.items():
            at = page * PAGE
            if content != os.pread(fd, len(content), at):
                lost += len(content)
                os.pwrite(fd, content, at)
        return lost
    finally:
        os.close(fd)


def _torn(fd: int, page: int, old: bytes, draw: Random) -> bytes:
    """The old page, with some sectors of the new one."""
    new = os.pread(fd, len(old), page * PAGE)
    torn = bytearray(old)
    for at in range(0, len(new), SECTOR):
        if draw.random() < 0.5:
            torn[at : at + SECTOR] = new[at : at + SECTOR]
    return bytes(torn)

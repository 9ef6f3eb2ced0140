"""Nodes: the files the kernel knows, each tied to its file in the backing directory.

A node holds an O_PATH descriptor, so it stays the same file whatever becomes of its name.
It is dropped when the kernel has forgotten it and nothing has to be remembered about it,
no un-synced data, no damage, or its file is no more.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

from cluster.disk._protocol import ROOT_ID

Key = tuple[int, int]
"""Device and inode number: one file, as long as somebody holds it open."""


class Unsynced:
    """What a power cut would undo of a file: its length when last synced, and old pages."""

    __slots__ = ("pages", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.pages: dict[int, bytes] = {}


class Node:
    """One file.  `lock` guards its un-synced data and its damage, and orders its writes."""

    __slots__ = ("cuts", "fd", "flips", "id", "is_file", "key", "lock", "lookups", "unsynced")

    def __init__(self, number: int, fd: int, found: os.stat_result) -> None:
        self.id = number
        self.fd = fd
        self.key = _key(found)
        self.is_file = stat.S_ISREG(found.st_mode)
        self.lookups = 0
        self.lock = threading.RLock()
        self.unsynced: Unsynced | None = None
        self.flips: dict[int, tuple[int, str]] = {}  # offset: which bits, and whose doing
        self.cuts: dict[str, int] = {}  # whose doing: how long the file seems to be

    @property
    def path(self) -> str:
        """The way to the file for calls that take no descriptor."""
        return f"/proc/self/fd/{self.fd}"

    def size(self, found: os.stat_result) -> int:
        """How long the file seems to be."""
        return min([found.st_size, *self.cuts.values()]) if self.cuts else found.st_size

    def stat(self) -> os.stat_result:
        """The attributes of the backing file."""
        return os.fstat(self.fd)

    @property
    def remembered(self) -> bool:
        """Is there anything to remember, though the kernel may have forgotten it?"""
        return bool(self.unsynced or self.flips or self.cuts)


class Nodes:
    """All nodes, by the number the kernel has for them and by file."""

    def __init__(self, backing: str) -> None:
        self.backing = os.path.realpath(backing)
        self._lock = threading.Lock()
        fd = os.open(self.backing, os.O_PATH | os.O_DIRECTORY)
        self.root = Node(ROOT_ID, fd, os.fstat(fd))
        self.root.lookups = 1
        self._by_id: dict[int, Node] = {ROOT_ID: self.root}
        self._by_key: dict[Key, Node] = {self.root.key: self.root}
        self._last: int = ROOT_ID
        self.buried: Callable[[Node], None] = lambda _node: None
        """Told of a node that is dropped although there was something to remember."""

    def __getitem__(self, number: int) -> Node:
        try:
            return self._by_id[number]
        except KeyError:
            raise OSError(errno.ESTALE, "no such node") from None

    def __iter__(self) -> Iterator[Node]:
        with self._lock:
            return iter(list(self._by_id.values()))

    def find(self, directory: int, name: bytes | str, lookups: int = 1) -> Node:
        """The node of a name in a directory (a descriptor), counted as looked up."""
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=directory)
        found = os.fstat(fd)
        key = _key(found)
        with self._lock:
            node = self._by_key.get(key)
            if node is None:
                self._last += 1
                node = Node(self._last, fd, found)
                self._by_id[node.id] = self._by_key[key] = node
            else:
                os.close(fd)
            node.lookups += lookups
            return node

    def forget(self, number: int, lookups: int) -> None:
        """The kernel no longer holds so many of its references."""
        with self._lock:
            node = self._by_id.get(number)
            if node is not None and node is not self.root:
                node.lookups -= lookups
                self._drop_if_idle(node)

    def tidy(self, key: Key) -> None:
        """Drop the node of this file if nobody wants it any more."""
        with self._lock:
            node = self._by_key.get(key)
            if node is not None and node is not self.root:
                self._drop_if_idle(node)

    def relative(self, node: Node) -> str | None:
        """Where the file is, from the backing directory on; None if it has been removed."""
        with suppress(OSError):
            path = os.readlink(node.path)
            if path.startswith(self.backing + "/"):
                return path[len(self.backing) + 1 :]
        return None

    def _drop_if_idle(self, node: Node) -> None:
        if node.lookups <= 0 and (not node.remembered or node.stat().st_nlink == 0):
            self.buried(node)
            del self._by_id[node.id]
            del self._by_key[node.key]
            os.close(node.fd)


def reopened(node: Node, flags: int) -> int:
    """A new descriptor of the node's file; its owner may always, as when root opens it."""
    try:
        return os.open(node.path, flags)
    except PermissionError:
        mode = stat.S_IMODE(node.stat().st_mode)
        os.chmod(node.path, mode | stat.S_IRUSR | stat.S_IWUSR)
        try:
            return os.open(node.path, flags)
        finally:
            os.chmod(node.path, mode)


def _key(found: os.stat_result) -> Key:
    return found.st_dev, found.st_ino

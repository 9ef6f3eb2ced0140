"""What the file system does for each request of the kernel: pass it through, faults first.

Each method gets the node the request is about and the body of the request, and returns the
reply's body; an `OSError` becomes the reply's error.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Final

from cluster.disk import _protocol as fuse
from cluster.disk._damage import Damage
from cluster.disk._data import Data
from cluster.disk._mount import libc
from cluster.disk._names import Names
from cluster.disk._nodes import Node, Nodes, reopened
from cluster.disk._protocol import names_in
from cluster.disk._rules import BLOCK, PROBE, Rules, only_overwrites

_KEEP_SIZE: Final = 1
_RENAME_NOREPLACE: Final = 1
_DROPPED: Final = (
    os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_APPEND | os.O_DIRECT | os.O_NOCTTY | os.O_NOFOLLOW
)
"""Flags the kernel has obeyed already, or that are ours to obey."""


@dataclass
class Handle:
    """An open file or directory; `names` are what a directory held when it was last listed."""

    fd: int
    node: Node
    names: Sequence[tuple[int, int, bytes]] = ()


@dataclass
class Caller:
    """On whose behalf a request is."""

    uid: int
    gid: int


class Operations:
    """One mounted file system.

    `own_names` has the log of our own directory, so that proving a fault makes no name of
    the system's durable.
    """

    def __init__(
        self, nodes: Nodes, rules: Rules, damage: Damage, data: Data, names: Names, own_names: Names
    ) -> None:
        self.nodes = nodes
        self.rules = rules
        self.damage = damage
        self.data = data
        self.names = names
        self.own_names = own_names
        self._own: Node | None = None
        self._handles: dict[int, Handle] = {}
        self._numbers = count(1)
        self._root = os.geteuid() == 0
        self._lock = threading.Lock()
        self.by_opcode: Mapping[int, Callable[[Node, memoryview, Caller], bytes]] = {
            fuse.LOOKUP: self._lookup,
            fuse.GETATTR: self._getattr,
            fuse.SETATTR: self._setattr,
            fuse.READLINK: self._readlink,
            fuse.SYMLINK: self._symlink,
            fuse.MKNOD: self._mknod,
            fuse.MKDIR: self._mkdir,
            fuse.UNLINK: self._unlink,
            fuse.RMDIR: self._rmdir,
            fuse.RENAME: self._rename,
            fuse.RENAME2: self._rename2,
            fuse.LINK: self._link,
            fuse.OPEN: self._open,
            fuse.CREATE: self._create,
            fuse.READ: self._read,
            fuse.WRITE: self._write,
            fuse.FSYNC: self._fsync,
            fuse.FALLOCATE: self._fallocate,
            fuse.STATFS: self._statfs,
            fuse.RELEASE: self._release,
            fuse.OPENDIR: self._opendir,
            fuse.READDIR: self._readdir,
            fuse.RELEASEDIR: self._release,
            fuse.FSYNCDIR: self._fsyncdir,
        }

    def keep_apart(self, directory: Node) -> None:
        """This directory is ours, and none of the system's."""
        self._own = directory

    def tidy_up(self, name: str) -> None:
        """Remove the files of our own directory that belong to the fault of this name."""
        if self._own is not None:
            for each in os.listdir(self._own.path):
                if each.startswith(name):
                    self.own_names.remove(self._own, os.fsencode(each), is_directory=False)
            self.own_names.commit_all()

    # Names

    def _lookup(self, node: Node, body: memoryview, _: Caller) -> bytes:
        [name] = names_in(body)
        return self._entry(self.nodes.find(node.fd, name))

    def _symlink(self, node: Node, body: memoryview, caller: Caller) -> bytes:
        name, target = names_in(body)
        self.rules.meet("name", node)
        os.symlink(target, name, dir_fd=node.fd)
        return self._entry(self._made(node, name, caller))

    def _mknod(self, node: Node, body: memoryview, caller: Caller) -> bytes:
        mode, device, _, _ = fuse.MKNOD_IN.unpack_from(body)
        [name] = names_in(body[fuse.MKNOD_IN.size :])
        os.mknod(name, mode, device, dir_fd=node.fd)
        return self._entry(self._made(node, name, caller))

    def _mkdir(self, node: Node, body: memoryview, caller: Caller) -> bytes:
        mode, _ = fuse.MKDIR_IN.unpack_from(body)
        [name] = names_in(body[fuse.MKDIR_IN.size :])
        self.rules.meet("name", node)
        os.mkdir(name, mode, dir_fd=node.fd)
        return self._entry(self._made(node, name, caller))

    def _unlink(self, node: Node, body: memoryview, _: Caller) -> bytes:
        [name] = names_in(body)
        self._names_of(node).remove(node, name, is_directory=False)
        return b""

    def _rmdir(self, node: Node, body: memoryview, _: Caller) -> bytes:
        [name] = names_in(body)
        self._names_of(node).remove(node, name, is_directory=True)
        return b""

    def _rename(self, node: Node, body: memoryview, _: Caller) -> bytes:
        (target,) = fuse.RENAME_IN.unpack_from(body)
        old, new = names_in(body[fuse.RENAME_IN.size :])
        self._names_of(node).rename(node, old, self.nodes[target], new)
        return b""

    def _rename2(self, node: Node, body: memoryview, _: Caller) -> bytes:
        target, flags, _ = fuse.RENAME2_IN.unpack_from(body)
        old, new = names_in(body[fuse.RENAME2_IN.size :])
        if flags & ~_RENAME_NOREPLACE:
            raise OSError(errno.EINVAL, "no exchange of names here")
        with self._lock:
            if flags & _RENAME_NOREPLACE:
                with suppress(FileNotFoundError):
                    os.stat(new, dir_fd=self.nodes[target].fd, follow_symlinks=False)
                    raise OSError(errno.EEXIST, "there is one already")
            self._names_of(node).rename(node, old, self.nodes[target], new)
        return b""

    def _link(self, node: Node, body: memoryview, _: Caller) -> bytes:
        (number,) = fuse.LINK_IN.unpack_from(body)
        [name] = names_in(body[fuse.LINK_IN.size :])
        os.link(self.nodes[number].path, name, dst_dir_fd=node.fd, follow_symlinks=True)
        return self._entry(self._made(node, name, None))

    def _made(self, directory: Node, name: bytes, caller: Caller | None) -> Node:
        """The node of a name that was just made, and belongs to the caller if it is new."""
        node = self.nodes.find(directory.fd, name)
        self._names_of(directory).made(directory, name, node.key)
        if caller is not None and self._root and caller.uid | caller.gid:
            with suppress(OSError):
                os.chown(name, caller.uid, caller.gid, dir_fd=directory.fd, follow_symlinks=False)
        return node

    def _names_of(self, directory: Node) -> Names:
        return self.own_names if directory is self._own else self.names

    def _entry(self, node: Node) -> bytes:
        found = node.stat()
        return fuse.entry_out(node.id, found, node.size(found))

    # Attributes

    def _getattr(self, node: Node, _body: memoryview, _: Caller) -> bytes:
        found = node.stat()
        return fuse.attr_out(found, node.size(found))

    def _setattr(self, node: Node, body: memoryview, _: Caller) -> bytes:
        valid, _, number, size, _, at, mt, _, at_ns, mt_ns, _, mode, _, uid, gid, _ = (
            fuse.SETATTR_IN.unpack_from(body)
        )
        if valid & fuse.FATTR_SIZE:
            handle = self._handles.get(number) if valid & fuse.FATTR_FH else None
            self.rules.meet("write", node, overwrites=True)
            self._resize(node, handle, size)
        if valid & (fuse.FATTR_UID | fuse.FATTR_GID):
            os.chown(
                node.path,
                uid if valid & fuse.FATTR_UID else -1,
                gid if valid & fuse.FATTR_GID else -1,
            )
        if valid & fuse.FATTR_MODE:
            os.chmod(node.path, stat.S_IMODE(mode))
        if valid & (fuse.FATTR_ATIME | fuse.FATTR_MTIME):
            now = node.stat()
            atime, mtime = now.st_atime_ns, now.st_mtime_ns
            if valid & fuse.FATTR_ATIME:
                atime = at * 1_000_000_000 + at_ns
            if valid & fuse.FATTR_MTIME:
                mtime = mt * 1_000_000_000 + mt_ns
            if valid & (fuse.FATTR_ATIME_NOW | fuse.FATTR_MTIME_NOW):
                os.utime(node.path)
            else:
                os.utime(node.path, ns=(atime, mtime))
        return self._getattr(node, body, _)

    def _readlink(self, node: Node, _body: memoryview, _: Caller) -> bytes:
        return os.readlink(b"", dir_fd=node.fd)

    def _statfs(self, node: Node, _body: memoryview, _: Caller) -> bytes:
        return fuse.statfs_out(os.fstatvfs(node.fd), full=self.rules.full)

    # Files

    def _open(self, node: Node, body: memoryview, _: Caller) -> bytes:
        flags, _ = fuse.OPEN_IN.unpack_from(body)
        handle = self._opened(node, flags)
        if flags & os.O_TRUNC:
            self.rules.meet("write", node, overwrites=True)
            self._resize(node, handle, 0)
        return self._handed_out(handle)

    def _create(self, node: Node, body: memoryview, caller: Caller) -> bytes:
        flags, mode, _, _ = fuse.CREATE_IN.unpack_from(body)
        [name] = names_in(body[fuse.CREATE_IN.size :])
        try:
            fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode, dir_fd=node.fd)
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
            made = self.nodes.find(node.fd, name)
            handle = self._opened(made, flags)
            if flags & os.O_TRUNC:
                self._resize(made, handle, 0)
        else:
            made = self._made(node, name, caller)
            handle = Handle(fd, made)
        return self._entry(made) + self._handed_out(handle)

    def _read(self, node: Node, body: memoryview, _: Caller) -> bytes:
        number, offset, size, _, _, _, _ = fuse.READ_IN.unpack_from(body)
        if self.rules.all:
            self.rules.meet("read", node, range(offset // BLOCK, -(-(offset + size) // BLOCK)))
        content = os.pread(self._handles[number].fd, size, offset)
        if node.flips or node.cuts:
            return self.damage.shown(node, offset, content)
        return content

    def _write(self, node: Node, body: memoryview, _: Caller) -> bytes:
        number, offset, size, _, _, flags, _ = fuse.WRITE_IN.unpack_from(body)
        content = body[fuse.WRITE_IN.size : fuse.WRITE_IN.size + size]
        fd = self._handles[number].fd
        if self.rules.all:
            self.rules.meet("write", node, overwrites=only_overwrites(fd, offset, size))
        with node.lock:
            if node.cuts:
                self._really_cut(node, fd)
            self.data.before_write(node, fd, offset, size)
            written = os.pwrite(fd, content, offset)
            if node.flips:
                self.damage.mended(node, offset, written)
        if flags & os.O_DSYNC:  # what the kernel says next is FSYNC, but not every kernel does
            data_only = flags & os.O_SYNC != os.O_SYNC
            self._synced(node, self.data.sync(node, fd, lambda _: None), data_only=data_only)
        return fuse.WRITE_OUT.pack(written, 0)

    def _fallocate(self, node: Node, body: memoryview, _: Caller) -> bytes:
        number, offset, length, mode, _ = fuse.FALLOCATE_IN.unpack_from(body)
        fd = self._handles[number].fd
        changes_content = bool(mode & ~_KEEP_SIZE)
        if self.rules.all:
            overwrites = changes_content or only_overwrites(fd, offset, length)
            self.rules.meet("write", node, overwrites=overwrites)
        with node.lock:
            if node.cuts:
                self._really_cut(node, fd)
            if changes_content:
                self.data.before_write(node, fd, offset, length)
            else:
                self.data.before_write(node, fd, offset, 0)
            if libc.fallocate(
                fd, ctypes.c_int(mode), ctypes.c_longlong(offset), ctypes.c_longlong(length)
            ):
                raise OSError(ctypes.get_errno(), "fallocate")
            if node.flips and changes_content:
                self.damage.mended(node, offset, length)
        return b""

    def _fsync(self, node: Node, body: memoryview, _: Caller) -> bytes:
        number, flags, _ = fuse.FSYNC_IN.unpack_from(body)
        self.rules.meet("sync", node)
        data_only = bool(flags & fuse.FSYNC_FDATASYNC)
        fd = self._handles[number].fd
        resized = self.data.sync(node, fd, os.fdatasync if data_only else os.fsync)
        self._synced(node, resized, data_only=data_only)
        return b""

    def _synced(self, node: Node, resized: bool, *, data_only: bool) -> None:
        """Names that became durable along with a file."""
        if not len(self.names) + len(self.own_names):
            return
        if (self.nodes.relative(node) or "").startswith(f"{PROBE}/"):
            self.own_names.file_synced(node, everything=True)
        else:
            self.names.file_synced(node, everything=resized or not data_only)

    def _release(self, _node: Node, body: memoryview, _: Caller) -> bytes:
        number, _, _, _ = fuse.RELEASE_IN.unpack_from(body)
        handle = self._handles.pop(number, None)
        if handle is not None:
            os.close(handle.fd)
        return b""

    # Directories

    def _opendir(self, node: Node, _body: memoryview, _: Caller) -> bytes:
        return self._handed_out(Handle(os.open(node.path, os.O_RDONLY | os.O_DIRECTORY), node))

    def _readdir(self, node: Node, body: memoryview, _: Caller) -> bytes:
        number, offset, size, _, _, _, _ = fuse.READ_IN.unpack_from(body)
        handle = self._handles[number]
        if offset == 0:
            with os.scandir(handle.fd) as entries:
                found = [(each.inode(), _kind(each), os.fsencode(each.name)) for each in entries]
            here = node.key[1]
            handle.names = [(here, stat.S_IFDIR >> 12, b"."), (here, stat.S_IFDIR >> 12, b"..")]
            handle.names = [*handle.names, *found]
        told: list[bytes] = []
        for at, (ino, kind, name) in enumerate(handle.names[offset:], offset + 1):
            entry = fuse.dirent(ino, at, kind, name)
            if len(entry) > size:
                break
            size -= len(entry)
            told.append(entry)
        return b"".join(told)

    def _fsyncdir(self, node: Node, body: memoryview, _: Caller) -> bytes:
        number, _, _ = fuse.FSYNC_IN.unpack_from(body)
        self.rules.meet("sync", node)
        os.fsync(self._handles[number].fd)
        self._names_of(node).directory_synced(node)
        return b""

    # What they share

    def _opened(self, node: Node, flags: int) -> Handle:
        """Who writes must read, too: what was there is put aside."""
        writes = flags & os.O_ACCMODE != os.O_RDONLY
        clean = flags & ~(_DROPPED | os.O_ACCMODE)
        return Handle(reopened(node, clean | (os.O_RDWR if writes else os.O_RDONLY)), node)

    def _handed_out(self, handle: Handle) -> bytes:
        number = next(self._numbers)
        self._handles[number] = handle
        return fuse.OPEN_OUT.pack(number, 0, 0)

    def _resize(self, node: Node, handle: Handle | None, size: int) -> None:
        fd = handle.fd if handle is not None else reopened(node, os.O_RDWR)
        try:
            with node.lock:
                if node.cuts:
                    self._really_cut(node, fd)
                self.data.before_resize(node, fd, size)
                os.ftruncate(fd, size)
                if node.flips:
                    self.damage.mended(node, size, None)
        finally:
            if handle is None:
                os.close(fd)

    def _really_cut(self, node: Node, fd: int) -> None:
        """The file is written to where it seemed to end: now it does end there."""
        size = min(node.cuts.values())
        self.data.before_resize(node, fd, size)
        os.ftruncate(fd, size)
        for name in node.cuts:
            self.damage.ended[name] += 1
        node.cuts.clear()


def _kind(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return stat.S_IFLNK >> 12
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR >> 12
    return stat.S_IFREG >> 12 if entry.is_file(follow_symlinks=False) else 0

"""The kernel's FUSE protocol (version 7): requests and replies as it lays them out.

Numbers and layouts are those of ``linux/fuse.h``; all structures are in the machine's own
byte order, without padding other than the named one.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import Final

LOOKUP: Final = 1
FORGET: Final = 2
GETATTR: Final = 3
SETATTR: Final = 4
READLINK: Final = 5
SYMLINK: Final = 6
MKNOD: Final = 8
MKDIR: Final = 9
UNLINK: Final = 10
RMDIR: Final = 11
RENAME: Final = 12
LINK: Final = 13
OPEN: Final = 14
READ: Final = 15
WRITE: Final = 16
STATFS: Final = 17
RELEASE: Final = 18
FSYNC: Final = 20
INIT: Final = 26
OPENDIR: Final = 27
READDIR: Final = 28
RELEASEDIR: Final = 29
FSYNCDIR: Final = 30
CREATE: Final = 35
INTERRUPT: Final = 36
DESTROY: Final = 38
BATCH_FORGET: Final = 42
FALLOCATE: Final = 43
RENAME2: Final = 45

NO_REPLY: Final = frozenset({FORGET, BATCH_FORGET, INTERRUPT})
ROOT_ID: Final = 1

MAJOR: Final = 7
MINOR: Final = 31
"""The newest version whose layouts are used here; the kernel keeps to the older of both."""

ASYNC_READ: Final = 1 << 0
ATOMIC_O_TRUNC: Final = 1 << 3
BIG_WRITES: Final = 1 << 5
PARALLEL_DIROPS: Final = 1 << 18
MAX_PAGES: Final = 1 << 22
EXPLICIT_INVAL_DATA: Final = 1 << 25
WANTED: Final = (
    ASYNC_READ | ATOMIC_O_TRUNC | BIG_WRITES | PARALLEL_DIROPS | MAX_PAGES | EXPLICIT_INVAL_DATA
)
"""No remote locks (one kernel sees all, so its own do), and no cache that delays writes."""

PAGES_MAX: Final = 64
WRITE_BYTES_MAX: Final = PAGES_MAX * 4096
REQUEST_BYTES_MAX: Final = WRITE_BYTES_MAX + 4096

FATTR_MODE: Final = 1 << 0
FATTR_UID: Final = 1 << 1
FATTR_GID: Final = 1 << 2
FATTR_SIZE: Final = 1 << 3
FATTR_ATIME: Final = 1 << 4
FATTR_MTIME: Final = 1 << 5
FATTR_FH: Final = 1 << 6
FATTR_ATIME_NOW: Final = 1 << 7
FATTR_MTIME_NOW: Final = 1 << 8

FSYNC_FDATASYNC: Final = 1 << 0
NOTIFY_INVAL_INODE: Final = 2

IN_HEADER: Final = Struct("=IIQQIIIHH")  # len opcode unique nodeid uid gid pid extensions -
OUT_HEADER: Final = Struct("=IiQ")  # len error unique
INIT_IN: Final = Struct("=IIII")  # major minor max_readahead flags
INIT_OUT: Final = Struct("=IIIIHHIIHHI28x")
_ATTR: Final = Struct("=QQQQQQIIIIIIIIII")
_ENTRY_OUT: Final = Struct("=QQQQII")  # nodeid generation entry_valid attr_valid + their ns
_ATTR_OUT: Final = Struct("=QII")  # attr_valid its_ns -
GETATTR_IN: Final = Struct("=IIQ")  # flags - fh
SETATTR_IN: Final = Struct("=IIQQQQQQIIIIIIII")
MKNOD_IN: Final = Struct("=IIII")  # mode rdev umask -
MKDIR_IN: Final = Struct("=II")  # mode umask
RENAME_IN: Final = Struct("=Q")  # newdir
RENAME2_IN: Final = Struct("=QII")  # newdir flags -
LINK_IN: Final = Struct("=Q")  # oldnodeid
OPEN_IN: Final = Struct("=II")  # flags open_flags
CREATE_IN: Final = Struct("=IIII")  # flags mode umask open_flags
OPEN_OUT: Final = Struct("=QII")  # fh open_flags -
RELEASE_IN: Final = Struct("=QIIQ")  # fh flags release_flags lock_owner
READ_IN: Final = Struct("=QQIIQII")  # fh offset size flags lock_owner open_flags -
WRITE_IN: Final = READ_IN
WRITE_OUT: Final = Struct("=II")  # size -
FSYNC_IN: Final = Struct("=QII")  # fh flags -
FALLOCATE_IN: Final = Struct("=QQQII")  # fh offset length mode -
FORGET_IN: Final = Struct("=Q")  # nlookup
BATCH_FORGET_IN: Final = Struct("=II")  # count -
FORGET_ONE: Final = Struct("=QQ")  # nodeid nlookup
_STATFS_OUT: Final = Struct("=QQQQQIIII24x")
_DIRENT: Final = Struct("=QQII")  # ino offset namelen type
_INVAL_INODE_OUT: Final = Struct("=Qqq")  # nodeid offset length

ATTR_VALID_S: Final = 1
"""How long the kernel may believe attributes; names it asks for anew every time."""


def attr(found: os.stat_result, size: int) -> bytes:
    """A file's attributes; `size` may be less than the backing file's."""
    return _ATTR.pack(
        found.st_ino,
        size,
        found.st_blocks,
        *(_parts(ns)[0] for ns in (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)),
        *(_parts(ns)[1] for ns in (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)),
        found.st_mode,
        found.st_nlink,
        found.st_uid,
        found.st_gid,
        found.st_rdev & 0xFFFFFFFF,
        found.st_blksize,
        0,
    )


def attr_out(found: os.stat_result, size: int) -> bytes:
    """The reply to GETATTR and SETATTR."""
    return _ATTR_OUT.pack(ATTR_VALID_S, 0, 0) + attr(found, size)


def entry_out(node: int, found: os.stat_result, size: int) -> bytes:
    """The reply to LOOKUP and all that make a name."""
    return _ENTRY_OUT.pack(node, 0, 0, ATTR_VALID_S, 0, 0) + attr(found, size)


def statfs_out(found: os.statvfs_result, *, full: bool) -> bytes:
    """The reply to STATFS; a disk that is `full` has nothing free."""
    return _STATFS_OUT.pack(
        found.f_blocks,
        0 if full else found.f_bfree,
        0 if full else found.f_bavail,
        found.f_files,
        found.f_ffree,
        found.f_bsize,
        found.f_namemax,
        found.f_frsize,
        0,
    )


def dirent(ino: int, offset: int, kind: int, name: bytes) -> bytes:
    """One name in a directory; `offset` is where the next one is."""
    padding = -(_DIRENT.size + len(name)) % 8
    return _DIRENT.pack(ino, offset, len(name), kind) + name + bytes(padding)


def inval_inode(node: int) -> bytes:
    """A notice: forget attributes and all cached content of this file."""
    body = _INVAL_INODE_OUT.pack(node, 0, 0)
    return OUT_HEADER.pack(OUT_HEADER.size + len(body), NOTIFY_INVAL_INODE, 0) + body


def names_in(body: memoryview) -> list[bytes]:
    """The names, each ended by NUL, at the end of a request."""
    return bytes(body).split(b"\0")[:-1]


def _parts(ns: int) -> tuple[int, int]:
    """Seconds and nanoseconds; times before 1970 are told as such."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return seconds & 0xFFFFFFFFFFFFFFFF, rest

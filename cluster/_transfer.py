"""Files to and from an SSH host, by sftp.

What has arrived is compared by its SHA-256, and only then appears under its name.  A file on
the host that grows meanwhile, as logs do, is not damaged: its first bytes are compared, as
many as we have read.

A transfer runs in a thread; when whoever asked for it has gone, `Abandoned` ends it at the
next chunk, lest a host that never comes to an end fill our disk.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from typing import Final

import paramiko

from cluster._host import Progress

CHUNK: Final = 1 << 15
_WINDOW: Final = 128 * CHUNK


class Abandoned(OSError):
    """Nobody waits for this transfer any more."""


# $1 file, $2 bytes.
DIGEST: Final = 'head -c "$2" -- "$1" | sha256sum'


def put(
    session: paramiko.SFTPClient,
    local: str,
    remote: str,
    progress: Progress | None,
    abandoned: threading.Event,
) -> tuple[int, str]:
    """Copy a file there; how many bytes that were, and their SHA-256."""
    digest, done = hashlib.sha256(), 0
    size = os.path.getsize(local)
    with open(local, "rb") as source, session.open(remote, "wb") as target:
        target.set_pipelined(True)
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            target.write(chunk)
            done += len(chunk)
            if abandoned.is_set():
                raise Abandoned
            if progress is not None:
                progress(done, size)
    return done, digest.hexdigest()


def get(
    session: paramiko.SFTPClient,
    remote: str,
    local: str,
    progress: Progress | None,
    abandoned: threading.Event,
) -> tuple[int, str]:
    """Copy a file here, as long as it is now; how many bytes that were, and their SHA-256."""
    digest, done = hashlib.sha256(), 0
    with session.open(remote, "rb") as source, open(local, "wb") as target:
        size = source.stat().st_size or 0
        for chunk in _chunks(source, size):
            digest.update(chunk)
            target.write(chunk)
            done += len(chunk)
            if abandoned.is_set():
                raise Abandoned
            if progress is not None:
                progress(done, size)
    return done, digest.hexdigest()


def _chunks(source: paramiko.SFTPFile, size: int) -> Iterator[bytes]:
    """The first `size` bytes, asked for a window at a time.

    `prefetch` would plan the whole file at once, and a host may say that it has a petabyte.
    """
    for start in range(0, size, _WINDOW):
        end = min(start + _WINDOW, size)
        wanted = [(at, min(CHUNK, end - at)) for at in range(start, end, CHUNK)]
        for chunk in source.readv(wanted):
            if not chunk:
                return
            yield chunk


def put_bytes(session: paramiko.SFTPClient, data: bytes, remote: str) -> None:
    """Write a file there."""
    with session.open(remote, "wb") as target:
        target.set_pipelined(True)
        target.write(data)

"""Files to and from an SSH host, by sftp.

What has arrived is compared by its SHA-256, and only then appears under its name.  A file on
the host that grows meanwhile, as logs do, is not damaged: its first bytes are compared, as
many as we have read.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final

import paramiko

from cluster._host import Progress

CHUNK: Final = 1 << 15

# $1 file, $2 bytes.
DIGEST: Final = 'head -c "$2" -- "$1" | sha256sum'


def put(
    session: paramiko.SFTPClient, local: str, remote: str, progress: Progress | None
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
            if progress is not None:
                progress(done, size)
    return done, digest.hexdigest()


def get(
    session: paramiko.SFTPClient, remote: str, local: str, progress: Progress | None
) -> tuple[int, str]:
    """Copy a file here, as long as it is now; how many bytes that were, and their SHA-256."""
    digest, done = hashlib.sha256(), 0
    with session.open(remote, "rb") as source, open(local, "wb") as target:
        size = source.stat().st_size or 0
        source.prefetch(size)
        while done < size and (chunk := source.read(min(CHUNK, size - done))):
            digest.update(chunk)
            target.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, size)
    return done, digest.hexdigest()


def put_bytes(session: paramiko.SFTPClient, data: bytes, remote: str) -> None:
    """Write a file there."""
    with session.open(remote, "wb") as target:
        target.set_pipelined(True)
        target.write(data)

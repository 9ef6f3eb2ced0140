"""Files that are whole or not there, and documents that notice damage.

`write_atomically` writes beside the target, syncs, renames and syncs the folder, so a crash
leaves the old file or the new one.  A *sealed* document is JSON whose first member,
`checksum`, is the SHA-256 of the whole file with that digest's own place zeroed: any
changed byte, be it white space, is found before anything is decoded.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from histories._event import Json
from histories._flaws import CorruptHistory, HistoryError
from histories._json import refuse_strangers

_BLANK: Final = b"0" * 64
_SEAL: Final = re.compile(rb'\A\{\n  "checksum": "sha256:([0-9a-f]{64})"[,\n]')


def write_atomically(
    path: str | os.PathLike[str], write: Callable[[str], None], *, mode: int = 0o644
) -> None:
    """Let `write` make a file at the temporary path it is given, then put it at `path`."""
    target = os.fspath(path)
    folder = os.path.dirname(target) or "."
    temporary = os.path.join(folder, f".{os.path.basename(target)}.{secrets.token_hex(4)}")
    try:
        write(temporary)
        os.chmod(temporary, mode)
        _sync(temporary)
        os.replace(temporary, target)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise
    sync_folder(folder)


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Put a file with this content at `path`, as a whole or not at all."""

    def write(temporary: str) -> None:
        with open(temporary, "xb") as stream:
            stream.write(content)

    write_atomically(path, write)


def sync_folder(path: str | os.PathLike[str]) -> None:
    """Make the names in a folder durable."""
    _sync(path, os.O_DIRECTORY)


def _sync(path: str | os.PathLike[str], flags: int = 0) -> None:
    file = os.open(path, os.O_RDONLY | flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def locked(path: str | os.PathLike[str], flags: int = 0) -> int:
    """Open (and create) a file and lock it until the descriptor is closed or we die."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o644)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Whether somebody, perhaps this process, holds the lock of a file."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def write_sealed(path: str | os.PathLike[str], document: Mapping[str, Json]) -> None:
    """Write a document that `read_sealed` verifies; its own `checksum` is left out."""
    members = {name: value for name, value in document.items() if name != "checksum"}
    refuse_strangers(members)
    unsealed = {"checksum": "sha256:" + _BLANK.decode(), **members}
    text = msgspec.json.format(msgspec.json.encode(unsealed), indent=2) + b"\n"
    digest = hashlib.sha256(text).hexdigest().encode()
    sealed = text.replace(_BLANK, digest, 1)
    assert _SEAL.match(sealed), "a sealed document begins with its checksum"

    def write(temporary: str) -> None:
        with open(temporary, "xb") as stream:
            stream.write(sealed)

    write_atomically(path, write)


def read_sealed(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The document, without its `checksum`; raises `CorruptHistory` if any byte changed."""
    shown = os.fspath(path)
    try:
        with open(shown, "rb") as stream:
            sealed = stream.read()
    except OSError as error:
        raise HistoryError(f"cannot be read ({error.strerror})", path=shown) from error
    seal = _SEAL.match(sealed)
    if seal is None:
        raise CorruptHistory("it does not begin with its checksum; " + RESTORE, path=shown)
    start, end = seal.span(1)
    digest = hashlib.sha256(sealed[:start] + _BLANK + sealed[end:]).hexdigest()
    if digest.encode() != seal[1]:
        raise CorruptHistory("its checksum does not match; " + RESTORE, path=shown)
    document: dict[str, Any] = msgspec.json.decode(sealed)
    del document["checksum"]
    return document


RESTORE: Final = "the file was damaged after it was written; restore it from a copy"

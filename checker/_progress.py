"""Progress in a file: what a later process goes on from.

The file says which history it is about (by the digest of its columns), which model and
initial value, and what is known of each key: the answer, or the stack of its search.  It is
zlib over MessagePack, in front of it a line with the SHA-256 of everything behind.  A file
with a flipped byte, of another history, model or version of momus, is refused as a whole:
nothing of it is believed.  The tables of failures are not in it, so some work is repeated.

Only models with a name are written: of a function in Python nobody can tell whether it is
still the same.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from checker._found import Found, packed, unpacked
from checker._model import Model
from checker._resumption import Resumption, digest
from checker._searching import gathered
from histories import History, Json, canonical, write_whole

_MAGIC: Final = b"momus-progress 1 sha256:"
_HASH_CHARACTERS: Final = 64
_TRY: Final = "leave --progress out, or name a new file"


class _File(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: str
    events: int
    digest: str
    model: str
    initial: bytes
    jobs: int
    read_only: list[bool] | None
    keys: list[bytes]
    found: list[bytes]


_decoder = msgspec.msgpack.Decoder(_File)


def write_progress(path: str | os.PathLike[str], initial: Json, known: Resumption) -> None:
    """Leaves what is known in a file, as a whole or not at all."""
    history = known.history
    file = _File(
        _version(),
        len(history),
        digest(history),
        known.model.name,
        canonical(initial),
        known.jobs,
        list(known.read_only) if known.read_only is not None else None,
        [canonical(history.key_of(code)) for code in known.operations.keys],
        [packed(each) for each in known.found],
    )
    body = zlib.compress(msgspec.msgpack.encode(file), level=1)
    write_whole(path, _MAGIC + _hash(body) + b"\n" + body)


def read_progress(
    path: str | os.PathLike[str], history: History, model: Model, initial: Json
) -> Resumption:
    """What was left in the file.

    Raises `ValueError` where it is no such file, is damaged, or is about something else.
    """
    shown = os.fspath(path)
    file = _read(shown)
    if file.version != _version():
        raise ValueError(f"{shown}: left by momus {file.version}, not {_version()}; {_TRY}")
    if (file.events, file.digest) != (len(history), digest(history)):
        raise ValueError(f"{shown}: the progress of another history; {_TRY}")
    if (file.model, file.initial) != (model.name, canonical(initial)):
        began = f"{file.model} from {file.initial.decode()}"
        asked = f"{model.name} from {canonical(initial).decode()}"
        raise ValueError(f"{shown}: the progress with the model {began}, not {asked}; {_TRY}")
    operations = gathered(history, model, file.jobs)
    keys = [canonical(history.key_of(code)) for code in operations.keys]
    try:
        found = tuple(unpacked(each) for each in file.found)
    except ValueError as error:
        raise ValueError(f"{shown}: no progress that makes sense ({error}); {_TRY}") from error
    fits = all(_fits(each, history) for each in found)
    if file.keys != keys or len(found) != len(keys) or not fits:
        raise ValueError(f"{shown}: no progress that makes sense; {_TRY}")
    return Resumption(history, model, operations, found, file.jobs, file.read_only)


def _read(shown: str) -> _File:
    try:
        data = Path(shown).read_bytes()
    except OSError as error:
        raise ValueError(
            f"{shown}: cannot be read ({error.strerror or error}); check the path"
        ) from error
    head = len(_MAGIC) + _HASH_CHARACTERS + 1
    body = data[head:]
    if not data.startswith(_MAGIC):
        raise ValueError(f"{shown}: not a progress file; {_TRY}")
    if data[len(_MAGIC) : head] != _hash(body) + b"\n":
        raise ValueError(f"{shown}: damaged, the checksum does not fit; {_TRY}")
    try:
        return _decoder.decode(zlib.decompress(body))
    except (zlib.error, ValueError) as error:
        raise ValueError(f"{shown}: not a progress file ({error}); {_TRY}") from error


def _fits(found: Found, history: History) -> bool:
    """Whether it speaks of events that there are."""
    events = [*found.concurrent, found.stuck, found.writer, found.reached]
    named = np.array([event for event in events if event is not None], dtype=np.int64)
    return bool((found.order < len(history)).all() and (named < len(history)).all())


def _hash(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def _version() -> str:
    try:
        return metadata.version("momus")
    except metadata.PackageNotFoundError:
        return "0"

"""From files, standard input or events in memory to a `History`.

The format is taken from the caller, else from the file's name, else from its first bytes.
Everything wrong with the input ends as one `HistoryError` with file and line.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

import msgspec

from engine import _native
from histories._event import Event, Json
from histories._flaws import CorruptHistory, HistoryError
from histories._history import History, columns_of
from histories._json import canonical, decode, refuse_strangers

FORMATS: Final = ("jsonl", "parquet", "edn", "porcupine-log", "porcupine-kv")
_BY_SUFFIX: Final = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".edn": "edn",
}
_SNIFFED_BYTES: Final = 65_536
_KV_LINE: Final = re.compile(rb"\s*\{:process \d+, :type :\w+, :f :(?:get|put|append), :key \"")
_COMPRESSED: Final = {
    b"\x1f\x8b": "zcat",
    b"\x28\xb5\x2f\xfd": "zstdcat",
    b"BZh": "bzcat",
    b"\xfd7zXZ\0": "xzcat",
    b"PK\x03\x04": "unzip -p",
}
"""First bytes of compressed files, and what unpacks them."""
_HINTS: Final[dict[str, dict[str, Json]]] = {
    "porcupine-log": {"model": "cas-register", "initial": None},
    "porcupine-kv": {"model": "kv", "initial": ""},
}
"""What the form itself says about the objects in it."""

_encode_lines = msgspec.json.Encoder().encode_lines


def read(path: str | os.PathLike[str], format: str | None = None) -> History:
    """See `History.read`."""
    if format is not None and format not in FORMATS:
        raise HistoryError(f"unknown format {format!r}; it must be one of {', '.join(FORMATS)}")
    name = os.fspath(path)
    if name != "-" and os.path.isdir(name):
        from histories._store import Run

        return Run(name).history()
    shown = "stdin" if name == "-" else name
    try:
        source = _source(name)
        _refuse_compressed(source, shown)
        format = format or _BY_SUFFIX.get(os.path.splitext(name)[1].lower()) or _sniffed(source)
        return _parsed(source, format, shown)
    except OSError as error:
        raise HistoryError(
            f"cannot be read ({error.strerror or error}); check the path", path=shown
        ) from error
    except _native.ReadingError as error:
        _translate(error, shown)


def of_events(events: Iterable[Event], meta: Mapping[str, Json]) -> History:
    """See `History.from_events`."""
    listed = list(events)
    for position, event in enumerate(listed):
        try:
            refuse_strangers(event.key)
            refuse_strangers(event.value)
            refuse_strangers(event.error)
        except (TypeError, ValueError) as error:
            raise HistoryError(f"event {position}: {error}") from error
    header = b'{"momus":"history","version":1}\n'
    try:
        text = header + _encode_lines(listed)
    except (TypeError, ValueError, OverflowError) as error:
        raise HistoryError(f"an event cannot be written as JSON: {error}") from error
    try:
        native = _native.read_jsonl(text, dense=False)
    except _native.ReadingError as error:
        line, what, _ = error.args
        raise HistoryError(f"event {line - 2}: {what}") from error
    columns = columns_of(native)
    columns["lines"] = None
    return History(meta=decode(canonical(dict(meta))), **columns)


def _source(name: str) -> str | bytes:
    """A path that can be read twice, or the bytes."""
    if name == "-":
        return sys.stdin.buffer.read()
    if stat.S_ISREG(os.stat(name).st_mode):
        return name
    with open(name, "rb") as stream:
        return stream.read()


def _start(source: str | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:_SNIFFED_BYTES]
    with open(source, "rb") as stream:
        return stream.read(_SNIFFED_BYTES)


def _refuse_compressed(source: str | bytes, shown: str) -> None:
    start = _start(source)
    for magic, unpack in _COMPRESSED.items():
        if start.startswith(magic):
            what = f"the file is compressed; unpack it first: `{unpack} FILE | momus check -`"
            raise HistoryError(what, path=shown, line=1)


def _sniffed(source: str | bytes) -> str:
    start = _start(source)
    if start.startswith(b"PAR1"):
        return "parquet"
    if b"jepsen.util - " in start:
        return "porcupine-log"
    if _KV_LINE.match(start):
        return "porcupine-kv"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    # An array of JSON objects is not JSON lines, but the complaint should be about that.
    if re.match(rb"[\[(;#]|\{\s*:", text) and not re.match(rb'\[\s*\{\s*"', text):
        return "edn"
    return "jsonl"


def _parsed(source: str | bytes, format: str, shown: str) -> History:
    if format == "parquet":
        from histories._parquet import read as read_parquet

        return read_parquet(source, shown)
    native: Mapping[str, Any]
    if format == "jsonl":
        native = _native.read_jsonl(source)
    elif format == "porcupine-log":
        native = _native.read_log(source)
    else:
        native = _native.read_edn(source)
    meta = decode(native["meta"]) if native["meta"] else dict(_HINTS.get(format, {}))
    return History(meta=meta, source=shown, **columns_of(native))


def _translate(error: _native.ReadingError, shown: str) -> NoReturn:
    line, what, corrupt = error.args
    kind = CorruptHistory if corrupt else HistoryError
    raise kind(what, path=shown, line=line) from None

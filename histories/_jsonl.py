"""Histories as momus JSONL: a header, the events, one checksum line."""

from __future__ import annotations

import os
import zlib
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from histories._event import Event
from histories._files import write_atomically
from histories._recorder import checksum_line, header_line

if TYPE_CHECKING:
    from histories._history import History

_CHUNK_EVENTS: Final = 65_536


def write(history: History, path: str | os.PathLike[str]) -> None:
    """Write the file atomically; the events of a slice are numbered anew."""
    encode_lines = msgspec.json.Encoder().encode_lines
    whole = len(history) == 0 or int(history.index[-1]) == len(history) - 1

    def make(temporary: str) -> None:
        with open(temporary, "xb") as stream:
            header = header_line(history.meta)
            stream.write(header)
            crc = zlib.crc32(header)
            events = iter(history)
            position = 0
            while chunk := list(islice(events, _CHUNK_EVENTS)):
                if not whole:
                    chunk = [_renumbered(event, position + n) for n, event in enumerate(chunk)]
                position += len(chunk)
                lines = encode_lines(chunk)
                stream.write(lines)
                crc = zlib.crc32(lines, crc)
            stream.write(checksum_line(crc, len(history), closed=True))

    write_atomically(path, make)


def _renumbered(event: Event, index: int) -> Event:
    return msgspec.structs.replace(event, index=index)

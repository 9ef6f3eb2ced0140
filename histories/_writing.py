"""From a `History` to a file, in any format that can be read.

JSONL and Parquet hold everything.  The other forms are simpler: what they cannot hold is
named, so that whoever converts knows what is gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from histories import _edn, _porcupine
from histories._files import write_atomically
from histories._flaws import HistoryError
from histories._reading import FORMATS

if TYPE_CHECKING:
    from histories._history import History

_CHUNK_LINES: Final = 65_536
_LINES: Final[dict[str, Callable[[History], Iterator[str]]]] = {
    "edn": _edn.lines,
    "porcupine-log": _porcupine.log_lines,
    "porcupine-kv": _porcupine.kv_lines,
}
_LOSSES: Final[dict[str, Callable[[History], list[str]]]] = {
    "jsonl": lambda history: ["that the recording was cut off"] if history.torn else [],
    "parquet": lambda _: [],
    "edn": _edn.losses,
    "porcupine-log": _porcupine.log_losses,
    "porcupine-kv": _porcupine.kv_losses,
}


def write(history: History, path: str | os.PathLike[str], format: str) -> list[str]:
    """Write the file atomically; answers what the format could not hold, in English.

    Raises `HistoryError` where the format cannot hold such a history at all.
    """
    if format not in FORMATS:
        raise HistoryError(f"unknown format {format!r}; it must be one of {', '.join(FORMATS)}")
    if format == "jsonl":
        history.write_jsonl(path)
    elif format == "parquet":
        history.write_parquet(path)
    else:
        if not len(history):
            raise HistoryError(f"a history without events cannot be written as {format}")
        write_atomically(path, lambda temporary: _write_lines(history, temporary, format))
    return _LOSSES[format](history)


def _write_lines(history: History, path: str, format: str) -> None:
    lines = _LINES[format](history)
    with open(path, "x", encoding="utf-8", newline="\n") as stream:
        while chunk := list(islice(lines, _CHUNK_LINES)):
            stream.write("\n".join(chunk) + "\n")

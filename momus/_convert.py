"""``momus convert``: the same history in another format.

What the target cannot hold is told in one line on standard error; the conversion is done
all the same.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import click

from momus._exits import ExitCode, Refusal, one_line
from momus._sources import FORMATS, STANDARD_INPUT, expand, load

_BY_SUFFIX = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".edn": "edn",
    ".log": "porcupine-log",
}


def run_convert(name: str, target: str, *, source_format: str | None, to: str | None) -> int:
    """Convert one history, warn of what is lost, return the exit code."""
    to = to or _BY_SUFFIX.get(Path(target).suffix.lower())
    if to is None:
        raise Refusal(
            f"{target}: this name does not say which format is wanted; "
            f"try --to with one of {', '.join(FORMATS)}"
        )
    sources = expand([name])
    if len(sources) != 1:
        raise Refusal(f"{name}: these are {len(sources)} histories; convert one at a time")
    if target != STANDARD_INPUT and Path(target).is_dir():
        raise Refusal(f"{target}: this is a folder; try the name of a file in it")
    history = load(sources[0], source_format).history
    if target == STANDARD_INPUT:
        with tempfile.TemporaryDirectory(prefix="momus-convert-") as folder:
            path = Path(folder) / "history"
            lost = _written(history, path, to)
            with path.open("rb") as stream:
                shutil.copyfileobj(stream, sys.stdout.buffer)
    else:
        lost = _written(history, Path(target), to)
    if lost:
        told = f"{target}: {to} cannot hold everything; lost: {'; '.join(lost)}"
        click.echo(f"momus: {one_line(told)}", err=True)
    return ExitCode.VALID


def _written(history: object, path: Path, to: str) -> list[str]:
    from histories import History, write

    assert isinstance(history, History)
    return write(history, path, to)

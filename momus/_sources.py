"""What a user may name to have it judged, and how each becomes a `History`.

A name on the command line is a history file, a run folder of the store, a glob in quotes
(the shell has expanded the others), or ``-`` for standard input.  A name expands to one
or more sources, and a source reads as a history together with the metadata known about
it.  Everything is read before anything is judged, so that one bad file among many gives
one error and no verdict at all.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from momus._exits import Refusal

if TYPE_CHECKING:
    from histories import History

STANDARD_INPUT = "-"
FORMATS = ("jsonl", "parquet", "edn", "porcupine-log", "porcupine-kv")


@dataclass(frozen=True)
class Source:
    """One history to be: its name as shown to the user, and whether it is a run folder."""

    name: str
    is_run: bool = False


@dataclass(frozen=True)
class Loaded:
    """A source that has been read; `meta` joins the history's header and the run's metadata."""

    source: Source
    history: History
    meta: dict[str, Any]


def expand(names: Iterable[str]) -> list[Source]:
    """The sources that `names` stand for, in order, each once."""
    sources: dict[str, Source] = {}
    for name in names:
        for path in _paths_of(name):
            sources.setdefault(path, _source_at(path))
    return list(sources.values())


def load(source: Source, format: str | None = None) -> Loaded:
    """Read one source; raises `HistoryError` where it is not a history."""
    if source.is_run:
        from histories import Run

        run = Run(source.name)
        history = run.history()
        return Loaded(source, history, {**dict(history.meta), **dict(run.meta)})
    from histories import History, HistoryError

    history = History.read(source.name, format=format)
    if len(history) == 0:  # a header at most; to call that valid would be a lie
        what = "there are no events in it, so there is nothing to judge"
        raise HistoryError(what, path=history.source, line=1)
    return Loaded(source, history, dict(history.meta))


def _is_device(path: str) -> bool:
    mode = os.stat(path).st_mode
    return stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not os.path.samefile(path, "/dev/null"))


def _paths_of(name: str) -> list[str]:
    if name == STANDARD_INPUT or Path(name).exists():
        return [name]
    if glob.has_magic(name):
        found = sorted(glob.glob(name, recursive=True))
        if found:
            return found
        raise Refusal(f"{name}: no file matches this pattern; try it with `ls` first")
    raise Refusal(
        f"{name}: no such file; try the path of a history file, of a run folder "
        "(`momus list` shows them), or - for standard input"
    )


def _source_at(path: str) -> Source:
    if path != STANDARD_INPUT and _is_device(path):
        raise Refusal(f"{path}: this is a device, and may never end; try a file, or - for a pipe")
    if path == STANDARD_INPUT or not Path(path).is_dir():
        return Source(path)
    if not (Path(path) / "test.json").exists():
        raise Refusal(
            f"{path}: this folder is not a run (it has no test.json); "
            "try a folder that `momus list --store STORE` shows"
        )
    return Source(path, is_run=True)

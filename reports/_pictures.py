"""The plots of a run, drawn when somebody asks for them.

Importing matplotlib takes longer than judging most histories, so it is imported here, at
the last moment, and a command that draws nothing never pays for it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from histories import History
from reports import _labels
from reports._faults import Band, bands
from reports._file import replace_file
from reports._operations import Operations, operations


@dataclass(frozen=True)
class Image:
    """A picture for the page; without `uri` the `alt` says why there is none."""

    title: str
    uri: str
    alt: str


def plots(history: History, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write ``plots/latency.png`` and ``plots/rate.png`` below a run folder.

    Returns the paths written: none for a history in which no operation completed.  Raises
    `OSError` if a file cannot be written.
    """
    from reports import _plots

    ops, faults = operations(history), bands(history)
    written = []
    for name, draw in (("latency", _plots.latency), ("rate", _plots.rate)):
        picture = draw(ops, faults)
        if picture is not None:
            written.append(replace_file(Path(folder) / "plots" / f"{name}.png", picture.png()))
    return tuple(written)


def images(ops: Operations, faults: Sequence[Band]) -> tuple[Image, ...]:
    """The same plots for the page; a drawing that fails costs its picture, not the report."""
    try:
        from reports import _plots

        drawn = []
        for title, draw in (("Latency", _plots.latency), ("Rate", _plots.rate)):
            picture = draw(ops, faults)
            if picture is not None:
                drawn.append(Image(title, picture.data_uri(), picture.alt))
        return tuple(drawn)
    except Exception as trouble:  # whatever matplotlib meets, the verdict matters more
        why = _labels.prose(f"{type(trouble).__name__}: {trouble}", 300)
        return (Image("Latency and rate", "", f"Could not be drawn: {why}"),)

"""The same nodes as real processes: real sockets, files and clocks under the same programs.

A process is `python -m simulation.real NODE --config FILE`; `Processes` makes a `cluster.System`
of those of a whole cluster.  It is imported when it is first used, since a node does without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from simulation.real._crash_point import CrashPoint
    from simulation.real._judging import judges_of
    from simulation.real._ordering import Ordering
    from simulation.real._processes import ADMIN_PORT, WORLD_PORT, Processes
    from simulation.real._scenes import Scene, scene_of, strikes_of, workload_of
    from simulation.real._twins import Twin, twins_of

__all__ = [
    "ADMIN_PORT",
    "WORLD_PORT",
    "CrashPoint",
    "Ordering",
    "Processes",
    "Scene",
    "Twin",
    "judges_of",
    "scene_of",
    "strikes_of",
    "twins_of",
    "workload_of",
]

_HOMES: Final = {
    "CrashPoint": "_crash_point",
    "Ordering": "_ordering",
    "Scene": "_scenes",
    "Twin": "_twins",
    "judges_of": "_judging",
    "scene_of": "_scenes",
    "strikes_of": "_scenes",
    "twins_of": "_twins",
    "workload_of": "_scenes",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"simulation.real has no {name!r}")
    home = import_module(f"simulation.real.{_HOMES.get(name, '_processes')}")
    return getattr(home, name)

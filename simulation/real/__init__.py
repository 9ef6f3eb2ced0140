"""The same nodes as real processes: real sockets, files and clocks under the same programs.

A process is `python -m simulation.real NODE --config FILE`; `Processes` makes a `cluster.System`
of those of a whole cluster.  It is imported when it is first used, since a node does without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulation.real._processes import ADMIN_PORT, WORLD_PORT, Processes

__all__ = ["ADMIN_PORT", "WORLD_PORT", "Processes"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"simulation.real has no {name!r}")
    from simulation.real import _processes

    return getattr(_processes, name)

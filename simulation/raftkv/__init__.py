"""raftkv: a sharded key-value store, one Raft group for each shard, with named bugs to find.

    from simulation import Case, play_case
    from simulation.raftkv import SYSTEM

    played = play_case(SYSTEM, Case("raftkv", "kill-primary", seed=1, bug="ack-before-sync"))

A name is imported when it is first used, so that a real process of a node starts without the
runner and the checkers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from simulation.raftkv._admin import answer
    from simulation.raftkv._client import Client
    from simulation.raftkv._node import program
    from simulation.raftkv._options import Options
    from simulation.raftkv._system import SYSTEM

__all__ = ["SYSTEM", "Client", "Options", "answer", "program"]

_HOMES: Final = {
    "SYSTEM": "_system",
    "Client": "_client",
    "Options": "_options",
    "answer": "_admin",
    "program": "_node",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"simulation.raftkv has no {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

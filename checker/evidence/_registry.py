"""Checkers by the names that users of Jepsen know.

Each row names what makes a checker; its keyword arguments are the settings, all of which have
defaults.  The command line, `compose` and lifting over keys find checkers here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, Final

from checker.evidence._availability import Availability
from checker.evidence._bank import Bank
from checker.evidence._bounded_staleness import BoundedStaleness
from checker.evidence._causal import Causal
from checker.evidence._checker import Checker
from checker.evidence._counter import Counter
from checker.evidence._delivery import Delivery
from checker.evidence._lock_set import LockSet
from checker.evidence._log import Log
from checker.evidence._long_fork import LongFork
from checker.evidence._monotonic import Monotonic
from checker.evidence._queue import Queue
from checker.evidence._sessions import (
    MonotonicReads,
    MonotonicWrites,
    ReadYourWrites,
    WritesFollowReads,
)
from checker.evidence._set import Set
from checker.evidence._set_full import SetFull
from checker.evidence._total_queue import TotalQueue
from checker.evidence._unique_ids import UniqueIds
from checker.evidence._vacuity import Vacuity
from checker.evidence._watch import Watch

CHECKERS: Final[Mapping[str, Callable[..., Checker]]] = {
    "availability": Availability,
    "bank": Bank,
    "bounded-staleness": BoundedStaleness,
    "causal": Causal,
    "counter": Counter,
    "delivery": Delivery,
    "lock-set": LockSet,
    "log": Log,
    "long-fork": LongFork,
    "monotonic": Monotonic,
    "monotonic-reads": MonotonicReads,
    "monotonic-writes": MonotonicWrites,
    "queue": Queue,
    "read-your-writes": ReadYourWrites,
    "set": Set,
    "set-full": SetFull,
    "total-queue": TotalQueue,
    "unique-ids": UniqueIds,
    "vacuity": Vacuity,
    "watch": Watch,
    "writes-follow-reads": WritesFollowReads,
}

PER_KEY: Final = frozenset(
    {"bank", "counter", "delivery", "monotonic", "queue", "set", "set-full", "total-queue"}
)
"""Checkers of one object: where operations have keys, each key is judged by itself."""

GROUP: Final = "momus.checkers"


def checker_of(name: str, **settings: Any) -> Checker:
    """The checker of this name: ours, or one that an installed package brings.

    A package brings one by an entry point of the group ``momus.checkers``, whose name is that
    of the checker, and which is called with the settings:

        [options.entry_points]                       # in its setup.cfg
        momus.checkers =
            no-zombies = momus_zombies:NoZombies

    Raises `ValueError` where nobody brings it, or it does not take these settings.
    """
    make: Callable[..., Checker] | None = CHECKERS.get(name) or _invariants().get(name)
    if make is None:
        make = _brought(name)
    try:
        return make(**settings)
    except (TypeError, ValueError) as error:
        told = ", ".join(f"{key}={value!r}" for key, value in settings.items()) or "no settings"
        raise ValueError(f"the checker {name} cannot be made with {told}: {error}") from error


def _invariants() -> Mapping[str, Callable[..., Checker]]:
    """The ready invariants; they are built on this package, so they cannot be in the table."""
    from checker.invariants import CHECKERS as INVARIANTS

    return INVARIANTS


def _brought(name: str) -> Callable[..., Checker]:
    for entry in entry_points(group=GROUP, name=name):
        try:
            found: Callable[..., Checker] = entry.load()
        except Exception as error:  # a stranger's module may raise anything
            raise ValueError(
                f"the checker {name!r} of {entry.value} cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error
        return found
    known = sorted({*CHECKERS, *_invariants(), *entry_points(group=GROUP).names})
    raise ValueError(f"unknown checker {name}; try one of {', '.join(known)}")

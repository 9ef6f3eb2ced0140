"""Checkers by the names that users of Jepsen know.

Each row names what makes a checker; its keyword arguments are the settings, all of which have
defaults.  The command line, `compose` and lifting over keys find checkers here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from checker.evidence._bank import Bank
from checker.evidence._checker import Checker
from checker.evidence._queue import Queue
from checker.evidence._set import Set
from checker.evidence._set_full import SetFull
from checker.evidence._total_queue import TotalQueue
from checker.evidence._unique_ids import UniqueIds

CHECKERS: Final[Mapping[str, Callable[..., Checker]]] = {
    "bank": Bank,
    "set": Set,
    "set-full": SetFull,
    "queue": Queue,
    "total-queue": TotalQueue,
    "unique-ids": UniqueIds,
}

"""Checkers that need no search: what was lost, duplicated, stale, out of bounds.

from checker import evidence

verdict = evidence.UniqueIds().check(history)
verdict = evidence.CHECKERS["unique-ids"]().check(history)
"""

from checker.evidence._availability import Availability
from checker.evidence._bank import Bank
from checker.evidence._bounded_staleness import BoundedStaleness
from checker.evidence._causal import Causal
from checker.evidence._checker import Checker
from checker.evidence._compose import Composed, compose, merged
from checker.evidence._counter import Counter
from checker.evidence._delivery import Delivery
from checker.evidence._keyed import Keyed, has_keys, keyed
from checker.evidence._lock_set import LockSet
from checker.evidence._log import Log
from checker.evidence._long_fork import LongFork
from checker.evidence._monotonic import Monotonic
from checker.evidence._queue import Queue
from checker.evidence._registry import CHECKERS, PER_KEY, checker_of
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

__all__ = [
    "CHECKERS",
    "PER_KEY",
    "Availability",
    "Bank",
    "BoundedStaleness",
    "Causal",
    "Checker",
    "Composed",
    "Counter",
    "Delivery",
    "Keyed",
    "LockSet",
    "Log",
    "LongFork",
    "Monotonic",
    "MonotonicReads",
    "MonotonicWrites",
    "Queue",
    "ReadYourWrites",
    "Set",
    "SetFull",
    "TotalQueue",
    "UniqueIds",
    "Vacuity",
    "Watch",
    "WritesFollowReads",
    "checker_of",
    "compose",
    "has_keys",
    "keyed",
    "merged",
]

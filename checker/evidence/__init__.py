"""Checkers that need no search: what was lost, duplicated, stale, out of bounds.

from checker import evidence

verdict = evidence.UniqueIds().check(history)
verdict = evidence.CHECKERS["unique-ids"]().check(history)
"""

from checker.evidence._bank import Bank
from checker.evidence._checker import Checker
from checker.evidence._queue import Queue
from checker.evidence._registry import CHECKERS
from checker.evidence._set import Set
from checker.evidence._set_full import SetFull
from checker.evidence._total_queue import TotalQueue
from checker.evidence._unique_ids import UniqueIds

__all__ = ["CHECKERS", "Bank", "Checker", "Queue", "Set", "SetFull", "TotalQueue", "UniqueIds"]

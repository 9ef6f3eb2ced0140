"""Checkers that need no search: what was lost, duplicated, stale, out of bounds.

from checker import evidence

verdict = evidence.UniqueIds().check(history)
verdict = evidence.CHECKERS["unique-ids"]().check(history)
"""

from checker.evidence._checker import Checker
from checker.evidence._registry import CHECKERS
from checker.evidence._unique_ids import UniqueIds

__all__ = ["CHECKERS", "Checker", "UniqueIds"]

"""Keys that a checker clears of suspicion all at once, so that few are looked at by themselves.

What a key's own history would say must follow from the columns of all: so no key is cleared whose
operations end under another key, or have all one time, for then their own order would count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from checker.evidence._checker import Mask
from histories import History


@dataclass(frozen=True)
class Cleared:
    """Keys that are certainly valid, and the sums of what is told of them.

    `keys` has a place for each code of a key, and the last one is for operations without key.
    """

    keys: Mask
    operations: int
    totals: dict[str, int]


@runtime_checkable
class Clears(Protocol):
    """A checker that sees in one look over all keys that most of them are valid."""

    def cleared(self, history: History) -> Cleared | None:
        """What is certainly valid; None if it cannot tell."""
        ...


def orderly(history: History) -> Mask:
    """The keys whose own histories have the order of the whole one; a place for each, and none."""
    count = len(history.keys) + 1
    fine = np.ones(count, dtype=bool)
    client = np.flatnonzero(history.process >= 0)
    key, time = history.key[client], history.time[client]
    partner = history.pairs[client]
    strays = (partner >= 0) & (history.key[partner] != key)
    fine[key[strays]] = False
    fine[history.key[partner[strays]]] = False
    first, last = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    # Events are in order of time, and of several assignments the last one wins.
    first[key[::-1]], last[key] = time[::-1], time
    return np.asarray(fine & (first < last))

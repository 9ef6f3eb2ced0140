"""How stale a read of a register was: by how many versions, and for how long already.

Each operation that could have made the value must be followed by a change that was invoked
after the value was certainly there and returned before the read began: from then on the
value was certainly gone.  If the value was made several times, the one that lasted longest
counts; if one of them may still have taken effect later, nothing certain can be said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from checker._noticing import register_effects
from histories import History, Json, canonical

_FAIL: Final = 2


@dataclass(frozen=True)
class Staleness:
    """At least `versions` changes lie between the value and the read.

    `overwritten` is the position of the event by which the value was certainly gone;
    `nanoseconds` lie between that and the beginning of the read, if there is a clock.
    """

    versions: int
    overwritten: int
    nanoseconds: int | None


def staleness_of(history: History, initial: Json, read: int) -> Staleness | None:
    """For the completed read invoked at event `read`; None where it is not well defined."""
    mine = (history.key == history.key[read]) & (history.process >= 0) & (history.type == 0)
    invoked = np.flatnonzero(mine).astype(np.int64)
    returned = history.pairs[invoked].astype(np.int64)
    failed = (returned >= 0) & (history.type[returned] == _FAIL)
    invoked, returned = invoked[~failed], returned[~failed]
    returned = np.where((returned >= 0) & (history.type[returned] == 1), returned, -1)
    needs, makes = register_effects(history, invoked, returned)
    row = int(np.searchsorted(invoked, read))
    answer = int(needs[row])
    if makes[row] >= 0 or answer < 0:
        return None
    has_clock = len(history) > 1 and history.time[0] != history.time[-1]
    clock = history.time if has_clock else np.arange(len(history), dtype=np.int64)
    begin = clock[invoked]
    end = np.where(returned >= 0, clock[returned], np.iinfo(np.int64).max)
    changes = (makes >= 0) & (makes != needs) & (returned >= 0) & (end < begin[row])
    writers = np.flatnonzero((makes == answer) & (needs != answer) & (begin <= end[row]))
    there: list[int] = end[writers].tolist()
    if canonical(initial) == _text(history, answer):
        there.append(int(np.iinfo(np.int64).min))
    if len(there) == 1:
        # Whoever saw the value saw that it was there.
        others = np.arange(len(needs)) != row
        seen = end[(needs == answer) & others]
        there = [min(there[0], int(seen.min(initial=there[0])))]
    later = np.flatnonzero(changes)
    # Invocations come in order, so the changes begun after a moment are the last ones.
    first = np.searchsorted(begin[later], np.array(there, dtype=np.int64), side="right")
    if not len(first) or int(first.max()) == len(later):
        return None
    # The earliest end among each change and all that began after it.
    gone_by = np.minimum.accumulate(end[later][::-1])[::-1]
    gone = int(gone_by[first].max())
    change = int(later[np.flatnonzero(end[later] == gone)[0]])
    return Staleness(
        int(len(later) - first.max()),
        int(returned[change]),
        int(begin[row] - gone) if has_clock else None,
    )


def _text(history: History, number: int) -> bytes:
    return b"null" if number == 0 else history.values[number - 1]

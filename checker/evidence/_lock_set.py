"""Locks: do two clients ever hold the same one, and does what they guard survive?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from checker._verdict import Counterexample, Verdict, merge_valid
from checker.evidence._checker import (
    COUNTEREXAMPLES_MAX,
    NEVER,
    SHOWN_MAX,
    Positions,
    Times,
    clients_with_other_operations,
    clock_of,
    counterexample,
    described,
    operations,
    shown,
    vacuous,
    verdict,
)
from checker.evidence._set import Set
from histories import FAIL, INVOKE, History


@dataclass(frozen=True)
class LockSet:
    """No two clients hold the same lock at the same time, by what they were told.

    A client certainly *holds* a lock from when its ``acquire`` was acknowledged to when it
    next begins to ``release`` it; with `lease_s` no longer than so many seconds from when the
    acquire began, for then the lock may have run out.  An acquire in doubt or refused holds
    nothing.  A release that failed certainly did not happen, and the lock is still held.  A
    client that never releases holds to the end of the history.

    - *overlaps*: two holds of one lock have an instant in common, and not only an end.  Two
      holds of one process do so if it is told twice that it acquired the lock.

    The lock is the operations' key; without keys there is one lock.  There is no Jepsen
    checker for this: its etcd tests guard a set by a lock (its ``lock-set`` workload), and
    judge the set.  So that is judged, too, as `Set`, where clients also ``add``: an addition
    that two holders did at once is lost.
    """

    lease_s: float | None = None
    acquire: str = "acquire"
    release: str = "release"

    @property
    def name(self) -> str:
        return "lock-set"

    def check(self, history: History) -> Verdict:
        """The verdict; a set beside the locks is a part of it."""
        began = time.perf_counter()
        holds = self._holds(history)
        pairs = _overlaps(holds)
        found = [
            _example(history, holds, *pair, len(pairs)) for pair in pairs[:COUNTEREXAMPLES_MAX]
        ]
        nothing = None
        if np.unique(history.process[holds.acquired]).size < 2:
            nothing = vacuous(
                "Fewer than two clients ever acquired a lock, so none could be in another's way.",
                f"See why operations {self.acquire!r} do not succeed.",
            )
        judged = verdict(
            self.name,
            began=began,
            operations=holds.operations,
            counterexamples=found,
            unknown=nothing,
            details={
                "attempted": holds.operations,
                "acknowledged": len(holds.acquired),
                "overlaps_count": len(pairs),
                "overlaps": [_told(history, holds, *pair) for pair in pairs[:SHOWN_MAX]],
            },
        )
        if "add" not in clients_with_other_operations(history):
            return judged
        return _with_set(judged, Set().check(history), bool(holds.operations), began)

    def _holds(self, history: History) -> _Holds:
        acquires = operations(history, self.acquire)
        got = acquires.where(acquires.ok)
        until = self._released(history, got.completed)
        start, end = got.end, np.where(until >= 0, clock_of(history)[until], NEVER)
        if self.lease_s is not None:
            end = np.minimum(end, got.begin + round(self.lease_s * 1e9))
        held = end > start
        lock = history.key[got.completed].astype(np.int64)
        order = np.lexsort((start, lock))
        order = order[held[order]]
        return _Holds(
            lock[order], got.completed[order], until[order], start[order], end[order], len(acquires)
        )

    def _released(self, history: History, acquired: Positions) -> Positions:
        """The invocation of the first release by the same process and lock, -1 if none."""
        releases = operations(history, self.release)
        begun = releases.invoked[releases.outcome != FAIL]
        event = np.concatenate((acquired, begun))
        is_release = np.arange(len(event)) >= len(acquired)
        order = np.lexsort((event, history.key[event], history.process[event]))
        until = np.full(len(acquired), -1)
        # The next release behind each, found from the end.
        place = np.where(is_release[order], np.arange(len(order)), len(order))
        following = np.minimum.accumulate(place[::-1])[::-1]
        padded = np.append(order, -1)
        after = padded[following]
        mine = ~is_release[order]
        candidate = np.where(after >= 0, event[after], -1)[mine]
        self_event = event[order][mine]
        same = (
            (candidate >= 0)
            & (history.process[candidate] == history.process[self_event])
            & (history.key[candidate] == history.key[self_event])
        )
        until[order[mine]] = np.where(same, candidate, -1)
        return until


@dataclass(frozen=True)
class _Holds:
    """Who held what, by lock and time; columns of shape `(n_holds,)`.

    `acquired` and `released` are events: completions of acquires, invocations of releases
    (-1: none).
    """

    lock: npt.NDArray[np.int64]
    acquired: Positions
    released: Positions
    start: Times
    end: Times
    operations: int


def _overlaps(holds: _Holds) -> list[tuple[int, int]]:
    """Holds that began before an earlier one of the same lock had ended, and that one.

    Each is paired with the hold before it that ends last.
    """
    if len(holds.lock) < 2:
        return []
    # Ends by rank, so that those of one lock never reach into the next.
    rank = np.empty(len(holds.end), dtype=np.int64)
    by_end = np.argsort(holds.end, kind="stable")
    rank[by_end] = np.arange(len(rank))
    group = np.cumsum(np.diff(holds.lock, prepend=holds.lock[0]) != 0)
    reach = np.maximum.accumulate(rank + group * len(rank)) - group * len(rank)
    before = by_end[reach[:-1].clip(0)]
    same = group[1:] == group[:-1]
    clash = same & (holds.end[before] > holds.start[1:])
    later = np.flatnonzero(clash) + 1
    return list(zip(before[clash].tolist(), later.tolist(), strict=True))


def _told(history: History, holds: _Holds, first: int, second: int) -> dict[str, Any]:
    end = min(int(holds.end[first]), int(holds.end[second]))
    return {
        "element": history.key_of(int(holds.lock[first])),
        "processes": [
            history.process_of(int(history.process[holds.acquired[hold]]))
            for hold in (first, second)
        ],
        "from": int(holds.start[second]),
        "to": end if end < NEVER else None,
    }


def _example(
    history: History, holds: _Holds, first: int, second: int, count: int
) -> Counterexample:
    one, two = int(holds.acquired[first]), int(holds.acquired[second])
    key = history.key_of(int(holds.lock[first]))
    lock = "the lock" if key is None else f"the lock {shown(key)}"
    released = int(holds.released[first])
    until = "had not begun to release it"
    if released >= 0:
        until = f"held it until {described(history, released)}"
    sentence = (
        f"Two held {lock} at once: {described(history, two)}, while process "
        f"{history.process_of(int(history.process[one]))}, which had got it by "
        f"{described(history, one)}, {until}"
    )
    more = f" ({count:,} such overlaps in all)." if count > 1 else "."
    events = [e for done in (one, two) for e in (int(history.pairs[done]), done)]
    events += [e for e in (released, int(holds.released[second])) if e >= 0]
    events += [int(history.pairs[e]) for e in events if history.type[e] == INVOKE]
    return counterexample(
        history, sentence + more, events, operation=int(history.pairs[two]), key=key
    )


def _with_set(locks: Verdict, guarded: Verdict, locked: bool, began: float) -> Verdict:
    """Both in one; of a history without any acquire the set is all there is."""
    parts = {"locks": locks, "set": guarded} if locked else {"set": guarded}
    valid = merge_valid(part.valid for part in parts.values())
    unknowns = [part.unknown for part in parts.values() if part.unknown is not None]
    return Verdict(
        valid=valid,
        checker="lock-set",
        operations=locks.operations + guarded.operations,
        seconds=time.perf_counter() - began,
        counterexamples=tuple(c for part in parts.values() for c in part.counterexamples),
        unknown=unknowns[0] if unknowns and valid == "unknown" else None,
        details={**guarded.details, **locks.details} if locked else guarded.details,
        parts=parts,
    )

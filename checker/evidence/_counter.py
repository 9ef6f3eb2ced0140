"""A counter, judged by the bounds within which each read has to lie."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from checker._verdict import Counterexample, Verdict
from checker.evidence._before import instants_of
from checker.evidence._checker import (
    SHOWN_MAX,
    Operations,
    counterexample,
    described,
    operations,
    shown,
    vacuous,
    verdict,
)
from checker.evidence._clearing import Cleared, orderly
from checker.evidence._elements import integers_of
from histories import FAIL, History

Sums = npt.NDArray[np.int64]

_SUM_MAX: Final = 1 << 62
_ADDITIONS_SHOWN: Final = 4


@dataclass(frozen=True)
class Counter:
    """Every ``read`` lies within what the ``add`` operations allow at that time.

    - The *lower* bound counts increments that were acknowledged before the read began, and
      decrements that may have happened before it ended.
    - The *upper* bound counts increments that may have happened before the read ended, and
      decrements that were acknowledged before it began.

    An addition in doubt may happen from when it began; one that failed never does.  Jepsen
    knows no decrements.  As there, these bounds are necessary and not sufficient: several
    reads together are judged by ``momus check --model counter``.
    """

    initial: int = 0
    add: str = "add"
    read: str = "read"

    @property
    def name(self) -> str:
        return "counter"

    def check(self, history: History) -> Verdict:
        """The verdict; raises `ValueError` where values are not integers below 10**18."""
        began = time.perf_counter()
        are, value = integers_of(history.values)
        adds, reads = operations(history, self.add), operations(history, self.read)
        adds = adds.where(adds.outcome != FAIL)
        reads = reads.where(reads.ok)
        amount = _integers(history, adds.invoked, are, value)
        answer = _integers(history, reads.completed, are, value)
        if np.abs(amount.astype(np.float64)).sum() + abs(self.initial) >= _SUM_MAX:
            raise ValueError("what is added comes to more than 2**62, which is not counted here")
        possible = _Sums.of(adds.begin, amount), _Sums.of(adds.begin, amount, negative=True)
        sure = adds.ok
        certain = (
            _Sums.of(adds.end[sure], amount[sure]),
            _Sums.of(adds.end[sure], amount[sure], negative=True),
        )
        lower = self.initial + certain[0].before(reads.begin) + possible[1].until(reads.end)
        upper = self.initial + possible[0].until(reads.end) + certain[1].before(reads.begin)
        off = np.maximum(lower - answer, answer - upper)
        wrong = np.flatnonzero(off > 0)
        worst = wrong[np.argsort(-off[wrong], kind="stable")]
        details: dict[str, Any] = {
            "attempted": len(adds),
            "acknowledged": int(sure.sum()),
            "reads": len(reads),
            "errors_count": len(wrong),
            "errors": [
                {
                    "operation": int(history.index[reads.invoked[r]]),
                    "time": int(history.time[reads.completed[r]]),
                    "lower": int(lower[r]),
                    "value": int(answer[r]),
                    "upper": int(upper[r]),
                }
                for r in wrong[:SHOWN_MAX].tolist()
            ],
            "error_max": int(off[worst[0]]) if len(worst) else 0,
        }
        found = []
        if len(worst):
            read = int(worst[0])
            bounds = int(lower[read]), int(answer[read]), int(upper[read])
            found.append(_example(history, adds, reads, read, bounds, len(wrong)))
        nothing = None
        if not len(reads) or not len(adds):
            what = "read" if not len(reads) else "addition"
            nothing = vacuous(
                f"There is no {what} of the counter, so there is nothing to compare.",
                "Read the counter now and then, and at the end; and see why nothing succeeds.",
            )
        return verdict(
            self.name,
            began=began,
            operations=len(adds) + len(reads),
            counterexamples=found,
            unknown=nothing,
            details=details,
        )

    def cleared(self, history: History) -> Cleared | None:
        """The keys in which every read is within its bounds, by the same sums, key by key."""
        are, value = integers_of(history.values)
        adds, reads = operations(history, self.add), operations(history, self.read)
        adds = adds.where(adds.outcome != FAIL)
        reads = reads.where(reads.ok)
        try:
            amount = _integers(history, adds.invoked, are, value)
            answer = _integers(history, reads.completed, are, value)
        except ValueError:
            return None
        if np.abs(amount.astype(np.float64)).sum() + abs(self.initial) >= _SUM_MAX:
            return None
        added, read = (history.key[ops.invoked].astype(np.int64) for ops in (adds, reads))
        instants = instants_of(history)
        span = len(history) + 1
        began = added * span + instants[adds.invoked]
        sure = adds.ok
        ended, certain = (added * span)[sure] + instants[adds.completed[sure]], amount[sure]
        before, until = read * span + instants[reads.invoked], read * span
        until += instants[reads.completed]
        start = read * span
        lower = np.full(len(reads), self.initial, dtype=np.int64)
        upper = lower.copy()
        for negative, low, high in ((False, lower, upper), (True, upper, lower)):
            told, tried = (
                _Sums.of(times, amounts, negative=negative)
                for times, amounts in ((ended, certain), (began, amount))
            )
            low += told.before(before) - told.before(start)
            high += tried.until(until) - tried.before(start)
        count = len(history.keys) + 1
        keys = orderly(history)
        keys[read[(answer < lower) | (answer > upper)]] = False
        added, read = added % count, read % count
        keys &= (np.bincount(added, minlength=count) > 0) & (np.bincount(read, minlength=count) > 0)
        mine, looks = keys[added], keys[read]
        totals = {
            "attempted": int(mine.sum()),
            "acknowledged": int((mine & sure).sum()),
            "reads": int(looks.sum()),
            "errors_count": 0,
            "error_max": 0,
        }
        return Cleared(keys, totals["attempted"] + totals["reads"], totals)


@dataclass(frozen=True)
class _Sums:
    """Sums of amounts in the order of time: `total[n]` is that of the first `n`."""

    times: Sums
    total: Sums

    @staticmethod
    def of(times: Sums, amount: Sums, *, negative: bool = False) -> _Sums:
        """The increments, or else the decrements."""
        chosen = np.flatnonzero(amount < 0 if negative else amount > 0)
        order = chosen[np.argsort(times[chosen], kind="stable")]
        total = np.concatenate((np.zeros(1, np.int64), np.cumsum(amount[order])))
        return _Sums(times[order], total)

    def before(self, instants: Sums) -> Sums:
        """The sum of what lies strictly before each."""
        return self.total[np.searchsorted(self.times, instants, side="left")]

    def until(self, instants: Sums) -> Sums:
        """The sum of what lies before each, or at it."""
        return self.total[np.searchsorted(self.times, instants, side="right")]


def _integers(
    history: History, events: npt.NDArray[np.int64], are: npt.NDArray[np.bool_], value: Sums
) -> Sums:
    """What stands in these events."""
    code = history.value[events]
    fine = code >= 0
    fine[fine] = are[code[fine]]
    if not fine.all():
        event = history[int(events[int(np.argmin(fine))])]
        raise ValueError(
            f"event {event.index}: {event.f} of {shown(event.value)}; a counter holds integers of "
            "at most 18 digits"
        )
    return value[code]


def _example(
    history: History,
    adds: Operations,
    reads: Operations,
    read: int,
    bounds: tuple[int, int, int],
    wrong: int,
) -> Counterexample:
    """The read that is farthest off, with the additions next to it."""
    lower, answer, upper = bounds
    event = int(reads.completed[read])
    low = answer < lower
    what = "less" if low else "more"
    bound = f"at least {lower:,}" if low else f"at most {upper:,}"
    sentence = (
        f"What {described(history, event)} answered is {what} than there can be: by then the "
        f"counter was {bound}"
    )
    more = f" (and {wrong - 1:,} more reads are out of bounds)." if wrong > 1 else "."
    near = np.flatnonzero(adds.begin <= reads.end[read])[-_ADDITIONS_SHOWN:]
    events = [*adds.invoked[near].tolist(), *adds.completed[near].tolist()]
    shows = [e for e in events if e >= 0 and e <= event]
    invoked = int(reads.invoked[read])
    return counterexample(
        history,
        sentence + more,
        [*shows, invoked, event],
        operation=invoked,
        details={"lower": lower, "value": answer, "upper": upper},
    )

"""What goes into a queue must come out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from checker._verdict import Counterexample, Unknown, Verdict
from checker.evidence._additions import Additions, additions
from checker.evidence._checker import (
    SHOWN_MAX,
    counterexample,
    described,
    moment,
    shown,
    vacuous,
    verdict,
)
from checker.evidence._queue import Taken, strange, taken
from histories import FAIL, History

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TotalQueue:
    """Every acknowledged ``enqueue`` comes out by a ``dequeue`` or a ``drain``.

    Elements are counted, for one may be enqueued several times.

    - *lost*: acknowledged, never brought, and a later operation shows that the queue was
      empty: a drain, a dequeue that failed, or one that answered null, which began after the
      acknowledgement.
    - *never_read*: acknowledged and never brought, but nothing shows that the queue was empty
      afterwards.  (Jepsen calls it lost, and relies on you to drain.)
    - *recovered*: brought, though only attempted.
    - *unexpected*: brought, though no attempt to enqueue it can have happened.
    - *duplicated*: brought more often than it can have been enqueued.  As with Jepsen that is
      told and allowed, for many queues redeliver; with `once` it is invalid.

    A dequeue in doubt may have taken an element that nobody saw.  Where no more elements are
    missing than there are such dequeues, or a drain is in doubt, the verdict is unknown; with
    `doubtful_take=False`, as with Jepsen, they never take any.
    """

    once: bool = False
    doubtful_take: bool = True
    enqueue: str = "enqueue"
    dequeue: str = "dequeue"
    drain: str = "drain"

    @property
    def name(self) -> str:
        return "total-queue"

    def check(self, history: History) -> Verdict:
        """The verdict; raises `ValueError` where a drain answers anything but a list."""
        began = time.perf_counter()
        out = taken(history, self.dequeue, self.drain)
        puts = additions(history, out.lists.count, self.enqueue)
        count = _counts(puts, out)
        details: dict[str, Any] = {
            "attempted": int((puts.ops.outcome != FAIL).sum()),
            "acknowledged": int(puts.ops.ok.sum()),
            "seen": len(out.element),
            "doubtful_dequeues": out.doubtful,
        }
        for kind, times in count.items():
            details[f"{kind}_count"] = int(times.sum())
            details[kind] = [
                {"element": out.lists.value(e), "times": int(times[e])}
                for e in np.flatnonzero(times)[:SHOWN_MAX].tolist()
            ]
        excused = self._excuse(details["lost_count"], out)
        invalid = ["unexpected", "duplicated"] if self.once else ["unexpected"]
        found = []
        if count["lost"].any() and excused is None:
            found.append(_lost(history, np.flatnonzero(count["lost"]), puts, out))
        found += [
            strange(history, kind, np.flatnonzero(count[kind]), puts, out)
            for kind in invalid
            if count[kind].any()
        ]
        return verdict(
            self.name,
            began=began,
            operations=len(puts.ops) + out.operations,
            counterexamples=found,
            unknown=excused or _unread(details),
            details=details,
        )

    def _excuse(self, lost: int, out: Taken) -> Unknown | None:
        """Why the lost ones may have been taken; None if that cannot be."""
        if not self.doubtful_take or not lost or (lost > out.doubtful and not out.drained):
            return None
        doubt = "a drain is in doubt" if out.drained else f"{out.doubtful:,} dequeues are in doubt"
        return Unknown(
            "harness",
            f"{lost:,} acknowledged elements never came out, but {doubt} and may have taken them.",
            "Let clients acknowledge what they take, or, if a dequeue that nobody answers takes "
            "nothing, check with doubtful_take=False.",
        )


def _counts(puts: Additions, out: Taken) -> dict[str, Counts]:
    """How often each element was lost, and so on, each of shape `(count,)`."""
    size, ops = out.lists.count, puts.ops
    tried = np.bincount(puts.element[ops.outcome != FAIL], minlength=size)
    sure = np.bincount(puts.element[ops.ok], minlength=size)
    got = np.bincount(out.element, minlength=size)
    judged = np.bincount(puts.element[ops.ok & (ops.end < out.empty)], minlength=size)
    missing = np.maximum(sure - got, 0)
    # What came out may have been any of the equal ones: those that are judged are lost last.
    lost = np.maximum(judged - got, 0)
    return {
        "lost": lost,
        "never_read": missing - lost,
        "recovered": np.maximum(np.minimum(got, tried) - sure, 0),
        "unexpected": np.where(tried == 0, got, 0),
        "duplicated": np.where(tried > 0, np.maximum(got - tried, 0), 0),
    }


def _unread(details: dict[str, Any]) -> Unknown | None:
    if details["never_read_count"]:
        return vacuous(
            f"{details['never_read_count']:,} acknowledged elements never came out, but nothing "
            "shows that the queue was empty after they had been acknowledged.",
            "Drain the queue at the end, until a dequeue finds nothing.",
        )
    if not details["seen"]:
        return vacuous(
            "Nothing ever came out of the queue, and nothing was acknowledged that should have.",
            "See why enqueues do not succeed.",
        )
    return None


def _lost(history: History, elements: Any, puts: Additions, out: Taken) -> Counterexample:
    one = int(elements[0])
    mine = (puts.element == one) & puts.ops.ok & (puts.ops.end < out.empty)
    put = int(np.flatnonzero(mine)[0])
    told = int(puts.ops.completed[put])
    came = int((out.element == one).sum())
    never = "never came out" if not came else f"came out {came} times only"
    where = "the queue was found empty afterwards"
    if len(out.event):
        where += f" (the last one came out {moment(history, int(out.event.max()))})"
    sentence = (
        f"The element {shown(out.lists.value(one))} is lost: {described(history, told)} "
        f"acknowledged it, and it {never}, though {where}"
    )
    more = f" (and so it is with {len(elements) - 1:,} more)." if len(elements) > 1 else "."
    events = [*puts.events(one), *out.event[out.element == one].tolist(), *_empty(history, out)]
    return counterexample(history, sentence + more, events, operation=int(puts.ops.invoked[put]))


def _empty(history: History, out: Taken) -> list[int]:
    """The operation that shows the queue was empty."""
    return [] if out.shows_empty < 0 else [int(history.pairs[out.shows_empty]), out.shows_empty]

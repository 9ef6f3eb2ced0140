"""Queues without an order: does everything that comes out come from somewhere?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from checker._verdict import Counterexample, Verdict
from checker.evidence._additions import Additions, additions, grouped
from checker.evidence._checker import (
    SHOWN_MAX,
    Positions,
    Times,
    clock_of,
    counterexample,
    described,
    operations,
    shown,
    vacuous,
    verdict,
)
from checker.evidence._elements import Lists, lists_of
from histories import FAIL, INFO, History


@dataclass(frozen=True)
class Taken:
    """What came out: one row for each element that a completion told, shape `(n_taken,)`.

    `element` is its number in `lists`, `event` the completion that told it, `begin` and `end`
    the times of the operation.  `empty` is when an operation began last that shows the queue
    was empty (`drain`, a refusal, or the answer null), and `shows_empty` its completion; both
    are -1 if there was none.
    `doubtful` counts single elements that operations in doubt may have taken, `drained` whether
    a drain in doubt may have taken any number of them.
    """

    lists: Lists
    element: npt.NDArray[np.int64]
    event: Positions
    begin: Times
    end: Times
    empty: int
    shows_empty: int
    doubtful: int
    drained: bool
    operations: int


def taken(history: History, take: str, drain: str) -> Taken:
    """What `take` and `drain` brought; raises `ValueError` where a drain answers no list."""
    singles, drains = operations(history, take), operations(history, drain)
    value = history.value[singles.told]
    got = singles.where(singles.ok & (value >= 0))
    nothing = (singles.ok & (value < 0)) | (singles.outcome == FAIL)
    whole = drains.where(drains.ok)
    codes, which = np.unique(history.value[whole.completed], return_inverse=True)
    lists = lists_of(history, codes, f"a {drain}")
    size = np.diff(lists.offsets)[which]
    if len(which) == len(codes):
        owner = np.argsort(which)[lists.owner()]
        out = lists.elements
    else:  # the same answer to several drains
        owner = np.repeat(np.arange(len(which)), size)
        parts = [lists.elements[lists.offsets[w] : lists.offsets[w + 1]] for w in which]
        out = np.concatenate(parts) if parts else lists.elements
    emptied = singles.where(nothing)
    began = np.concatenate((emptied.begin, whole.begin))
    shows = np.concatenate((emptied.completed, whole.completed))
    last = int(began.argmax()) if len(began) else -1
    return Taken(
        lists,
        np.concatenate((history.value[got.completed].astype(np.int64), out)),
        np.concatenate((got.completed, whole.completed[owner])),
        np.concatenate((got.begin, whole.begin[owner])),
        np.concatenate((got.end, whole.end[owner])),
        int(began[last]) if last >= 0 else -1,
        int(shows[last]) if last >= 0 else -1,
        int((singles.outcome == INFO).sum()),
        bool((drains.outcome == INFO).any()),
        len(singles) + len(drains),
    )


@dataclass(frozen=True)
class Queue:
    """Every element that a ``dequeue`` (or ``drain``) brought was enqueued before, and not
    brought before as often as it was enqueued.

    The order does not matter, and nothing has to come out.  An ``enqueue`` in doubt may have
    happened; one that failed did not (Jepsen takes the invocation of any for done).

    - *unexpected*: brought, though no attempt to enqueue it can have happened.
    - *duplicated*: brought more often than it can have been enqueued.
    - *early*: brought before the attempt to enqueue it had begun.
    """

    enqueue: str = "enqueue"
    dequeue: str = "dequeue"
    drain: str = "drain"

    @property
    def name(self) -> str:
        return "queue"

    def check(self, history: History) -> Verdict:
        """The verdict; `details` counts what was put in and came out."""
        began = time.perf_counter()
        out = taken(history, self.dequeue, self.drain)
        puts = additions(history, out.lists.count, self.enqueue)
        tried = puts.ops.outcome != FAIL
        put = np.bincount(puts.element[tried], minlength=out.lists.count)
        got = np.bincount(out.element, minlength=out.lists.count)
        excess = _excess(puts, out)
        more = np.maximum(got - put, 0)
        kinds = {
            "unexpected": np.where(put == 0, got, 0),
            "duplicated": np.where(put > 0, more, 0),
            "early": np.where(put > 0, excess - more, 0),
        }
        details: dict[str, Any] = {
            "attempted": int(tried.sum()),
            "acknowledged": int(puts.ops.ok.sum()),
            "seen": len(out.element),
        }
        found = []
        for kind, count in kinds.items():
            elements = np.flatnonzero(count)
            details[f"{kind}_count"] = int(count.sum())
            details[kind] = [
                {"element": out.lists.value(e), "times": int(count[e])}
                for e in elements[:SHOWN_MAX].tolist()
            ]
            if len(elements):
                found.append(strange(history, kind, elements, puts, out))
        nothing = None
        if not len(out.element):
            nothing = vacuous(
                "Nothing ever came out of the queue, so nothing shows where it came from.",
                f"See why operations {self.dequeue!r} bring nothing.",
            )
        return verdict(
            self.name,
            began=began,
            operations=len(puts.ops) + out.operations,
            counterexamples=found,
            unknown=nothing,
            details=details,
        )


def _excess(puts: Additions, out: Taken) -> npt.NDArray[np.int64]:
    """How many times each element came out without an attempt begun before, `(count,)`.

    It goes through attempts (as they begin) and answers (as they end) in the order of time,
    and counts how far the answers are ever ahead.
    """
    count = out.lists.count
    excess = np.zeros(count, dtype=np.int64)
    if not len(out.element):
        return excess
    tried = puts.ops.outcome != FAIL
    # Elements that came out at most once, after an attempt had begun, need no counting.
    suspicious = np.zeros(count, dtype=bool)
    suspicious[out.element[out.end < puts.attempted[out.element]]] = True
    suspicious |= np.bincount(out.element, minlength=count) > 1
    ins = tried & suspicious[puts.element]
    outs = suspicious[out.element]
    element = np.concatenate((puts.element[ins], out.element[outs]))
    if not len(element):
        return excess
    when = np.concatenate((puts.ops.begin[ins], out.end[outs]))
    step = np.concatenate((np.ones(ins.sum(), np.int64), np.full(outs.sum(), -1)))
    by_time = np.lexsort((-step, when))
    order = by_time[grouped(element[by_time])]
    element, step = element[order], step[order]
    starts = np.flatnonzero(np.diff(element, prepend=-1))
    total = np.cumsum(step)
    before = np.repeat(total[starts] - step[starts], np.diff(starts, append=len(step)))
    excess[element[starts]] = np.maximum(-np.minimum.reduceat(total - before, starts), 0)
    return excess


def strange(
    history: History, kind: str, elements: Any, puts: Additions, out: Taken
) -> Counterexample:
    """An element that came out though it should not, and how many there are."""
    one = int(elements[0])
    value = shown(out.lists.value(one))
    events = out.event[out.element == one]
    events = events[np.argsort(clock_of(history)[events], kind="stable")]
    added = puts.events(one)
    if kind == "duplicated":
        tried = int(((puts.element == one) & (puts.ops.outcome != FAIL)).sum())
        sentence = (
            f"The element {value} was enqueued {_times(tried)} at most and came out "
            f"{_times(len(events))}, at last by {described(history, int(events[-1]))}"
        )
    elif kind == "early":
        sentence = (
            f"The element {value} came out by {described(history, int(events[0]))}, before "
            "anybody had begun to enqueue it"
        )
    else:
        why = "whose enqueue failed" if added else "which nobody tried to enqueue"
        sentence = f"The element {value}, {why}, came out by {described(history, int(events[0]))}"
    more = f" (and so it is with {len(elements) - 1:,} more)." if len(elements) > 1 else "."
    invoked = history.pairs[events]
    shows = [*added[:4], *invoked[:2].tolist(), *events[:2].tolist(), int(events[-1])]
    return counterexample(history, sentence + more, shows, operation=int(invoked[-1]))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

"""Queues that deliver, wait for an acknowledgement, and deliver again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from checker._verdict import Counterexample, Unknown, Verdict
from checker.evidence._additions import Additions, additions, grouped
from checker.evidence._checker import (
    NEVER,
    SHOWN_MAX,
    Mask,
    Operations,
    Times,
    counterexample,
    described,
    quantiles_ms,
    shown,
    vacuous,
    verdict,
)
from checker.evidence._queue import Taken, taken
from histories import FAIL, History

Guarantee = Literal["at-least-once", "at-most-once", "exactly-once"]

_GUARANTEES: Final = ("at-least-once", "at-most-once", "exactly-once")


@dataclass(frozen=True)
class Delivery:
    """Messages are delivered as often as was promised, and not while they are out already.

    Clients ``enqueue`` a message, ``dequeue`` one (null: there was none), and ``ack`` it by
    its value, or ``nack`` it, which gives it back.  Every message should be enqueued once;
    those that were tried more often are judged by number only.

    With `at-least-once`:

    - *lost*: an acknowledged enqueue, never delivered, though the queue was found empty by a
      dequeue that began later.
    - *abandoned*: delivered, never acked (no ack of it can have happened), and not delivered
      again, though the queue was found empty by a dequeue that began after the last delivery
      had ended and `visibility_s` had passed.  Not judged without `visibility_s`.

    With `at-most-once`:

    - *duplicated*: delivered more often than it can have been enqueued.

    `exactly-once` is both.  Always:

    - *unexpected*: delivered, though no attempt to enqueue it can have happened.
    - *after_ack*: delivered by a dequeue that began after an ack of it was acknowledged.
    - *too_soon*: delivered twice, less than `visibility_s` apart however the times within
      the operations are chosen, and nobody may have nacked it.

    A dequeue in doubt may have been delivered any one message, which then is out for
    `visibility_s`, or for good: as many lost or abandoned ones as there are such dequeues
    leave the verdict unknown.
    """

    guarantee: Guarantee = "at-least-once"
    visibility_s: float | None = None
    enqueue: str = "enqueue"
    dequeue: str = "dequeue"
    ack: str = "ack"
    nack: str = "nack"
    drain: str = "drain"

    def __post_init__(self) -> None:
        if self.guarantee not in _GUARANTEES:
            raise ValueError(f"the guarantee is one of {', '.join(_GUARANTEES)}")
        if self.visibility_s is not None and self.visibility_s <= 0:
            raise ValueError("visibility_s is above 0")

    @property
    def name(self) -> str:
        return "delivery"

    def check(self, history: History) -> Verdict:
        """The verdict; `details` has the times from enqueue to first delivery, too."""
        began = time.perf_counter()
        out = taken(history, self.dequeue, self.drain)
        puts = additions(history, out.lists.count, self.enqueue)
        acks, nacks = (additions(history, out.lists.count, f) for f in (self.ack, self.nack))
        story = _Story(puts, out, acks, nacks)
        visible_ns = None if self.visibility_s is None else round(self.visibility_s * 1e9)
        kinds = _kinds(story, visible_ns)
        judged = ["unexpected", "after_ack", "too_soon"]
        missing = 0
        if self.guarantee != "at-least-once":
            judged.append("duplicated")
        if self.guarantee != "at-most-once":
            missing = int(kinds["lost"].sum() + kinds["abandoned"].sum())
            if missing > out.doubtful and not out.drained:
                judged += ["lost", "abandoned"]
        details: dict[str, Any] = {
            "attempted": int((puts.attempted < NEVER).sum()),
            "acknowledged": int((puts.acknowledged < NEVER).sum()),
            "delivered": len(out.element),
            "seen": int((story.delivered > 0).sum()),
            "acked": int((acks.acknowledged < NEVER).sum()),
        }
        for kind, mask in kinds.items():
            details[f"{kind}_count"] = int(mask.sum())
            details[kind] = [out.lists.value(e) for e in np.flatnonzero(mask)[:SHOWN_MAX].tolist()]
        both = (story.first_end < NEVER) & (puts.acknowledged < NEVER)
        late = np.maximum(story.first_end[both] - puts.acknowledged[both], 0)
        details["delivery_latencies_ms"] = quantiles_ms(late)
        found = [
            _example(history, kind, np.flatnonzero(kinds[kind]), story, self.visibility_s)
            for kind in judged
            if kinds[kind].any()
        ]
        return verdict(
            self.name,
            began=began,
            operations=len(puts.ops) + out.operations + len(acks.ops) + len(nacks.ops),
            counterexamples=found,
            unknown=self._unknown(story, missing),
            details=details,
        )

    def _unknown(self, story: _Story, missing: int) -> Unknown | None:
        out = story.out
        if missing:
            return Unknown(
                "harness",
                f"{missing:,} messages were lost or not delivered again, but {out.doubtful:,} "
                "dequeues are in doubt and may have taken them.",
                "Let dequeues answer, or wait for the visibility time-out and drain the queue.",
            )
        if not len(out.element):
            return vacuous(
                "No message was ever delivered.", f"See why {self.dequeue!r} brings nothing."
            )
        unread = (story.puts.acknowledged < NEVER) & (story.delivered == 0)
        if unread.any() and self.guarantee != "at-most-once":
            return vacuous(
                f"{int(unread.sum()):,} messages were never delivered, but nothing shows that the "
                "queue was empty after they had been enqueued.",
                "Drain the queue at the end, until a dequeue finds nothing.",
            )
        return None


@dataclass(frozen=True)
class _Story:
    """What became of the messages; per message, columns of shape `(count,)`."""

    puts: Additions
    out: Taken
    acks: Additions
    nacks: Additions

    @property
    def delivered(self) -> npt.NDArray[np.int64]:
        """How often."""
        return np.bincount(self.out.element, minlength=self.out.lists.count)

    @property
    def first_end(self) -> Times:
        """When the first delivery ended, or `NEVER`."""
        found = np.full(self.out.lists.count, NEVER)
        np.minimum.at(found, self.out.element, self.out.end)
        return found

    @property
    def last_end(self) -> Times:
        """When the last delivery ended, or -1."""
        found = np.full(self.out.lists.count, -1)
        np.maximum.at(found, self.out.element, self.out.end)
        return found


def _kinds(story: _Story, visible_ns: int | None) -> dict[str, Mask]:
    """Which messages are lost, and so on."""
    puts, out, acks = story.puts, story.out, story.acks
    tried = np.bincount(puts.element[puts.ops.outcome != FAIL], minlength=out.lists.count)
    delivered = story.delivered
    once = tried == 1
    abandoned = np.zeros(out.lists.count, dtype=bool)
    if visible_ns is not None:
        unacked = (delivered > 0) & (acks.attempted == NEVER) & once
        abandoned = unacked & (story.last_end + visible_ns < out.empty)
    after = acks.acknowledged[out.element] < out.begin
    after_ack = np.zeros(out.lists.count, dtype=bool)
    after_ack[out.element[after]] = True
    return {
        "lost": (puts.acknowledged < out.empty) & (delivered == 0),
        "abandoned": abandoned,
        "duplicated": (tried > 0) & (delivered > tried),
        "unexpected": (delivered > 0) & (story.first_end < puts.attempted),
        "after_ack": after_ack & once,
        "too_soon": _too_soon(story, visible_ns) & once,
    }


def _too_soon(story: _Story, visible_ns: int | None) -> Mask:
    """Messages with two deliveries in a row that cannot be so far apart."""
    out = story.out
    found = np.zeros(out.lists.count, dtype=bool)
    if visible_ns is None:
        return found
    again = np.flatnonzero(story.delivered[out.element] > 1)
    if not len(again):
        return found
    again = again[np.argsort(out.begin[again], kind="stable")]
    again = again[grouped(out.element[again])]
    one, two = again[:-1], again[1:]
    apart = np.maximum(out.end[two] - out.begin[one], out.end[one] - out.begin[two])
    close = (out.element[one] == out.element[two]) & (apart < visible_ns)
    # A nack that may have happened before the second delivery gives the message back.
    close &= story.nacks.attempted[out.element[two]] > out.end[two]
    found[out.element[two[close]]] = True
    return found


def _example(
    history: History, kind: str, messages: Any, story: _Story, visibility_s: float | None
) -> Counterexample:
    """The first message of this kind, and how many there are."""
    one = int(messages[0])
    out, value = story.out, shown(story.out.lists.value(one))
    mine = np.flatnonzero(out.element == one)
    mine = mine[np.argsort(out.begin[mine], kind="stable")]
    told = [described(history, int(out.event[each])) for each in mine]
    put = _first_ok(story.puts, one)
    enqueued = described(history, put) if put >= 0 else "an enqueue in doubt"
    acked = _first_ok(story.acks, one)
    sentence = {
        "lost": lambda: (
            f"is lost: {enqueued} acknowledged it, and it was never delivered, though "
            "the queue was found empty afterwards"
        ),
        "abandoned": lambda: (
            f"was never acked and not delivered again after {told[-1]}, though "
            f"the queue was found empty more than {visibility_s:g} s later"
        ),
        "duplicated": lambda: f"was delivered {len(told)} times, at last by {told[-1]}",
        "unexpected": lambda: f"was delivered by {told[0]}, though nobody can have enqueued it",
        "after_ack": lambda: f"was delivered by {told[-1]}, after {described(history, acked)}",
        "too_soon": lambda: (
            f"was delivered twice within less than {visibility_s:g} s: {told[0]}, and {told[1]}"
        ),
    }[kind]()
    more = f" (and so it is with {len(messages) - 1:,} more)." if len(messages) > 1 else "."
    deliveries = [
        int(e) for each in mine for e in (history.pairs[out.event[each]], out.event[each])
    ]
    events = [*story.puts.events(one)[:2], *deliveries[:4], *deliveries[-2:]]
    events += story.acks.events(one)[:2]
    if kind in ("lost", "abandoned") and out.shows_empty >= 0:
        events += [int(history.pairs[out.shows_empty]), out.shows_empty]
    fault = deliveries[-2] if deliveries else int(history.pairs[put])
    return counterexample(history, f"The message {value} {sentence}{more}", events, operation=fault)


def _first_ok(done: Additions, element: int) -> int:
    """The completion that acknowledged it first, or -1."""
    ops: Operations = done.ops
    mine = np.flatnonzero((done.element == element) & ops.ok)
    return int(ops.completed[mine[np.argmin(ops.end[mine])]]) if len(mine) else -1

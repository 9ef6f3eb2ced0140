"""A set that clients add to, judged by what is in it in the end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from checker._verdict import Counterexample, Verdict
from checker.evidence._additions import Additions, additions
from checker.evidence._checker import (
    NEVER,
    SHOWN_MAX,
    counterexample,
    described,
    operations,
    shown,
    vacuous,
    verdict,
)
from checker.evidence._elements import Lists, lists_of
from histories import History


@dataclass(frozen=True)
class Set:
    """Every acknowledged ``add`` is in the last ``read`` that succeeded, and nothing strange is.

    - *lost*: acknowledged before the last read began, and not in it.
    - *recovered*: in doubt, and in it.
    - *unexpected*: in it, though no attempt to add it can have happened: there was none, all
      failed, or the first began after the read had ended.  (Jepsen lets a failed add pass.)
    - *duplicated*: more than once in it.  (Jepsen does not look.)
    - *late*: acknowledged when the last read had begun already, so it may be missing.  (Jepsen
      would call it lost.)
    """

    add: str = "add"
    read: str = "read"

    @property
    def name(self) -> str:
        return "set"

    def check(self, history: History) -> Verdict:
        """The verdict; raises `ValueError` where a read answers anything but a list."""
        began = time.perf_counter()
        reads = operations(history, self.read)
        reads = reads.where(reads.ok)
        if not len(reads):
            adds = additions(history, len(history.values), self.add)
            return verdict(
                self.name,
                began=began,
                operations=len(adds.ops),
                unknown=vacuous(
                    "No read of the set succeeded, so nothing shows what became of the additions.",
                    "Read the set at the end, once the system has recovered.",
                ),
                details={"attempted": int((adds.attempted < NEVER).sum())},
            )
        last = reads.where(np.array([int(reads.completed.argmax())]))
        held = lists_of(history, history.value[last.completed], f"{self.read} of a set")
        adds = additions(history, held.count, self.add)
        times = np.bincount(held.elements, minlength=held.count)
        seen = times > 0
        attempted, acknowledged = adds.attempted < NEVER, adds.acknowledged < NEVER
        lost = (adds.acknowledged < last.begin[0]) & ~seen
        kinds = {
            "lost": lost,
            "unexpected": seen & (adds.attempted > last.end[0]),
            "duplicated": times > 1,
        }
        told = {
            "recovered": seen & attempted & ~acknowledged,
            "late": acknowledged & ~seen & ~lost,
        }
        details: dict[str, Any] = {
            "attempted": int(attempted.sum()),
            "acknowledged": int(acknowledged.sum()),
            "seen": int(seen.sum()),
        }
        for kind, mask in {**kinds, **told}.items():
            details[f"{kind}_count"] = int(mask.sum())
            details[kind] = [held.value(e) for e in np.flatnonzero(mask)[:SHOWN_MAX].tolist()]
        event = int(last.completed[0])
        found = [
            _example(history, kind, np.flatnonzero(mask), adds, held, event)
            for kind, mask in kinds.items()
            if mask.any()
        ]
        nothing = None
        if not (seen & attempted).any():
            nothing = vacuous(
                "The last read saw nothing that was added before, and nothing was acknowledged.",
                "See why no addition succeeds.",
            )
        return verdict(
            self.name,
            began=began,
            operations=len(adds.ops) + len(reads),
            counterexamples=found,
            unknown=nothing,
            details=details,
        )


def _example(
    history: History, kind: str, elements: Any, adds: Additions, held: Lists, read: int
) -> Counterexample:
    """One of the elements that are lost, unexpected or duplicated, and how many there are."""
    one = int(elements[0])
    value = shown(held.value(one))
    events = adds.events(one)
    by = history.process_of(int(history.process[read]))
    last = f"{history.f_names[history.f[read]]} by process {by}"
    if kind == "lost":
        acknowledged = next(e for e in events if history.type[e] == 1)
        sentence = (
            f"The element {value} is lost: {described(history, acknowledged)} acknowledged it, "
            f"and the last read, {last}, began afterwards and does not have it"
        )
    elif kind == "unexpected":
        why = "nobody had tried to add it"
        if any(history.type[event] == 2 for event in events):
            why = "its addition had failed"
        sentence = f"The last {last} has the element {value}, though {why}"
    else:
        sentence = f"The last {last} has the element {value} more than once"
    more = f", and so it is with {len(elements) - 1:,} more." if len(elements) > 1 else "."
    invoked = int(history.pairs[read])
    return counterexample(history, sentence + more, [*events, invoked, read], operation=invoked)

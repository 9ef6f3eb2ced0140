"""A set that clients add to and read all the time: the life of every element."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

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
    clients_with_other_operations,
    counterexample,
    described,
    has_clock,
    moment,
    operations,
    quantiles_ms,
    shown,
    vacuous,
    verdict,
)
from checker.evidence._elements import Lists, lists_of
from histories import History

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SetFull:
    """What becomes of every element that ``add`` put in, by all the reads that succeeded.

    An element is *known* from when its addition was acknowledged, or the first read that has
    it ended, whichever was earlier.  Of the reads the one that began last counts:

    - *stable*: a read has it, and none that began later misses it.
    - *lost*: a read that began after it was known misses it, and none that began later has it.
    - *never_read*: neither, for no read began after it was known (if it ever was).
    - *stale*: stable, but a read that began after it was known misses it.  Invalid with
      `linearizable`; else the set is taken for one that needs time.
    - *recovered*: seen, though never acknowledged.
    - *unexpected*: seen, though no attempt to add it can have happened: there was none, all
      failed, or the first began after the read had ended.  (Jepsen does not look.)
    - *duplicated*: more than once in one read.  (Jepsen means to look, and never finds any.)

    Latencies are from when it was known to when it was stable or lost.  Jepsen cuts them to
    whole milliseconds, and forgives what was stale for less; here nanoseconds count.

    An element may be added more than once.  There is no ``remove``: with one the verdict is
    unknown, unless the set has strange or duplicated elements.
    """

    linearizable: bool = False
    add: str = "add"
    read: str = "read"

    @property
    def name(self) -> str:
        return "set-full"

    def check(self, history: History) -> Verdict:
        """The verdict; raises `ValueError` where a read answers anything but a list."""
        began = time.perf_counter()
        reads = operations(history, self.read)
        reads = reads.where(reads.ok)
        lives = _lives(history, reads, self.add)
        removes = "remove" in clients_with_other_operations(history, self.add, self.read)
        invalid = ["unexpected", "duplicated"]
        if not removes:
            invalid += ["lost", "stale"] if self.linearizable else ["lost"]
        found = [_example(history, kind, lives) for kind in invalid if lives.kinds[kind].any()]
        return verdict(
            self.name,
            began=began,
            operations=len(lives.adds.ops) + len(reads),
            counterexamples=found,
            unknown=_unknown(lives, removes),
            details=_details(history, lives),
        )


@dataclass(frozen=True)
class _Lives:
    """Per element, shape `(count,)`, the number of a read (-1: none) or a time (or `NEVER`).

    `present` and `absent` are the reads that began last of those that have it, or miss it;
    `answers` are the codes of the lists in `held`.
    """

    adds: Additions
    reads: Operations
    held: Lists
    known: Times
    present: Numbers
    absent: Numbers
    answers: Numbers
    kinds: dict[str, Mask]


def _lives(history: History, reads: Operations, name: str) -> _Lives:
    codes, which = np.unique(history.value[reads.completed], return_inverse=True)
    # Of equal answers the one whose read began last, and the one whose read ended first.
    latest = np.lexsort((reads.invoked, reads.begin))
    rank = np.empty(len(reads), dtype=np.int64)
    rank[latest] = np.arange(len(reads))
    top, earliest = np.full(len(codes), -1), np.full(len(codes), NEVER)
    np.maximum.at(top, which, rank)
    np.minimum.at(earliest, which, reads.end)
    order = np.argsort(-top)
    top, earliest = top[order], earliest[order]
    held = lists_of(history, codes[order], "read of a set")
    adds = additions(history, held.count, name)

    by_element = grouped(held.elements)
    element, owner = held.elements[by_element], held.owner()[by_element]
    again = np.zeros(len(element), dtype=bool)
    again[1:] = (element[1:] == element[:-1]) & (owner[1:] == owner[:-1])
    duplicated = np.zeros(held.count, dtype=bool)
    duplicated[element[again]] = True
    element, owner = element[~again], owner[~again]
    starts = np.flatnonzero(np.diff(element, prepend=-1))
    mine = element[starts]

    present, absent = np.full(held.count, -1), np.full(held.count, -1)
    seen = np.full(held.count, NEVER)
    if len(codes):
        absent[:] = latest[top[0]]
    if len(mine):
        present[mine] = latest[top[owner[starts]]]
        seen[mine] = np.minimum.reduceat(earliest[owner], starts)
        # The answers stand in falling order, so the first that misses the element is the
        # length of the unbroken beginning of those that have it.
        size = np.diff(starts, append=len(element))
        place = np.arange(len(element)) - np.repeat(starts, size)
        unbroken = np.add.reduceat((owner == place).astype(np.int64), starts)
        missed = unbroken < len(codes)
        absent[mine] = np.where(missed, latest[top[np.minimum(unbroken, len(codes) - 1)]], -1)
    known = np.minimum(adds.acknowledged, seen)
    begin = np.append(reads.begin, -1)
    ranked = np.append(rank, -1)
    attempted = adds.attempted < NEVER
    is_known = (known < NEVER) & attempted
    missed_late = is_known & (absent >= 0) & (begin[absent] > known)
    # A read that missed it counts also where the order of two reads that overlap is open.
    stable = attempted & (present >= 0) & (ranked[absent] < ranked[present])
    lost = missed_late & ~stable
    kinds = {
        "lost": lost,
        "stale": stable & missed_late,
        "never_read": attempted & ~stable & ~lost,
        "recovered": (present >= 0) & attempted & (adds.acknowledged == NEVER),
        "unexpected": (present >= 0) & (seen < adds.attempted),
        "duplicated": duplicated,
        "stable": stable,
    }
    return _Lives(adds, reads, held, known, present, absent, codes[order].astype(np.int64), kinds)


def _details(history: History, lives: _Lives) -> dict[str, Any]:
    kinds, begin = lives.kinds, np.append(lives.reads.begin, -1)
    details: dict[str, Any] = {
        "attempted": int((lives.adds.attempted < NEVER).sum()),
        "acknowledged": int((lives.adds.acknowledged < NEVER).sum()),
        "seen": int((lives.present >= 0).sum()),
        "stable_count": int(kinds["stable"].sum()),
    }
    absent, present, known = begin[lives.absent], begin[lives.present], lives.known
    for kind in ("lost", "stale", "never_read", "recovered", "unexpected", "duplicated"):
        elements = np.flatnonzero(kinds[kind])
        details[f"{kind}_count"] = len(elements)
        if kind == "stale":
            elements = elements[np.argsort(known[elements] - absent[elements], kind="stable")]
        details[kind] = [
            _told(lives, int(element), absent, present) for element in elements[:SHOWN_MAX]
        ]
    if has_clock(history):
        for kind, since in (("stable", absent), ("lost", present)):
            late = np.maximum(since + 1 - known, 0)[kinds[kind]]
            details[f"{kind}_latencies_ms"] = quantiles_ms(late)
    return details


def _told(lives: _Lives, element: int, absent: Times, present: Times) -> dict[str, Any]:
    """An element with its times (null: never), each in the unit of the history's clock."""
    known = int(lives.known[element])
    return {
        "element": lives.held.value(element),
        "known": known if known < NEVER else None,
        "last_present": int(present[element]) if lives.present[element] >= 0 else None,
        "last_absent": int(absent[element]) if lives.absent[element] >= 0 else None,
    }


def _unknown(lives: _Lives, removes: bool) -> Unknown | None:
    if removes:
        return Unknown(
            "harness",
            "Elements were removed, too, so one that is missing may rightly be missing.",
            "Judge it as a set with `momus check --model set`.",
        )
    if lives.kinds["stable"].any():
        return None
    if not len(lives.reads):
        return vacuous(
            "No read of the set succeeded, so nothing shows what became of the additions.",
            "Read the set now and then, and at the end, once the system has recovered.",
        )
    return vacuous(
        "No element was ever seen, and no read began after one was acknowledged.",
        "Read the set at the end, once the system has recovered.",
    )


def _example(history: History, kind: str, lives: _Lives) -> Counterexample:
    """The element of this kind that was known first, and how many there are."""
    elements = np.flatnonzero(lives.kinds[kind])
    one = int(elements[np.argmin(lives.known[elements])])
    reads, value = lives.reads, shown(lives.held.value(one))
    added = lives.adds.events(one)
    read = int(lives.absent[one])
    if kind == "lost":
        sentence = (
            f"The element {value} is lost: it was known {_since(history, lives, one)}, and the "
            f"read by process {_process(history, reads, read)} that began afterwards "
            f"{moment(history, int(reads.invoked[read]))} misses it, as do all later ones"
        )
    elif kind == "stale":
        sentence = (
            f"The element {value} was known {_since(history, lives, one)}, but the read by "
            f"process {_process(history, reads, read)} that began afterwards "
            f"{moment(history, int(reads.invoked[read]))} misses it; a later one has it"
        )
    else:
        read = _first_with(history, lives, one, twice=kind == "duplicated")
        why = "more than once"
        if kind == "unexpected":
            why = "though its addition had failed or was yet to begin"
            if not added:
                why = "though nobody tried to add it"
        sentence = (
            f"The read by process {_process(history, reads, read)} that ended "
            f"{moment(history, int(reads.completed[read]))} has the element {value}, {why}"
        )
    more = f" (and so it is with {len(elements) - 1:,} more)." if len(elements) > 1 else "."
    shows = [read, int(lives.present[one])] if kind in ("lost", "stale") else [read]
    events = [int(c[r]) for r in shows if r >= 0 for c in (reads.invoked, reads.completed)]
    invoked = int(reads.invoked[read])
    return counterexample(history, sentence + more, [*added[:6], *events], operation=invoked)


def _first_with(history: History, lives: _Lives, element: int, *, twice: bool) -> int:
    """The read that ended first of those that have the element (or have it twice)."""
    held = lives.held
    owners, times = np.unique(held.owner()[held.elements == element], return_counts=True)
    chosen = lives.answers[owners[times > 1] if twice else owners]
    ends = lives.reads.end.copy()
    ends[~np.isin(history.value[lives.reads.completed], chosen)] = NEVER
    return int(ends.argmin())


def _since(history: History, lives: _Lives, element: int) -> str:
    """Since when the element was known, in words."""
    known = lives.known[element]
    adds = lives.adds
    if adds.acknowledged[element] == known:
        told = np.flatnonzero((adds.element == element) & (adds.ops.end == known))
        return f"since {described(history, int(adds.ops.completed[told[0]]))}"
    read = int(lives.reads.completed[_first_with(history, lives, element, twice=False)])
    process = history.process_of(int(history.process[read]))
    return f"since process {process} had read it {moment(history, read)}"


def _process(history: History, reads: Operations, read: int) -> int | str:
    return history.process_of(int(history.process[reads.invoked[read]]))

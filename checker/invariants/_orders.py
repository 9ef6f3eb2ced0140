"""Invariants over rows: who may claim what, and what only grows."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from checker.invariants._invariant import Break, Found, Invariant, at, whose
from checker.invariants._rows import (
    MISSING,
    AnyCondition,
    AnyTerm,
    Row,
    condition_of,
    names_of,
    term_of,
)
from histories import History


def at_most_one(
    what: AnyCondition, per: str | tuple[str, ...] = (), *, by: str = "node"
) -> Invariant:
    """No two nodes ever claim the same: `what`, with the same values of the fields `per`.

    The fields have to name something that is given once and for all, as a term is; for what
    moves from node to node use `at_most_one_at_once`.
    """
    claim, names = condition_of(what), names_of(per)

    def look(history: History, rows: list[Row]) -> Found:
        first: dict[tuple[str, ...], Row] = {}
        accused: set[tuple[Any, ...]] = set()
        breaks: list[Break] = []
        judged = 0
        for row in rows:
            group, who = row.group(names), row.get(by)
            if group is None or who is MISSING or not claim(row):
                continue
            judged += 1
            other = first.setdefault(group, row)
            if other.get(by) == who or (group, who) in accused:
                continue
            accused.add((group, who))
            breaks.append(
                Break(
                    f"Two {by}s said that {claim.words}{whose(names, row)}: {other.get(by)} "
                    f"{at(history, other)}, and {who} {at(history, row)}.",
                    (other.position, row.position),
                )
            )
        return judged, breaks

    return Invariant(f"at-most-one({claim.words})", look, f"{by}, {', '.join(names)}")


def at_most_one_at_once(what: AnyCondition, per: str | tuple[str, ...] = ()) -> Invariant:
    """No two nodes claim the same at the same time.

    A node that claims it in two looks in a row is taken to have claimed it from the end of the
    first to the beginning of the second.  Shorter claims are not seen, nor are two nodes
    blamed for one look each.
    """
    claim, names = condition_of(what), names_of(per)

    def look(_history: History, rows: list[Row]) -> Found:
        judged = sum(1 for row in rows if claim(row))
        held: dict[tuple[str, ...], list[tuple[int, int, Row, Row]]] = defaultdict(list)
        for looks in _grouped(rows, ("node", *names)).values():
            for one, two in pairwise(looks):
                if claim(one) and claim(two) and one.end < two.begin:
                    group = one.group(names)
                    assert group is not None
                    held[group].append((one.end, two.begin, one, two))
        breaks: list[Break] = []
        accused: set[tuple[Any, ...]] = set()
        for group, spans in held.items():
            spans.sort(key=lambda span: span[:2])
            last: dict[str | None, tuple[int, int, Row, Row]] = {}
            for span in spans:
                begin, end, one, two = span
                for node, other in last.items():
                    if node == one.node or other[1] < begin:
                        continue
                    if (pair := (group, frozenset((node, one.node)))) in accused:
                        continue
                    accused.add(pair)
                    breaks.append(
                        Break(
                            f"Both {node} and {one.node} said that {claim.words}"
                            f"{whose(names, one)} from {begin / 1e9:,.3f} s to "
                            f"{min(end, other[1]) / 1e9:,.3f} s.",
                            tuple(row.position for row in (*other[2:], one, two)),
                        )
                    )
                if one.node not in last or last[one.node][1] < end:
                    last[one.node] = span
        return judged, breaks

    return Invariant(f"at-most-one-at-once({claim.words})", look, f"node, {', '.join(names)}")


def never_decreases(
    what: AnyTerm, per: str | tuple[str, ...] = "node", *, steady: bool = False
) -> Invariant:
    """A number of a group never gets smaller; looks that overlap are not compared.

    With `steady` a number counts only once it was told twice in a row, for nodes that tell of
    what they have not on disk yet.
    """
    return _ordered(
        what, per, "never-decreases", lambda low, high: high >= low, "went back", steady=steady
    )


def always_increases(what: AnyTerm, per: str | tuple[str, ...] = "node") -> Invariant:
    """A number of a group gets greater from row to row."""
    return _ordered(what, per, "always-increases", lambda low, high: high > low, "did not grow")


def no_gaps(what: AnyTerm, per: str | tuple[str, ...] = "node", *, step: int = 1) -> Invariant:
    """A number grows by `step` from row to row of a group: nothing is left out or repeated.

    Every row of the group has to be told, as by a system that reports each append.  A row may
    also tell a list of numbers, which then follow each other.
    """
    term, names = term_of(what), names_of(per)

    def look(history: History, rows: list[Row]) -> Found:
        breaks: list[Break] = []
        judged = 0
        for group in _grouped(rows, names).values():
            last: tuple[Any, Row] | None = None
            for row in group:
                told = term.of(row)
                for number in told if isinstance(told, list) else [told]:
                    if number is MISSING or number is None:
                        continue
                    judged += 1
                    if last is not None and number != last[0] + step:
                        how = "a gap" if number > last[0] + step else "no progress"
                        breaks.append(
                            Break(
                                f"There is {how} in {term.words}{whose(names, row)}: {last[0]} "
                                f"{at(history, last[1])}, then {number} {at(history, row)}.",
                                (last[1].position, row.position),
                            )
                        )
                    last = (number, row)
        return judged, breaks

    return Invariant(f"no-gaps({term.words})", look, f"{term.words}, {', '.join(names)}")


def only_if(event: AnyCondition, then: AnyCondition) -> Invariant:
    """Whatever says `event` also says `then`."""
    premise, conclusion = condition_of(event), condition_of(then)

    def look(history: History, rows: list[Row]) -> Found:
        concerned = [row for row in rows if premise(row)]
        breaks = [
            Break(
                f"{row.node} said {at(history, row)} that {premise.words}"
                f"{whose(('shard',), row) if 'shard' in row.fields else ''}, but not that "
                f"{conclusion.words}.",
                (row.position,),
            )
            for row in concerned
            if not conclusion(row)
        ]
        return len(concerned), breaks

    return Invariant(f"only-if({premise.words})", look, f"rows in which {premise.words}")


def never_ahead(what: AnyTerm, of: AnyTerm, per: str | tuple[str, ...] = "shard") -> Invariant:
    """`what` is never greater than the greatest `of` that was told in its group until then.

    Both stand in one row, or the system tells each `of` when it happens: one that is told
    later than the `what` that relies on it counts as a break.
    """
    one, other, names = term_of(what), term_of(of), names_of(per)

    def look(history: History, rows: list[Row]) -> Found:
        breaks: list[Break] = []
        judged = 0
        for group in _grouped(rows, names).values():
            reached: tuple[Any, Row] | None = None
            for row in group:
                limit, number = other.of(row), one.of(row)
                if limit not in (MISSING, None) and (reached is None or limit > reached[0]):
                    reached = (limit, row)
                if number in (MISSING, None):
                    continue
                judged += 1
                if reached is None or number > reached[0]:
                    so_far = "nothing" if reached is None else f"only {reached[0]}"
                    breaks.append(
                        Break(
                            f"{one.words}{whose(names, row)} was {number} on {row.node} "
                            f"{at(history, row)}, when {other.words} was {so_far}.",
                            (*((reached[1].position,) if reached else ()), row.position),
                        )
                    )
        return judged, breaks

    return Invariant(
        f"never-ahead({one.words}, {other.words})", look, f"{one.words} and {other.words}"
    )


def _ordered(
    what: AnyTerm,
    per: str | tuple[str, ...],
    name: str,
    fits: Callable[[Any, Any], bool],
    verb: str,
    *,
    steady: bool = False,
) -> Invariant:
    term, names = term_of(what), names_of(per)

    def look(history: History, rows: list[Row]) -> Found:
        breaks: list[Break] = []
        judged = 0
        for group in _grouped(rows, names).values():
            # Answers that crossed each other held in no known order, so each is compared with
            # the greatest of those that had ended when it was asked for.
            greatest: tuple[Any, Row] | None = None
            crossing: list[tuple[int, int, Any, Row]] = []
            before: Any = MISSING
            for row in sorted(group, key=lambda row: row.begin):
                number = term.of(row)
                if number is MISSING or number is None:
                    continue
                again, before = number == before, number
                if steady and not again:
                    continue
                judged += 1
                while crossing and crossing[0][0] <= row.begin:
                    _, _, ended, teller = heapq.heappop(crossing)
                    if greatest is None or ended > greatest[0]:
                        greatest = (ended, teller)
                if greatest is not None and not fits(greatest[0], number):
                    breaks.append(
                        Break(
                            f"{term.words}{whose(names, row)} {verb}: {greatest[0]} "
                            f"{at(history, greatest[1])}, then {number} {at(history, row)}.",
                            (greatest[1].position, row.position),
                        )
                    )
                    greatest = None  # it is told once, and what follows is held to the new
                heapq.heappush(crossing, (row.end, judged, number, row))
        return judged, breaks

    return Invariant(f"{name}({term.words})", look, f"{term.words}, {', '.join(names)}")


def _grouped(rows: list[Row], names: tuple[str, ...]) -> dict[tuple[str, ...], list[Row]]:
    """The rows that have these fields, by their values, in order."""
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        group = row.group(names)
        if group is not None:
            found[group].append(row)
    return found

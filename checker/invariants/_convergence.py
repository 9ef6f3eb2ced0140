"""Invariants over several nodes: that they come to agree, and that somebody is in charge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeAlias

from checker.invariants._invariant import Break, Found, Invariant, at, whose
from checker.invariants._rows import (
    MISSING,
    AnyCondition,
    AnyTerm,
    Calm,
    Row,
    condition_of,
    healed,
    names_of,
    term_of,
)
from histories import History

After: TypeAlias = Callable[[History], list[Calm]]


def converges(
    what: AnyTerm,
    *,
    within_s: float,
    after: After = healed,
    per: str | tuple[str, ...] = (),
) -> Invariant:
    """Nodes catch up: what one of them had reached, all have, `within_s` seconds later.

    `what` is a number that only grows (a revision, an offset).  In every time without faults
    (`healed`; or `from_start`), from `within_s` after its beginning on, each node that answers
    must have reached what any node had told at least `within_s` before it was asked.  So load
    may go on.  What counts is the last answer of a node in each such time: one that catches up
    in the end is not named, one that stays behind is, once.
    """
    term, names = term_of(what), names_of(per)
    bound = round(within_s * 1e9)

    def look(history: History, rows: list[Row]) -> Found:
        breaks: list[Break] = []
        judged = 0
        groups: dict[tuple[str, ...], list[tuple[Any, Row]]] = defaultdict(list)
        for row in rows:
            number, group = term.of(row), row.group(names)
            if number not in (MISSING, None) and group is not None:
                groups[group].append((number, row))
        for told in groups.values():
            behind: dict[str | None, Break] = {}
            for calm in after(history):
                lagging: dict[str | None, Break | None] = {}
                goal: tuple[Any, Row] | None = None
                passed = 0
                for number, row in sorted(told, key=lambda each: each[1].begin):
                    if not calm.begin + bound <= row.begin <= row.end <= calm.end:
                        continue
                    while passed < len(told) and told[passed][1].end <= row.begin - bound:
                        if goal is None or told[passed][0] > goal[0]:
                            goal = told[passed]
                        passed += 1
                    if goal is None:
                        continue
                    judged += 1
                    lagging[row.node] = (
                        None
                        if number >= goal[0]
                        else Break(
                            f"{row.node} stayed behind: its {term.words}{whose(names, row)} was "
                            f"{number} {at(history, row)}, where {goal[1].node} had {goal[0]} "
                            f"{at(history, goal[1])}, more than {within_s:g} s before.",
                            (goal[1].position, row.position),
                        )
                    )
                for node, found in lagging.items():
                    if found is not None:
                        behind[node] = found
            breaks += behind.values()
        return judged, breaks

    return Invariant(
        f"converges({term.words})",
        look,
        f"{term.words} of nodes, told for longer than {within_s:g} s after faults were healed",
    )


def agrees(what: AnyTerm, at_same: AnyTerm, per: str | tuple[str, ...] = ()) -> Invariant:
    """Nodes that are at the same place of a log (`at_same`) say the same of `what`.

    An answer may be put together from two moments, so only what a node said twice in a row,
    with both values the same, counts.
    """
    term, place, names = term_of(what), term_of(at_same), names_of(per)

    def look(history: History, rows: list[Row]) -> Found:
        last: dict[Any, tuple[Any, Any]] = {}
        first: dict[Any, tuple[Any, Row]] = {}
        breaks: list[Break] = []
        accused: set[Any] = set()
        judged = 0
        for row in rows:
            said, where, group = term.of(row), place.of(row), row.group(names)
            if MISSING in (said, where) or None in (said, where) or group is None:
                continue
            before, last[group, row.node] = last.get((group, row.node)), (said, where)
            if before != (said, where):
                continue
            judged += 1
            other, one = first.setdefault((group, repr(where)), (said, row))
            pair = (group, frozenset((one.node, row.node)))
            if other == said or pair in accused:
                continue
            accused.add(pair)
            breaks.append(
                Break(
                    f"{one.node} and {row.node} are both at {place.words} {where}"
                    f"{whose(names, row)}, but {term.words} is {other} on {one.node} "
                    f"({at(history, one)}) and {said} on {row.node} ({at(history, row)}).",
                    (one.position, row.position),
                )
            )
        return judged, breaks

    return Invariant(f"agrees({term.words})", look, f"{term.words} and {place.words} of nodes")


def somebody(
    what: AnyCondition,
    *,
    within_s: float,
    after: After = healed,
    per: str | tuple[str, ...] = (),
) -> Invariant:
    """Once faults are healed some node claims it within so many seconds.

    A time without faults counts if every node of the group was asked in what is left of it.
    """
    claim, names = condition_of(what), names_of(per)
    bound = round(within_s * 1e9)

    def look(history: History, rows: list[Row]) -> Found:
        groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in rows:
            group = row.group(names)
            if group is not None:
                groups[group].append(row)
        breaks: list[Break] = []
        judged = 0
        for told in groups.values():
            nodes = {row.node for row in told}
            for calm in after(history):
                late = [r for r in told if calm.begin + bound <= r.begin <= r.end <= calm.end]
                if {row.node for row in late} != nodes:
                    continue
                judged += 1
                if not any(claim(r) for r in told if calm.begin <= r.begin <= r.end <= calm.end):
                    breaks.append(
                        Break(
                            f"Nobody said that {claim.words}{whose(names, late[0])} from "
                            f"{calm.begin / 1e9:,.3f} s to {calm.end / 1e9:,.3f} s, though no "
                            f"fault was in force, and {within_s:g} s were enough.",
                            tuple(row.position for row in late),
                        )
                    )
        return judged, breaks

    return Invariant(f"somebody({claim.words})", look, f"{', '.join(names)} after healing")


def both(name: str, *parts: Invariant) -> Invariant:
    """All of these as one."""

    def look(history: History, rows: list[Row]) -> Found:
        found = [part.look(history, rows) for part in parts]
        return sum(each[0] for each in found), [each for one in found for each in one[1]]

    return Invariant(name, look, "; ".join(part.needs for part in parts))

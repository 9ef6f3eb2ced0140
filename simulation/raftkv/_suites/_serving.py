"""Does a follower that failed serve reads again, once it is back?

Nodes tell ``follower-read`` in each term in which they answer a client as followers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from checker.evidence._checker import operations
from checker.invariants import Invariant, Row, where
from checker.invariants._invariant import Break, Found, at
from histories import History

STARTED = where(event="started")
ENDED = where(event=("ended", "died"))
LEADS = where(event="role", role="primary")
SERVED = where(event="follower-read")
ASKED_MIN = 5


def recovered_followers_serve(within_s: float = 2.5) -> Invariant:
    """Who has started again answers a read as a follower within `within_s`, if it is asked.

    A life counts in which the node led nothing, and in which its clients asked for at least
    `ASKED_MIN` reads that late or later.
    """
    patience_ns = round(within_s * 1e9)

    def look(history: History, rows: list[Row]) -> Found:
        reads = operations(history, "read")
        nodes = history.node[reads.invoked]
        names: dict[str | None, int] = {n: code for code, n in enumerate(history.node_names)}
        judged, breaks = 0, []
        for life, end in _second_lives(rows, int(history.time[-1])):
            first = life[0]
            served = any(SERVED(row) for row in life)
            mine = reads.begin[nodes == names.get(first.node, -1)]
            asked = int(np.count_nonzero((mine > first.end + patience_ns) & (mine < end)))
            if served:
                judged += 1
            elif asked >= ASKED_MIN and not any(LEADS(row) for row in life):
                judged += 1
                breaks.append(
                    Break(
                        f"{first.node} was back {at(history, first)} and has served no read as a "
                        f"follower until {end / 1e9:,.3f} s, though clients there asked for "
                        f"{asked} reads when it had been up for {within_s:g} s",
                        (first.position, life[-1].position),
                    )
                )
        return judged, breaks

    return Invariant(
        "recovered-followers-serve",
        look,
        "followers that start again, and clients that read there",
    )


def _second_lives(rows: list[Row], over: int) -> Iterator[tuple[list[Row], int]]:
    """What a node told in each life but its first, and when that ended (ns)."""
    open_lives: dict[str, list[Row]] = {}
    for row in rows:
        if row.node is None:
            continue
        if STARTED(row):
            if row.get("life") != 1:
                open_lives[row.node] = [row]
        elif row.node in open_lives:
            open_lives[row.node].append(row)
            if ENDED(row):
                yield open_lives.pop(row.node), row.end
    for life in open_lives.values():
        yield life, over

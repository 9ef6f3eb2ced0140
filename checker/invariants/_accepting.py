"""Who accepted a write: what clients were told, against what the node said of itself."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any, Final

import numpy as np

from checker.evidence._checker import described, operations
from checker.invariants._invariant import Break, Found, Invariant, at
from checker.invariants._rows import MISSING, AnyCondition, Row, condition_of
from histories import History, Json

WRITES: Final = (
    "write",
    "put",
    "set",
    "cas",
    "add",
    "append",
    "insert",
    "enqueue",
    "delete",
    "send",
)


def accepts_only(
    holds: AnyCondition,
    *,
    writes: Collection[str] = WRITES,
    shard_of: Callable[[Json], Json] | None = None,
) -> Invariant:
    """A node accepts writes only while `holds` is true of it.

    The writes are operations of clients that ended in ``ok`` (not with false), on the node
    that they went to; nodes that pass writes on to another one break this by design.  A write
    is held against what the node said last before it began and first after it ended: if both
    deny it, and so does every answer in between, the write should not have been accepted.  A
    state that came and went between two looks is not seen, so observe often.  `shard_of` gives
    the shard of an operation's key; without it, rows must not tell of shards.
    """
    state = condition_of(holds)

    def look(history: History, rows: list[Row]) -> Found:
        looks: dict[tuple[Any, str], list[Row]] = defaultdict(list)
        for row in rows:
            looks[row.node, _shard(row.get("shard"))].append(row)
        ops = operations(history, *writes)
        ops = ops.where(ops.ok)
        refused = history.values.code_of(b"false")
        if refused is not None:
            ops = ops.where(history.value[ops.completed] != refused)
        breaks: list[Break] = []
        judged = 0
        ends = {group: [row.end for row in told] for group, told in looks.items()}
        node = history.node[ops.invoked]
        node = np.where(node >= 0, node, history.node[ops.completed])
        for place in np.flatnonzero(node >= 0).tolist():
            event = int(ops.invoked[place])
            key = history.key_of(int(history.key[event]))
            shard = MISSING if shard_of is None else shard_of(key)
            group = (history.node_names[int(node[place])], _shard(shard))
            told = looks.get(group)
            if told is None:
                continue
            # Looks of one node follow each other, so their beginnings are in order, too.
            before = bisect_right(ends[group], int(ops.begin[place])) - 1
            after = bisect_left(told, int(ops.end[place]), key=lambda row: row.begin)
            if before < 0 or after >= len(told):
                continue
            judged += 1
            if not any(state(row) for row in told[before : after + 1]):
                one, two = told[before], told[after]
                of = "" if shard is MISSING else f" of shard {shard}"
                breaks.append(
                    Break(
                        f"{group[0]} accepted {described(history, event)}, though neither "
                        f"{at(history, one)} nor {at(history, two)} it said{of} that "
                        f"{state.words}.",
                        (one.position, event, int(ops.completed[place]), two.position),
                    )
                )
        return judged, breaks

    needs = f"writes ({', '.join(writes)}) with a node, and looks at it before and after"
    return Invariant(f"accepts-only({state.words})", look, needs)


def _shard(shard: Any) -> str:
    return "" if shard is MISSING else repr(shard)

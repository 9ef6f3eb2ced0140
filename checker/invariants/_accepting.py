"""Who accepted a write: what clients were told, against what the node said of itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from checker.evidence._checker import Times, described, operations
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
    deny it, and so does every answer that may be of a time in between, the write should not
    have been accepted.  A state that came and went between two looks is not seen, so observe
    often.  An ``event`` that lacks what `holds` is about is no look.  `shard_of` gives the shard
    of an operation's key; without it, rows must not tell of shards.
    """
    state = condition_of(holds)

    def look(history: History, rows: list[Row]) -> Found:
        looks: dict[tuple[Any, str], list[Row]] = defaultdict(list)
        for row in rows:
            # A state tells all there is; who tells what happened does not deny the rest.
            if row.get("event") is MISSING or state.known(row) is not None:
                looks[row.node, _shard(row.get("shard"))].append(row)
        ops = operations(history, *writes)
        ops = ops.where(ops.ok)
        refused = history.values.code_of(b"false")
        if refused is not None:
            ops = ops.where(history.value[ops.completed] != refused)
        node = history.node[ops.invoked]
        node = np.where(node >= 0, node, history.node[ops.completed])
        shard, names = _shards(history, history.key[ops.invoked], shard_of)
        breaks: dict[int, Break] = {}
        judged = 0
        placed = np.flatnonzero(node >= 0)
        group = node[placed].astype(np.int64) * len(names) + shard[placed]
        order = np.argsort(group, kind="stable")
        groups, firsts = np.unique(group[order], return_index=True)
        bounds = pairwise([*firsts.tolist(), len(order)])
        for one, (start, stop) in zip(groups.tolist(), bounds, strict=True):
            name, of_shard = history.node_names[one // len(names)], names[one % len(names)]
            told = looks.get((name, _shard(of_shard)))
            if told is None:
                continue
            places = placed[order[start:stop]]
            begins, ends = (
                np.array([getattr(row, edge) for row in told]) for edge in ("begin", "end")
            )
            before, after = _around(begins, ends, ops.begin[places], ops.end[places])
            seen = np.flatnonzero((before >= 0) & (after < len(told)))
            # In one and the same instant nobody knows what was first.
            seen = seen[begins[before[seen]] < ends[after[seen]]]
            places, before, after = places[seen], before[seen], after[seen]
            judged += len(places)
            held = np.array([state(row) for row in told])
            for n in np.flatnonzero(_denied(begins, ends, held, before, after)).tolist():
                place = int(places[n])
                event, first, last = int(ops.invoked[place]), told[before[n]], told[after[n]]
                of = "" if of_shard is MISSING else f" of shard {of_shard}"
                breaks[place] = Break(
                    f"{name} accepted {described(history, event)}, though neither "
                    f"{at(history, first)} nor {at(history, last)} it said{of} that "
                    f"{state.words}.",
                    (first.position, event, int(ops.completed[place]), last.position),
                )
        return judged, [breaks[place] for place in sorted(breaks)]

    needs = f"writes ({', '.join(writes)}) with a node, and looks at it before and after"
    return Invariant(f"accepts-only({state.words})", look, needs)


def _around(begins: Times, ends: Times, begin: Times, end: Times) -> tuple[Times, Times]:
    """The looks before and after each write that say most of it; shape `(n_writes,)`.

    That before it is the one begun last of those that ended before the write began, -1 if there
    is none; that after it is the one that ended first of those begun after it ended,
    their number if there is none.  Looks are in order of their ends, but their beginnings need
    not be: a node that tells something by itself does so also while it is being asked.
    """
    latest = np.maximum.accumulate(begins)
    which = np.maximum.accumulate(np.where(begins == latest, np.arange(len(begins)), 0))
    ended = np.searchsorted(ends, begin, side="right")
    # Where the running maximum reaches a time, there the first beginning does.
    return np.where(ended > 0, which[ended - 1], -1), np.searchsorted(latest, end, side="left")


def _denied(
    begins: Times,
    ends: Times,
    held: npt.NDArray[np.bool_],
    before: Times,
    after: Times,
) -> npt.NDArray[np.bool_]:
    """Whether both looks deny it, and any that may tell of a moment in between; `(n_writes,)`.

    These ended after the one before was begun, and were begun before the one after had ended.
    """
    # Who ended by the beginning of the former was begun before the end of the latter, too.
    begun = np.searchsorted(np.sort(begins[held]), ends[after], side="left")
    over = np.minimum(np.searchsorted(ends, begins[before], side="right"), before)
    return np.asarray((begun == np.cumsum([0, *held])[over]) & ~held[before] & ~held[after])


def _shards(
    history: History, key: npt.NDArray[Any], shard_of: Callable[[Json], Json] | None
) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """The number of the shard of each operation, and the shards."""
    if shard_of is None:
        return np.zeros(len(key), dtype=np.int64), [MISSING]
    codes, which = np.unique(key, return_inverse=True)
    numbers: dict[str, int] = {}
    names: list[Any] = []
    of_code = []
    for code in codes.tolist():
        shard = shard_of(history.key_of(code))
        if _shard(shard) not in numbers:
            numbers[_shard(shard)] = len(names)
            names.append(shard)
        of_code.append(numbers[_shard(shard)])
    return np.array(of_code, dtype=np.int64)[which], names


def _shard(shard: Any) -> str:
    return "" if shard is MISSING else repr(shard)

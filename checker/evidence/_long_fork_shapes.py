"""Which reads of several keys may be part of a fork, found out by columns.

All reads of one group of keys fit into one order if, sorted by how much they see, each sees what
the one before it saw.  That takes a sort.  Groups for which it is not so, or whose keys were read
with two values, are left to be looked at one by one; so a suspicion without reason costs time only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from checker.evidence._before import Numbers, numbered
from checker.evidence._checker import Mask
from histories import History, Json, Shapes, UnclearShape, Values, column, shapes_of, texts_at

_KEYS_MAX: Final = 60
"""A group may have so many keys, for what a read sees of them is the bits of a number."""
_NOTHING: Final = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Cleared:
    """How many `reads` and `groups` there are, whether any saw anything, and which `suspects`.

    Suspects are places among the codes that were given.
    """

    reads: int
    groups: int
    seen: bool
    suspects: Numbers


def cleared(history: History, codes: Numbers) -> Cleared | None:
    """Of distinct transactions, given by the codes of their values; None if unclear."""
    shapes = shapes_of(texts_at(history.values, codes))
    values = Values()
    by_width: dict[int, list[tuple[Numbers, Numbers, Numbers]]] = {}
    try:
        for steps, places, table in _transactions(shapes):
            if steps[0][0] == "r":
                keys = np.column_stack([column(step[1], table, values.number) for step in steps])
                told = np.column_stack([_told(step[2], table, values) for step in steps])
                by_width.setdefault(len(steps), []).append((places, keys, told))
    except UnclearShape:
        return None
    reads = groups = 0
    seen = False
    suspects = [np.empty(0, dtype=np.int64)]
    for parts in by_width.values():
        places, keys, told = (np.concatenate(column_of) for column_of in zip(*parts, strict=True))
        group, wrong = _looked_at(keys, told)
        reads, groups = reads + len(places), groups + len(np.bincount(group))
        seen |= bool((told != _NOTHING).any())
        suspects.append(places[wrong[group]])
    return Cleared(reads, groups, seen, np.sort(np.concatenate(suspects)))


def written_once(history: History, codes: Numbers, times: Numbers) -> bool:
    """Whether no key was certainly written by two of these transactions; False if unclear."""
    values = Values()
    keys = [np.empty(0, dtype=np.int64)]
    shapes = shapes_of(texts_at(history.values, codes))
    if (shapes.shape < 0).any():
        return False
    for steps, places, table in shapes.groups():
        if _is_write(steps):
            try:
                keys.append(column(steps[0][1], table, values.number))
            except UnclearShape:
                return False
            if (times[places] > 1).any():
                return False
    key = np.sort(np.concatenate(keys))
    return not (key[1:] == key[:-1]).any()


def _transactions(shapes: Shapes) -> Iterator[tuple[list[Json], Numbers, Numbers]]:
    if (shapes.shape < 0).any():
        raise UnclearShape
    for steps, places, table in shapes.groups():
        reads = isinstance(steps, list) and 0 < len(steps) <= _KEYS_MAX
        reads = reads and all(_is_step(step) and step[0] == "r" for step in steps)
        if not reads and not _is_write(steps):
            raise UnclearShape
        yield steps, places, table


def _is_write(steps: Json) -> bool:
    return isinstance(steps, list) and len(steps) == 1 and _is_step(steps[0]) and steps[0][0] == "w"


def _is_step(step: Json) -> bool:
    return isinstance(step, list) and len(step) == 3


def _told(value: Json, table: Numbers, values: Values) -> Numbers:
    if value is None:
        return np.full(len(table), _NOTHING)
    return column(value, table, values.number)


def _looked_at(keys: Numbers, told: Numbers) -> tuple[Numbers, Mask]:
    """The group of each read, and which groups are not certainly in one order.

    `keys` and `told` have a row for each read and a column for each key.
    """
    by_key = np.argsort(keys, axis=1, kind="stable")
    keys, told = (np.take_along_axis(each, by_key, axis=1) for each in (keys, told))
    number = numbered(*keys.T)
    order = np.argsort(number, kind="stable")
    new = np.diff(number[order], prepend=-1) != 0
    group = np.empty(len(number), dtype=np.int64)
    group[order] = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    wrong = np.zeros(len(starts), dtype=bool)
    # The same key twice in a read is not for here.
    wrong[group[(keys[:, 1:] == keys[:, :-1]).any(axis=1)]] = True
    there = told != _NOTHING
    for n in range(told.shape[1]):
        mine, is_there = told[order, n], there[order, n]
        least = np.minimum.reduceat(np.where(is_there, mine, np.iinfo(np.int64).max), starts)
        most = np.maximum.reduceat(mine, starts)
        wrong |= (most != _NOTHING) & (least != most)
    mask = (there << np.arange(told.shape[1], dtype=np.int64)).sum(axis=1)
    order = np.lexsort((mask, there.sum(axis=1), group))
    sorted_mask, sorted_group = mask[order], group[order]
    breaks = (sorted_group[1:] == sorted_group[:-1]) & (sorted_mask[:-1] & ~sorted_mask[1:] != 0)
    wrong[sorted_group[1:][breaks]] = True
    return group, wrong

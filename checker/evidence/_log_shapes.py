"""The records of a log, out of all operations that look alike at a time.

What an operation says of a log is told by the shape of its value (see `histories.Shapes`): which
of its integers are partitions, offsets and values.  Lists of polled records are taken out of it
first, and so each poll has the shape of an empty one.  Whatever is not understood here is left to
be taken one by one, so this decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from checker.evidence._before import Numbers
from checker.evidence._checker import Mask, Operations
from checker.evidence._numbers import ABSENT
from histories import (
    OK,
    History,
    Items,
    Json,
    Shapes,
    UnclearShape,
    column,
    constant,
    items_of,
    shapes_of,
    texts_at,
)

SENDS: Final = ("send", "append")
LOOKUP: Final = "read"

_DEPTHS: Final = {"steps": 5, "by key": 3, "list": 2}
"""How deep polled records stand, by how values begin."""


@dataclass
class Taken:
    """Tables of (operation, key, offset, value) by kind, and which rows were `done`."""

    done: Mask
    found: dict[str, list[Numbers]] = field(default_factory=dict)


def taken_by_shape(
    history: History,
    ops: Operations,
    rows: Numbers,
    own_key: Numbers,
    key: Callable[[Json], int],
    number: Callable[[Json], int],
) -> Taken:
    """What these rows of `ops` say.

    `own_key` are the numbers of their keys, shape `(n_ops,)`; `key` and `number` give those of
    other keys, and of values.
    """
    taken = Taken(np.zeros(len(rows), dtype=bool))
    texts = texts_at(history.values, history.value[ops.told[rows]])
    steps = _begins(texts, '[["')
    by_key = _begins(texts, "{")
    for how, mine in (("steps", steps), ("by key", by_key), ("list", ~steps & ~by_key)):
        places = np.flatnonzero(mine)
        if len(places):
            some = _Batch(history, ops, rows[places], own_key, key, number)
            items = items_of(texts.take(pa.array(places)), _DEPTHS[how])
            taken.done[places] = some.take(items, _DEPTHS[how], taken.found)
    return taken


def is_step(step: Json) -> bool:
    """Whether it is a step of a transaction, as Jepsen writes them."""
    return (
        isinstance(step, list)
        and bool(step)
        and ((step[0] == "send" and len(step) == 3) or (step[0] == "poll" and len(step) <= 2))
    )


@dataclass(frozen=True)
class _Batch:
    """Operations whose values begin alike; columns are those of `rows`."""

    history: History
    ops: Operations
    rows: Numbers
    own_key: Numbers
    key: Callable[[Json], int]
    number: Callable[[Json], int]

    def take(self, items: Items, depth: int, found: dict[str, list[Numbers]]) -> Mask:
        """Add to `found` what they say; which of them were understood."""
        records = _Records.of(items, self.number)
        fit = np.ones(len(self.rows), dtype=bool)
        fit[items.owner[~records.fit]] = False
        done = np.zeros(len(self.rows), dtype=bool)
        names = np.array(self.history.f_names)
        f, outcome = self.history.f[self.ops.invoked[self.rows]], self.ops.outcome[self.rows]
        for shape, places, table in shapes_of(items.outer).groups():
            for one in np.unique((f[places] * 4 + outcome[places])[fit[places]]).tolist():
                mine = fit[places] & (f[places] * 4 + outcome[places] == one)
                alike = _Alike(self, places[mine], table[mine], str(names[one // 4]), one % 4)
                try:
                    told = list(alike.told(shape, records, depth))
                except UnclearShape:
                    continue
                done[places[mine]] = True
                for kind, rows in told:
                    found.setdefault(kind, []).append(rows)
        return done


@dataclass(frozen=True)
class _Records:
    """Polled records, as `Items` has them: which are `fit` to be taken, and what is in them.

    Those of text `n` begin at `begin[n]` and end before `begin[n + 1]`.
    """

    items: Items
    begin: Numbers
    fit: Mask
    offset: Numbers
    value: Numbers
    damaged: Mask

    @staticmethod
    def of(items: Items, number: Callable[[Json], int]) -> _Records:
        shapes: Shapes = shapes_of(items.texts)
        count = len(items.owner)
        fit, damaged = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        offset, value = np.full(count, ABSENT), np.full(count, ABSENT)
        for shape, places, table in shapes.groups():
            if not isinstance(shape, list) or len(shape) < 2 or type(shape[0]) is not int:
                continue
            try:
                value[places] = column(shape[1], table, number)
                damaged[places] = _wrong_sum(shape[2:4], table, number)
            except UnclearShape:
                continue
            offset[places] = table[:, shape[0]]
            fit[places] = True
        begin = np.searchsorted(items.owner, np.arange(len(items.outer) + 1))
        return _Records(items, begin, fit, offset, value, damaged)


@dataclass(frozen=True)
class _Alike:
    """Operations whose values have one shape, and the same name and outcome."""

    batch: _Batch
    places: Numbers
    table: Numbers
    f: str
    outcome: int

    def told(self, shape: Json, records: _Records, depth: int) -> Iterator[tuple[str, Numbers]]:
        """Tables by kind; raises `UnclearShape`."""
        polls = _Polls(self, records, _lists_at(shape, depth - 1))
        ok = self.outcome == OK
        kind = "sent" if ok else "failed" if self.outcome == 2 else "tried"
        own = self.batch.own_key[self.batch.rows[self.places]]
        if isinstance(shape, list) and shape and all(is_step(step) for step in shape):
            for step in shape:
                if step[0] == "send":
                    yield kind, self._sent(self._keys(step[1]), step[2])
                elif len(step) > 1 and ok:
                    yield from polls.told(step[1], own)
        elif self.f in SENDS:
            yield kind, self._sent(own, shape)
        elif ok and shape is not None:
            pair = isinstance(shape, list) and len(shape) == 2
            if self.f == LOOKUP and pair and type(shape[0]) is int:
                there = shape[1] is not None
                value = column(shape[1], self.table, self.batch.number) if there else ABSENT
                at = self.table[:, shape[0]]
                yield "looked_up" if there else "empty", self._rows(own, at, value)
            else:
                yield from polls.told(shape, own)
        polls.refuse_others()

    def _sent(self, key: Numbers, value: Json) -> Numbers:
        offset: Any = ABSENT
        pair = isinstance(value, list) and len(value) == 2
        if pair and (value[0] is None or type(value[0]) is int):
            offset = ABSENT if value[0] is None else self.table[:, value[0]]
            value = value[1]
        return self._rows(key, offset, column(value, self.table, self.batch.number))

    def _keys(self, key: Json) -> Numbers:
        if type(key) is not int:
            return np.full(len(self.places), self.batch.key(constant(key)))
        names, which = np.unique(self.table[:, key], return_inverse=True)
        return np.array([self.batch.key(name) for name in names.tolist()])[which]

    def _rows(self, key: Any, offset: Any, value: Any) -> Numbers:
        columns = (self.batch.rows[self.places], key, offset, value)
        return np.column_stack(np.broadcast_arrays(*columns))


@dataclass(frozen=True)
class _Polls:
    """The lists of records that operations of one shape were given."""

    alike: _Alike
    records: _Records
    lists: list[Json]
    given: list[int] = field(default_factory=list)
    """How many records were in the lists so far."""

    def refuse_others(self) -> None:
        """Raise `UnclearShape` if what was taken out of lists is no polled record, after all."""
        begin, places = self.records.begin, self.alike.places
        if sum(self.given) != (begin[places + 1] - begin[places]).sum():
            raise UnclearShape

    def told(self, value: Json, own: Numbers) -> Iterator[tuple[str, Numbers]]:
        batches = value.items() if isinstance(value, dict) else [(None, value)]
        for name, held in batches:
            inside = next((n for n, each in enumerate(self.lists) if each is held), -1)
            if inside < 0 or held != []:
                raise UnclearShape
            key = own if name is None else np.full(len(own), self.alike.batch.key(name))
            rows, wrong = self._given(inside, key)
            self.given.append(len(rows))
            yield "polled", rows
            yield "damaged", rows[wrong]

    def _given(self, inside: int, key: Numbers) -> tuple[Numbers, Mask]:
        """The records of this list of each operation, and which of them are damaged."""
        items, places = self.records.items, self.alike.places
        begin = self.records.begin[places]
        count = self.records.begin[places + 1] - begin
        which = np.repeat(np.arange(len(places)), count)
        n = np.arange(int(count.sum())) + np.repeat(begin - np.cumsum(count) + count, count)
        mine = items.inside[n] == inside
        n, which = n[mine], which[mine]
        ops = self.alike.batch.rows[places[which]]
        rows = np.column_stack((ops, key[which], self.records.offset[n], self.records.value[n]))
        return rows, self.records.damaged[n]


def _begins(texts: pa.LargeStringArray, with_: str) -> Mask:
    found = pc.starts_with(texts, with_).fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False))


def _lists_at(value: Json, depth: int) -> list[Json]:
    """The lists that stand so many brackets deep, in turn."""
    if isinstance(value, list) and depth == 1:
        return [value]
    if not isinstance(value, list | dict):
        return []
    inner = value if isinstance(value, list) else value.values()
    return [each for item in inner for each in _lists_at(item, depth - 1)]


def _wrong_sum(
    sums: list[Json], table: Numbers, number: Callable[[Json], int]
) -> npt.NDArray[np.bool_]:
    """Whether checksums, if there are any, are false, or two that differ."""
    if not sums:
        return np.zeros(len(table), dtype=bool)
    if sums[0] is False:
        return np.ones(len(table), dtype=bool)
    if any(isinstance(each, bool) for each in sums):
        raise UnclearShape
    columns = [column(each, table, number) for each in sums]
    return np.asarray(columns[0] != columns[-1])

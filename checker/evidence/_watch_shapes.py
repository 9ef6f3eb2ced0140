"""Which keys' watches certainly kept their promises, found out by columns.

Most watches tell every event once and in order.  That this is so takes a few comparisons of sorted
columns; who broke which promise, and by leaving out what, takes a look at each watch by itself.
So here keys are cleared of suspicion, and what remains is judged in plain Python.  To suspect a
key wrongly costs time and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from checker.evidence._before import Numbers, earlier_max, numbered
from checker.evidence._checker import Mask, Operations
from checker.evidence._numbers import ABSENT
from histories import (
    FAIL,
    History,
    Json,
    UnclearShape,
    Values,
    canonical,
    column,
    constant,
    items_of,
    shapes_of,
    texts_at,
)

_FIELDS: Final = ("from", "revision", "compacted")
_DEPTH: Final = 3
"""How deep events stand in what a watch answers."""


@dataclass(frozen=True)
class Cleared:
    """How many `events` were told, how many are `known`, and the codes of suspected keys."""

    events: int
    known: int
    suspects: Numbers


def cleared(history: History, watches: Operations, writes: Operations) -> Cleared | None:
    """None where anything has to be looked at as a whole, one by one."""
    try:
        return _Columns(history, watches, writes).cleared()
    except UnclearShape:
        return None


@dataclass(frozen=True)
class _Events:
    """Columns of shape `(n_events,)`; those of writes have no `row`, bookmarks no `key` (-1)."""

    row: Numbers
    revision: Numbers
    key: Numbers
    value: Numbers

    def where(self, chosen: Mask) -> _Events:
        return _Events(
            self.row[chosen], self.revision[chosen], self.key[chosen], self.value[chosen]
        )


def is_revision(value: Json) -> bool:
    """Whether it is one, or is to stand for none."""
    return value is None or type(value) is int


class _Columns:
    """What watches and writes tell; raises `UnclearShape` where columns cannot hold it."""

    def __init__(self, history: History, watches: Operations, writes: Operations) -> None:
        self.history, self.watches, self.writes = history, watches, writes
        self.values = Values()
        self.codes: dict[bytes, int] = {}
        self.key = history.key[watches.invoked].astype(np.int64)
        self.written, self.attempts = self._written()
        self.fields = {name: np.full(len(watches), ABSENT) for name in _FIELDS}
        self.told = self._told()

    def cleared(self) -> Cleared:
        """Compare everything with everything."""
        told, written, count = self.told, self.written, len(self.watches)
        events = told.where(told.key >= 0)
        if (told.revision < 0).any() or (written.revision < 0).any():
            raise UnclearShape
        one_key = self.key >= 0
        if (one_key[events.row] & (events.key != self.key[events.row])).any():
            raise UnclearShape
        key, revision, value = (
            np.concatenate((getattr(written, name), getattr(events, name)))
            for name in ("key", "revision", "value")
        )
        where = numbered(key, revision)
        known, first, which = np.unique(where, return_index=True, return_inverse=True)
        keys = {*key[value != value[first[which]]].tolist(), *self._unexpected(events, which)}
        rows = _out_of_order(told, events, self.fields["from"], count)
        rows |= self._left_out(events, key[first], revision[first])
        keys |= set(self.key[rows].tolist())
        if -1 in keys or (len(keys) and not one_key.all()):
            raise UnclearShape
        return Cleared(len(events.row), len(known), np.array(sorted(keys), dtype=np.int64))

    def _unexpected(self, events: _Events, which: Numbers) -> set[int]:
        """The keys of events that no write was told, nor tried."""
        if not len(self.writes):
            return set()
        wrote = len(self.written.key)
        expected = np.zeros(int(which.max(initial=0)) + 1, dtype=bool)
        expected[which[:wrote]] = True
        rest = np.flatnonzero(~expected[which[wrote:]])
        pairs = zip(events.key[rest].tolist(), events.value[rest].tolist(), strict=True)
        return {pair[0] for pair in pairs if pair not in self.attempts}

    def _left_out(self, events: _Events, key: Numbers, revision: Numbers) -> Mask:
        """Watches that did not tell as many events as are known of what they should have told.

        `key` and `revision` are those of known events, in order.
        """
        count, fields = len(self.watches), self.fields
        first, last = np.full(count, ABSENT), np.full(count, -1)
        first[events.row[::-1]] = events.revision[::-1]
        np.maximum.at(last, events.row, events.revision)
        marks = self.told.where(self.told.key < 0)
        np.maximum.at(last, marks.row, marks.revision)
        last = np.maximum(last, fields["revision"])
        start = np.where(fields["from"] != ABSENT, fields["from"], first)
        judged = start >= 0
        start = np.maximum(start, fields["compacted"])
        own = np.bincount(
            events.row[events.revision >= fields["compacted"][events.row]], minlength=count
        )
        names = np.sort(revision)
        span = len(names) + 1
        low, high = np.searchsorted(names, start), np.searchsorted(names, last, side="right")
        place = key * span + np.searchsorted(names, revision)
        expected = np.searchsorted(place, self.key * span + high)
        expected -= np.searchsorted(place, self.key * span + low)
        of_all = self.key < 0
        if of_all.any():
            place = np.sort(revision)
            expected[of_all] = np.searchsorted(place, last[of_all], side="right")
            expected[of_all] -= np.searchsorted(place, start[of_all])
        return np.asarray(judged & (np.maximum(expected, 0) != own))

    def _written(self) -> tuple[_Events, set[tuple[int, int]]]:
        """Events that writes were told, and (key, value) of those that may have happened."""
        history, writes = self.history, self.writes
        told = writes.told
        code, key = history.value[told], history.key[writes.invoked].astype(np.int64)
        sure = np.flatnonzero(writes.ok & (code >= 0))
        shapes = shapes_of(texts_at(history.values, code[sure]))
        if (shapes.shape < 0).any():
            raise UnclearShape
        parts = [_NOTHING]
        tried = ~writes.ok & (writes.outcome != FAIL) | (writes.ok & (code < 0))
        for shape, places, table in shapes.groups():
            if isinstance(shape, list) and len(shape) == 2 and type(shape[0]) is int:
                value = column(shape[1], table, self.values.number)
                rows = sure[places]
                parts.append(np.column_stack((rows, table[:, shape[0]], key[rows], value)))
            else:
                tried[sure[places]] = True
        attempts = set()
        for row in np.flatnonzero(tried).tolist():
            value = history.value_of(int(code[row]))
            f = history.f_names[history.f[told[row]]]
            attempts.add((int(key[row]), self.values.number(content_of(f, value))))
        table = np.concatenate(parts)
        # Of two writes that were told the same revision the last one counts.
        table = table[np.argsort(table[:, 0], kind="stable")]
        return _Events(*table.T), attempts

    def _told(self) -> _Events:
        history, watches = self.history, self.watches
        code = history.value[watches.completed]
        rows = np.flatnonzero(code >= 0)
        items = items_of(texts_at(history.values, code[rows]), _DEPTH)
        outer, inner = shapes_of(items.outer), shapes_of(items.texts)
        if (outer.shape < 0).any() or (inner.shape < 0).any():
            raise UnclearShape
        for shape, places, table in outer.groups():
            if not isinstance(shape, dict):
                raise UnclearShape
            missing: Json = [] if shape.get("compacted") is not None else None
            if shape.get("events", missing) != []:
                raise UnclearShape
            for name, value in shape.items():
                if isinstance(value, list | dict) and name != "events":
                    raise UnclearShape
                if name in _FIELDS and value is not None:
                    if type(value) is not int:
                        raise UnclearShape
                    self.fields[name][rows[places]] = table[:, value]
        found = np.full((4, len(items.owner)), -1, dtype=np.int64)
        found[0] = rows[items.owner]
        for shape, places, table in inner.groups():
            if not isinstance(shape, list) or len(shape) not in (1, 3) or type(shape[0]) is not int:
                raise UnclearShape
            found[1, places] = table[:, shape[0]]
            if len(shape) == 3:
                found[2, places] = self._key(shape[1], table)
                found[3, places] = column(shape[2], table, self.values.number)
        return _Events(*found)

    def _key(self, key: Json, table: Numbers) -> Numbers:
        if type(key) is not int:
            return np.full(len(table), self._code(constant(key)))
        names, which = np.unique(table[:, key], return_inverse=True)
        return np.array([self._code(name) for name in names.tolist()])[which]

    def _code(self, key: Json) -> int:
        """The code of a key; keys that no operation has have codes of their own."""
        text = canonical(key)
        if text not in self.codes:
            code = self.history.keys.code_of(text)
            self.codes[text] = len(self.history.keys) + len(self.codes) if code is None else code
        return self.codes[text]


_NOTHING: Final = np.empty((0, 4), dtype=np.int64)


def content_of(f: str, value: Json) -> Json:
    """What a write with this value would leave behind."""
    pair = isinstance(value, list) and len(value) == 2
    content = value[1] if pair else value
    if f == "cas" and isinstance(content, list) and content:
        content = content[-1]
    return content


def _out_of_order(told: _Events, events: _Events, begin: Numbers, count: int) -> Mask:
    """Watches that told anything twice, or after something newer, or too old."""
    bad = np.zeros(count, dtype=bool)
    row, revision = events.row, events.revision
    bad[row[revision < begin[row]]] = True
    step = np.diff(revision)
    next_ = row[1:] == row[:-1]
    bad[row[1:][next_ & (step < 0)]] = True
    same = np.flatnonzero(next_ & (step == 0))
    if len(same):
        some = np.zeros(count, dtype=bool)
        some[row[same]] = True
        places = np.flatnonzero(some[row])
        number = numbered(row[places], revision[places], events.key[places])
        _, times = np.unique(number, return_counts=True)
        if (times > 1).any():
            bad |= some
    marks = told.key < 0
    if marks.any():
        order = np.argsort(told.row, kind="stable")
        passed = np.full(len(order), ABSENT)
        passed[order] = earlier_max(told.row[order], np.where(marks, told.revision, ABSENT)[order])
        bad[told.row[~marks & (told.revision <= passed)]] = True
    return bad

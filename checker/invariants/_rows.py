"""What nodes said of themselves, as rows, and the words in which invariants speak of them.

An observation is an event of the process ``observer`` whose value is an object:

    {"asked": 1200, "role": "leader", "term": 3, "shards": {"s1": {"role": "primary", "term": 5}}}

Each gives a row with its fields and the ``node``; of one that tells of ``shards`` there is a
row for each of these instead, with the ``shard``, the shard's own fields and those of the
node that it does not have itself.  What a row says held at some moment from `Row.begin` (when
the node was asked) to `Row.end` (when the answer was there).  A system that tells what it did
gives it a name, ``{"event": "trim", "shard": "s1", "offset": 40}``.

`field` and `where` make terms and conditions of fields, in plain Python:

    primary = where(role="primary") & ~where(state="DRAINING")
    behind = field("commit") - field("applied")          # or any function of a row
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from histories import OBSERVER, OK, History, Json, fault_windows, texts_at

MISSING: Final = object()
"""What a term is where a row does not have its field."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing a node said: its `fields`, and between which moments (ns) it held."""

    position: int
    node: str | None
    begin: int
    end: int
    fields: dict[str, Json]

    def get(self, name: str) -> Any:
        """A field, or `MISSING`; ``node`` is one, too."""
        if name == "node":
            return MISSING if self.node is None else self.node
        return self.fields.get(name, MISSING)

    def group(self, names: tuple[str, ...]) -> tuple[str, ...] | None:
        """The values of these fields as something to compare by; None where one is missing."""
        found = tuple(self.get(name) for name in names)
        return None if MISSING in found else tuple(repr(value) for value in found)


@dataclass(frozen=True)
class Term:
    """A value in a row: `of(row)`, or `MISSING`."""

    words: str
    of: Callable[[Row], Any]

    def __sub__(self, other: Term) -> Term:
        return Term(f"{self.words} - {other.words}", lambda row: _less(self.of(row), other.of(row)))


@dataclass(frozen=True)
class Condition:
    """What holds of a row or does not; conditions combine by ``&``, ``|`` and ``~``.

    A row that lacks a field does not satisfy a condition on it.  Where it matters that it does
    not deny it either, `known` tells: true, false, or None where the row does not say.
    """

    words: str
    holds: Callable[[Row], bool]
    says: Callable[[Row], bool | None] | None = None

    def __call__(self, row: Row) -> bool:
        return bool(self.holds(row))

    def known(self, row: Row) -> bool | None:
        """Whether it holds, as far as the row says; by Kleene's logic of three values."""
        return self(row) if self.says is None else self.says(row)

    def __and__(self, other: Condition) -> Condition:
        def says(row: Row) -> bool | None:
            both = self.known(row), other.known(row)
            return False if False in both else None if None in both else True

        words = f"{self.words} and {other.words}"
        return Condition(words, lambda row: self(row) and other(row), says)

    def __or__(self, other: Condition) -> Condition:
        def says(row: Row) -> bool | None:
            both = self.known(row), other.known(row)
            return True if True in both else None if None in both else False

        words = f"({self.words} or {other.words})"
        return Condition(words, lambda row: self(row) or other(row), says)

    def __invert__(self) -> Condition:
        def says(row: Row) -> bool | None:
            known = self.known(row)
            return None if known is None else not known

        return Condition(f"not ({self.words})", lambda row: not self(row), says)


AnyTerm: TypeAlias = str | Term
AnyCondition: TypeAlias = Condition | Callable[[Row], bool]


def field(name: str) -> Term:
    """The field of this name."""
    return Term(name, lambda row: row.get(name))


def where(**fields: Json) -> Condition:
    """Rows whose fields have these values; a tuple stands for any of its values."""
    said = [
        f"{name} is {' or '.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in fields.items()
    ]

    def holds(row: Row) -> bool:
        return all(
            row.get(name) in value if isinstance(value, tuple) else row.get(name) == value
            for name, value in fields.items()
        )

    def says(row: Row) -> bool | None:
        there = {name: value for name, value in fields.items() if row.get(name) is not MISSING}
        if not all(
            row.get(name) in value if isinstance(value, tuple) else row.get(name) == value
            for name, value in there.items()
        ):
            return False
        return True if len(there) == len(fields) else None

    return Condition(" and ".join(said) or "anything", holds, says)


def same(one: str, other: str) -> Condition:
    """Rows in which two fields are there and equal."""
    return Condition(
        f"{one} is {other}",
        lambda row: row.get(one) is not MISSING and row.get(one) == row.get(other),
        lambda row: (
            None if MISSING in (row.get(one), row.get(other)) else row.get(one) == row.get(other)
        ),
    )


def has(name: str) -> Condition:
    """Rows that have this field, and not null in it."""
    return Condition(f"{name} is there", lambda row: row.get(name) not in (MISSING, None))


def term_of(term: AnyTerm) -> Term:
    """A term by itself, or by the name of a field."""
    return field(term) if isinstance(term, str) else term


def condition_of(condition: AnyCondition) -> Condition:
    """A condition by itself, or by any function of a row."""
    if isinstance(condition, Condition):
        return condition
    return Condition(getattr(condition, "__name__", "it holds"), condition)


def names_of(per: str | tuple[str, ...]) -> tuple[str, ...]:
    """The fields to group by; one may stand by itself."""
    return (per,) if isinstance(per, str) else tuple(per)


@dataclass(frozen=True)
class _Kept:
    """The rows of one history, which is known by its columns, and by the names they speak of."""

    columns: list[weakref.ref[Any]]
    names: tuple[list[str], list[str]]
    rows: list[Row]


class _Last:
    """The rows made last, for the next invariant over the same history; gone when that is.

    Two histories are the same here if they share all columns that rows are made of, as slices
    never do.  What is kept is replaced as a whole and looked at once, so threads that judge
    histories of their own are not given each other's rows.
    """

    def __init__(self) -> None:
        self._kept: _Kept | None = None

    def of(self, history: History) -> list[Row] | None:
        kept = self._kept
        if kept is None or kept.names != _names(history):
            return None
        columns = [column() for column in kept.columns]
        return kept.rows if all(map(_is, columns, _columns(history))) else None

    def keep(self, history: History, rows: list[Row]) -> None:
        columns = [weakref.ref(column, self._forget) for column in _columns(history)]
        self._kept = _Kept(columns, _names(history), rows)

    def _forget(self, gone: weakref.ref[Any]) -> None:
        kept = self._kept
        if kept is not None and any(each is gone for each in kept.columns):
            self._kept = None


def _names(history: History) -> tuple[list[str], list[str]]:
    return list(history.process_names), list(history.node_names)


def _columns(history: History) -> tuple[Any, ...]:
    return history.process, history.type, history.time, history.node, history.value, history.values


def _is(one: object, other: object) -> bool:
    return one is other


_LAST: Final = _Last()


def rows_of(history: History) -> list[Row]:
    """What nodes said, in the order of their answers; who did not answer said nothing.

    Shared by all who ask for those of this history: not to be modified.
    """
    known = _LAST.of(history)
    if known is None:
        known = _made(history)
        _LAST.keep(history, known)
    return known


def _made(history: History) -> list[Row]:
    if OBSERVER not in history.process_names:
        return []
    observer = -1 - history.process_names.index(OBSERVER)
    told = (history.process == observer) & (history.type == OK) & (history.value >= 0)
    positions = np.flatnonzero(told)
    # Nothing here is garbage, and there is much to be looked through for some.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return list(_rows(history, positions))
    finally:
        if collecting:
            gc.enable()


def _rows(history: History, positions: npt.NDArray[np.int64]) -> Iterator[Row]:
    columns = zip(
        positions.tolist(),
        history.time[positions].tolist(),
        history.node[positions].tolist(),
        _values(history, history.value[positions]),
        strict=True,
    )
    names = [*history.node_names, None]
    for position, end, code, value in columns:
        if not isinstance(value, dict):
            continue
        asked = value.get("asked")
        begin = min(end, asked) if isinstance(asked, int) else end
        node = names[code]
        shards = value.get("shards")
        if not isinstance(shards, dict):
            yield Row(position, node, begin, end, value)
            continue
        own = {name: each for name, each in value.items() if name != "shards"}
        for shard, told in shards.items():
            fields = told if isinstance(told, dict) else {"state": told}
            yield Row(position, node, begin, end, {**own, **fields, "shard": shard})


def _values(history: History, codes: npt.NDArray[np.int32]) -> list[Json]:
    """The values with these codes, decoded all at once; equal ones are one object."""
    distinct, which = np.unique(codes, return_inverse=True)
    texts = ",".join(texts_at(history.values, distinct).to_pylist())
    decoded: list[Json] = msgspec.json.decode(f"[{texts}]")
    return [decoded[n] for n in which.tolist()]


@dataclass(frozen=True)
class Calm:
    """A time (ns) without any fault: from the healing of the last one to the next order."""

    begin: int
    end: int


def healed(history: History) -> list[Calm]:
    """The times after faults were healed, while no other one is in force; all, if none ever was."""
    if not len(history):
        return []
    windows = fault_windows(history)
    if not windows:
        return from_start(history)
    last = int(history.time[-1])
    found: list[Calm] = []
    for window in windows:
        begin = window.stop
        if begin is None or any(
            other.start <= begin and (other.stop is None or other.stop > begin)
            for other in windows
            if other is not window
        ):
            continue
        later = [
            other.start if other.ordered is None else other.ordered
            for other in windows
            if other.start > begin
        ]
        found.append(Calm(begin, max(begin, min([last, *later]))))
    return list(dict.fromkeys(found))


def from_start(history: History) -> list[Calm]:
    """The whole history, for runs in which nothing is hurt."""
    return [Calm(int(history.time[0]), int(history.time[-1]))] if len(history) else []


def _less(one: Any, other: Any) -> Any:
    return MISSING if MISSING in (one, other) else one - other

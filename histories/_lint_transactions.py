"""The same mistakes inside of transactions: lists of steps ``[f, key, value]``.

A ``txn`` answers its own steps, with values in the places of what it read (``["r", key, value]``);
what it wrote (``w``, ``append``) is the same in question and answer.  Where there are millions of
transactions, steps are columns (see `Shapes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from histories._event import Json
from histories._history import FAIL, INFO, INVOKE, OK, History
from histories._json import canonical
from histories._shapes import Integers, Shapes, shapes_of, texts_at
from histories._values import UnclearShape, Values, column

READ: Final = 0
WRITE: Final = 1
APPEND: Final = 2

_KINDS: Final = {"r": READ, "w": WRITE, "append": APPEND}

Mask = npt.NDArray[np.bool_]


def transactions(history: History) -> Mask:
    """Which codes of `f` are those of transactions."""
    return np.array([name == "txn" for name in history.f_names], dtype=bool)


def changed(history: History, given: Integers, answered: Integers) -> tuple[Mask, Mask]:
    """Which pairs of values are both lists of steps, and in which of these a step was changed."""
    one, other = (shapes_of(texts_at(history.values, codes)) for codes in (given, answered))
    steps, same = np.zeros(len(given), dtype=bool), np.zeros(len(given), dtype=bool)
    clear = (one.shape >= 0) & (other.shape >= 0)
    width = len(other.known) + 1
    both = np.where(clear, one.shape * width + other.shape, -1)
    order = np.argsort(both, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(both[order])) + 1):
        if len(rows) and both[rows[0]] >= 0:
            asked, told = one.known[both[rows[0]] // width], other.known[both[rows[0]] % width]
            steps[rows] = _are_steps(asked) and _are_steps(told)
            if steps[rows[0]]:
                same[rows] = _same_steps(asked, told, one.table(rows), other.table(rows))
    for row in np.flatnonzero(~clear).tolist():
        asked, told = (history.value_of(int(codes[row])) for codes in (given, answered))
        steps[row] = _are_steps(asked) and _are_steps(told)
        same[row] = steps[row] and bool(_same_steps(asked, told, None, None)[0])
    return steps, steps & ~same


def _are_steps(value: Json) -> bool:
    return isinstance(value, list) and all(
        isinstance(step, list) and bool(step) and type(step[0]) is str for step in value
    )


def _same_steps(
    asked: list[Json], told: list[Json], one: Integers | None, other: Integers | None
) -> Mask:
    """Whether two lists of steps, or all of two shapes with these integers, are the same."""
    no, same = np.zeros(1, dtype=bool), np.ones(1, dtype=bool)
    if len(asked) != len(told):
        return no
    for step, answer in zip(asked, told, strict=True):
        if step[0] != answer[0]:
            return no
        kind = _KINDS.get(step[0])
        if kind is None:  # whoever sends and polls has answers of his own
            continue
        if len(step) != 3 or len(answer) != 3:
            return no
        same = same & _equal(step[1], answer[1], one, other)
        if kind != READ:
            same = same & _equal(step[2], answer[2], one, other)
    return same


def _equal(asked: Json, told: Json, one: Integers | None, other: Integers | None) -> Mask:
    if one is None or other is None:
        return np.array([canonical(asked) == canonical(told)])
    if type(asked) is int and type(told) is int:
        return np.asarray(one[:, asked] == other[:, told])
    if isinstance(asked, list) and isinstance(told, list) and len(asked) == len(told):
        same = np.ones(1, dtype=bool)
        for item, answer in zip(asked, told, strict=True):
            same = same & _equal(item, answer, one, other)
        return same
    if isinstance(asked, dict) and isinstance(told, dict) and asked.keys() == told.keys():
        return _equal(list(asked.values()), [told[name] for name in asked], one, other)
    return np.array([type(asked) is type(told) and type(asked) is not int and asked == told])


@dataclass(frozen=True)
class Steps:
    """Steps in columns: the place of the event, the kind, and numbers for key and value.

    A list that was read gives a row for each of its elements, null none.
    """

    place: Integers
    kind: Integers
    key: Integers
    value: Integers

    def where(self, chosen: Mask) -> Steps:
        return Steps(self.place[chosen], self.kind[chosen], self.key[chosen], self.value[chosen])


def steps_at(history: History, places: Integers, values: Values) -> Steps:
    """The steps of the transactions at these places, in order of these."""
    shapes: Shapes = shapes_of(texts_at(history.values, history.value[places]))
    tables = [np.empty((0, 4), dtype=np.int64)]
    left = shapes.shape < 0
    for shape, rows, table in shapes.groups():
        try:
            tables += [
                np.column_stack((places[rows], np.full(len(rows), kind), key, value))
                for kind, key, value in _columns(shape, table, values)
            ]
        except UnclearShape:
            left[rows] = True
    for place in places[left].tolist():
        for kind, key, value in _steps(history.value_of(int(history.value[place]))):
            row = (place, kind, values.number(key), values.number(value))
            tables.append(np.array([row], dtype=np.int64))
    found = np.concatenate(tables)
    found = found[np.argsort(found[:, 0], kind="stable")]
    return Steps(*found.T)


def _steps(value: Json) -> Iterator[tuple[int, Json, Json]]:
    for step in value if isinstance(value, list) else ():
        if not isinstance(step, list) or len(step) != 3 or type(step[0]) is not str:
            continue
        kind = _KINDS.get(step[0])
        if kind is None:
            continue
        told = step[2] if kind == READ and isinstance(step[2], list) else [step[2]]
        for each in told:
            if kind != READ or each is not None:
                yield kind, step[1], each


def _columns(shape: Json, table: Integers, values: Values) -> list[tuple[int, Integers, Integers]]:
    return [
        (kind, column(key, table, values.number), column(value, table, values.number))
        for kind, key, value in _steps(shape)
    ]


def invoked_and_ended(history: History) -> tuple[Integers, npt.NDArray[np.uint8]]:
    """Where transactions of clients were invoked, and how they ended."""
    chosen = (history.process >= 0) & (history.type == INVOKE) & (history.value >= 0)
    places = np.flatnonzero(chosen & transactions(history)[history.f])
    done = history.pairs[places]
    return places, np.where(done >= 0, history.type[done], INFO).astype(np.uint8)


def written_again(history: History, distinct: bool) -> Iterator[tuple[int, int, Json, Json]]:
    """Values that were put in twice: where, where before, the key and the value."""
    places, ended = invoked_and_ended(history)
    if not len(places):
        return
    values = Values()
    steps = steps_at(history, places[ended != FAIL], values)
    steps = steps.where((steps.kind == APPEND) | (distinct & (steps.kind == WRITE)))
    order = np.lexsort((steps.place, steps.value, steps.key))
    key, value, place = steps.key[order], steps.value[order], steps.place[order]
    again = np.append(False, (key[1:] == key[:-1]) & (value[1:] == value[:-1]))[: len(key)]
    first = np.maximum.accumulate(np.where(again, 0, np.arange(len(key))))
    rows = np.flatnonzero(again)
    for row in rows[np.argsort(place[rows], kind="stable")].tolist():
        told = values.value_of(int(key[row])), values.value_of(int(value[row]))
        yield int(place[row]), int(place[first[row]]), *told


def failed_but_seen(history: History) -> Iterator[tuple[int, int, Json, Json]]:
    """Values read though only a failed transaction wrote them: where, the write, key and value."""
    places, ended = invoked_and_ended(history)
    failed = places[ended == FAIL]
    if not len(failed):
        return
    values = Values()
    vain = steps_at(history, failed, values)
    vain = vain.where(vain.kind != READ)
    wanted: dict[tuple[int, int], int] = {}
    for place, key, value in zip(vain.place, vain.key, vain.value, strict=True):
        wanted.setdefault((int(key), int(value)), int(place))
    wrote = _among(steps_at(history, places[ended != FAIL], values), vain)
    for key, value, kind in zip(wrote.key, wrote.value, wrote.kind, strict=True):
        if kind != READ:
            wanted.pop((int(key), int(value)), None)
    answers = np.sort(history.pairs[places[ended == OK]])
    seen = _among(steps_at(history, answers[history.value[answers] >= 0], values), vain)
    for place, kind, key, value in zip(seen.place, seen.kind, seen.key, seen.value, strict=True):
        write = wanted.get((int(key), int(value)))
        if kind == READ and write is not None and place > write:
            del wanted[int(key), int(value)]
            yield int(place), write, values.value_of(int(key)), values.value_of(int(value))


def _among(steps: Steps, others: Steps) -> Steps:
    """Those with a key and a value that stand somewhere in the others."""
    return steps.where(np.isin(steps.key, others.key) & np.isin(steps.value, others.value))

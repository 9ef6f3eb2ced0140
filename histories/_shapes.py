"""Many JSON texts at once: what they are made of, and the integers in them as columns.

Values of one history look alike: ``[17,42]``, ``[["r",5,null],["r",6,1]]``.  The *shape* of a text
is the text without its integers, and there are few shapes where there are millions of texts.  So
whoever has to know what texts mean looks at each shape once, as an ordinary Python value in which
every integer is the number of a column, and then works on columns.

A text that this cannot do justice to has no shape (-1), and has to be decoded: one with a
fraction, an integer of more than 18 characters, or a backslash, and those whose shape is rare in
a history of too many shapes.  `items_of` takes lists of any length out of texts first, so that
their lengths make no shapes of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from histories._event import Json
from histories._json import decode
from histories._texts import Texts

SHAPES_MAX: Final = 5_000

_CHUNK_BYTES: Final = 2 << 20
_INTEGER_CHARACTERS_MAX: Final = 18

Integers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shapes:
    """The shapes of `n` texts, and their integers.

    `shape` numbers the shape of each text, -1 for none; shape `(n,)`.  `known` are the shapes as
    values: where a text has an integer, a shape has the number of its column in `table`, and it
    has no other integers.  `first` is where the integers of each text begin in `integers`.
    """

    shape: Integers
    known: list[Json]
    first: Integers
    integers: Integers

    def groups(self) -> Iterator[tuple[Json, Integers, Integers]]:
        """Of each shape the value, the texts that have it, and their `table`."""
        order = np.argsort(self.shape, kind="stable")
        bounds = np.searchsorted(self.shape[order], np.arange(len(self.known) + 1))
        for number, value in enumerate(self.known):
            rows = order[bounds[number] : bounds[number + 1]]
            if len(rows):
                yield value, rows, self.table(rows)

    def table(self, rows: Integers) -> Integers:
        """The integers of texts of one shape, a row for each; shape `(n_rows, n_integers)`."""
        width = _width(self.known[int(self.shape[rows[0]])])
        return np.asarray(self.integers[self.first[rows][:, None] + np.arange(width)])


@dataclass(frozen=True)
class Items:
    """What lists in `n` texts hold, taken out of them.

    `outer` are the texts without them, null where a text is not fit for it; shape `(n,)`.  Of the
    items, in the order in which they stand: the `texts`, the row of the text that is the `owner`,
    and which of its lists of that depth, counted from 0, they were taken out of (`inside`).
    """

    outer: pa.LargeStringArray
    texts: pa.LargeStringArray
    owner: Integers
    inside: Integers


def texts_at(texts: Texts, codes: npt.NDArray[Any]) -> pa.LargeStringArray:
    """The texts with these codes, null where one is below 0."""
    return texts.to_arrow().take(pa.array(codes, mask=codes < 0))


def shapes_of(texts: pa.LargeStringArray, *, shapes_max: int = SHAPES_MAX) -> Shapes:
    """The shapes of these canonical texts, of which only so many are told; nulls have none."""
    number: dict[str, int] = {}
    known: list[Json] = []
    shape = np.full(len(texts), -1, dtype=np.int64)
    count = np.zeros(len(texts), dtype=np.int64)
    integers = [np.empty(0, dtype=np.int64)]
    for chunk in _chunks(texts):
        chunk = chunk.without(_owning(chunk.data == ord("\\"), chunk.offsets))
        found = _Numbers.of(chunk)
        inexact = found.inexact(chunk)
        if inexact.any():
            chunk = chunk.without(inexact)
            found = _Numbers.of(chunk)
        if not len(chunk.rows):
            continue
        integers.append(found.parsed(chunk))
        count[chunk.rows] = np.diff(found.of_text)
        coded = found.left_out(chunk).dictionary_encode()
        new = np.full(len(coded.dictionary), -1, dtype=np.int64)
        for place, text in enumerate(coded.dictionary.to_pylist()):
            if text not in number and len(number) < shapes_max:
                number[text] = len(number)
                known.append(_numbered(decode(text), itertools.count()))
            new[place] = number.get(text, -1)
        shape[chunk.rows] = new[coded.indices.to_numpy()]
    return Shapes(shape, known, np.cumsum(count) - count, np.concatenate(integers))


def items_of(texts: pa.LargeStringArray, depth: int) -> Items:
    """The lists that stand `depth` (at least 2) brackets deep, taken out of the lists around them.

    In ``[[1,2],[3,4]]`` these are ``[1,2]`` and ``[3,4]`` for a depth of 2, and what is left is
    ``[]``.  A text with anything else beside them, or elsewhere at this depth, is not fit, and nor
    is one with a backslash.
    """
    back = np.full(len(texts), -1, dtype=np.int64)
    outer, items = [_array(_NO_BYTES, _ZERO)], [_array(_NO_BYTES, _ZERO)]
    owner, inside = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    left_over = 0
    for chunk in _chunks(texts):
        chunk = chunk.without(_owning(chunk.data == ord("\\"), chunk.offsets))
        if not len(chunk.rows):
            continue
        data, offsets = chunk.data, chunk.offsets
        free = ~_inside_strings(data)
        # The bit that tells braces from brackets.
        opens = ((data | 32) == ord("{")) & free
        closes = ((data | 32) == ord("}")) & free
        level = np.cumsum(opens.view(np.int8) - closes.view(np.int8), dtype=np.int16)
        ends = closes & (level == depth - 1)
        at, end = np.flatnonzero(opens & (level == depth)), np.flatnonzero(ends)
        which = np.searchsorted(offsets, at, side="right") - 1
        good = _alone(data, at, end)
        fine = np.ones(len(chunk.rows), dtype=bool)
        fine[which[~good]] = False
        held = (level >= depth) | ends
        comma = end[data[end + 1] == ord(",")] + 1
        kept = ~held
        kept[comma] = False
        length = np.diff(offsets)
        taken = _sums(end - at + 1)[np.searchsorted(at, offsets)]
        length -= np.diff(taken) + np.diff(np.searchsorted(comma, offsets))
        outer.append(_array(data[kept], _sums(length)))
        back[chunk.rows[fine]] = left_over + np.flatnonzero(fine)
        left_over += len(chunk.rows)
        lists = np.flatnonzero(opens & (level == depth - 1) & (data == ord("[")))
        before = np.searchsorted(lists, at) - np.searchsorted(lists, offsets[which])
        chosen = fine[which]
        items.append(_array(data[held], _sums(end - at + 1)).filter(pa.array(chosen)))
        owner.append(chunk.rows[which[chosen]])
        inside.append(before[chosen] - 1)
    return Items(
        pa.concat_arrays(outer).take(pa.array(back, mask=back < 0)),
        pa.concat_arrays(items),
        np.concatenate(owner),
        np.concatenate(inside),
    )


def _alone(data: Bytes, at: Integers, end: Integers) -> Mask:
    """Which of the things from `at` to `end` are lists, in a list of nothing but such things."""
    good = data[at] == ord("[")
    begins, ends = np.zeros(len(data) + 2, dtype=bool), np.zeros(len(data) + 2, dtype=bool)
    begins[at], ends[end] = True, True
    before, after = data[at - 1], data[end + 1]
    good &= (before == ord("[")) | ((before == ord(",")) & ends[at - 2])
    return np.asarray(good & ((after == ord("]")) | ((after == ord(",")) & begins[end + 2])))


@dataclass(frozen=True)
class _Chunk:
    """Some of the texts, end to end: those of `rows` begin at `offsets` of `data`."""

    texts: pa.LargeStringArray
    rows: Integers
    data: Bytes
    offsets: Integers

    @staticmethod
    def of(texts: pa.LargeStringArray, rows: Integers) -> _Chunk:
        """The texts themselves, which have these rows."""
        _, offsets, data = texts.buffers()
        place = np.frombuffer(offsets, dtype=np.int64)[texts.offset :][: len(texts) + 1]
        first, last = (int(place[0]), int(place[-1])) if len(texts) else (0, 0)
        held = _NO_BYTES if data is None else np.frombuffer(data, dtype=np.uint8)[first:last]
        return _Chunk(texts, rows, held, place - first)

    def without(self, some: Mask) -> _Chunk:
        """All but some of them, shape `(n_texts,)`."""
        if not some.any():
            return self
        kept = np.flatnonzero(~some)
        return _Chunk.of(self.texts.take(pa.array(kept)), self.rows[kept])


_NO_BYTES: Final = np.empty(0, dtype=np.uint8)
_ZERO: Final = np.zeros(1, dtype=np.int64)


def _chunks(texts: pa.LargeStringArray) -> Iterator[_Chunk]:
    """The texts that are no nulls, some megabytes at a time."""
    rows = np.arange(len(texts))
    if texts.null_count:
        rows = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
        texts = texts.drop_null()
    if not len(rows):
        return
    whole = _Chunk.of(texts, rows)
    bounds = [0]
    while bounds[-1] < len(rows):
        upto = whole.offsets[bounds[-1]] + _CHUNK_BYTES
        bound = int(np.searchsorted(whole.offsets, upto, side="right")) - 1
        bounds.append(max(bound, bounds[-1] + 1))
    for start, stop in itertools.pairwise(bounds):
        yield _Chunk.of(texts.slice(start, stop - start), rows[start:stop])


def _owning(some: Mask, offsets: Integers) -> Mask:
    """Which texts have one of these bytes; shape `(n_texts,)`."""
    found = np.zeros(len(offsets) - 1, dtype=bool)
    found[np.searchsorted(offsets, np.flatnonzero(some), side="right") - 1] = True
    return found


def _inside_strings(data: Bytes) -> Mask:
    """Which bytes are inside of strings, the quotes before them included."""
    quotes = data == ord('"')
    return np.bitwise_xor.accumulate(quotes) if quotes.any() else quotes


@dataclass(frozen=True)
class _Numbers:
    """The numbers in a chunk: the bytes that are `part` of one, and where each begins (`at`).

    `first` is where it begins among these bytes, with one more for the end; shape `(n + 1,)`.
    `of_text` is the first number of each text, with one more for the end.
    """

    part: Mask
    at: Integers
    first: Integers
    of_text: Integers

    @staticmethod
    def of(chunk: _Chunk) -> _Numbers:
        data = chunk.data
        part = (data - np.uint8(ord("0"))) < 10
        part |= data == ord("-")
        quotes = data == ord('"')
        if quotes.any():
            part &= ~np.bitwise_xor.accumulate(quotes)
        starts = part.copy()
        starts[1:] &= ~part[:-1]
        begin = chunk.offsets[:-1]
        starts[begin] = part[begin]
        at = np.flatnonzero(starts)
        first = np.append(np.flatnonzero(starts[part]), np.count_nonzero(part))
        return _Numbers(part, at, first, np.searchsorted(at, chunk.offsets))

    def inexact(self, chunk: _Chunk) -> Mask:
        """Which texts have a fraction, an exponent or too many digits; shape `(n_texts,)`."""
        data, last = chunk.data, self.at + np.diff(self.first)
        after = data[np.minimum(last, len(data) - 1)]
        strange = np.zeros(len(data), dtype=bool)
        length = np.diff(self.first)
        # What comes next is another text at worst, and none begins with these.
        bad = (after == ord(".")) | ((after | 32) == ord("e")) | (length > _INTEGER_CHARACTERS_MAX)
        strange[self.at[bad]] = True
        return _owning(strange, chunk.offsets) if bad.any() else strange[: len(chunk.rows)]

    def parsed(self, chunk: _Chunk) -> Integers:
        """The integers, in turn."""
        texts = _array(chunk.data[self.part], self.first)
        found: Integers = texts.cast(pa.int64()).to_numpy()
        return found

    def left_out(self, chunk: _Chunk) -> pa.LargeStringArray:
        """The texts with 0 in place of every integer."""
        kept = ~self.part
        kept[self.at] = True
        data = chunk.data.copy()
        data[self.at] = ord("0")
        digits = np.diff(self.first[self.of_text]) - np.diff(self.of_text)
        return _array(data[kept], _sums(np.diff(chunk.offsets) - digits))


def _array(data: Bytes, offsets: Integers) -> pa.LargeStringArray:
    """Texts that lie end to end."""
    count, buffers = len(offsets) - 1, (pa.py_buffer(offsets), pa.py_buffer(data))
    return pa.LargeStringArray.from_buffers(count, *buffers)


def _sums(lengths: Integers) -> Integers:
    return np.concatenate((_ZERO, np.cumsum(lengths)))


def _numbered(value: Json, number: Iterator[int]) -> Json:
    """The value with these numbers for its integers, in turn."""
    if type(value) is int:
        return next(number)
    if isinstance(value, list):
        return [_numbered(item, number) for item in value]
    if isinstance(value, dict):
        return {name: _numbered(item, number) for name, item in value.items()}
    return value


def _width(value: Json) -> int:
    """How many integers a shape has."""
    if isinstance(value, list | dict):
        return sum(map(_width, value if isinstance(value, list) else value.values()))
    return int(type(value) is int)

"""Elements by number: the values of operations, and what lists in values are made of.

The column `value` already numbers distinct values, so an element that stands alone as a value
has a number: its code.  Elements in lists (a read of a whole set) get the same numbers; what
stands in lists only is numbered from `len(history.values)` on.  Each distinct list is taken
apart once, and where it holds nothing but integers no Python object is made for any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from histories import History, Json, Texts, canonical

Codes = npt.NDArray[np.int64]

_DIGITS_MAX: Final = 18
"""Integers of so many digits fit into 64 bits, whatever the digits are."""

_SPREAD_MAX: Final = 4
"""A table by integer may have so many times as many places as there are integers."""


@dataclass(frozen=True)
class Lists:
    """The elements of some lists: those of list `n` are `elements[offsets[n]:offsets[n + 1]]`.

    `offsets` has shape `(n_lists + 1,)`, `elements` one number for each place in a list, and
    `count` is one more than the greatest number there may be.
    """

    offsets: Codes
    elements: Codes
    count: int
    values: Texts
    beyond: Codes | list[Json]

    def owner(self) -> Codes:
        """The list that each element stands in, shape `(n_elements,)`."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def value(self, element: int) -> Json:
        """The value of an element by its number."""
        if element < len(self.values):
            return self.values.decoded(int(element))
        found = self.beyond[int(element) - len(self.values)]
        return int(found) if isinstance(found, np.integer) else found


def lists_of(history: History, codes: npt.NDArray[Any], what: str = "a read") -> Lists:
    """The lists with these codes of the column `value` (-1, null, is an empty one), taken apart.

    Give each code once.  Raises `ValueError` where one is no list; `what` names whose value
    it is.
    """
    texts = history.values
    bodies: list[bytes] = []
    for code in codes.tolist():
        text = texts[code] if code >= 0 else b"[]"
        if not text.startswith(b"["):
            raise ValueError(f"the value of {what} is {text[:60].decode()}; it has to be a list")
        bodies.append(text[1:-1])
    counts = np.array([body.count(b",") + 1 if body else 0 for body in bodies], dtype=np.int64)
    joined = b",".join(body for body in bodies if body)
    integers = _parsed(joined)
    if integers is None:
        return _of_anything(history, codes.tolist())
    elements, beyond = _numbered(texts, integers)
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))
    return Lists(offsets, elements, len(texts) + len(beyond), texts, beyond)


def integers_of(texts: Texts) -> tuple[npt.NDArray[np.bool_], Codes]:
    """Which texts are integers of at most 18 digits, and these (else 0); shape `(n_texts,)`."""
    data = np.frombuffer(texts.data, dtype=np.uint8)
    start, length = texts.offsets[:-1], np.diff(texts.offsets)
    fits = (length > 0) & (length <= _DIGITS_MAX + 1)
    negative = np.zeros(len(length), dtype=bool)
    negative[fits] = data[start[fits]] == ord("-")
    length = length - negative
    fits &= (length > 0) & (length <= _DIGITS_MAX)
    value = np.zeros(len(length), dtype=np.int64)
    row = np.flatnonzero(fits)
    at, left, partial = start[row] + negative[row], length[row], np.zeros(len(row), np.int64)
    while len(row):
        digit = data[at].astype(np.int64) - ord("0")
        good = (digit >= 0) & (digit <= 9)
        fits[row[~good]] = False
        partial = partial * 10 + digit
        left = left - 1
        done = good & (left == 0)
        value[row[done]] = partial[done]
        going = good & (left > 0)
        row, at, left, partial = row[going], at[going] + 1, left[going], partial[going]
    value[negative] *= -1
    return fits, value


def _parsed(joined: bytes) -> Codes | None:
    """The integers between commas; None if there is anything else, or one that is too long."""
    if not joined:
        return np.empty(0, dtype=np.int64)
    if joined.translate(None, b"0123456789-,"):
        return None
    ends = np.flatnonzero(np.frombuffer(joined + b",", dtype=np.uint8) == ord(","))
    if np.diff(ends, prepend=-1).max() - 1 > _DIGITS_MAX:
        return None
    found: Codes = np.fromstring(joined.decode(), dtype=np.int64, sep=",")
    assert len(found) == len(ends), "canonical JSON has one integer between two commas"
    return found


def _numbered(texts: Texts, integers: Codes) -> tuple[Codes, Codes]:
    """The numbers of these integers, and the integers that are numbered behind the texts."""
    are, value = integers_of(texts)
    code = np.flatnonzero(are)
    known = value[are]
    if not len(integers):
        return integers, integers
    least = min(int(integers.min()), int(known.min()) if len(known) else 0)
    most = max(int(integers.max()), int(known.max()) if len(known) else 0)
    if most - least <= _SPREAD_MAX * (len(integers) + len(known)) + 1_000:
        table = np.full(most - least + 1, -1, dtype=np.int64)
        table[known - least] = code
        found = table[integers - least]
        beyond = np.unique(integers[found < 0])
        table[beyond - least] = len(texts) + np.arange(len(beyond))
        return table[integers - least], beyond
    order = np.argsort(known, kind="stable")
    known, code = known[order], code[order]
    distinct, which = np.unique(integers, return_inverse=True)
    place = np.searchsorted(known, distinct)
    there = place < len(known)
    there[there] = known[place[there]] == distinct[there]
    beyond = distinct[~there]
    number = np.empty(len(distinct), dtype=np.int64)
    number[there] = code[place[there]]
    number[~there] = len(texts) + np.arange(len(beyond))
    return number[which], beyond


def _of_anything(history: History, codes: list[int]) -> Lists:
    """As `lists_of`, for lists of any values; one Python object for each element."""
    texts = history.values
    numbers: dict[bytes, int] = {}
    beyond: list[Json] = []
    elements: list[int] = []
    offsets = [0]
    for code in codes:
        for item in texts.decoded(code) or ():
            text = canonical(item)
            number = numbers.get(text)
            if number is None:
                number = texts.code_of(text)
                if number is None:
                    number = len(texts) + len(beyond)
                    beyond.append(item)
                numbers[text] = number
            elements.append(number)
        offsets.append(len(elements))
    return Lists(
        np.array(offsets, dtype=np.int64),
        np.array(elements, dtype=np.int64),
        len(texts) + len(beyond),
        texts,
        beyond,
    )

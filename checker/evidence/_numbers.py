"""Integers inside texts, read where they stand, without a Python object for any of them.

Values such as ``[17,"a"]`` (version and value) or ``{"a":10,"b":5}`` (balances) are canonical
JSON texts that lie end to end in one buffer.  Where such a text holds integers at known places,
all of these are read at once, a digit of each at a time.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from histories import Texts

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

ABSENT: Final = np.iinfo(np.int64).min
"""Stands for null where a number is expected."""

_DIGITS_MAX: Final = 18


def bytes_of(texts: Texts) -> npt.NDArray[np.uint8]:
    """The buffer of the texts, with a NUL behind it, so that every number has an end."""
    return np.append(np.frombuffer(texts.data, dtype=np.uint8), np.uint8(0))


def integers_at(data: npt.NDArray[np.uint8], start: Integers) -> tuple[Mask, Integers, Integers]:
    """The integers that begin at these bytes: which are some, their values, and where they end.

    `data` is of `bytes_of`; all three have the shape of `start`.  What is no integer of at most
    18 digits has the value 0, and so has what goes on as a fraction or with an exponent.
    """
    negative = data[start] == ord("-")
    at = start + negative
    fits = np.zeros(len(start), dtype=bool)
    value = np.zeros(len(start), dtype=np.int64)
    end = at.copy()
    row = np.arange(len(start))
    for _ in range(_DIGITS_MAX + 1):
        byte = data[end[row]]
        digit = (byte - np.uint8(ord("0"))).astype(np.int64)
        going = digit <= 9
        stopped = row[~going]
        last = byte[~going]
        fits[stopped] = (
            (end[stopped] > at[stopped]) & (last != ord(".")) & ((last | 32) != ord("e"))
        )
        row = row[going]
        if not len(row):
            break
        value[row] = value[row] * 10 + digit[going]
        end[row] += 1
    value[negative] *= -1
    value[~fits] = 0
    return fits, value, end


def firsts_of(texts: Texts, codes: npt.NDArray[Any]) -> tuple[Mask, Integers, Integers]:
    """The first element of each text that is a list: whether it fits, its value, where it ends.

    It fits if it is an integer, or null, whose value here is `ABSENT`.  Shape `(n_codes,)`.
    """
    data = bytes_of(texts)
    start = texts.offsets[codes]
    inside = np.minimum(start + 1, len(data) - 1)
    lists = data[start] == ord("[")
    fits, value, end = integers_at(data, inside)
    null = lists & (data[inside] == ord("n"))
    value[null] = ABSENT
    end[null] += 4
    return lists & (fits | null), value, end

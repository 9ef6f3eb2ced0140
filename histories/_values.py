"""Values as numbers, to be compared by columns.

A value that is an integer stands for itself; others have numbers below every such integer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from histories._event import Json
from histories._json import canonical
from histories._shapes import Integers

_OTHERS: Final = -(2**62)
_WHOLE_MAX: Final = 10**18


@dataclass
class Values:
    """Integers for values."""

    numbers: dict[bytes, int] = field(default_factory=dict)
    known: list[Json] = field(default_factory=list)

    def number(self, value: Json) -> int:
        if type(value) is int and -_WHOLE_MAX < value < _WHOLE_MAX:
            return value
        text = canonical(value)
        if text not in self.numbers:
            self.numbers[text] = _OTHERS + len(self.known)
            self.known.append(value)
        return self.numbers[text]

    def value_of(self, number: int) -> Json:
        return self.known[number - _OTHERS] if number < -_WHOLE_MAX else number


class UnclearShape(Exception):
    """What a shape means is not clear, or not the same for all that have it."""


def constant(value: Json) -> Json:
    """A part of a shape that is the same for all; raises `UnclearShape` where it has integers."""
    if type(value) is int:
        raise UnclearShape
    if isinstance(value, list | dict):
        for item in value if isinstance(value, list) else value.values():
            constant(item)
    return value


def column(value: Json, table: Integers, number: Callable[[Json], int]) -> Integers:
    """The numbers of a part of a shape, for all that have it; raises `UnclearShape`."""
    if type(value) is int:
        return table[:, value]
    return np.full(len(table), number(constant(value)))

"""Steps: cases that are a little smaller, by leaving out a run of things, or waiting less.

They come in the order in which they promise most: all of a key or a client, then large runs of
faults and operations before small ones, the last before the first.  If none of them fails, nothing
single can be left out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final, NamedTuple, TypeVar

from msgspec import structs

from histories import Json
from simulation import _plainer
from simulation._smaller import (
    all_asks,
    size_of,
    units,
    with_asks,
    with_nodes,
    with_units,
    without_strike,
)
from simulation.scenario import Case

GAPS_S: Final = (0.0, 0.001, 0.01, 0.05, 0.2, 1.0)

PLAIN_OPERATIONS_MAX: Final = 24
"""A case has to be so small before its times and values are made plain."""

THREE_OF_MAX: Final = 8
FEW_PARTS: Final = 8
"""Of at most so many faults all threes are tried, unless few steps are wanted."""

_SOONER: Final = 0.9
"""Waiting less has to save a tenth of the time."""

T = TypeVar("T")

Rank = tuple[int, int, int]
"""What kind of step, how small, and how far from the end; they come in this order."""


FIRST: Final[Rank] = (0, 0, 0)
ALL: Final = sys.maxsize


class Step(NamedTuple):
    """A smaller case, and its place among the steps."""

    rank: Rank
    case: Case


def steps(
    case: Case, names: Sequence[str], after: Rank = FIRST, parts_max: int = ALL
) -> list[Step]:
    """All of them, each another case; from the one that has the rank of the last success on.

    Of many operations only such runs are left out as there are at most `parts_max` of.
    """
    every = [step for step in _steps(case, names, parts_max) if step.case != case]
    return [
        *(step for step in every if step.rank >= after),
        *(step for step in every if step.rank < after),
    ]


def _steps(case: Case, names: Sequence[str], parts_max: int) -> Iterator[Step]:
    if case.final_asks or case.settle_s:
        yield Step((0, 0, 0), structs.replace(case, settle_s=0.0, final_asks=()))
        yield Step((0, 0, 1), structs.replace(case, settle_s=0.0))
    for number, fewer in enumerate(_without_a_group(case)):
        yield Step((1, 0, number), fewer)
    last_s = size_of(case)[3]
    for number, gap_s in enumerate(GAPS_S):
        sooner = _plainer.closer(case, gap_s)
        if size_of(sooner)[3] <= _SOONER * last_s:
            yield Step((2, number, 0), sooner)
    for size, number, kept in _without_a_run(units(case), ALL):
        yield Step((3, -size, number), with_units(case, kept))
    if parts_max >= FEW_PARTS:
        for number, some in enumerate(_three_of(units(case))):
            yield Step((3, 0, number), with_units(case, some))
    for size, number, asked in _without_a_run(all_asks(case), parts_max):
        yield Step((4, -size, number), with_asks(case, asked))
    for count in range(1, case.nodes or len(names)):
        yield Step((5, count, 0), with_nodes(case, names, count))
    yield from (Step((6, 0, number), fewer) for number, fewer in enumerate(without_strike(case)))
    if len(all_asks(case)) <= PLAIN_OPERATIONS_MAX:
        plain = [*_plainer.simpler(case), *_plainer.rounded(case)]
        yield from (Step((7, 0, number), each) for number, each in enumerate(plain))


def _without_a_group(case: Case) -> Iterator[Case]:
    """Without all that is asked about some key, or by some thread, where there are several."""
    asks = all_asks(case)
    keys: list[Json] = []
    for _, ask in asks:
        if ask.key not in keys:
            keys.append(ask.key)
    if len(keys) > 1:
        for key in keys:
            yield with_asks(case, [each for each in asks if each[1].key != key])
    threads = sorted({ask.thread for _, ask in asks})
    if len(threads) > 1:
        for thread in threads:
            yield with_asks(case, [each for each in asks if each[1].thread != thread])


def _three_of(parts: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """Any three of them, the last first: faults that need each other need not be neighbours."""
    if 3 < len(parts) <= THREE_OF_MAX:
        yield from reversed([*combinations(parts, 3)])


def _without_a_run(parts: Sequence[T], parts_max: int) -> Iterator[tuple[int, int, list[T]]]:
    """Without so many neighbours (a power of two), the number-th so many from the end."""
    size = 1
    while size * 2 <= len(parts):
        size *= 2
    while size and len(parts) <= parts_max * size:
        for number in range(-(-len(parts) // size)):
            end = len(parts) - number * size
            yield size, number, [*parts[: max(0, end - size)], *parts[end:]]
        size //= 2

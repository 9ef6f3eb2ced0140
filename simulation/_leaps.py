"""Guesses: cases that are far smaller at once, made of what a failure may be about.

A leap is one choice of operations (those that the counterexample shows, the last ones before
it was certain, every tenth), one of faults, and one of waits.  Few of them fail, but the small
ones are played in no time; and one that fails saves a thousand steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

from simulation import _plainer
from simulation._moment import Moment
from simulation._smaller import all_asks, size_of, units, weight_of, with_asks, with_units
from simulation.scenario import Case

WAITS_S: Final = ((0.2, 1.0), (0.02, 0.02), (0.02, 1.0), (1.0, 1.0))
"""No wait is longer than the first, and none before the first thing longer than the second."""

FAR: Final = 0.75
"""A leap leaves at most this share of the weight."""

LEAPS_MAX: Final = 120
"""So many guesses at level 0, of all sizes, and twice as many at each level after."""

_ALONE_MAX: Final = 12
"""So many faults, the last ones, are also tried alone."""


def leaps(case: Case, moment: Moment | None, level: int = 1) -> list[Case]:
    """The guesses, the smallest first; the higher the level, the more of them."""
    asks, every = all_asks(case), units(case)
    weight_max = FAR * weight_of(case)
    factor, waits = (4, 1) if level == 0 else (2, len(WAITS_S))
    chosen = _some_units([unit[0].f for unit in every])
    found: list[Case] = []
    for places in _some_asks(case, moment, factor):
        fewer = with_asks(case, [asks[place] for place in places])
        for numbers in chosen:
            struck = with_units(fewer, [every[number] for number in numbers])
            if weight_of(struck) <= weight_max:
                sooner = (_plainer.closer(struck, *waits_s) for waits_s in WAITS_S[:waits])
                found += [struck, *(each for each in sooner if each != struck)]
    found.sort(key=lambda each: (weight_of(each), size_of(each)[3]))
    skip = -(-len(found) // (LEAPS_MAX << level))
    return found[::skip] if found else []


def _some_asks(case: Case, moment: Moment | None, factor: int) -> list[tuple[int, ...]]:
    """Places of operations to keep, each choice once."""
    asks = all_asks(case)
    every = tuple(range(len(asks)))
    shown = () if moment is None else moment.asks
    keys = () if moment is None else moment.keys
    related = tuple(place for place in every if asks[place][1].key in keys)
    found = [(), shown]
    count = factor
    while count < len(every):
        found += [every[-count:], related[-count:], _thinned(every, count)]
        found += [_thinned(related, count), _united(shown, every[-count:])]
        count *= factor
    found += [related, every]
    return list(dict.fromkeys(found))


def _some_units(kinds: Sequence[str]) -> list[tuple[int, ...]]:
    """Places of faults to keep, each choice once: few, the last ones, the last of some kinds."""
    every = tuple(range(len(kinds)))
    alone = [(number,) for number in reversed(every[-_ALONE_MAX:])]
    last = sorted({kind: number for number, kind in enumerate(kinds)}.values())
    found = [(), *alone, *combinations(last, 2), tuple(last)]
    found += [every[-count:] for count in (2, 3, 6)]
    return list(dict.fromkeys([*found, every]))


def _thinned(places: tuple[int, ...], count: int) -> tuple[int, ...]:
    """So many of them, spread evenly, the last one among them."""
    if len(places) <= count:
        return places
    return tuple(places[-1 - (number * len(places)) // count] for number in reversed(range(count)))


def _united(these: tuple[int, ...], those: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({*these, *those}))

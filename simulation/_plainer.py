"""The same things asked and ordered, at times and with values that are easier to read.

Waits get shorter, times rounder, values simpler.  The order of things stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import floor
from typing import Any

from msgspec import structs

from simulation._smaller import all_asks, times, with_asks
from simulation.scenario import Case


def closer(case: Case, gap_s: float, lead_s: float | None = None) -> Case:
    """The case with no wait in between that is longer than this, in s.

    Before the first thing there may be as much as `lead_s`, for a cluster to find a leader.
    """
    return _retimed(case, _shortened(times(case), gap_s, gap_s if lead_s is None else lead_s))


def rounded(case: Case) -> Iterator[Case]:
    """The case at times that are easier to read, none of which is later than it was."""
    for digits in (1, 2, 3, 4):
        tick = 10**digits
        yield _retimed(case, {at_s: floor(at_s * tick + 1e-6) / tick for at_s in times(case)})


def _shortened(in_order: Sequence[float], gap_s: float, wait_s: float) -> dict[float, float]:
    now_s = before_s = 0.0
    found: dict[float, float] = {}
    for at_s in in_order:
        now_s += min(wait_s, at_s - before_s)
        before_s, wait_s = at_s, gap_s
        found[at_s] = round(now_s, 9)
    return found


def _retimed(case: Case, now: dict[float, float]) -> Case:
    return structs.replace(
        case,
        asks=tuple(structs.replace(each, at_s=now[each.at_s]) for each in case.asks or ()),
        strikes=tuple(structs.replace(each, at_s=now[each.at_s]) for each in case.strikes or ()),
    )


def simpler(case: Case) -> Iterator[Case]:
    """The case with the numbers and texts in its operations renamed: 1, 2, 3, and "a", "b", "c".

    The same value stays the same everywhere, and another one another.
    """
    numbers: dict[int, int] = {}
    texts: dict[str, str] = {}

    def number(value: int) -> int:
        return numbers.setdefault(value, len(numbers) + 1)

    def text(value: str) -> str:
        return texts.setdefault(value, chr(ord("a") + len(texts) % 26) * (1 + len(texts) // 26))

    yield _renamed(case, number, text)
    yield _renamed(case, number, lambda value: value)


def _renamed(case: Case, number: Callable[[int], int], text: Callable[[str], str]) -> Case:
    def renamed(value: Any) -> Any:
        match value:
            case bool():
                return value
            case int():
                return number(value)
            case str():
                return text(value)
            case list() | tuple():
                return [renamed(each) for each in value]
            case dict():
                return {key: renamed(each) for key, each in value.items()}
            case _:
                return value

    return with_asks(
        case,
        [(last, structs.replace(ask, value=renamed(ask.value))) for last, ask in all_asks(case)],
    )

"""Cases that are smaller than another one: pure functions, each of which may change what happens.

A case can only be made smaller where it says everything itself.  `explicit` takes from a
recorded run what its clients asked and its nemesis ordered, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from msgspec import structs

from histories import NEMESIS, Event, History, Json
from simulation.scenario import Ask, Case, Scenario, Strike

Unit: TypeAlias = tuple[Strike, ...]
"""Strikes that belong together: a fault's start and its stop."""

GAPS_S: Final = (0.0, 0.001, 0.01, 0.05, 0.2, 1.0)
WINDOWS: Final = (3, 6, 12, 24, 48)
_START, _STOP = "start-", "stop-"


def explicit(case: Case, scenario: Scenario, history: History) -> Case:
    """The same case, with all that was asked and ordered in its recorded run."""
    orders = [event for event in history.of_process(NEMESIS) if event.type == "invoke"]
    heals = _final_stops(orders)
    orders, last = orders[: len(orders) - heals], orders[len(orders) - heals :]
    limit_s = scenario.time_limit_s if case.time_limit_s is None else case.time_limit_s
    until_ns = last[0].time if last else round(limit_s * 1e9)
    asked = [event for event in history.clients() if event.type == "invoke"]
    settle_s = scenario.settle_s if case.settle_s is None else case.settle_s
    return structs.replace(
        case,
        nodes=case.nodes or scenario.nodes,
        operations=None,
        time_limit_s=None,
        settle_s=settle_s,
        strikes=tuple(Strike(event.time / 1e9, event.f, event.value) for event in orders),
        asks=_asks([each for each in asked if each.time < until_ns], scenario),
        final_asks=_asks([each for each in asked if each.time >= until_ns], scenario),
    )


def _final_stops(orders: Sequence[Event]) -> int:
    """So many orders at the end only heal: each fault is stopped there once."""
    seen: set[str] = set()
    for event in reversed(orders):
        if not event.f.startswith(_STOP) or event.f in seen:
            break
        seen.add(event.f)
    return len(seen)


def _asks(events: Iterable[Event], scenario: Scenario) -> tuple[Ask, ...]:
    count = scenario.concurrency
    return tuple(
        Ask(event.time / 1e9, int(event.process) % count, event.f, event.key, event.value)
        for event in events
    )


# What there is to leave out.


def units(case: Case) -> list[Unit]:
    """The strikes of a case, each start with the stop that follows it."""
    found: list[list[Strike]] = []
    begun: dict[str, list[Strike]] = {}
    for strike in case.strikes or ():
        name = strike.f.removeprefix(_START).removeprefix(_STOP)
        if strike.f.startswith(_STOP) and name in begun:
            begun.pop(name).append(strike)
            continue
        unit = [strike]
        found.append(unit)
        if strike.f.startswith(_START):
            begun[name] = unit
    return [tuple(unit) for unit in found]


def with_units(case: Case, kept: Iterable[Unit]) -> Case:
    """The case with these strikes only, in the order of their times."""
    strikes = sorted((each for unit in kept for each in unit), key=lambda each: each.at_s)
    return structs.replace(case, strikes=tuple(strikes))


def all_asks(case: Case) -> list[tuple[bool, Ask]]:
    """What is asked, and whether it is in the end."""
    load = [(False, ask) for ask in case.asks or ()]
    return [*load, *((True, ask) for ask in case.final_asks or ())]


def with_asks(case: Case, kept: Sequence[tuple[bool, Ask]]) -> Case:
    """The case with these operations only."""
    return structs.replace(
        case,
        asks=tuple(ask for last, ask in kept if not last),
        final_asks=tuple(ask for last, ask in kept if last),
    )


def without_the_end(case: Case) -> Iterator[Case]:
    """The case cut off: without the last operations and the rest before them, and earlier.

    What happened before the cut happens just the same, so this never changes a seed's luck.
    """
    yield structs.replace(case, settle_s=0.0, final_asks=())
    yield structs.replace(case, settle_s=0.0)


def cut(case: Case, asks: int) -> Case:
    """The case with the first `asks` operations of its load, and the strikes until then."""
    kept = (case.asks or ())[:asks]
    end_s = kept[-1].at_s if kept else 0.0
    strikes = tuple(each for each in case.strikes or () if each.at_s <= end_s)
    return structs.replace(case, asks=kept, strikes=strikes)


def little(case: Case) -> Iterator[Case]:
    """Only the last few operations, close together, with no, the last or all of the faults.

    Such a case is played in no time, so that it can be tried with many seeds.
    """
    asks, every = all_asks(case), units(case)
    for count in WINDOWS:
        if count >= len(asks):
            return
        few = with_asks(case, asks[-count:])
        for struck in ([], every[-1:], every) if len(every) > 1 else ([], every):
            for gap_s in (0.0, 0.004, 0.03):
                yield _closer(with_units(few, struck), gap_s)


# Fewer nodes, shorter times, simpler values.


def with_nodes(case: Case, names: Sequence[str], count: int) -> Case:
    """The case on the first `count` of these nodes; strikes at the others are left out."""
    gone = set(names[count:])
    kept: list[Unit] = []
    for unit in units(case):
        values = [_without(strike.value, gone) for strike in unit]
        if not _empty(unit[0].value, values[0]):
            kept.append(
                tuple(
                    structs.replace(strike, value=value)
                    for strike, value in zip(unit, values, strict=True)
                )
            )
    return structs.replace(with_units(case, kept), nodes=count)


def _without(value: Json, gone: set[str]) -> Json:
    if isinstance(value, list | tuple):
        return [_without(each, gone) for each in value if not _is_in(each, gone)]
    if isinstance(value, dict):
        kept = {key: _without(each, gone) for key, each in value.items() if key not in gone}
        return {key: each for key, each in kept.items() if not _is_in(each, gone)}
    return value


def _is_in(value: Json, gone: set[str]) -> bool:
    return isinstance(value, str) and value in gone


def _empty(before: Json, after: Json) -> bool:
    """Whether a strike has lost all whom it was meant for."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    return any(before.get(part) and not after.get(part) for part in ("targets", "grudge"))


def sooner(case: Case) -> Iterator[Case]:
    """The case with shorter waits in between: the shortest first."""
    for gap_s in GAPS_S:
        yield _closer(case, gap_s)


def _closer(case: Case, gap_s: float) -> Case:
    return _retimed(case, _shortened(_times(case), gap_s))


def rounded(case: Case) -> Iterator[Case]:
    """The case at times that are easier to read."""
    for digits in (1, 2, 3, 4):
        yield _retimed(case, {at_s: round(at_s, digits) for at_s in _times(case)})


def _times(case: Case) -> list[float]:
    told = [*(each.at_s for each in case.asks or ()), *(each.at_s for each in case.strikes or ())]
    return sorted(set(told))


def _shortened(times: Sequence[float], gap_s: float) -> dict[float, float]:
    now_s = before_s = 0.0
    found: dict[float, float] = {}
    for at_s in times:
        now_s += min(gap_s, at_s - before_s)
        before_s = at_s
        found[at_s] = round(now_s, 9)
    return found


def _retimed(case: Case, times: dict[float, float]) -> Case:
    return structs.replace(
        case,
        asks=tuple(structs.replace(each, at_s=times[each.at_s]) for each in case.asks or ()),
        strikes=tuple(structs.replace(each, at_s=times[each.at_s]) for each in case.strikes or ()),
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


def size_of(case: Case) -> tuple[int, int, int, float]:
    """Faults, operations, nodes and the time of the last that is told."""
    faults = sum(each.f.startswith(_START) for each in case.strikes or ())
    last_s = max(_times(case), default=0.0) + (case.settle_s or 0.0)
    return faults, len(all_asks(case)), case.nodes or 0, round(last_s, 6)

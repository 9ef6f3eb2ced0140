"""What a case consists of, and the case with less of it: pure functions.

A case can only be made smaller where it says everything itself.  `explicit` takes from a
recorded run what its clients asked and its nemesis ordered, and when; `timed` also gives what was
done in the end a time of its own, so that all of it can be treated alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from msgspec import structs

from histories import NEMESIS, Event, History, Json
from simulation.scenario import Ask, Case, Scenario, Strike

Unit: TypeAlias = tuple[Strike, ...]
"""Strikes that belong together: a fault's start and its stop."""

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


def timed(case: Case, scenario: Scenario, history: History) -> Case:
    """The same, with nothing left for the end: the last healing and what came after have times."""
    orders = [event for event in history.of_process(NEMESIS) if event.type == "invoke"]
    asked = [event for event in history.clients() if event.type == "invoke"]
    return structs.replace(
        case,
        nodes=case.nodes or scenario.nodes,
        operations=None,
        time_limit_s=None,
        settle_s=0.0,
        strikes=tuple(Strike(event.time / 1e9, event.f, event.value) for event in orders),
        asks=_asks(asked, scenario),
        final_asks=(),
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


def cut(case: Case, end_s: float, settle_s: float = 0.0) -> Case:
    """The case without what begins after this time, and with nothing to do in the end.

    What happens until then happens just the same.
    """
    return structs.replace(
        case,
        asks=tuple(each for each in case.asks or () if each.at_s <= end_s),
        strikes=tuple(each for each in case.strikes or () if each.at_s <= end_s),
        settle_s=settle_s,
        final_asks=(),
    )


def without_strike(case: Case) -> Iterator[Case]:
    """The case without one of its strikes that end a fault; then it lasts until all is healed."""
    strikes = case.strikes or ()
    for place, strike in enumerate(strikes):
        if strike.f.startswith(_STOP):
            yield structs.replace(case, strikes=strikes[:place] + strikes[place + 1 :])


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


def times(case: Case) -> list[float]:
    """The times at which something is asked or ordered, in s, each once."""
    told = [*(each.at_s for each in case.asks or ()), *(each.at_s for each in case.strikes or ())]
    return sorted(set(told))


def size_of(case: Case) -> tuple[int, int, int, float]:
    """Faults, operations, nodes and the time of the last that is told."""
    faults = sum(each.f.startswith(_START) for each in case.strikes or ())
    last_s = max(times(case), default=0.0) + (case.settle_s or 0.0)
    return faults, len(all_asks(case)), case.nodes or 0, round(last_s, 6)


def weight_of(case: Case) -> int:
    """How much there is to read in a case: a fault counts for as much as four operations."""
    faults, operations, _, _ = size_of(case)
    return 4 * faults + operations

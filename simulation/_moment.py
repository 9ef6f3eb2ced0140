"""The moment from which on a failure is certain, and what the complaint is about.

What comes after that moment is of no use to the failure, so a case may end there: until then all
happens just the same.  It is found without playing anything again, by judging beginnings of the
recorded history, by bisection: as a rule what is broken stays broken.  Where a checker takes a
complaint back, a later moment than the first one may be found; that costs size, never truth, for
the complaint holds at the moment that is found, and the case that ends there is played.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from checker import Counterexample
from checker.evidence import compose
from histories import OBSERVER, Event, History, Json
from simulation import _smaller
from simulation._results import Cause, complaint
from simulation._running import Played
from simulation.scenario import Case

TICK_NS: Final = 1_000_000
"""Times to settle are told in ms, and are long enough."""


@dataclass(frozen=True)
class Moment:
    """At `at_s` of virtual time the failure is certain.

    `settle_s` is how much of that was after the last operation and the last healing.  `asks` are
    the places, among `_smaller.all_asks` of the case, of the operations that the counterexample
    shows; `keys` are what these are about.
    """

    at_s: float
    settle_s: float = 0.0
    asks: tuple[int, ...] = ()
    keys: tuple[Json, ...] = ()


def moment_of(played: Played, cause: Cause, threads: int) -> Moment | None:
    """When this cause was certain; None if it never was, as with what is not invalid.

    Which operations it shows is only known of a case that says what each of its `threads` asks.
    """
    history = played.history
    found = complaint_of(played, cause)
    if found is None:
        return None
    events = list(history)
    low, high = 0, len(events)  # the first `high` events are enough, the first `low` are not
    while high - low > 1:
        middle = (low + high) // 2
        beginning = History.from_events(events[:middle], history.meta)
        now = complaint_of(played, cause, beginning)
        if now is None:
            low = middle
        else:
            found, high = now, middle
    places = _places(events, played.case, threads)
    shown = {places[each.index] for each in found.operations if each.index in places}
    asks = _smaller.all_asks(played.case)
    keys = [found.key, *(asks[place][1].key for place in sorted(shown))]
    at_ns = events[high - 1].time
    busy_ns = max((each.time for each in events if each.process != OBSERVER), default=0)
    ticks = (at_ns - busy_ns) // TICK_NS + 2 if at_ns > busy_ns else 0
    return Moment(at_ns / 1e9, ticks * TICK_NS / 1e9, tuple(sorted(shown)), tuple(_distinct(keys)))


def first_cause(played: Played, causes: Sequence[Cause], threads: int) -> Cause:
    """The cause that was certain first: others may be what came of it.  Else the first one."""
    moments = [(moment_of(played, cause, threads), cause) for cause in causes]
    known = [(moment.at_s, cause) for moment, cause in moments if moment is not None]
    return min(known, key=lambda each: each[0])[1] if known else causes[0]


def complaint_of(
    played: Played, cause: Cause, history: History | None = None
) -> Counterexample | None:
    """What the checker shows for this cause, in this history or in that of the run."""
    history = played.history if history is None else history
    checker = played.checkers.get(cause.checker)
    if checker is None:  # it was not a checker that complained
        return None
    part = compose({cause.checker: checker}).check(history).parts[cause.checker]
    for found in part.counterexamples if part.valid is False else ():
        if complaint(found, history) == cause.kind:
            return found
    return None


def _places(events: Iterable[Event], case: Case, threads: int) -> dict[int, int]:
    """For events of clients, by index, the place of what was asked in `_smaller.all_asks`.

    Each thread asks what it has to in the order of the case, so its n-th invocation is that.
    """
    if case.asks is None:
        return {}
    waiting: dict[int, deque[int]] = {}
    for place, (_, ask) in enumerate(_smaller.all_asks(case)):
        waiting.setdefault(ask.thread, deque()).append(place)
    asked: dict[int, int] = {}
    found: dict[int, int] = {}
    for event in events:
        if not isinstance(event.process, int):
            continue
        if event.type == "invoke":
            asked[event.process] = waiting[event.process % threads].popleft()
        found[event.index] = asked[event.process]
    return found


def _distinct(keys: Iterable[Json]) -> list[Json]:
    found: list[Json] = []
    for key in keys:
        if key is not None and key not in found:  # they need not be hashable
            found.append(key)
    return found

"""When the system was being hurt: the windows of faults, as the nemesis recorded them.

A fault ``X`` lasts from the completion of ``start-X`` to the completion of ``stop-X``;
one that was never stopped lasts to the end of the history.  An order that was declined, or
failed, began nothing.  Jepsen's own histories know other words (``start``/``stop``,
``kill``/``start``, ``pause``/``resume``) and record every event of the nemesis as ``info``;
both are understood.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from histories._event import Event, Json
from histories._history import History

EVENTS_MAX: Final = 20_000
"""So many events of the nemesis are looked at."""

_JEPSEN_STOPS: Final = {"start": "kill", "resume": "pause", "stop": "fault"}
_JEPSEN_STARTS: Final = {"kill": "kill", "pause": "pause", "start": "fault"}


@dataclass(frozen=True)
class FaultWindow:
    """One fault: from `start` to `stop` (ns), which is None if nobody stopped it.

    `ordered` is when the nemesis set about it: it took effect between then and `start`; and
    `healing` when it set about healing.  `sure` is False if the nemesis itself did not know
    whether the fault began.  `value` is what it said of it, with ``targets`` and ``receipt``;
    `position` is where it said so.
    """

    name: str
    start: int
    stop: int | None = None
    sure: bool = True
    value: Json = None
    ordered: int | None = None
    healing: int | None = None
    position: int = -1


def fault_windows(history: History) -> tuple[FaultWindow, ...]:
    """Every fault of the history, in the order of their beginnings."""
    events = list(_nemesis_events(history))
    jepsen = not any(event.type == "invoke" for _, event in events)
    if jepsen:
        events = _without_answers(events)
    found: list[FaultWindow] = []
    active: dict[str, int] = {}
    invoked: dict[str, int] = {}
    for position, event in events:
        if event.type == "invoke":
            invoked[event.f] = event.time
        if event.type in ("invoke", "fail") or _declined(event.value):
            continue
        opened, closed = _meaning(event.f, active)
        certain = event.type == "ok" or jepsen
        ended = closed or opened  # a fault that starts again replaces itself
        if ended in active and certain:
            last = active.pop(ended)
            healing = invoked.get(event.f) if closed else None
            found[last] = replace(found[last], stop=event.time, healing=healing)
        if opened and opened not in active:
            active[opened] = len(found)
            ordered = invoked.get(event.f)
            found.append(
                FaultWindow(
                    opened,
                    event.time,
                    sure=certain,
                    value=event.value,
                    ordered=ordered,
                    position=position,
                )
            )
    return tuple(found)


def _nemesis_events(history: History) -> Iterable[tuple[int, Event]]:
    named = np.flatnonzero(history.process < 0)
    if not len(named):
        return
    words = np.array([_is_fault_word(f) for f in history.f_names], dtype=bool)
    for position in named[words[history.f[named]]][:EVENTS_MAX].tolist():
        yield position, history[position]


def _without_answers(events: list[tuple[int, Event]]) -> list[tuple[int, Event]]:
    """Where every event is an ``info``, the second of two equal ones answers the first."""
    kept: list[tuple[int, Event]] = []
    answered = True
    for position, event in events:
        answered = not answered and bool(kept) and kept[-1][1].f == event.f
        if not answered:
            kept.append((position, event))
    return kept


def _is_fault_word(f: str) -> bool:
    return f.startswith(("start-", "stop-")) or f in _JEPSEN_STARTS or f in _JEPSEN_STOPS


def _meaning(f: str, active: dict[str, int]) -> tuple[str, str]:
    """The fault this event begins and the fault it ends, "" for none."""
    if f.startswith("start-"):
        return f[6:], ""
    if f.startswith("stop-"):
        return "", f[5:]
    if _JEPSEN_STOPS.get(f) in active:
        return "", _JEPSEN_STOPS[f]
    return _JEPSEN_STARTS.get(f, ""), ""


def _declined(value: Json) -> bool:
    """Does the receipt say that the order was not carried out?"""
    receipt = value.get("receipt") if isinstance(value, dict) else None
    return isinstance(receipt, dict) and receipt.get("declined") is True

"""When the system was being hurt: bands over the time axis.

A fault ``X`` lasts from the completion of ``start-X`` to the completion of ``stop-X``;
one that was never stopped lasts to the end of the history.  Jepsen's own histories
know other words (``start``/``stop``, ``kill``/``start``, ``pause``/``resume``) and
record every event of the nemesis as ``info``; both are understood.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from histories import Event, History, Json
from reports import _labels

_EVENTS_MAX: Final = 20_000
_JEPSEN_STOPS: Final = {"start": "kill", "resume": "pause", "stop": "fault"}
_JEPSEN_STARTS: Final = {"kill": "kill", "pause": "pause", "start": "fault"}


@dataclass(frozen=True)
class Band:
    """One fault: `stop` (ns) is None if nobody stopped it.

    `ordered` is when the nemesis set about it: it took effect between then and `start`.
    `sure` is False if the nemesis itself did not know whether the fault began; `proof`
    is what its receipt says (None: no receipt).
    """

    name: str
    start: int
    stop: int | None = None
    sure: bool = True
    targets: str = ""
    proof: bool | None = None
    ordered: int | None = None


def bands(history: History) -> tuple[Band, ...]:
    """Every fault of the history, in the order of their beginnings."""
    events = list(_nemesis_events(history))
    jepsen = not any(event.type == "invoke" for event in events)
    if jepsen:
        events = _without_answers(events)
    found: list[Band] = []
    active: dict[str, int] = {}
    invoked: dict[str, int] = {}
    for event in events:
        if event.type == "invoke":
            invoked[event.f] = event.time
        if event.type in ("invoke", "fail") or _declined(event.value):
            continue
        opened, closed = _meaning(event.f, active)
        certain = event.type == "ok" or jepsen
        ended = closed or opened  # a fault that starts again replaces itself
        if ended in active and certain:
            position = active.pop(ended)
            found[position] = replace(found[position], stop=event.time)
        if opened and opened not in active:
            active[opened] = len(found)
            found.append(
                Band(
                    opened,
                    event.time,
                    sure=certain,
                    targets=_targets(event.value),
                    proof=_proof(event.value),
                    ordered=invoked.get(event.f),
                )
            )
    return tuple(found)


def coalesced(found: Iterable[Band], gap_ns: int) -> tuple[Band, ...]:
    """Bands of the same fault that are too close to be told apart in a picture become one."""
    merged: dict[str, list[Band]] = {}
    for band in found:
        row = merged.setdefault(band.name, [])
        last = row[-1] if row else None
        if last and last.stop is not None and band.start - last.stop <= gap_ns:
            row[-1] = replace(last, stop=band.stop)
        else:
            row.append(band)
    return tuple(band for row in merged.values() for band in row)


def _nemesis_events(history: History) -> Iterable[Event]:
    named = np.flatnonzero(history.process < 0)
    if not len(named):
        return
    words = np.array([_is_fault_word(f) for f in history.f_names], dtype=bool)
    for position in named[words[history.f[named]]][:_EVENTS_MAX]:
        yield history[int(position)]


def _without_answers(events: list[Event]) -> list[Event]:
    """Where every event is an ``info``, the second of two equal ones answers the first."""
    kept: list[Event] = []
    answered = True
    for event in events:
        answered = not answered and bool(kept) and kept[-1].f == event.f
        if not answered:
            kept.append(event)
    return kept


def _is_fault_word(f: str) -> bool:
    return f.startswith(("start-", "stop-")) or f in _JEPSEN_STARTS or f in _JEPSEN_STOPS


def _meaning(f: str, active: dict[str, int]) -> tuple[str, str]:
    """The fault this event begins and the fault it ends, "" for none."""
    if f.startswith("start-"):
        return _labels.clip(_labels.visible(f[6:70]), 32), ""
    if f.startswith("stop-"):
        return "", _labels.clip(_labels.visible(f[5:69]), 32)
    if _JEPSEN_STOPS.get(f) in active:
        return "", _JEPSEN_STOPS[f]
    return _JEPSEN_STARTS.get(f, ""), ""


def _targets(value: Json) -> str:
    """``n1, n2 (halves)``: whom it hit, and how they were chosen if the nemesis says so."""
    if not isinstance(value, dict):
        return ""
    targets, choice = value.get("targets"), value.get("kind") or value.get("choice")
    whom = "" if targets is None else _labels.name(targets, 80)
    if isinstance(targets, list):
        whom = _labels.clip(", ".join(_labels.name(node, 24) for node in targets[:12]), 80)
    how = f"({_labels.name(choice, 24)})" if isinstance(choice, str) else ""
    return f"{whom} {how}".strip()


def _declined(value: Json) -> bool:
    """Does the receipt say that the order was not carried out?"""
    receipt = value.get("receipt") if isinstance(value, dict) else None
    return isinstance(receipt, dict) and receipt.get("declined") is True


def _proof(value: Json) -> bool | None:
    receipt = value.get("receipt") if isinstance(value, dict) else None
    proof = receipt.get("ok") if isinstance(receipt, dict) else None
    return proof if isinstance(proof, bool) else None

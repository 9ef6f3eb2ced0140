"""Did the faults of a run happen at all?  Their receipts tell.

A verdict says that a system kept its promise *under these faults*.  One that silently did
nothing (rules deleted behind our back, a process that was not running) makes a valid run
say more than it has shown, so such a run is unknown.  What is invalid stays so: the
violation was seen, whatever caused it.

Histories of other tools have no receipts; nothing is concluded from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from histories import NEMESIS
from momus._exits import one_line

if TYPE_CHECKING:
    from checker import Verdict
    from histories import Event, History

_CHARACTERS_MAX = 300


def unproven(history: History, meta: Mapping[str, Any]) -> tuple[list[Event], int]:
    """The orders to the nemesis that are not proven to have had an effect, and of how many.

    ``start-X`` has one if what it struck was intact before and broken after, ``stop-X``
    if it was still broken just before it was healed.  That something could not be healed,
    or that more broke than was struck, is another matter.  Orders that were declined, since
    the cluster was in no state for them, count where no order of that fault was carried out (the
    stop of one that is not in force is no such order).
    """
    events = [
        event for event in history.of_process(NEMESIS) if event.f.startswith(("start-", "stop-"))
    ]
    if "workload" not in meta and not any(_receipt(event) for event in events):
        return [], 0
    found: list[Event] = []
    declined: list[Event] = []
    struck: set[str] = set()
    begun: dict[str, Event] = {}
    orders = 0
    for event in events:
        if event.type == "invoke":
            orders += 1
            begun[event.f] = event
            continue
        begun.pop(event.f, None)
        receipt = _receipt(event)
        if receipt is not None and receipt.get("declined") is True:
            declined.append(event)
        elif event.type != "ok" and (receipt is None or receipt.get("effect") is False):
            found.append(event)
        elif event.type == "ok" and not _is_idle(event, receipt):
            struck.add(event.f)
    missed = [event for event in declined if event.f not in struck]
    return [*found, *missed, *begun.values()], orders


def only_if_proven(verdict: Verdict, history: History, meta: Mapping[str, Any]) -> Verdict:
    """`verdict`, or unknown where it is valid though a fault is not proven to have happened."""
    from checker import Unknown

    if verdict.valid is not True:
        return verdict
    missing, orders = unproven(history, meta)
    if not missing:
        return verdict
    return msgspec.structs.replace(
        verdict,
        valid="unknown",
        unknown=Unknown(
            cause="vacuous",
            sentence=(
                f"What was recorded is valid, but {_of(missing, orders)}; "
                f"the first: {told(missing[0])}."
            ),
            remedy=(
                "The system was not tested as ordered. See why in the receipts of the nemesis's "
                "events and in momus.log, mend it or leave the fault out, and run again."
            ),
        ),
    )


def fault_notes(history: History, meta: Mapping[str, Any]) -> list[str]:
    """A remark on the faults that are not proven, for verdicts that do not depend on it."""
    missing, orders = unproven(history, meta)
    if not missing:
        return []
    return [
        f"{_of(missing, orders)}, so the run shows less than it seems to; "
        f"the first: {told(missing[0])}"
    ]


def told(event: Event) -> str:
    """What became of an order, in a few words."""
    why = one_line(event.error) if event.error is not None else "it never ended"
    short = why if len(why) <= _CHARACTERS_MAX else f"{why[:_CHARACTERS_MAX]}..."
    return f"{event.f} at {event.time / 1e9:.1f} s: {short}"


def _is_idle(event: Event, receipt: Mapping[str, Any] | None) -> bool:
    """Is it the stop of a fault that was not in force?  Then nothing was seen during it."""
    return event.f.startswith("stop-") and receipt is not None and "during" not in receipt


def _of(missing: list[Event], orders: int) -> str:
    are = "is" if len(missing) == 1 else "are"
    return f"{len(missing)} of {orders} orders to the nemesis {are} not proven to have had effect"


def _receipt(event: Event) -> Mapping[str, Any] | None:
    receipt = event.value.get("receipt") if isinstance(event.value, dict) else None
    return receipt if isinstance(receipt, dict) else None

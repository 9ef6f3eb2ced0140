"""What is known of the keys that are still open, and what would settle them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from checker._apart_ear import Stop
from checker._explanation import shown_value
from checker._found import Found
from checker._limits import Limits
from checker._verdict import Unknown
from engine._native import Operations
from histories import History, Json

_OPEN_MAX: Final = 100
"""Of so many keys it is told how far they are."""

_WIDE: Final = 12
_MANY_CRASHED: Final = 10
"""With more clients at once, or more operations that never returned, a key may be hard."""

_CAUSES: Final = {"memory": "memory", "width": "width", "steps": "steps", "harness": "harness"}


def told_of_open(
    history: History, operations: Operations, keys: Sequence[Json], found: Sequence[Found]
) -> list[dict[str, Any]]:
    """What is proven, and how far the search was, of each key that is open.

    `placed` of `completed` operations can all be placed: the first ones to return.  The
    next one returns at `event`, on `line` of its file (null if that is not known), `time`
    ns into the run.  `visited` counts the configurations that the searches have met, and
    `sentence` says all of it in English.
    """
    numbers = [number for number, each in enumerate(found) if each.verdict == "unknown"]
    if not numbers:
        return []
    sizes, completed, widths = operations.sizes, operations.completed, operations.widths
    alone = len(keys) == 1 and keys[0] is None
    told: list[dict[str, Any]] = [
        {
            "key": keys[number],
            "cause": _CAUSES.get(found[number].exhausted or "", "time"),
            "placed": found[number].position,
            "completed": completed[number],
            "crashed": sizes[number] - completed[number],
            "open_at_once": widths[number],
            "visited": found[number].visited,
            **_reached(history, found[number].reached),
        }
        for number in numbers[:_OPEN_MAX]
    ]
    return [{**each, "sentence": f"{place(each, alone)}."} for each in told]


def _reached(history: History, invoked: int | None) -> dict[str, int | None]:
    """Where the operation returns that was invoked at this event."""
    if invoked is None:
        return {"event": None, "line": None, "time": None}
    returned = int(history.pairs[invoked])
    return {
        "event": int(history.index[returned]),
        "line": history.line(returned),
        "time": int(history.time[returned]),
    }


def why_unknown(
    told: Sequence[dict[str, Any]], limits: Limits, found: Sequence[Found], stop: Stop | None
) -> Unknown:
    """The reason, in two sentences: what is known, and what would settle the rest."""
    first = next((each for each in told if each["visited"]), told[0])
    keys, open_keys = len(found), sum(each.verdict == "unknown" for each in found)
    alone = keys == 1 and first["key"] is None
    done = "" if alone else f"{keys - open_keys:,} of {keys:,} keys are decided, all valid; "
    if stop is not None:
        return Unknown(stop.cause, f"{stop.sentence}: {done}{place(first, alone)}.", stop.remedy)
    sentence = f"{_ended(first, limits)}: {done}{place(first, alone)}."
    cause: Literal["time", "memory"] = "time" if first["cause"] in ("time", "steps") else "memory"
    return Unknown(cause, sentence, _remedy(first))


def place(told: dict[str, Any], alone: bool) -> str:
    """How far the search of a key was, in English."""
    of_key = "" if alone else f" of key {shown_value(told['key'])}"
    if told["cause"] == "width":
        return f"{told['open_at_once']:,} operations{of_key} are open at once, more than 4,096"
    if not told["visited"] or told["event"] is None:
        return f"the search{of_key} had not got anywhere"
    where = f"event {told['event']:,}"
    if told["line"] is not None:
        where += f" (line {told['line']:,})"
    return (
        f"the first {told['placed']:,} of {told['completed']:,} completed operations{of_key} can "
        f"all be placed; beyond {where}, {told['time'] / 1e9:.3f} s into the run, it is not known "
        f"after {told['visited']:,} configurations"
    )


def _ended(told: dict[str, Any], limits: Limits) -> str:
    if told["cause"] == "time":
        return f"The time limit of {limits.seconds or 0:g} s ran out"
    if told["cause"] == "memory":
        return f"The memory limit of {(limits.bytes or 0) / 1e6:,.0f} MB was reached"
    if told["cause"] == "steps":
        return f"As many configurations as allowed, {limits.steps:,} for each key, were visited"
    return "The history is too wide for the search"


def _remedy(told: dict[str, Any]) -> str:
    if told["cause"] == "width":
        return "Record the history with fewer clients per key."
    more = "memory (--memory-limit)" if told["cause"] == "memory" else "time (--time-limit)"
    remedy = f"Give it more {more}; with --progress FILE the next call goes on from here."
    if told["crashed"] > _MANY_CRASHED:
        remedy += (
            f" {told['crashed']:,} of its operations never returned: a longer timeout of the "
            "clients, or fewer operations per key, make it easier."
        )
    elif told["open_at_once"] > _WIDE:
        remedy += (
            f" Up to {told['open_at_once']} operations are open at once: fewer clients per key "
            "make it easier."
        )
    return remedy

"""How much has to succeed for a run to prove anything; else it is unknown, and never valid.

`checker.evidence.Vacuity` counts and names what is missing.  What is least comes from the
user, else from what the run recorded about itself (``minimums`` in its metadata), else from
that checker's defaults.  It is asked of runs of momus, and of any history for which somebody
says what is least.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from momus._exits import Refusal
from momus._quantities import numbers_said

if TYPE_CHECKING:
    from checker import Unknown, Verdict
    from histories import History

MINIMUMS: Final = ("operation", "node", "window", "clients", "share")
"""What there are minimums of; see `checker.evidence.Vacuity`."""


def minimums_said(text: str | None) -> dict[str, float] | None:
    """The minimums in a list like ``operation=10,clients=2``; None if nothing is said."""
    if text is None:
        return None
    return checked(numbers_said(text, "minimum", "--minimums operation=10,clients=2"))


def checked(minimums: Mapping[str, Any]) -> dict[str, float]:
    """The minimums as numbers; raises `Refusal` for what is none, or of nothing we know."""
    found: dict[str, float] = {}
    for name, least in minimums.items():
        if name not in MINIMUMS:
            raise Refusal(f"there is no minimum of {name!r}; try one of {', '.join(MINIMUMS)}")
        if isinstance(least, bool) or not isinstance(least, int | float):
            raise Refusal(f"the minimum of {name} is a number, not {least!r}")
        if not (0 <= least < math.inf and (name == "share" or least == int(least))):
            raise Refusal(f"the minimum of {name} is a number from 0 on, not {least:g}")
        found[name] = float(least) if name == "share" else int(least)
    return found


def only_if_shown(
    verdict: Verdict,
    history: History,
    meta: Mapping[str, Any],
    minimums: Mapping[str, float] | None = None,
) -> Verdict:
    """`verdict`, or unknown where it is valid though too little succeeded to say so.

    Where it is vacuous already, since a checker found nothing to look at or a fault is not
    proven, what was missing of the run itself comes first: that is why.
    """
    said = meta.get("minimums") if minimums is None else minimums
    vacuous = verdict.unknown is not None and verdict.unknown.cause == "vacuous"
    if verdict.valid is False or ("workload" not in meta and said is None):
        return verdict
    if verdict.valid is not True and not vacuous:
        return verdict
    from checker.evidence import Vacuity

    known: dict[str, Any] = checked(said) if isinstance(said, Mapping) else {}
    shown = Vacuity(**known, spare=_spare(meta)).check(history)
    missing = shown.unknown
    if missing is None and not vacuous and known.get("window", 1):
        missing = _without_faults(history, meta)
    if missing is None:
        return verdict
    return msgspec.structs.replace(
        verdict,
        valid="unknown",
        unknown=missing,
        notes=(*verdict.notes, *([verdict.unknown.sentence] if verdict.unknown else [])),
        details={**verdict.details, "vacuity": shown.details},
    )


def _without_faults(history: History, meta: Mapping[str, Any]) -> Unknown | None:
    """Why a run that was to have faults shows nothing of them, if none ever began.

    One that was ended early got as far as somebody wanted.
    """
    from checker import Unknown
    from histories import fault_windows

    faults = meta.get("faults")
    if not isinstance(faults, list) or not faults or fault_windows(history):
        return None
    limit_s = meta.get("time_limit_s")
    if isinstance(limit_s, int | float) and int(history.time[-1]) < limit_s * 1e9:
        return None
    return Unknown(
        cause="vacuous",
        sentence=f"The run was to have faults ({', '.join(map(str, faults))}), but none began.",
        remedy="Run for longer or let faults strike more often (--interval), or say --faults none.",
    )


def _spare(meta: Mapping[str, Any]) -> int:
    """How many nodes need not answer, since they belong to the system only at times, if ever."""
    nodes, members = meta.get("nodes"), meta.get("members")
    if isinstance(nodes, list):
        nodes = len(nodes)
    if isinstance(nodes, int) and isinstance(members, int) and members:
        return max(0, nodes - members)
    return 0

"""Twins: what a fault of the simulated world is in a lab.

A crash, for one, is SIGKILL and the loss of what was not synced.  Most twins are faults that
`nemesis` has for any system, and differ from the simulated ones in how their numbers are called.
A system brings more of them along in its attribute `twins`, by the name of the simulated fault; so
do raftkv's orders.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from histories import Json

if TYPE_CHECKING:
    from nemesis import Fault, Target
    from simulation.real._processes import Processes

Values: TypeAlias = dict[str, Json]
Make: TypeAlias = "Callable[[Processes, Target | Sequence[Target]], Fault]"

PHASE_S_MIN: Final = 0.5
"""Links that flap faster than this could not be proven to."""
DELAY_MS_MIN: Final = 20
"""Nor could a delay that is less."""


def _same(value: Values) -> Values:
    return value


@dataclass(frozen=True)
class Twin:
    """`name` is what the fault is called in a lab, `said` turns the value of an order into its.

    That value has all numbers in it, also those that the simulated fault would have filled in.
    `make` makes the fault, where a lab has none of this name for all systems.  `unlike` says in
    what it differs from the simulated one.
    """

    name: str
    said: Callable[[Values], Values] = _same
    make: Make | None = None
    unlike: str = ""


def _with(attributes: Callable[[Any], Values]) -> Callable[[Values], Values]:
    """Whom it strikes, and these attributes."""

    def said(value: Values) -> Values:
        whom: Values = {
            key: value[key] for key in ("targets", "choice", "direction") if key in value
        }
        if whom.get("direction") == "both":
            del whom["direction"]
        return {**whom, "attributes": attributes(value)}

    return said


def _delay(value: Any) -> Values:
    """The median stays, though jitter is an exponential tail there, and even on both sides here."""
    delay_ms = round(1000 * (value["delay_s"] + math.log(2) * value["jitter_s"]))
    jitter_ms = min(round(1000 * value["jitter_s"]), delay_ms - DELAY_MS_MIN)
    return {"delay_ms": delay_ms, "jitter_ms": max(0, jitter_ms)}


def _flapping(value: Any) -> Values:
    phases = {key: max(PHASE_S_MIN, float(value[key])) for key in ("cut_s", "open_s")}
    return {**value, **phases}


TWINS: Final[Mapping[str, Twin]] = {
    "kill": Twin("kill"),
    "pause": Twin("pause"),
    "partition": Twin("partition"),
    "flapping": Twin("flapping", _flapping),
    "crash": Twin("disk-lose-unsynced"),
    "crash-point": Twin("crash-point", lambda value: {**value, "ambush": True}),
    "packet-loss": Twin(
        "packet-loss", _with(lambda value: {"percent": 100 * value["loss"]}), unlike="no clients"
    ),
    "packet-delay": Twin("packet-delay", _with(_delay)),
    "packet-duplicate": Twin(
        "packet-duplicate", _with(lambda value: {"percent": 100 * value["duplication"]})
    ),
    "packet-reorder": Twin(
        "packet-reorder",
        _with(
            lambda value: {
                "percent": 100 * value["reordering"],
                "hold_ms": round(1000 * value["hold_s"]),
            }
        ),
    ),
    "disk-fill": Twin("disk-fill", _with(lambda _: {})),
    "disk-slow": Twin("disk-slow", _with(lambda _: {})),
    "disk-read-errors": Twin(
        "disk-read-errors", _with(lambda value: {"probability": value["share"]})
    ),
    "disk-write-errors": Twin(
        "disk-write-errors", _with(lambda value: {"probability": value["share"]})
    ),
    "disk-sync-errors": Twin(
        "disk-sync-errors", _with(lambda value: {"probability": value["share"]})
    ),
    "slow-cpu": Twin("cpu-quota", _with(lambda _: {})),
    "clock-skew": Twin("skew"),
    "clock-jump": Twin("jump", unlike="unproven on a clock that is wrong already"),
}
"""Those for all systems, by the name of the simulated fault."""


def twins_of(system: object) -> Mapping[str, Twin]:
    """All twins for a system, its own before others."""
    return {**TWINS, **getattr(system, "twins", {})}

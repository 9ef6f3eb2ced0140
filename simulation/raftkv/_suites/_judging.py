"""Who judges the suites, beside linearizability and the cluster invariants.

`Recovers`: all keys can be used again soon after the last healing.  `nobody_died`: no node fell
over its own mistake.  `NoProgress`: nothing was acknowledged that nobody could have agreed to.
`Availability` measures only: how long operations took, and what became of them, before, during
and after each fault.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from checker import Counterexample, Verdict
from checker.evidence._checker import counterexample, operations, vacuous, verdict
from checker.invariants import Invariant, Row, where
from checker.invariants._invariant import Break, Found, at
from histories import History, fault_windows

DIED = where(event="died")


def nobody_died(but_for: tuple[str, ...] = ()) -> Invariant:
    """No node died by itself, except for a reason that begins with one of `but_for`."""

    def look(history: History, rows: list[Row]) -> Found:
        breaks = [
            Break(f"{row.node} died by itself {at(history, row)}: {why}", (row.position,))
            for row in rows
            if DIED(row) and not (why := str(row.get("why"))).startswith(but_for)
        ]
        return len(rows), breaks

    return Invariant("nobody-died", look, "anything that nodes tell")


@dataclass(frozen=True)
class Recovers:
    """After the last healing something succeeds on every key within `within_s`.

    Keys on which nothing was tried for so long say nothing; without any other it is unknown.
    """

    within_s: float
    by_virtual_time = True

    @property
    def name(self) -> str:
        return "recovers"

    def check(self, history: History) -> Verdict:
        """`details` has `healed_s`, and how long each key took (`took_s`; None: too long)."""
        began = time.perf_counter()
        stops = [each.stop or each.start for each in fault_windows(history)]
        healed = max(stops, default=0)
        ops = operations(history)
        keys = history.key[ops.invoked]
        bound = healed + round(self.within_s * 1e9)
        took: dict[str, float | None] = {}
        breaks: list[Counterexample] = []
        for code in np.unique(keys[(keys >= 0) & (ops.begin > healed)]):
            here = (keys == code) & (ops.begin > healed)
            first = ops.end[here & ops.ok].min() if (here & ops.ok).any() else None
            name = str(history.key_of(int(code)))
            if first is not None and first <= bound:
                took[name] = (int(first) - healed) / 1e9
            elif (ops.begin[here] >= bound).any() or first is not None:
                took[name] = None
                tried = np.flatnonzero(here)
                told = [
                    int(each) for row in tried[:4] for each in (ops.invoked[row], ops.told[row])
                ]
                breaks.append(
                    counterexample(
                        history,
                        f"Nothing succeeded on the key {name} for {self.within_s:g} s after all "
                        f"was healed at {healed / 1e9:,.3f} s, though it was tried.",
                        told,
                    )
                )
        nothing = None
        if not took:
            nothing = vacuous(
                "Nothing was tried after the last healing.", "Let the load go on after it."
            )
        details: dict[str, Any] = {"healed_s": healed / 1e9, "took_s": took}
        return verdict(
            self.name,
            began=began,
            operations=len(ops),
            counterexamples=breaks,
            unknown=nothing,
            details=details,
        )


@dataclass(frozen=True)
class NoProgress:
    """While a majority is down or alone, no write succeeds: there is nobody to agree to it.

    A time counts in which `fault` was in force on at least `at_least` nodes.  Writes invoked in
    it that were acknowledged in it, too, are breaks.
    """

    fault: str
    at_least: int

    @property
    def name(self) -> str:
        return "no-progress-without-majority"

    def check(self, history: History) -> Verdict:
        """`details` has the count of writes that were tried without a majority."""
        began = time.perf_counter()
        ops = operations(history, "write", "cas")
        breaks: list[Counterexample] = []
        tried = windows = 0
        for window in fault_windows(history):
            value = window.value if isinstance(window.value, dict) else {}
            struck: list[str] = list(value.get("targets") or ())
            if window.name != self.fault or len(struck) < self.at_least or not window.sure:
                continue
            windows += 1
            until = window.healing or int(history.time[-1])
            inside = (ops.begin > window.start) & (ops.begin < until)
            tried += int(np.count_nonzero(inside))
            for row in np.flatnonzero(inside & ops.ok & (ops.end < until))[:4]:
                at_s = int(ops.end[row]) / 1e9
                breaks.append(
                    counterexample(
                        history,
                        f"A write was acknowledged at {at_s:,.3f} s, though {', '.join(struck)} "
                        f"were struck by {self.fault} since {window.start / 1e9:,.3f} s, and the "
                        "others are no majority.",
                        [window.position, int(ops.invoked[row]), int(ops.told[row])],
                    )
                )
        nothing = None
        if not tried:
            nothing = vacuous(
                f"No write was tried while {self.fault} was in force on {self.at_least} nodes.",
                "See why it was not, in the completions of the nemesis.",
            )
        return verdict(
            self.name,
            began=began,
            operations=tried,
            counterexamples=breaks,
            unknown=nothing,
            details={"windows": windows, "tried": tried},
        )

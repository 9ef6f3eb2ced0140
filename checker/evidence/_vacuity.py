"""Did the run show anything at all?

A verdict of `valid` says that nothing wrong was seen.  Where hardly anything was seen, that
is no praise: all operations failed, one client worked alone, a node never took part, faults
struck while nobody was looking.  This checker counts what succeeded, by operation, by node
and by window of a fault, and is never `invalid`: either it is valid (there was something to
judge), or unknown, and then it names all that was missing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from checker._verdict import Unknown, Verdict
from checker.evidence._checker import (
    SHOWN_MAX,
    Mask,
    Operations,
    Times,
    clock_of,
    has_clock,
    operations,
    vacuous,
    verdict,
)
from histories import FAIL, OK, FaultWindow, History, fault_windows

_REASONS_TOLD_MAX: Final = 5
_SPREAD_MAX: Final = 4
"""A table by process may have so many times as many places as there are operations."""


@dataclass(frozen=True)
class Reason:
    """Why a run shows too little: of what (`about`, `name`), in a sentence, and what to try."""

    about: str
    name: str
    sentence: str
    remedy: str


@dataclass(frozen=True)
class Vacuity:
    """Enough succeeded: of every operation, on every node, under every fault, by two clients.

    At least `operation` operations of each name and `node` on each node that was worked on
    have to succeed, and in any case the `share` of what was tried of it.  In at least one
    window of each fault at least `window` have to succeed, from its beginning to its end or
    to the beginning of the next fault, whichever is later; and there has to be load while the
    fault is in force.  `clients` is how many processes must have been at work at the same time,
    from their first success to their last (one that is retired after an `info` goes on under
    its next number).  A node is wedged if, while no fault was in force, at least `wedged_tries`
    operations over at least `wedged_s` seconds were tried on it and nothing succeeded there
    ever again.  Zero turns each of these off.  So many nodes as are `spare` may lack successes.
    """

    operation: int = 1
    node: int = 1
    window: int = 1
    clients: int = 2
    share: float = 0.01
    wedged_s: float = 5.0
    wedged_tries: int = 3
    spare: int = 0

    @property
    def name(self) -> str:
        return "vacuity"

    def check(self, history: History) -> Verdict:
        """Valid or unknown (vacuous); `details` has the counts and all ``reasons``."""
        began = time.perf_counter()
        ops = operations(history)
        # Without a clock nothing tells which operations a fault met.
        clocked = clock_of(history) is history.time
        run = _Counted(history, ops, fault_windows(history) if clocked else ())
        details: dict[str, Any] = {
            "attempted": len(ops),
            "acknowledged": int(np.count_nonzero(ops.ok)),
            "clients": run.clients,
            "operations": run.by_operation,
            "nodes": run.by_node,
            "windows": run.by_window[:SHOWN_MAX],
        }
        reasons = list(self._reasons(run))
        details["reasons"] = [vars(reason) for reason in reasons[:SHOWN_MAX]]
        return verdict(
            self.name,
            began=began,
            operations=len(ops),
            unknown=_told(reasons),
            details=details,
        )

    def _reasons(self, run: _Counted) -> Iterator[Reason]:
        tried, done = len(run.ops), int(np.count_nonzero(run.ops.ok))
        if not done:
            what = f"all {tried:,} failed or were left in doubt" if tried else "none was tried"
            yield Reason(
                "operations",
                "",
                f"No operation of any client succeeded ({what}), so there is nothing to judge.",
                "Look into momus.log and nodes/ of the run for why the system did not answer.",
            )
            return
        if run.clients < self.clients:
            yield Reason(
                "clients",
                "",
                f"Successes are those of {_so_many(run.clients, 'client')} at a time, where "
                f"{self.clients} are the least: next to nothing was concurrent.",
                "Run with more clients (--concurrency), and see why the others did not succeed.",
            )
        yield from self._operations(run)
        yield from self._nodes(run)
        yield from self._windows(run)

    def _operations(self, run: _Counted) -> Iterator[Reason]:
        for f, counts in run.by_operation.items():
            least = self._least(self.operation, counts["attempted"])
            if counts["ok"] < least:
                yield Reason(
                    "operation",
                    f,
                    f"Of {counts['attempted']:,} operations {f!r} {counts['ok']:,} succeeded, "
                    f"where {least:,} are the least.",
                    f"See the errors of {f!r} for why it does not succeed, or run longer.",
                )

    def _nodes(self, run: _Counted) -> Iterator[Reason]:
        found: list[Reason] = []
        for position, (node, counts) in enumerate(run.by_node.items()):
            least = self._least(self.node, counts["attempted"])
            if counts["ok"] < least:
                found.append(
                    Reason(
                        "node",
                        node,
                        f"Of {counts['attempted']:,} operations on node {node} {counts['ok']:,} "
                        f"succeeded, where {least:,} are the least: it hardly took part.",
                        f"Look into nodes/{node} of the run for why it did not answer.",
                    )
                )
                continue
            tries, since, until = run.wedged(position)
            waited_s = (until - since) / 1e9 if has_clock(run.history) else math.inf
            if self.node and 0 < self.wedged_tries <= tries and waited_s >= self.wedged_s > 0:
                found.append(
                    Reason(
                        "node",
                        node,
                        f"Node {node} is wedged: nothing succeeded there after "
                        f"{_moment(run.history, since)}, though {tries:,} operations were tried "
                        f"while no fault was in force, until {_moment(run.history, until)}.",
                        f"Look into nodes/{node} of the run for why it did not recover.",
                    )
                )
        if len(found) > self.spare:
            yield from found

    def _windows(self, run: _Counted) -> Iterator[Reason]:
        if not self.window:
            return
        for fault in dict.fromkeys(window["fault"] for window in run.by_window):
            windows = [window for window in run.by_window if window["fault"] == fault]
            times = "once" if len(windows) == 1 else f"{len(windows):,} times"
            if not any(window["attempted"] for window in windows):
                yield Reason(
                    "window",
                    fault,
                    f"The fault {fault} struck {times}, but never while a client was at work.",
                    "Let the load go on while faults are in force, at a higher rate.",
                )
            elif max(window["ok"] for window in windows) < self.window:
                yield Reason(
                    "window",
                    fault,
                    f"The fault {fault} struck {times}, and in no window of it more than "
                    f"{max(window['ok'] for window in windows):,} operations succeeded, where "
                    f"{self.window:,} are the least.",
                    "Let faults last longer or the load be higher, or strike fewer nodes.",
                )

    def _least(self, least: int, attempted: int) -> int:
        return max(least, math.ceil(attempted * self.share)) if least else 0


class _Counted:
    """The operations of a run, counted; nodes and operations in the order of their codes."""

    def __init__(self, history: History, ops: Operations, windows: tuple[FaultWindow, ...]) -> None:
        self.history, self.ops = history, ops
        clock = clock_of(history)
        last = int(clock[-1]) if len(clock) else 0
        answered = np.where(ops.completed >= 0, clock[ops.completed], last) if len(ops) else clock
        self.answered: Times = answered
        self.clients = _alive_together(history, ops)
        self.by_operation = _tally(ops, history.f[ops.invoked], history.f_names)
        self._node = np.where(
            history.node[ops.invoked] >= 0,
            history.node[ops.invoked],
            np.where(ops.completed >= 0, history.node[ops.completed], -1),
        )
        self.by_node = _tally(ops, self._node, history.node_names)
        self._names = {name: code for code, name in enumerate(history.node_names)}
        self._calm = _outside(ops.begin, windows, last)
        self.by_window = list(self._under(windows, last))

    def wedged(self, position: int) -> tuple[int, int, int]:
        """Calm tries on a node after its last success, since that success, and until when."""
        code = self._names[list(self.by_node)[position]]
        here = self._node == code
        succeeded = self.answered[here & self.ops.ok]
        since = int(succeeded.max()) if len(succeeded) else 0
        after = here & self._calm & (self.ops.begin > since)
        if not after.any():
            return 0, since, since
        begun = int(self.ops.begin[after].min())
        return int(np.count_nonzero(after)), begun, int(self.answered[after].max())

    def _under(self, windows: tuple[FaultWindow, ...], last: int) -> Iterator[dict[str, Any]]:
        begins = self.ops.begin  # in the order of invocations, so sorted
        # Answers come nearly in order, for which the stable sort is the quick one.
        # One that never ended met no fault that began later: nobody waited for it any more.
        known = self.ops.completed >= 0
        ended = np.where(known, self.answered, begins) if len(begins) else begins
        ends = np.sort(ended, kind="stable")
        done = np.sort(self.answered[self.ops.ok], kind="stable")
        starts = np.array([window.start for window in windows], dtype=np.int64)
        for window in windows:
            stop = last if window.stop is None else window.stop
            following = int(np.searchsorted(starts, window.start, side="right"))
            next_start = int(starts[following]) if following < len(starts) else last
            until = max(stop, next_start)
            begun = int(np.searchsorted(begins, stop, side="right"))
            over = int(np.searchsorted(ends, window.start, side="left"))
            yield {
                "fault": window.name,
                "start": window.start,
                "stop": window.stop,
                "attempted": max(0, begun - over),
                "ok": int(
                    np.searchsorted(done, until, side="right")
                    - np.searchsorted(done, window.start, side="left")
                ),
            }


def _tally(ops: Operations, codes: Any, names: list[str]) -> dict[str, dict[str, int]]:
    """How many operations of each code there are, by how they ended."""
    known = codes >= 0
    size = len(names)
    counts = {
        "attempted": np.bincount(codes[known], minlength=size),
        "ok": np.bincount(codes[known & (ops.outcome == OK)], minlength=size),
        "fail": np.bincount(codes[known & (ops.outcome == FAIL)], minlength=size),
        "info": np.bincount(codes[known & ops.doubtful], minlength=size),
    }
    return {
        name: {outcome: int(column[code]) for outcome, column in counts.items()}
        for code, name in enumerate(names)
        if counts["attempted"][code]
    }


def _alive_together(history: History, ops: Operations) -> int:
    """How many processes were at work at the same time, from their first success to their last."""
    if not len(ops):
        return 0
    which: npt.NDArray[np.int64] = history.process[ops.invoked].astype(np.int64)
    size = int(which.max()) + 1
    if size > _SPREAD_MAX * len(which) + 1_000:
        numbers, which = np.unique(which, return_inverse=True)
        size = len(numbers)
    which = which[ops.ok]
    first = np.full(size, len(history), dtype=np.int64)
    last = np.full(size, -1, dtype=np.int64)
    # Operations are in the order of their invocations, and those of a process follow each
    # other: the last assignment wins.
    first[which[::-1]] = ops.invoked[ops.ok][::-1]
    last[which] = ops.told[ops.ok]
    good = last >= 0
    first, last = np.sort(first[good]), np.sort(last[good])
    if not len(first):
        return 0
    alive = np.arange(1, len(first) + 1) - np.searchsorted(last, first, side="left")
    return int(alive.max())


def _outside(begin: Times, windows: tuple[FaultWindow, ...], last: int) -> Mask:
    """Which moments lie outside all windows, counted from when the nemesis set about them."""
    calm = np.ones(len(begin), dtype=bool)
    for window in windows:
        start = window.start if window.ordered is None else window.ordered
        stop = last if window.stop is None else window.stop
        low = np.searchsorted(begin, start, side="left")
        high = np.searchsorted(begin, stop, side="right")
        calm[low:high] = False
    return calm


def _told(reasons: list[Reason]) -> Unknown | None:
    if not reasons:
        return None
    told = " ".join(reason.sentence for reason in reasons[:_REASONS_TOLD_MAX])
    more = len(reasons) - _REASONS_TOLD_MAX
    return vacuous(f"{told} And {more} more." if more > 0 else told, reasons[0].remedy)


def _so_many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _moment(history: History, at: int) -> str:
    return f"{at / 1e9:,.1f} s" if has_clock(history) else f"event {at}"

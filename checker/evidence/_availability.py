"""How available was it: what share of operations succeeded, how fast, and how soon again?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from checker._verdict import Counterexample, Verdict
from checker.evidence._checker import (
    SHOWN_MAX,
    Operations,
    Times,
    clock_of,
    counterexample,
    has_clock,
    operations,
    quantiles_ms,
    vacuous,
    verdict,
)
from histories import FAIL, FaultWindow, History, fault_windows

_P99: Final = "0.99"


@dataclass(frozen=True)
class Availability:
    """The share of operations that ended in ``ok``, and how it fared under faults.

    Without bounds it only measures and is never invalid.  With them it is invalid where less
    than `fraction` of all operations succeeded, less than `fraction_on_node` on some node, less
    than `fraction_during` in the window of some fault; where after a healing some node took
    longer than `recovery_s` until an operation invoked since then succeeded there; or where the
    99th percentile of latency outside faults was above `latency_ms`.

    What ended in ``fail`` or ``info``, or never, counts as not available, whatever the reason.
    """

    fraction: float | None = None
    fraction_on_node: float | None = None
    fraction_during: float | None = None
    recovery_s: float | None = None
    latency_ms: float | None = None

    @property
    def name(self) -> str:
        return "availability"

    def check(self, history: History) -> Verdict:
        """`details` has shares of the whole, of `nodes`, of `operations`, and the `windows`.

        A window tells ``before``, ``during`` and ``after`` (each as long as the fault, if
        nothing else was in force): ``attempted``, ``ok``, ``fraction``, ``per_second`` and
        ``latencies_ms`` of what was invoked then; ``nodes``, the shares during it; and
        ``recovery_s`` of each node (None: it did not recover before the next fault).
        """
        began = time.perf_counter()
        run = _Run(history)
        everything = run.share(np.arange(len(run.ops)))
        windows = list(run.windows())
        calm = run.calm()
        details: dict[str, Any] = {
            **everything,
            "latencies_ms": run.latencies(calm),
            "operations": run.by(history.f[run.ops.invoked], history.f_names),
            "nodes": run.by(run.node, history.node_names),
            "window_count": len(windows),
            "windows": windows[:SHOWN_MAX],
        }
        breaks = list(self._breaks(run, details, windows))
        nothing = None
        if not len(run.ops):
            nothing = vacuous(
                "Clients tried nothing, so nothing was available or not.",
                "See why the run has no operations of clients.",
            )
        elif self.recovery_s is not None and not any(each["recovery_s"] for each in windows):
            nothing = vacuous(
                "No fault was healed while clients went on, so nothing shows how soon it recovers.",
                "Let the load go on after faults are healed.",
            )
        return verdict(
            self.name,
            began=began,
            operations=len(run.ops),
            counterexamples=breaks,
            unknown=nothing,
            details=details,
        )

    def _breaks(
        self, run: _Run, details: dict[str, Any], windows: list[dict[str, Any]]
    ) -> Iterator[Counterexample]:
        if self.fraction is not None and len(run.ops) and details["fraction"] < self.fraction:
            yield run.shown(f"{_of(details)} succeeded, where {self.fraction:.3%} are the least.")
        if self.fraction_on_node is not None:
            for node, share in details["nodes"].items():
                if share["fraction"] < self.fraction_on_node:
                    yield run.shown(
                        f"{_of(share)} on node {node} succeeded, where "
                        f"{self.fraction_on_node:.3%} are the least.",
                        node=node,
                    )
        tail = details["latencies_ms"].get(_P99)
        if self.latency_ms is not None and tail is not None and tail > self.latency_ms:
            yield run.shown(
                f"One operation in a hundred took longer than {tail:,.1f} ms without any fault, "
                f"where {self.latency_ms:g} ms are the most."
            )
        for number, window in enumerate(windows):
            what = f"the {window['fault']} of {window['start'] / 1e9:,.3f} s"
            during = window["during"]
            if (
                self.fraction_during is not None
                and during["attempted"]
                and during["fraction"] < self.fraction_during
            ):
                yield run.shown(
                    f"{_of(during)} during {what} succeeded, where "
                    f"{self.fraction_during:.3%} are the least.",
                    window=number,
                )
            if self.recovery_s is None:
                continue
            for node, took in window["recovery_s"].items():
                waited = window["waited_s"][node]
                if took is not None and took > self.recovery_s:
                    yield run.shown(
                        f"After {what} was healed, node {node} took {took:,.3f} s to recover, "
                        f"where {self.recovery_s:g} s are the most.",
                        window=number,
                    )
                elif took is None and waited > self.recovery_s:
                    yield run.shown(
                        f"After {what} was healed, nothing succeeded on node {node} for "
                        f"{waited:,.3f} s, where it may take {self.recovery_s:g} s.",
                        window=number,
                    )


class _Run:
    """Operations, their nodes and when they were answered, and the windows of faults."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.ops: Operations = operations(history)
        clock = clock_of(history)
        self.first, self.last = (int(clock[0]), int(clock[-1])) if len(clock) else (0, 0)
        done = self.ops.completed
        self.answered: Times = (
            np.where(done >= 0, clock[done], self.last) if len(self.ops) else self.ops.begin
        )
        invoked = history.node[self.ops.invoked]
        self.node = (
            np.where(invoked >= 0, invoked, np.where(done >= 0, history.node[done], -1))
            if len(self.ops)
            else invoked
        )
        # Without a clock nothing tells which operations a fault met.
        self.faults = fault_windows(history) if clock is history.time else ()
        self.timed = has_clock(history)

    def share(self, rows: Any) -> dict[str, Any]:
        """How many of these operations succeeded."""
        outcome = self.ops.outcome[rows]
        ok = int(np.count_nonzero(self.ops.ok[rows]))
        return {
            "attempted": len(outcome),
            "ok": ok,
            "fail": int(np.count_nonzero(outcome == FAIL)),
            "info": int(np.count_nonzero(self.ops.doubtful[rows])),
            "fraction": round(ok / len(outcome), 6) if len(outcome) else None,
        }

    def by(self, codes: Any, names: list[str]) -> dict[str, dict[str, Any]]:
        """The shares of the operations of each code."""
        return {names[code]: self.share(codes == code) for code in np.unique(codes[codes >= 0])}

    def latencies(self, rows: Any) -> dict[str, float]:
        """Quantiles of how long those took that succeeded, in ms; empty without a clock."""
        if not self.timed:
            return {}
        good = self.ops.ok[rows]
        return quantiles_ms((self.answered[rows] - self.ops.begin[rows])[good])

    def calm(self) -> Any:
        """Which operations began while no fault was in force."""
        calm = np.ones(len(self.ops), dtype=bool)
        for fault in self.faults:
            calm[self._rows(_ordered(fault), self._end(fault))] = False
        return calm

    def windows(self) -> Iterator[dict[str, Any]]:
        """What became of the load around each fault."""
        for number, fault in enumerate(self.faults):
            stop = self._end(fault)
            length = stop - fault.start
            others = [each for place, each in enumerate(self.faults) if place != number]
            following = [_ordered(each) for each in others if _ordered(each) >= fault.start]
            until = min([self.last, *following])
            earlier = [self._end(each) for each in others if each.start <= fault.start]
            since = max([self.first, *earlier])
            found: dict[str, Any] = {
                "fault": fault.name,
                "start": fault.start,
                "stop": fault.stop,
                "before": self._part(max(since, _ordered(fault) - length), _ordered(fault)),
                "during": self._part(fault.start, stop),
                "after": self._part(stop, min(until, stop + length)),
            }
            inside = self._rows(fault.start, stop)
            found["nodes"] = {
                name: self.share(np.arange(inside.start, inside.stop)[here])
                for name, here in self._of_nodes(inside)
            }
            healed = self._rows(stop + 1, until) if fault.stop is not None else slice(0, 0)
            found["recovery_s"], found["waited_s"] = {}, {}
            for name, here in self._of_nodes(healed):
                answered, ok = self.answered[healed][here], self.ops.ok[healed][here]
                soonest = int(answered[ok].min()) if ok.any() else None
                found["recovery_s"][name] = None if soonest is None else (soonest - stop) / 1e9
                found["waited_s"][name] = (int(answered.max()) - stop) / 1e9
            yield found

    def shown(
        self, sentence: str, *, node: str | None = None, window: int | None = None
    ) -> Counterexample:
        """A counterexample with the first operations that did not succeed there."""
        rows = ~self.ops.ok
        if node is not None:
            rows = rows & (self.node == self.history.node_names.index(node))
        positions = []
        if window is not None:
            fault = self.faults[window]
            rows = rows & (self.ops.begin >= fault.start)
            positions.append(fault.position)
        failed = self.ops.where(rows)
        for invoked, told in zip(failed.invoked[:4], failed.told[:4], strict=True):
            positions += [int(invoked), int(told)]
        return counterexample(self.history, sentence, positions)

    def _part(self, start: int, stop: int) -> dict[str, Any]:
        rows = self._rows(start, stop)
        found = self.share(rows)
        seconds = (stop - start) / 1e9
        found["per_second"] = round(found["ok"] / seconds, 3) if seconds > 0 else None
        found["latencies_ms"] = self.latencies(rows)
        return found

    def _rows(self, start: int, stop: int) -> slice:
        """The operations that began from `start` to `stop`; they are in that order."""
        low = int(np.searchsorted(self.ops.begin, start, side="left"))
        return slice(low, max(low, int(np.searchsorted(self.ops.begin, stop, side="right"))))

    def _of_nodes(self, rows: slice) -> Iterator[tuple[str, Any]]:
        nodes = self.node[rows]
        for code in np.unique(nodes[nodes >= 0]):
            yield self.history.node_names[code], nodes == code

    def _end(self, fault: FaultWindow) -> int:
        return self.last if fault.stop is None else fault.stop


def _ordered(fault: FaultWindow) -> int:
    return fault.start if fault.ordered is None else fault.ordered


def _of(share: dict[str, Any]) -> str:
    return f"{share['fraction']:.3%} ({share['ok']:,} of {share['attempted']:,}) of the operations"

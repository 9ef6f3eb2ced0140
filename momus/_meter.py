"""How a run is doing, counted from the events as they are recorded.

The meter is fed every event (tens of thousands a second when the client does nothing),
so `saw` only counts; figures are worked out when somebody looks.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from histories import NEMESIS, Event, Process

RECENT_COMPLETIONS_MAX = 2_000
RECENT_S = 5.0
START, STOP = "start-", "stop-"


@dataclass
class Meter:
    """Invariant: `done` counts completions of clients, by type; `open` their invocations."""

    time_limit_s: float
    done: Counter[str] = field(default_factory=Counter)
    open: dict[Process, int] = field(default_factory=dict)
    recent: deque[tuple[int, int]] = field(
        default_factory=lambda: deque(maxlen=RECENT_COMPLETIONS_MAX)
    )
    faults: dict[str, str] = field(default_factory=dict)
    last: int = 0

    def saw(self, event: Event) -> None:
        """Count one recorded event."""
        self.last = event.time
        if event.process == NEMESIS:
            self._saw_fault(event)
        elif isinstance(event.process, str):
            return
        elif event.type == "invoke":
            self.open[event.process] = event.time
        else:
            began = self.open.pop(event.process, event.time)
            self.done[event.type] += 1
            self.recent.append((event.time, event.time - began))

    def _saw_fault(self, event: Event) -> None:
        if event.type == "invoke":
            return
        if event.f.startswith(START):
            self.faults[event.f.removeprefix(START)] = _targets(event)
        elif event.f.startswith(STOP):
            self.faults.pop(event.f.removeprefix(STOP), None)

    def figures(self, now_s: float) -> Figures:
        """The figures at `now_s` seconds since the run began."""
        since = (now_s - RECENT_S) * 1e9
        window = [latency for time, latency in self.recent if time >= since]
        window.sort()
        span_s = min(RECENT_S, max(now_s, 1e-9))
        if len(self.recent) == self.recent.maxlen and self.recent[0][0] >= since:
            span_s = max((self.recent[-1][0] - self.recent[0][0]) / 1e9, 1e-9)
        return Figures(
            now_s=now_s,
            left_s=max(0.0, self.time_limit_s - now_s),
            ok=self.done["ok"],
            fail=self.done["fail"],
            info=self.done["info"],
            open=len(self.open),
            rate_hz=len(window) / span_s,
            median_ms=window[len(window) // 2] / 1e6 if window else None,
            p99_ms=window[min(len(window) - 1, len(window) * 99 // 100)] / 1e6 if window else None,
            faults=", ".join(f"{name} {on}".strip() for name, on in sorted(self.faults.items())),
        )


@dataclass(frozen=True)
class Figures:
    """What to show: counts so far, rate and latency of the last seconds, faults in force."""

    now_s: float
    left_s: float
    ok: int
    fail: int
    info: int
    open: int
    rate_hz: float
    median_ms: float | None
    p99_ms: float | None
    faults: str

    def line(self) -> str:
        """The figures in one line of text."""
        latency = (
            f"{self.median_ms:.1f} ms median, {self.p99_ms:.0f} ms p99"
            if self.median_ms is not None and self.p99_ms is not None
            else "no completions"
        )
        return (
            f"{self.now_s:5.1f} s  {self.ok:,} ok, {self.fail:,} fail, {self.info:,} info, "
            f"{self.rate_hz:,.0f}/s, {latency}; fault: {self.faults or 'none'}; "
            f"{self.left_s:.0f} s left"
        )


def _targets(event: Event) -> str:
    targets = event.value.get("targets") if isinstance(event.value, dict) else None
    if isinstance(targets, list) and all(isinstance(target, str) for target in targets):
        return " ".join(targets)
    return ""

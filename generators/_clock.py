"""The one source of time of a run, and the one way to be woken.

The runner knows time only through a `Clock`, so a simulated world can give it another one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol


class Handle(Protocol):
    """Something scheduled that can be called off."""

    def cancel(self) -> Any:
        """Call it off."""
        ...


class Clock(Protocol):
    """What time it is, in ns from an arbitrary beginning and never backwards; and an alarm."""

    def now(self) -> int:
        """The time in ns."""
        ...

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Handle:
        """Call `callback` in `delay_s` seconds."""
        ...


class MonotonicClock:
    """The monotonic clock of this machine, with the alarm of the running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = time.monotonic_ns

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Handle:
        """See `Clock`."""
        return self._loop.call_later(delay_s, callback)


class LoopClock:
    """The clock of the running event loop, for loops whose time is not that of the machine."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> int:
        """See `Clock`."""
        return round(self._loop.time() * 1_000_000_000)

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Handle:
        """See `Clock`."""
        return self._loop.call_later(delay_s, callback)


class Alarm:
    """Calls back once, at the earliest of the times it was asked for; ringing early is fine.

    Whoever is called back looks what there is to do and asks again.  So asking costs
    nothing while an earlier alarm is set, and there is never more than one timer.
    """

    def __init__(self, clock: Clock, callback: Callable[[], object]) -> None:
        self._clock = clock
        self._callback = callback
        self._handle: Handle | None = None
        self._time_ns = 0

    def by(self, time_ns: int, delay_ns: int) -> None:
        """Ring at `time_ns` at the latest, which is `delay_ns` from now."""
        if self._handle is not None:
            if self._time_ns <= time_ns:
                return
            self._handle.cancel()
        self._time_ns = time_ns
        self._handle = self._clock.call_later(max(0, delay_ns) / 1e9, self._ring)

    def cancel(self) -> None:
        """Do not ring."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        self._callback()

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

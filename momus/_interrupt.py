"""Ctrl-C, once and twice.

The first signal (SIGINT, SIGTERM or SIGHUP) asks the load to end: faults are healed, the
history is kept and judged.  The second cancels what is going on right now; healing still
follows.  From the third on, each cancels one more step, and ``momus heal`` mends what was
left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Interrupts:
    """Counts the signals; the first sets `stop`, later ones cancel whoever asked for it."""

    say: Callable[[str], None]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    count: int = 0
    _task: asyncio.Task[Any] | None = None
    _at: int = 0

    @contextlib.contextmanager
    def cancelling(self, task: asyncio.Task[Any], at: int) -> Iterator[None]:
        """While the body runs, the signal number `at` and all after it cancel `task`."""
        self._task, self._at = task, at
        try:
            yield
        finally:
            self._task = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take over the signals while the body runs."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._signalled, number)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _signalled(self, number: int) -> None:
        self.count += 1
        name = signal.Signals(number).name
        if self.count == 1:
            self.say(f"{name}: ending the run; then heal, keep the history and judge it")
        else:
            self.say(f"{name} again: cancelling what is going on; faults are still healed")
        self.stop.set()
        if self._task is not None and self.count >= self._at:
            self._task.cancel()

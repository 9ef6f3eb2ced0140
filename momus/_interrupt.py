"""Ctrl-C, once and twice.

In a run the first signal (SIGINT, SIGTERM or SIGHUP) asks the load to end: faults are healed,
the history is kept and judged.  The second cancels what is going on right now; healing still
follows.  From the third on, each cancels one more step, and ``momus heal`` mends what was
left behind.

What needs no healing is ended by the first: `taken_over` and `Ending`.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


def _heeded() -> list[signal.Signals]:
    """The signals to take over: SIGHUP not where it is ignored, which is what `nohup` is for."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if ignored else [signal.SIGHUP])]


@contextlib.contextmanager
def taken_over(
    by: Callable[[int, FrameType | None], object] = signal.default_int_handler,
) -> Iterator[None]:
    """Have the signals handled while the body runs; unless said how, by a KeyboardInterrupt.

    Also SIGINT where we were started without it, as a shell's scripts start what they leave in
    the background.
    """
    before = {number: signal.signal(number, by) for number in _heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Ending:
    """A signal ends the items of a source between two of them, so that none is half done.

    Until the first is waited for there is nothing to be done by halves, so it ends everything.
    """

    def __init__(self) -> None:
        self.asked = False
        self._waiting = True

    def signalled(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Whoever waits for an item does so no more."""
        self.asked = True
        if self._waiting:
            self._waiting = False  # once: what ends now is to end well
            raise KeyboardInterrupt

    def until(self, source: Iterator[T]) -> Iterator[T]:
        """The items, until somebody asks for the end."""
        with contextlib.suppress(KeyboardInterrupt):
            while not self.asked:
                self._waiting = True
                try:
                    item = next(source)
                except StopIteration:
                    return
                finally:
                    self._waiting = False
                yield item


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
        heeded = _heeded()
        for number in heeded:
            loop.add_signal_handler(number, self._signalled, number)
        try:
            yield
        finally:
            for number in heeded:
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

"""Runs in virtual time: an event loop whose clock leaps to the next thing to do.

So a test may wait for minutes, is over at once, and comes out the same every time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from histories import Event

T = TypeVar("T")


class _LeapingSelector(selectors.SelectSelector):
    """Instead of waiting for a while, lets that while have passed."""

    leap: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for ever: nothing is scheduled"
            self.leap(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits."""

    def __init__(self) -> None:
        self._virtual_s = 0.0
        selector = _LeapingSelector()
        selector.leap = self._leap
        super().__init__(selector)

    def time(self) -> float:
        return self._virtual_s

    def _leap(self, seconds: float) -> None:
        self._virtual_s += seconds


@pytest.fixture
def virtually() -> Iterator[Callable[[Coroutine[Any, Any, T]], T]]:
    """Run a coroutine in virtual time."""
    loop = VirtualLoop()
    yield loop.run_until_complete
    loop.close()


class Memory:
    """A recorder that refuses what a history must not contain."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._open: set[int | str] = set()
        self._retired: set[int | str] = set()

    def record(
        self,
        time: int,
        process: int | str,
        type: Any,
        f: str,
        key: Any = None,
        value: Any = None,
        error: Any = None,
        node: str | None = None,
    ) -> Event:
        assert not self.events or time > self.events[-1].time, "time must go forwards"
        assert process not in self._retired, f"{process} was retired"
        if type == "invoke":
            assert process not in self._open, f"{process} is at work already"
            self._open.add(process)
        else:
            self._open.remove(process)
            if type == "info" and isinstance(process, int):
                self._retired.add(process)
        event = Event(len(self.events), time, process, type, f, key, value, error, node)
        self.events.append(event)
        return event


@pytest.fixture
def memory() -> Memory:
    """A strict recorder in memory."""
    return Memory()

"""A recorder that is stricter than the real one, and a test played into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import generators as gen
from generators import LoopClock, Outcome, play
from histories import OBSERVER, Event
from tests.generators.fakes import run_of


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
        elif process != OBSERVER:
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


@pytest.fixture
def run(virtually: Any, memory: Any) -> Callable[..., tuple[list[Event], Outcome]]:
    """Play a test in virtual time; its history and its outcome."""

    def run(client: Any, generator: gen.Liftable, **options: Any) -> tuple[list[Event], Outcome]:
        async def main() -> Outcome:
            test = run_of(client, generator, **options)
            return await play(test, memory, clock=LoopClock())

        return memory.events, virtually(main())

    return run

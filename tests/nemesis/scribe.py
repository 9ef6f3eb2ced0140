"""Writes histories in which a nemesis plays, and has them judged."""

from __future__ import annotations

import itertools
from typing import Any, Final

import momus
from histories import NEMESIS, Event, History, Op
from nemesis import Nemesis

RUN: Final = {"workload": "register", "minimums": {"clients": 1, "window": 0}}
"""One client that rests while faults are in force: its runs are not about that."""


class Scribe:
    """Writes down a history: what one client did, and what the nemesis was told and said."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._clock = itertools.count()

    def write(self, process: Any, type: Any, f: str, value: Any, error: Any = None) -> None:
        at = next(self._clock)
        self.events.append(Event(at, at * 10**9, process, type, f, None, value, error, None))

    def client(self, f: str, value: Any) -> None:
        self.write(0, "invoke", f, None if f == "read" else value)
        self.write(0, "ok", f, value)

    async def order(self, nemesis: Nemesis, f: str, value: Any = None) -> Op:
        self.write(NEMESIS, "invoke", f, value)
        done = await nemesis.invoke(Op(f, value))
        self.write(NEMESIS, done.type, f, done.value, done.error)
        return done

    def verdict(self, meta: Any = RUN) -> Any:
        history = History.from_events(self.events, {**meta, "model": "register"})
        return momus.check(history, "register")

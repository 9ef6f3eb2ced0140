"""A stand-in for `histories.History`: just the columns that reports read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

from histories import Event, Json

_TYPES = ("invoke", "ok", "fail", "info")


class Columns:
    """Events in columns, as the contract of `histories.History` has them."""

    def __init__(self, events: Iterable[Event], meta: dict[str, Json] | None = None) -> None:
        self.events = list(events)
        self.meta = meta or {}
        self.source = None
        self.f_names: list[str] = []
        self.node_names: list[str] = []
        self.process_names: list[str] = []
        self.keys: list[bytes] = []
        self.time = np.array([e.time for e in self.events], dtype=np.int64)
        self.type = np.array([_TYPES.index(e.type) for e in self.events], dtype=np.uint8)
        self.process = np.array(
            [
                e.process
                if isinstance(e.process, int)
                else -1 - self._code(self.process_names, e.process)
                for e in self.events
            ],
            dtype=np.int32,
        )
        self.f = np.array([self._code(self.f_names, e.f) for e in self.events], dtype=np.int32)
        self.key = np.array(
            [
                -1 if e.key is None else self._code(self.keys, json.dumps(e.key).encode())
                for e in self.events
            ],
            dtype=np.int32,
        )
        self.node = np.array(
            [-1 if e.node is None else self._code(self.node_names, e.node) for e in self.events],
            dtype=np.int32,
        )
        self.pairs = np.full(len(self.events), -1, dtype=np.int64)
        open_: dict[Any, int] = {}
        for position, event in enumerate(self.events):
            if event.type == "invoke":
                open_[event.process] = position
            elif event.process in open_:
                begin = open_.pop(event.process)
                self.pairs[position], self.pairs[begin] = begin, position

    @staticmethod
    def _code(table: list[Any], item: Any) -> int:
        if item not in table:
            table.append(item)
        return table.index(item)

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __getitem__(self, position: int) -> Event:
        return self.events[position]


@pytest.fixture
def history() -> Callable[..., Any]:
    """Make a history from rows ``(time, process, type, f, value[, key])``."""

    def make(*rows: tuple[Any, ...], **meta: Json) -> Any:
        events = [
            Event(index, time, process, kind, f, rest[1] if len(rest) > 1 else None, rest[0])
            for index, (time, process, kind, f, *rest) in enumerate(rows)
        ]
        return Columns(events, meta)

    return make


class Simulated(Columns):
    """Half a million operations in columns; events are made when somebody asks."""

    def __init__(self, operations: int) -> None:
        super().__init__([])
        source = np.random.default_rng(5)
        clients = 50
        events = 2 * operations
        self.f_names = ["read", "write", "cas"]
        self.time = np.sort(source.integers(0, 10**11, events))
        # Rounds: every client invokes, then every client completes.
        place = np.arange(events)
        self.type = np.where(place % (2 * clients) < clients, 0, 1).astype(np.uint8)
        crashed = (self.type == 1) & (source.random(events) < 0.01)
        self.type[crashed] = 3
        self.process = (place % clients).astype(np.int32)
        self.f = source.integers(0, 3, events).astype(np.int32)
        self.key = np.full(events, -1, dtype=np.int32)
        self.node = self.key
        self.pairs = np.where(self.type == 0, place + clients, place - clients)
        self.size = events

    def __len__(self) -> int:
        return self.size if hasattr(self, "size") else 0

    def __getitem__(self, position: int) -> Event:
        return Event(
            position,
            int(self.time[position]),
            int(self.process[position]),
            _TYPES[int(self.type[position])],  # type: ignore[arg-type]
            self.f_names[int(self.f[position])],
            None,
            position % 5,
        )


@pytest.fixture(scope="session")
def million() -> Any:
    """A history of a million events."""
    return Simulated(500_000)

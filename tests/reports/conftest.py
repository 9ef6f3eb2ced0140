"""Histories to report on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from histories import FAIL, INFO, INVOKE, OK, TYPES, Event, History, Json

MakeHistory = Callable[..., History]


@pytest.fixture
def history() -> MakeHistory:
    """Make a history from rows ``(time, process, type, f, value[, key])``."""

    def make(*rows: tuple[Any, ...], **meta: Json) -> History:
        return History.from_events(
            (
                Event(index, time, process, kind, f, rest[1] if len(rest) > 1 else None, rest[0])
                for index, (time, process, kind, f, *rest) in enumerate(rows)
            ),
            meta,
        )

    return make


@pytest.fixture(scope="session")
def million() -> History:
    """A million events of 50 clients, who invoke together and complete together."""
    clients, events = 50, 1_000_000
    source = np.random.default_rng(5)
    sample = History.from_events(
        Event(number * 2 + half, number * 2 + half, 0, TYPES[half], f, None, number)
        for number, f in enumerate(("read", "write", "cas"))
        for half in (INVOKE, OK)
    )
    place = np.arange(events)
    invokes = place % (2 * clients) < clients
    ending = source.choice([OK, FAIL, INFO], events, p=[0.97, 0.02, 0.01])
    return replace(
        sample,
        index=place,
        time=np.sort(source.integers(0, 10**11, events)),
        process=(place % clients).astype(np.int32),
        type=np.where(invokes, INVOKE, ending).astype(np.uint8),
        f=(place // (2 * clients) % 3).astype(np.int32),
        key=np.full(events, -1, dtype=np.int32),
        value=source.integers(0, 3, events).astype(np.int32),
        error=np.full(events, -1, dtype=np.int32),
        node=np.full(events, -1, dtype=np.int32),
        pairs=np.where(invokes, place + clients, place - clients),
        lines=None,
    )

"""Clients and a nemesis without any system behind them, and tests that play with them."""

from __future__ import annotations

import asyncio
from typing import Any

import generators as gen
from generators import Test
from histories import Event, Op

READS = gen.repeat(Op("read"))


class Fake:
    """A client that answers at once; subclasses make trouble."""

    definite: tuple[type[BaseException], ...] = (LookupError,)

    def __init__(self) -> None:
        self.log: list[str] = []  # shared by all that are opened from this one
        self.node = "nowhere"

    async def open(self, node: str) -> Fake:
        opened = type(self)()
        opened.__dict__ = {**self.__dict__, "node": node}
        self.log.append(f"open {node}")
        return opened

    async def setup(self) -> None:
        self.log.append(f"setup {self.node}")

    async def invoke(self, op: Op) -> Op:
        return op.ok(op.value)

    async def teardown(self) -> None:
        self.log.append(f"teardown {self.node}")

    async def close(self) -> None:
        self.log.append(f"close {self.node}")


class Slow(Fake):
    """Takes a second."""

    async def invoke(self, op: Op) -> Op:
        await asyncio.sleep(1)
        return op.ok(op.value)


class Nemesis:
    """Does what it is told."""

    def __init__(self) -> None:
        self.torn_down = False

    async def setup(self) -> None: ...

    async def invoke(self, op: Op) -> Op:
        await asyncio.sleep(0.5)
        if op.f == "break-me":
            raise RuntimeError("no such node")
        return op.ok({"targets": ["n1"]})

    async def teardown(self) -> None:
        self.torn_down = True


def run_of(client: Any, generator: gen.Liftable, **options: Any) -> Test:
    """A test of two clients on two nodes, unless the options say otherwise."""
    options = {"nodes": ("n1", "n2"), "concurrency": 2, **options}
    return Test(name="t", client=client, generator=generator, **options)


def seconds(event: Event) -> float:
    """When it happened, to the millisecond."""
    return round(event.time / 1e9, 3)


def brief(events: list[Event]) -> list[tuple[Any, str]]:
    """Who did what, without the rest."""
    return [(event.process, event.type) for event in events]

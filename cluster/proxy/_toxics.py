"""What can befall the bytes of a connection: the toxics.

A toxic is a value; `pipe` runs it on one stage of one connection until the stream ends
(then it has closed the stage) or the stage is interrupted (then it has passed on all it
held).  Names, attributes and effects are Toxiproxy's.  Two of its corners are rounded: a
negative attribute is refused rather than obeyed, and a slice is never empty.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from random import Random
from typing import ClassVar, Final

from cluster.proxy._stub import Chunk, Interrupted, Stub

BANDWIDTH_STEP_S: Final = 0.1
"""A slow stream is passed on in portions of this length."""
LATENCY_CHUNKS_MAX: Final = 1024
"""So much of a stream is under way at once; then the sender has to wait."""
ATTRIBUTE_MAX: Final = 2**53


class BadAttributes(Exception):
    """The attributes of a toxic make no sense; the message says which."""


@dataclass(frozen=True)
class Toxic:
    """The toxic that does nothing; the others are subclasses."""

    type: ClassVar[str] = "noop"
    chunks_max: ClassVar[int] = 1
    resets: ClassVar[bool] = False
    """Do connections made under this toxic end by a reset (RST)?"""
    closes_when_removed: ClassVar[bool] = False

    async def pipe(self, stub: Stub, random: Random) -> None:
        """Move the stream of `stub`; see the module's text."""
        del random
        while (chunk := await stub.receive()) is not None:
            await stub.send(chunk)
        stub.close()


@dataclass(frozen=True)
class Latency(Toxic):
    """Delays data by `latency` ± `jitter` (ms), counted from when they were read."""

    type = "latency"
    chunks_max = LATENCY_CHUNKS_MAX
    latency: int = 0
    jitter: int = 0

    async def pipe(self, stub: Stub, random: Random) -> None:
        loop = asyncio.get_running_loop()
        while (chunk := await stub.receive()) is not None:
            drawn_ms = random.uniform(-self.jitter, self.jitter) if self.jitter else 0.0
            wait_s = (self.latency + drawn_ms) / 1e3 - (loop.time() - chunk.time)
            try:
                await stub.pause(wait_s)
            except Interrupted:
                await stub.send(chunk)
                raise
            # Latencies in a row add up, since each counts from when the last one let go.
            await stub.send(Chunk(chunk.data, chunk.time + wait_s))
        stub.close()


@dataclass(frozen=True)
class Bandwidth(Toxic):
    """Passes on `rate` kilobytes (of 1000 bytes) a second; 0: nothing at all."""

    type = "bandwidth"
    rate: int = 0

    async def pipe(self, stub: Stub, random: Random) -> None:
        del random
        loop = asyncio.get_running_loop()
        portion = int(self.rate * 1000 * BANDWIDTH_STEP_S)
        owed_s = 0.0
        while (chunk := await stub.receive()) is not None:
            owed_s += len(chunk.data) / (self.rate * 1000) if self.rate else 0.0
            rest = chunk.data
            try:
                while len(rest) > portion:
                    await stub.pause(BANDWIDTH_STEP_S)
                    if portion:
                        await stub.send(Chunk(rest[:portion], chunk.time))
                    rest = rest[portion:]
                    owed_s -= BANDWIDTH_STEP_S if portion else 0.0
                began = loop.time()
                await stub.pause(owed_s)
                owed_s -= loop.time() - began  # what was slept too long is not slept again
            except Interrupted:
                await stub.send(Chunk(rest, chunk.time))
                raise
            await stub.send(Chunk(rest, chunk.time))
        stub.close()


@dataclass(frozen=True)
class SlowClose(Toxic):
    """Holds the end of the stream back for `delay` ms."""

    type = "slow_close"
    delay: int = 0

    async def pipe(self, stub: Stub, random: Random) -> None:
        del random
        while (chunk := await stub.receive()) is not None:
            await stub.send(chunk)
        await stub.pause(self.delay / 1e3)
        stub.close()


@dataclass(frozen=True)
class Timeout(Toxic):
    """Swallows all data, and ends the stream after `timeout` ms of silence; 0: never.

    When it is removed its connections end, since they have lost data.
    """

    type = "timeout"
    closes_when_removed = True
    timeout: int = 0

    async def pipe(self, stub: Stub, random: Random) -> None:
        del random
        try:
            while await (
                stub.receive_within(self.timeout / 1e3) if self.timeout else stub.receive()
            ):
                pass
        except TimeoutError:
            pass
        stub.close()


@dataclass(frozen=True)
class Slicer(Toxic):
    """Cuts data into slices of `average_size` ± `size_variation` bytes, `delay` µs apart."""

    type = "slicer"
    average_size: int = 0
    size_variation: int = 0
    delay: int = 0

    async def pipe(self, stub: Stub, random: Random) -> None:
        while (chunk := await stub.receive()) is not None:
            sent = 0
            for end in self._ends(len(chunk.data), random):
                await stub.send(Chunk(chunk.data[sent:end], chunk.time))
                sent = end
                try:
                    await stub.pause(self.delay / 1e6)
                except Interrupted:
                    if sent < len(chunk.data):
                        await stub.send(Chunk(chunk.data[sent:], chunk.time))
                    raise
        stub.close()

    def _ends(self, size: int, random: Random) -> list[int]:
        """Where the slices end: halve, with some variation, until the pieces are small enough."""
        ends: list[int] = []
        parts = [(0, size)]
        while parts:
            start, end = parts.pop()
            if end - start <= max(self.average_size + self.size_variation, 1):
                ends.append(end)
                continue
            vary = random.randint(-self.size_variation, self.size_variation)
            middle = min(max((start + end) // 2 + vary, start + 1), end - 1)
            parts += [(middle, end), (start, middle)]
        return ends


@dataclass(frozen=True)
class LimitData(Toxic):
    """Ends the stream after `bytes` bytes; what the connection has passed so far counts."""

    type = "limit_data"
    bytes: int = 0

    async def pipe(self, stub: Stub, random: Random) -> None:
        del random
        while (chunk := await stub.receive()) is not None:
            passed = chunk.data[: max(self.bytes - stub.state, 0)]
            if passed:
                await stub.send(Chunk(passed, chunk.time))
                stub.state += len(passed)
            if stub.state >= self.bytes:
                break
        stub.close()


@dataclass(frozen=True)
class ResetPeer(Toxic):
    """Ends the connection by a reset, `timeout` ms after the first data; delivers none.

    Connections that were there before the toxic are closed instead, as Toxiproxy does.
    """

    type = "reset_peer"
    resets = True
    timeout: int = 0

    async def pipe(self, stub: Stub, random: Random) -> None:
        del random
        await stub.receive()
        with contextlib.suppress(Interrupted):  # data is lost already: there is no way back
            await stub.pause(self.timeout / 1e3)
        stub.close()


KINDS: Final[Mapping[str, type[Toxic]]] = {
    kind.type: kind
    for kind in (Toxic, Latency, Bandwidth, SlowClose, Timeout, Slicer, LimitData, ResetPeer)
}


def with_attributes(toxic: Toxic, attributes: object) -> Toxic:
    """`toxic` with some of its attributes changed; those it does not know are ignored."""
    if attributes is None:
        return toxic
    if not isinstance(attributes, dict):
        raise BadAttributes("attributes must be an object")
    known = {each.name: getattr(toxic, each.name) for each in fields(toxic)}
    for name in known.keys() & attributes.keys():
        value = attributes[name]
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= ATTRIBUTE_MAX:
            raise BadAttributes(f"{name} must be an integer from 0 to {ATTRIBUTE_MAX}")
        known[name] = value
    return type(toxic)(**known)

"""One stage of a connection's way, and the channels between the stages.

Bytes travel as chunks that know when they were read.  A stage takes chunks from its input
channel and puts them on its output channel; in between a toxic does what it likes.  A stage
can be interrupted at any time, so that another toxic may take its place, and must then pass
on whatever it holds: a proxy whose faults come and go loses no byte by that alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass


class Interrupted(Exception):
    """The stage is to end now, with its channels left open."""


@dataclass
class Chunk:
    """Some bytes, and when they arrived, or were meant to, on the loop's clock (s)."""

    data: bytes
    time: float


class Channel:
    """A queue of chunks between two stages, of bounded length, closed by its writer.

    Invariant: once `deaf`, nobody will ever read it, and what is put there is gone; so no
    writer can be stuck behind a reader that has ended.
    """

    def __init__(self, chunks_max: int = 1) -> None:
        self._chunks: deque[Chunk] = deque()
        self._chunks_max = max(chunks_max, 1)
        self._changed = asyncio.Event()
        self.closed = False
        self.deaf = False

    def __len__(self) -> int:
        return len(self._chunks)

    @property
    def full(self) -> bool:
        """Would a writer have to wait?"""
        return len(self._chunks) >= self._chunks_max and not self.deaf

    def take(self) -> Chunk:
        """The oldest chunk; there must be one."""
        chunk = self._chunks.popleft()
        self.wake()
        return chunk

    def force(self, chunk: Chunk) -> None:
        """Put a chunk there, if need be over the bound, and never wait."""
        assert not self.closed, "a channel is written to only before it is closed"
        if not self.deaf:
            self._chunks.append(chunk)
            self.wake()

    def close(self) -> None:
        """There will be no more chunks."""
        self.closed = True
        self.wake()

    def stop_listening(self) -> None:
        """Nobody will read any more."""
        self.deaf = True
        self._chunks.clear()
        self.wake()

    def wake(self) -> None:
        """Have whoever waits for this channel look again."""
        self._changed.set()

    async def change(self) -> None:
        """Wait until something has happened to this channel since the last look.

        Only one reader and one writer ever wait here, and both look again after waking.
        """
        self._changed.clear()
        await self._changed.wait()


class Stub:
    """One stage: where it reads, where it writes, and whether it is to stop.

    `state` belongs to the toxic on this connection, and outlives interruptions.
    """

    def __init__(self, source: Channel, target: Channel) -> None:
        self.input = source
        self.output = target
        self.state = 0
        self.closed = False
        self._stop = asyncio.Event()

    async def receive(self) -> Chunk | None:
        """The next chunk, None at the end of the stream; raises `Interrupted`."""
        while True:
            if self._stop.is_set():
                raise Interrupted
            if len(self.input):
                return self.input.take()
            if self.input.closed:
                return None
            await self.input.change()

    async def receive_within(self, seconds: float) -> Chunk | None:
        """As `receive`; `TimeoutError` if nothing came in time."""
        async with asyncio.timeout(seconds):
            return await self.receive()

    async def send(self, chunk: Chunk) -> None:
        """Pass a chunk on; waits while the next stage is busy, unless interrupted."""
        while self.output.full and not self._stop.is_set():
            await self.output.change()
        self.output.force(chunk)

    async def pause(self, seconds: float) -> None:
        """Do nothing for a while; raises `Interrupted`, which ends it at once."""
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._stop.wait()
        except TimeoutError:
            return
        raise Interrupted

    def close(self) -> None:
        """End the stream here, for the next stage and for the one before."""
        if not self.closed:
            self.closed = True
            self.output.close()
            self.input.stop_listening()

    def interrupt(self) -> None:
        """Have the toxic return, wherever it waits."""
        self._stop.set()
        self.input.wake()
        self.output.wake()

    def resume(self) -> None:
        """Be ready for the next toxic."""
        self._stop.clear()

"""A link: what one name has to say to another, over one connection after the other.

Whatever is sent goes out, waits in a queue of bounded size, or is lost; sending never waits and
never fails.  When the queue is full the oldest message is lost, for the newest is the one that
still matters.  A connection that breaks takes with it what it had; a new one is made, with
longer and longer pauses while nobody answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from simulation.real._wire import Wire, framed, greeting

QUEUED_MAX: Final = 1024
QUEUED_BYTES_MAX: Final = 64 << 20
_CONNECT_TIMEOUT_S: Final = 1.0
_PAUSE_S_MIN: Final = 0.02
_PAUSE_S_MAX: Final = 0.5

Connect = Callable[[Callable[[], Wire]], Awaitable[object]]
"""Makes a connection for a protocol; raises `OSError`."""


class Link:
    """Invariant: while the connection takes data, the queue is empty."""

    def __init__(
        self, name: str, connect: Connect, on_message: Callable[[bytes], object] | None = None
    ) -> None:
        self._greeting = greeting(name)
        self._connect = connect
        self._on_message = on_message
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._wire: Wire | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._closed = False
        self.lost = 0

    def send(self, message: bytes) -> None:
        """Send it, queue it, or lose it."""
        if self._closed:
            return
        frame = framed(message)
        if self._wire is not None and not self._wire.clogged:
            self._wire.write(frame)
            return
        self._queue.append(frame)
        self._queued_bytes += len(frame)
        while len(self._queue) > QUEUED_MAX or self._queued_bytes > QUEUED_BYTES_MAX:
            self._queued_bytes -= len(self._queue.popleft())
            self.lost += 1
        self.open()

    def open(self) -> None:
        """See to it that there is a connection, before long."""
        if self._wire is None and self._connecting is None and not self._closed:
            self._connecting = asyncio.get_running_loop().create_task(self._try())

    @property
    def linked(self) -> bool:
        """Is there a connection now, as far as one can know?"""
        return self._wire is not None

    def close(self) -> None:
        """End the connection; nothing is sent any more."""
        self._closed = True
        self._queue.clear()
        if self._connecting is not None:
            self._connecting.cancel()
        if self._wire is not None:
            self._wire.cut()

    async def _try(self) -> None:
        pause_s = _PAUSE_S_MIN
        try:
            while self._wire is None:
                with contextlib.suppress(OSError):  # a time-out is one, too
                    async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                        await self._connect(self._protocol)
                if self._wire is None:
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, _PAUSE_S_MAX)
        finally:
            self._connecting = None

    def _protocol(self) -> Wire:
        return Wire(self._message, self._opened, self._ended)

    def _message(self, _wire: Wire, message: bytes) -> None:
        if self._on_message is not None:
            self._on_message(message)

    def _opened(self, wire: Wire) -> None:
        if self._closed:
            wire.cut()
            return
        self._wire = wire
        wire.on_flow = self._flow
        wire.write(self._greeting)
        self._flow()

    def _flow(self) -> None:
        while self._queue and self._wire is not None and not self._wire.clogged:
            frame = self._queue.popleft()
            self._queued_bytes -= len(frame)
            self._wire.write(frame)

    def _ended(self, wire: Wire) -> None:
        if self._wire is wire:
            self._wire = None
            if self._queue:
                self.open()

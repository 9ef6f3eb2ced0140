"""A system that does nothing, and does that quickly: for many deaths in little time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from cluster import FakedClock, Host, ProxyFront, Route, Unsupported

ROUTE: Final = Route("nothing", 2379, 12379, b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
_COMMAND: Final = ("sh", "-c", "sleep 1000 & sleep 1000; :")


class Sleepers:
    """Processes that do nothing, each with a child that does nothing either.

    Where libfaketime is to be had they have clocks of their own.  With `fronted`, a proxy is
    in front of each, and nobody behind it.
    """

    name = "sleepers"

    def __init__(self, *, fronted: bool = False) -> None:
        self.front = ProxyFront(seed=1) if fronted else None
        self.clock: FakedClock | None = FakedClock()

    async def setup(self, hosts: Sequence[Host]) -> None:
        try:
            assert self.clock is not None
            await asyncio.gather(*map(self.clock.library, hosts))
        except Unsupported:
            self.clock = None
        await asyncio.gather(*map(self.start, hosts))
        if self.front is not None:
            await asyncio.gather(*(self.front.start(host, [ROUTE]) for host in hosts))

    async def teardown(self) -> None: ...

    async def ready(self, timeout_s: float = 0.0) -> None: ...

    async def start(self, host: Host) -> None:
        if await host.alive(self.name):
            return
        if self.clock is None:
            await host.start(self.name, _COMMAND)
        else:
            await self.clock.start(host, self.name, _COMMAND)

    async def kill(self, host: Host) -> None:
        await host.signal(self.name, "KILL")

    async def stop(self, host: Host) -> None:
        await host.stop(self.name)

    async def pause(self, host: Host) -> None:
        await host.signal(self.name, "STOP")

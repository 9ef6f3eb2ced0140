"""Proxies: what listens, where it leads, and the toxics on the way.

A connection has two links, "upstream" (what the client sends) and "downstream" (what the
server answers).  As in Toxiproxy there is no half-closed connection: when one direction has
ended, its target is closed whole, and the other direction ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from random import Random
from typing import Any, Final

from cluster.proxy._link import READ_BYTES_MAX, Link, Worn

DIAL_TIMEOUT_S: Final = 10.0
CONNECTIONS_MAX: Final = 4096
"""Of one proxy; more are refused by closing them at once."""
STREAMS: Final = ("upstream", "downstream")


class Proxy:
    """One listening address, the upstream behind it, and the toxics between them.

    Invariant: it is `enabled` exactly while it listens; when it is not it has no
    connections.  Orders (`enable`, `disable`, `wear`...) come one at a time, see `lock`.
    """

    def __init__(self, name: str, listen: str, upstream: str, random: Random) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.lock = asyncio.Lock()
        self.worn: list[Worn] = []
        self._random = random
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], tuple[Link, ...]] = {}
        """Each with its links, upstream and downstream, or none while it dials."""

    @property
    def enabled(self) -> bool:
        """Does it listen?"""
        return self._server is not None

    async def enable(self) -> None:
        """Listen; raises `OSError`.  Port 0 becomes the port that the kernel chose."""
        if self._server is not None:
            return
        host, port = address(self.listen)
        # One family, or "localhost" with port 0 would be two ports.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = await asyncio.start_server(
            self._accept, host or "0.0.0.0", port, family=family, limit=READ_BYTES_MAX
        )
        bound = self._server.sockets[0].getsockname()
        self.listen = f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"

    async def disable(self) -> None:
        """Stop listening, and end all connections."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        ending = list(self._connections)
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)

    async def wear(self, worn: Worn) -> None:
        """A toxic more, on old and new connections."""
        self.worn.append(worn)
        await self._on_links(worn, Link.add)

    async def adjust(self, worn: Worn) -> None:
        """A toxic has changed."""
        await self._on_links(worn, Link.update)

    async def shed(self, worn: Worn) -> None:
        """A toxic less."""
        self.worn.remove(worn)
        await self._on_links(worn, Link.remove)

    async def _on_links(self, worn: Worn, change: Any) -> None:
        side = STREAMS.index(worn.stream)
        links = [links[side] for links in self._connections.values() if links]
        await asyncio.gather(*(change(link, worn) for link in links))

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.enabled or len(self._connections) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._connect(reader, writer))
        self._connections[task] = ()
        task.add_done_callback(self._connections.pop)

    def _link(self, stream: str) -> Link:
        return Link([each for each in self.worn if each.stream == stream], self._random)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = address(self.upstream)
        far_writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(DIAL_TIMEOUT_S):
                far_reader, far_writer = await asyncio.open_connection(
                    host or "localhost", port, limit=READ_BYTES_MAX
                )
            if any(worn.toxic.resets for worn in self.worn):
                for end in (writer, far_writer):
                    _reset_when_closed(end)
            for end in (writer, far_writer):
                end.transport.set_write_buffer_limits(0)  # `drain` waits for the kernel
            task = asyncio.current_task()
            assert task is not None
            up, down = self._connections[task] = (self._link("upstream"), self._link("downstream"))
            await asyncio.gather(up.move(reader, far_writer), down.move(far_reader, writer))
        except OSError:
            pass  # no upstream: the client is closed, which is all it may learn
        finally:
            writer.transport.abort()
            if far_writer is not None:
                far_writer.transport.abort()


def _reset_when_closed(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def address(text: str) -> tuple[str, int]:
    """Host and port of ``host:port``, ``[v6]:port`` or ``:port``; raises `OSError`."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise OSError(f"no address: {text!r}; write host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)

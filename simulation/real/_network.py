"""The network of a real node: TCP between names.

To each peer there is one link, over which this node sends; what a peer has to say comes in over
a link of the peer's own.  Clients connect, and are answered over their connection as long as it
lasts: a client that is gone is silent, like any name that nobody has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from simulation.real._link import Link
from simulation.real._wire import Wire, framed, greeted
from simulation.world import Receive

Address = tuple[str, int]


class TcpNetwork:
    """The network as the node `name` has it; see `world.Network`."""

    def __init__(self, name: str, peers: dict[str, Address]) -> None:
        self.name: Final = name
        self._peers = peers
        self._loop = asyncio.get_running_loop()
        self._receive: Receive | None = None
        self._clients: dict[str, Wire] = {}
        self._links = {
            peer: Link(name, partial(self._connect, address))
            for peer, address in peers.items()
            if peer != name
        }
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen at this node's own address; `OSError` if that is not possible."""
        host, port = self._peers[self.name]
        self._server = await self._loop.create_server(self._wire, host, port)

    def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for link in self._links.values():
            link.close()
        for wire in list(self._clients.values()):
            wire.cut()

    def listen(self, receive: Receive) -> None:
        """See `world.Network`."""
        self._receive = receive

    def send(self, to: str, message: bytes) -> None:
        """See `world.Network`."""
        link = self._links.get(to)
        if link is not None:
            link.send(message)
        elif to == self.name:
            self._loop.call_soon(self._hand_over, to, message)
        elif (client := self._clients.get(to)) is not None and not client.clogged:
            client.write(framed(message))

    def _wire(self) -> Wire:
        return Wire(self._heard, lambda _: None, self._ended)

    async def _connect(self, address: Address, make: Callable[[], Wire]) -> None:
        await self._loop.create_connection(make, *address)

    def _heard(self, wire: Wire, message: bytes) -> None:
        if wire.peer is not None:
            self._hand_over(wire.peer, message)
            return
        wire.peer = greeted(message)
        if wire.peer is None or wire.peer == self.name:
            wire.cut()
        elif wire.peer not in self._links:
            self._clients[wire.peer] = wire

    def _ended(self, wire: Wire) -> None:
        if wire.peer is not None and self._clients.get(wire.peer) is wire:
            del self._clients[wire.peer]

    def _hand_over(self, sender: str, message: bytes) -> None:
        if self._receive is not None:
            self._receive(sender, message)

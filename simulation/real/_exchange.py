"""Clients of a simulated system, talking to its real processes.

A client of the simulated world asks its cluster for an endpoint and sends messages from there;
here the endpoint is made of TCP connections, one to each node it sends to.  What the simulated
client cannot know, since nobody tells it, is known here: an operation that is invoked while
there is no connection to the client's own node has certainly not happened.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, cast

from generators import Client
from histories import Op
from simulation._cluster import SimulatedCluster
from simulation.real._link import Link
from simulation.real._wire import Wire
from simulation.scenario import Case, Setting, System
from simulation.world import Receive

_LINK_TIMEOUT_S: Final = 2.0
_POLL_S: Final = 0.005

Dial = Callable[[str], Awaitable[socket.socket]]
"""Connects to the node of this name; raises `OSError`."""


class NotSent(ConnectionError):
    """There is no connection to the node: the operation has not happened."""


class Endpoint:
    """A name outside all nodes, connected to those it has sent to."""

    def __init__(self, name: str, dial: Dial) -> None:
        self.name: Final = name
        self._dial = dial
        self._links: dict[str, Link] = {}
        self._receive: Receive | None = None

    def listen(self, receive: Receive) -> None:
        """See `world.Network`."""
        self._receive = receive

    def send(self, to: str, message: bytes) -> None:
        """See `world.Network`."""
        self.link(to).send(message)

    def link(self, to: str) -> Link:
        """The link to a node; if it has no connection it begins to try."""
        link = self._links.get(to)
        if link is None:
            link = Link(self.name, partial(self._connect, to), partial(self._heard, to))
            self._links[to] = link
        link.open()
        return link

    def close(self) -> None:
        """Give the name up."""
        for link in self._links.values():
            link.close()

    async def _connect(self, to: str, make: Callable[[], Wire]) -> None:
        sock = await self._dial(to)
        try:
            await asyncio.get_running_loop().create_connection(make, sock=sock)
        except BaseException:
            sock.close()
            raise

    def _heard(self, sender: str, message: bytes) -> None:
        if self._receive is not None:
            self._receive(sender, message)


class Exchange:
    """What one client sees of a cluster: its nodes, and endpoints; their names begin with `own`."""

    def __init__(self, nodes: tuple[str, ...], own: str, dial: Dial) -> None:
        self.nodes: Final = nodes
        self._own = own
        self._dial = dial
        self._endpoints: list[Endpoint] = []

    def endpoint(self, name: str) -> Endpoint:
        """A name on the network; see `SimulatedCluster.endpoint`."""
        made = Endpoint(f"{self._own}/{name}", self._dial)
        self._endpoints.append(made)
        return made

    def linked(self, node: str) -> bool:
        """Are all endpoints connected to the node?  One that is not begins to try."""
        return all([endpoint.link(node).linked for endpoint in self._endpoints])

    def close(self) -> None:
        """End all connections."""
        for endpoint in self._endpoints:
            endpoint.close()


class RealClient:
    """A client of `system` for the runner; `names` gives each opened one a name of its own."""

    definite: tuple[type[BaseException], ...] = (NotSent,)

    def __init__(
        self,
        system: System,
        case: Case,
        nodes: tuple[str, ...],
        dial: Dial,
        names: Callable[[], str],
    ) -> None:
        self._system = system
        self._case = case
        self._nodes = nodes
        self._dial = dial
        self._names = names
        self._opened: tuple[Client, Exchange, str] | None = None

    async def open(self, node: str) -> RealClient:
        """Connect to the node; `NotSent` if that is not possible."""
        exchange = Exchange(self._nodes, self._names(), self._dial)
        # A client asks its cluster for endpoints, and for nothing else.
        setting = Setting(self._case, cast(SimulatedCluster, exchange))
        client = await self._system.client(setting).open(node)
        try:
            async with asyncio.timeout(_LINK_TIMEOUT_S):
                while not exchange.linked(node):
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            await client.close()
            exchange.close()
            raise NotSent(f"{node} accepts no connection") from None
        except BaseException:
            exchange.close()
            raise
        opened = RealClient(self._system, self._case, self._nodes, self._dial, self._names)
        opened._opened = client, exchange, node
        opened.definite = (NotSent, *client.definite)
        return opened

    async def setup(self) -> None:
        """See `generators.Client`."""
        await self._open()[0].setup()

    async def teardown(self) -> None:
        """See `generators.Client`."""
        await self._open()[0].teardown()

    async def invoke(self, op: Op) -> Op:
        """See `generators.Client`."""
        client, exchange, node = self._open()
        if not exchange.linked(node):
            raise NotSent(f"no connection to {node}")
        return await client.invoke(op)

    async def close(self) -> None:
        """See `generators.Client`."""
        client, exchange, _ = self._open()
        await client.close()
        exchange.close()

    def _open(self) -> tuple[Client, Exchange, str]:
        if self._opened is None:
            raise RuntimeError("this client is not open; use what open(node) returns")
        return self._opened

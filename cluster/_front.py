"""Proxies in front of a system: what is said to a member passes through one on its host.

The system listens on hidden ports and tells everybody the public ones, on which a proxy
server on the same host listens.  So faults of the network need no packet filter and no
root, and can do what packet filters cannot.  A proxy sees the connections *made to* its
member; those that the member itself makes pass through the proxies of the others.
"""

from __future__ import annotations

import asyncio
import os
import posixpath
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cluster._host import Host, HostError
from cluster._http import Connection
from cluster._proxy_server import python_command, server_command
from cluster._toxiproxy import ProxyState, Toxiproxy, ToxiproxyError

API_PORT: Final = 8474
DAEMON: Final = "proxy"
_READY_TIMEOUT_S: Final = 20.0
_POLL_S: Final = 0.05

# $1 host, $2 port, then orders in pairs: "remove" and a path, or "enable" and a path.  A
# server that has gone has taken its toxics along; one that does not know them never had them.
_UNDO: Final = """
import http.client, json, sys
host, port, *orders = sys.argv[1:]
for order, path in zip(orders[::2], orders[1::2]):
    method, body = ("DELETE", None) if order == "remove" else ("POST", '{"enabled": true}')
    server = http.client.HTTPConnection(host, int(port), timeout=15)
    try:
        server.request(method, path, body)
        status = server.getresponse().status
    except ConnectionRefusedError:
        sys.exit(0)
    if status not in (200, 204, 404):
        sys.exit("the proxy server answered %s to %s %s" % (status, method, path))
"""


def http_answer_bytes(data: bytes) -> int:
    """How many bytes the HTTP response is long with which `data` begins; 0: not known yet."""
    head, end, body = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if end and name == b"content-length" and value.strip().isdigit():
            size = int(value)
            return len(head) + len(end) + size if len(body) >= size else 0
    return 0


@dataclass(frozen=True)
class Route:
    """One port of a system behind the proxy.

    `public` is the standard port that others use, `hidden` the one the member listens on.
    `ping` is a request that a healthy member answers at once, and always at about the same
    length, as often as it is repeated on one connection; faults are proven by it.
    `answer_bytes` tells how long the first answer in some bytes is, or 0 if it is not whole.
    """

    name: str
    public: int
    hidden: int
    ping: bytes
    answer_bytes: Callable[[bytes], int] = http_answer_bytes


class ProxyFront:
    """A proxy server on every host of a system, and a proxy for each of its routes.

    `server` is the path of a toxiproxy-server to use; None stands for our own, which needs
    Python 3.11 on the hosts.  `seed` decides what toxics draw.
    """

    def __init__(
        self, *, server: str | os.PathLike[str] | None = None, seed: int | None = None
    ) -> None:
        self._server = None if server is None else os.fspath(server)
        self._seed = seed
        self._routes: tuple[Route, ...] = ()

    @property
    def routes(self) -> tuple[Route, ...]:
        """The ports in front of which there are proxies."""
        return self._routes

    @staticmethod
    def proxy(host: Host, route: str) -> str:
        """The name of the proxy in front of a route of a host."""
        return f"{host.name}-{route}"

    async def start(self, host: Host, routes: Sequence[Route]) -> None:
        """Put fresh proxies in front of these routes of the host; `HostError` if they fail."""
        self._routes = tuple(routes)
        await host.stop(DAEMON)
        port = host.port(API_PORT)
        command = await server_command(host, host.address, port, self._server)
        seed = [] if self._seed is None else ["--seed", str(self._seed)]
        await host.start(DAEMON, [*command, *seed])
        await self._await_ready(host)
        wanted = [
            ProxyState(
                self.proxy(host, route.name),
                _address(host, route.public),
                _address(host, route.hidden),
            )
            for route in routes
        ]
        api = self.api(host)
        try:
            await api.populate(wanted)
        except (OSError, ToxiproxyError) as error:
            raise HostError(
                host.name, f"no proxies: {error}", "see what listens on these ports there"
            ) from error
        finally:
            await api.close()

    async def stop(self, host: Host) -> None:
        """End the proxies of the host, if there are any."""
        await host.stop(DAEMON)

    def api(self, host: Host) -> Toxiproxy:
        """Orders to the proxy server of the host; to be closed."""
        port = host.port(API_PORT)
        return Toxiproxy(Connection(lambda: host.dial(port), f"{host.address}:{port}"))

    def logs(self, host: Host) -> list[str]:
        """What the proxy server has written, as paths on the host."""
        return [posixpath.join(host.directory, f"{DAEMON}.log")]

    def undo(
        self, host: Host, *, remove: Sequence[tuple[str, str]] = (), enable: Sequence[str] = ()
    ) -> list[list[str]]:
        """Commands for the host that take toxics (proxy, name) away and enable proxies.

        They may be run at any time, any number of times.
        """
        orders = [each for name in enable for each in ("enable", _path(name))]
        for proxy, toxic in remove:
            orders += ["remove", f"{_path(proxy)}/toxics/{toxic}"]
        where = [host.address, str(host.port(API_PORT))]
        return [[*python_command(host), "-c", _UNDO, *where, *orders]]

    async def _await_ready(self, host: Host) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        api = self.api(host)
        try:
            while True:
                try:
                    await api.version()
                    return
                except (OSError, ToxiproxyError) as error:
                    log = self.logs(host)[0]
                    if not await host.alive(DAEMON):
                        said = (await host.read(log)).decode("utf-8", "replace").strip()[-500:]
                        raise HostError(
                            host.name, f"the proxy server ended: {said}", f"look into {log}"
                        ) from error
                    if time.monotonic() > deadline:
                        raise HostError(
                            host.name, f"the proxy server does not answer: {error}", f"see {log}"
                        ) from error
                await asyncio.sleep(_POLL_S)
        finally:
            await api.close()


def _address(host: Host, standard: int) -> str:
    return f"{host.address}:{host.port(standard)}"


def _path(proxy: str) -> str:
    return f"/proxies/{proxy}"

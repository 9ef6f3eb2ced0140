"""Two servers that must not be told apart: Shopify's toxiproxy-server, and our own proxy.

Toxiproxy is built by Go's own client, once, into a cache directory; where that cannot be
done its half of the tests is skipped, with the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import Connection, ProxyState, Toxiproxy, free_port
from cluster._proxy_server import archive
from scripts.go_programs import CannotBuild, program_of

PACKAGE = "github.com/Shopify/toxiproxy/v2/cmd/server"
VERSION = "v2.5.0"
WAIT_S = 20.0
"""For what must happen, however busy the machine is."""


def toxiproxy_server() -> Path:
    """The program, built if it is not there yet; skips where that is impossible."""
    try:
        return program_of("toxiproxy-server", PACKAGE, VERSION)
    except CannotBuild as error:
        pytest.skip(f"the built-in proxy is tried alone: {error}")


@dataclass(frozen=True)
class Server:
    """A proxy server that runs."""

    port: int
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="session", params=["built-in", "toxiproxy"])
def program(request: pytest.FixtureRequest) -> Path | None:
    """Toxiproxy's program, or None, which stands for our own proxy."""
    return toxiproxy_server() if request.param == "toxiproxy" else None


@pytest.fixture(scope="session")
def server(program: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of each kind in turn, for all tests of the session."""
    port = free_port()
    where = ["--host", "127.0.0.1", "--port", str(port)]
    if program is not None:
        command = [str(program), *where]
    else:
        path = tmp_path_factory.mktemp("proxy") / "proxy.pyz"
        path.write_bytes(archive())
        command = [sys.executable, "-I", "-S", str(path), *where, "--seed", "7"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_listening(port, process)
        yield Server(port, process)
    finally:
        process.kill()
        process.wait()


def await_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, "the proxy server ended before it listened"
        assert time.monotonic() < deadline, "the proxy server does not listen"
        time.sleep(0.02)


async def dial(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock


@dataclass
class World:
    """A client of the server's API, and an upstream that sends back what it gets."""

    api: Toxiproxy
    upstream: str
    received: bytearray
    """All that has reached the upstream, of all connections."""

    async def proxy(self, name: str = "p", upstream: str | None = None) -> ProxyState:
        return await self.api.create(name, "127.0.0.1:0", upstream or self.upstream)

    @contextlib.asynccontextmanager
    async def connected(
        self, proxy: ProxyState
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection through a proxy."""
        sock = await dial(int(proxy.listen.rpartition(":")[2]))
        reader, writer = await asyncio.open_connection(sock=sock)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


Scenario = Callable[[World], Awaitable[None]]
Play = Callable[[Scenario], None]


@pytest.fixture
def play(server: Server) -> Play:
    """Play a scenario against the server; whatever it leaves on the server is removed."""

    async def in_world(scenario: Scenario) -> None:
        received = bytearray()

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    received.extend(data)
                    writer.write(data)
                    await writer.drain()
            writer.close()

        upstream = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = upstream.sockets[0].getsockname()[1]
        api = Toxiproxy(Connection(lambda: dial(server.port), "proxy"))
        try:
            async with asyncio.timeout(3 * WAIT_S):
                await scenario(World(api, f"127.0.0.1:{port}", received))
        finally:
            for name in await api.proxies():
                await api.delete(name)
            await api.close()
            upstream.close()

    def run(scenario: Scenario) -> None:
        asyncio.run(in_world(scenario))

    return run

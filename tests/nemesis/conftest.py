"""Labs for the nemesis's tests, and a system that is cheap to break."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from cluster import Host, Journal, Unsupported, local, namespaces

Scenario = Callable[[Sequence[Host], Journal], Awaitable[None]]


class Sleepers:
    """A system of processes that do nothing, each with a child that does nothing either."""

    name = "sleepers"

    async def start(self, host: Host) -> None:
        if not await host.alive("sleepers"):
            await host.start("sleepers", ["sh", "-c", "sleep 1000 & sleep 1000; :"])

    async def kill(self, host: Host) -> None:
        await host.signal("sleepers", "KILL")

    async def stop(self, host: Host) -> None:
        await host.stop("sleepers")

    async def pause(self, host: Host) -> None:
        await host.signal("sleepers", "STOP")

    async def primaries(self) -> list[str]:
        return ["n2"]


@pytest.fixture
def system() -> Sleepers:
    return Sleepers()


@pytest.fixture
def on_namespaces(tmp_path: Path) -> Callable[[int, Scenario], None]:
    """Play a scenario on hosts which are network namespaces, if this machine can have any."""

    async def play(count: int, scenario: Scenario) -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with namespaces(count, directory=tmp_path, journal=journal) as hosts:
                await scenario(hosts, journal)

    def run(count: int, scenario: Scenario) -> None:
        try:
            asyncio.run(play(count, scenario))
        except Unsupported as error:
            if error.host == "this machine":
                pytest.skip(str(error))
            raise

    return run


@pytest.fixture
def on_local(tmp_path: Path) -> Callable[[int, Scenario], None]:
    """Play a scenario on hosts which are plain processes."""

    async def play(count: int, scenario: Scenario) -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with local(count, directory=tmp_path, journal=journal) as hosts:
                try:
                    await scenario(hosts, journal)
                finally:
                    for host in hosts:
                        await host.stop("sleepers")

    def run(count: int, scenario: Scenario) -> None:
        asyncio.run(play(count, scenario))

    return run

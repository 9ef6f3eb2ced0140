"""A disk that can be broken, mounted on a host of its own, and programs that use it there."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cluster import FaultyDisk, Host, Journal, Unsupported, namespaces

BEGINNING = """
import errno, fcntl, json, mmap, os, sys, threading
os.chdir(sys.argv[1])
given = json.loads(sys.argv[2])

def put(name, content, flags=0, sync=False, at=0):
    file = os.open(name, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    os.pwrite(file, content, at)
    if sync:
        os.fsync(file)
    os.close(file)

def get(name):
    with open(name, "rb") as file:
        return file.read().decode("latin1")

def sync(directory="."):
    file = os.open(directory, os.O_RDONLY)
    os.fsync(file)
    os.close(file)

def refused(act, *arguments):
    try:
        act(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return ""

"""


class Mounted:
    """The disk, seen by whoever uses it and by whoever breaks it."""

    def __init__(self, host: Host, disk: FaultyDisk) -> None:
        self.host = host
        self.disk = disk

    async def run(self, program: str, given: Any = None) -> Any:
        """Run a program in the data directory; what it leaves in `told`."""
        text = f"{BEGINNING}{program}\nprint(json.dumps(told))"
        where = self.disk.data(self.host)
        argv = [sys.executable, "-I", "-S", "-c", text, where, json.dumps(given)]
        return json.loads((await self.host.run(argv)).stdout)

    async def order(self, do: str, **order: Any) -> dict[str, Any]:
        return await self.disk.order(self.host, {"do": do, **order})

    async def files(self) -> dict[str, str]:
        """All files of the data directory and what is in them."""
        program = "told = {name: get(name) for name in sorted(os.listdir('.'))}"
        found: dict[str, str] = await self.run(program)
        return found


OnDisk = Callable[..., None]


@pytest.fixture
def on_disk(tmp_path: Path) -> OnDisk:
    """``on_disk(scenario, names=...)``: play it on a fresh disk; skips where there is no FUSE."""

    async def play(scenario: Callable[[Mounted], Awaitable[None]], names: str) -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with namespaces(1, directory=tmp_path, journal=journal) as [host]:
                disk = FaultyDisk(names=names)
                await disk.start(host)
                try:
                    await scenario(Mounted(host, disk))
                    assert "Traceback" not in (await host.read(disk.logs(host)[0])).decode()
                finally:
                    await disk.stop(host)

    def run(scenario: Callable[[Mounted], Awaitable[None]], names: str = "ordered") -> None:
        try:
            asyncio.run(play(scenario, names))
        except Unsupported as error:
            pytest.skip(str(error))

    return run

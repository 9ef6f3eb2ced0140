"""The simulated disk of one machine: it keeps what was synced, and perhaps some of the rest.

It outlives the processes of its machine.  `life(...)` gives a process its view of it, in which
syncing takes time; `crash` is what a loss of power does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random


@dataclass
class _File:
    """`data` is what is read, `synced` what is certain to survive (None: not even its name)."""

    data: bytearray = field(default_factory=bytearray)
    synced: bytes | None = None


class SimulatedDisk:
    """Files by name; see `world.Disk` for what is promised."""

    def __init__(self, random: Random, *, sync_s: float = 0.0005) -> None:
        self.sync_s = sync_s
        self._random = random
        self._files: dict[str, _File] = {}

    def crash(self) -> None:
        """Lose power: of what was not synced any beginning survives, torn anywhere."""
        for name, file in list(self._files.items()):
            synced = b"" if file.synced is None else file.synced
            if file.synced is None and self._random.random() < 0.5:
                del self._files[name]
                continue
            if bytes(file.data[: len(synced)]) == synced:
                kept = self._random.randint(len(synced), len(file.data))
                file.data = file.data[:kept]
            elif self._random.random() < 0.5:
                file.data = bytearray(synced)
            file.synced = bytes(file.data)

    async def names(self) -> list[str]:
        """See `world.Disk`."""
        return sorted(self._files)

    async def read(self, name: str) -> bytes:
        """See `world.Disk`."""
        return bytes(self._file(name).data)

    async def append(self, name: str, data: bytes) -> None:
        """See `world.Disk`."""
        self._files.setdefault(name, _File()).data += data

    async def write(self, name: str, data: bytes) -> None:
        """See `world.Disk`."""
        self._files.setdefault(name, _File()).data = bytearray(data)

    async def truncate(self, name: str, size: int) -> None:
        """See `world.Disk`."""
        del self._file(name).data[size:]

    async def sync(self, name: str) -> None:
        """See `world.Disk`."""
        file = self._file(name)
        written = bytes(file.data)
        await asyncio.sleep(self.sync_s * (0.5 + self._random.random()))
        file.synced = written

    async def rename(self, old: str, new: str) -> None:
        """See `world.Disk`."""
        self._files[new] = self._file(old)
        del self._files[old]

    async def remove(self, name: str) -> None:
        """See `world.Disk`."""
        self._file(name)
        del self._files[name]

    def _file(self, name: str) -> _File:
        file = self._files.get(name)
        if file is None:
            raise FileNotFoundError(2, "no such file", name)
        return file

"""The simulated object store, shared by all nodes."""

from __future__ import annotations

import asyncio


class SimulatedObjects:
    """Objects by name; see `world.Objects`.  `out` is an outage."""

    def __init__(self, *, delay_s: float = 0.01) -> None:
        self.delay_s = delay_s
        self.out = False
        self._objects: dict[str, bytes] = {}

    async def put(self, name: str, data: bytes) -> None:
        """See `world.Objects`."""
        await self._travel()
        self._objects[name] = bytes(data)

    async def get(self, name: str) -> bytes:
        """See `world.Objects`."""
        await self._travel()
        data = self._objects.get(name)
        if data is None:
            raise FileNotFoundError(2, "no such object", name)
        return data

    async def names(self, prefix: str = "") -> list[str]:
        """See `world.Objects`."""
        await self._travel()
        return sorted(name for name in self._objects if name.startswith(prefix))

    async def remove(self, name: str) -> None:
        """See `world.Objects`."""
        await self._travel()
        self._objects.pop(name, None)

    async def _travel(self) -> None:
        await asyncio.sleep(self.delay_s)
        if self.out:
            raise OSError(5, "the object store is out")

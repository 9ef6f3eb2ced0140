"""The simulated object store, shared by all nodes, and the view of it that each process has.

A request travels to the store, is carried out there, and the answer travels back.  Either may
get lost, and then the caller is told of an error all the same; so a `put` that raises may have
stored the object, also long after, and also after the death of who sent it.  An object is
there whole or not at all.  On the network the store is called `STORE`: links to it can be cut.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from random import Random
from typing import Any, Final

from simulation._door import Door, refuse, settle
from simulation._loop import VirtualLoop
from simulation._network import STORE, SimulatedNetwork

PATIENCE_S: Final = 2.0
"""After so long without an answer a caller is told so."""


class SimulatedObjects:
    """Objects by name.  `out` is an outage, `errors` the share of requests that fail.

    Of those that fail, half have been carried out.  `slowness` stretches every travel.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        random: Random,
        network: SimulatedNetwork,
        *,
        delay_s: float = 0.01,
        bytes_s: float = 50e6,
    ) -> None:
        self.delay_s = delay_s
        self.bytes_s = bytes_s
        self.out = False
        self.errors = 0.0
        self.slowness = 1.0
        self._loop = loop
        self._random = random
        self._network = network
        self._objects: dict[str, bytes] = {}

    def ask(
        self,
        who: str,
        size: int,
        do: Callable[[dict[str, bytes]], Any],
        done: Callable[[Any, OSError | None], object],
    ) -> None:
        """Carry out `do` for `who` after a travel of `size` bytes, and tell `done` how it went."""
        fails = bool(self.errors) and self._random.random() < self.errors
        lost_there = fails and self._random.random() < 0.5
        there_s, back_s = self._travel_s(size), self._travel_s(0)

        def arrive() -> None:
            if not self._network.passes(who, STORE):
                self._loop.call_later(PATIENCE_S, done, None, _error(errno.ETIMEDOUT))
            elif self.out or lost_there:
                self._loop.call_later(back_s, done, None, _error(errno.EIO))
            else:
                try:
                    answer, error = do(self._objects), None
                except OSError as refused:
                    answer, error = None, refused
                self._loop.call_later(back_s, answered, answer, error)

        def answered(answer: Any, error: OSError | None) -> None:
            if not self._network.passes(STORE, who):
                self._loop.call_later(PATIENCE_S, done, None, _error(errno.ETIMEDOUT))
            else:
                done(answer, _error(errno.EIO) if fails else error)

        self._loop.call_later(there_s, arrive)

    def _travel_s(self, size: int) -> float:
        usual_s = self.delay_s / 2 * (0.5 + self._random.random()) + size / self.bytes_s
        return usual_s * self.slowness


class Bucket:
    """The object store as one process has it: a `world.Objects`."""

    def __init__(self, store: SimulatedObjects, door: Door, who: str) -> None:
        self._store = store
        self._door = door
        self._who = who

    async def put(self, name: str, data: bytes) -> None:
        """See `world.Objects`."""
        kept = bytes(data)
        await self._ask(len(kept), lambda objects: objects.__setitem__(name, kept))

    async def get(self, name: str) -> bytes:
        """See `world.Objects`."""

        def get(objects: dict[str, bytes]) -> bytes:
            data = objects.get(name)
            if data is None:
                raise FileNotFoundError(errno.ENOENT, "no such object", name)
            return data

        found: bytes = await self._ask(0, get)
        return found

    async def names(self, prefix: str = "") -> list[str]:
        """See `world.Objects`."""

        def names(objects: dict[str, bytes]) -> list[str]:
            return sorted(name for name in objects if name.startswith(prefix))

        found: list[str] = await self._ask(0, names)
        return found

    async def remove(self, name: str) -> None:
        """See `world.Objects`."""
        await self._ask(0, lambda objects: objects.pop(name, None))

    async def _ask(self, size: int, do: Callable[[dict[str, bytes]], Any]) -> Any:
        door = self._door
        answer: asyncio.Future[Any] = door.create_future()
        if door.gone:
            return await answer

        def done(value: Any, error: OSError | None) -> None:
            if error is None:
                door.enter(settle, answer, value)
            else:
                door.enter(refuse, answer, error)

        self._store.ask(self._who, size, do, done)
        return await answer


def _error(number: int) -> OSError:
    if number == errno.ETIMEDOUT:
        return TimeoutError(number, "the object store does not answer")
    return OSError(number, "the object store is out")

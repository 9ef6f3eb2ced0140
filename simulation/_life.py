"""One process on a simulated machine: the `World` of its program, from its start to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from histories import Json
from simulation._disk import Files
from simulation._door import Died, Door
from simulation._objects import Bucket
from simulation.world import Disk, Objects, Receive

if TYPE_CHECKING:
    from simulation._machine import Machine


class Life:
    """See `World`.  Invariant: once its door is closed, nothing it asks for has an effect."""

    def __init__(self, machine: Machine) -> None:
        around = machine.around
        self.machine = machine
        self.name = machine.name
        self.nodes = around.nodes
        # Of all that asyncio's loops can do a door has what asyncio itself needs in there.
        self.door = Door(around.loop, machine.clock, self)  # type: ignore[abstract]
        self.random = Random(f"{around.seed}/{machine.name}/{machine.lives}")
        self.clock = _Clock(self)
        self.network = _Card(self)
        self.disk: Disk = Files(machine.disk, self.door)
        self.objects: Objects = Bucket(around.objects, self.door, machine.name)
        self._answer: Callable[[str], Json] | None = None
        if machine.step_s:
            self.door.slow(machine.step_s)

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return not self.door.gone

    def begin(self) -> None:
        """Run the program."""
        self.spawn(self._main(), "main")

    def end(self) -> None:
        """Be dead."""
        self.machine.around.network.forget(self.name)
        self.door.close()

    def spawn(self, work: Coroutine[Any, Any, None], name: str = "") -> asyncio.Task[None]:
        """See `World`."""
        return self.door.create_task(work, name=f"{self.name}: {name}", spawned=True)

    async def forever(self) -> None:
        """See `World`."""
        await self.door.create_future()

    def reach(self, point: str) -> None:
        """See `World`."""
        if not self.alive or self.machine.reach(point):
            raise Died

    def tell(self, event: str, **facts: Json) -> None:
        """See `World`."""
        if self.alive:
            self.machine.around.told(self.name, event, facts)

    def serve(
        self,
        answer: Callable[[str], Json],
        obey: Callable[[str, dict[str, Any]], Json] | None = None,  # noqa: ARG002
    ) -> None:
        """See `World`."""
        self._answer = answer

    def answer(self, path: str) -> Json:
        """What its admin surface answers now; `OSError` if it is silent, else as `serve` says."""
        if not self.alive or self.door.paused or self._answer is None:
            raise ConnectionRefusedError(111, "no answer", self.name)
        return self._answer(path)

    def failed(self, error: BaseException) -> None:
        """An unhandled error ends the process, as it does everywhere."""
        if self.alive:
            self.machine.die(f"{type(error).__name__}: {error}")

    def grown(self, size: int) -> None:
        """Who needs more memory than there is gets killed."""
        limit = self.machine.memory_bytes
        if limit is not None and size > limit and self.alive:
            self.machine.die(f"out of memory: {size} of {limit} bytes")

    async def _main(self) -> None:
        await self.machine.program(self)
        if self.alive:
            self.machine.kill("its program ended")


class _Clock:
    """The clocks of a machine, as its process reads them."""

    def __init__(self, life: Life) -> None:
        self._door = life.door
        self._outer = life.machine.around.loop
        self._clock = life.machine.clock
        self.monotonic = life.door.time

    def wall(self) -> float:
        """See `world.Clock`."""
        return self._clock.wall(self._outer.time())

    def later(self, delay_s: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """See `world.Clock`."""
        return self._door.call_later(delay_s, callback)

    async def sleep(self, delay_s: float) -> None:
        """See `world.Clock`."""
        door = self._door
        woken: asyncio.Future[None] = door.create_future()
        timer = door.call_later(delay_s, _wake, woken)
        try:
            await woken
        finally:
            timer.cancel()


class _Card:
    """The network as a process has it."""

    def __init__(self, life: Life) -> None:
        self._name = life.name
        self._door = life.door
        self._network = life.machine.around.network

    def listen(self, receive: Receive) -> None:
        """See `world.Network`."""
        if not self._door.gone:
            self._network.listen(self._name, partial(self._door.hear, receive))

    def send(self, to: str, message: bytes) -> None:
        """See `world.Network`."""
        if not self._door.gone:
            self._network.send(self._name, to, message)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)

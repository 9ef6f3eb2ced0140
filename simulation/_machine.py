"""One simulated machine: a disk and a clock that stay, and a process that comes and goes.

All that reaches a process comes through one door, `Life.enter`: messages, timers and the
ends of its waits.  So a process that is dead hears of nothing any more, and one that is paused
hears of it all later, while time goes on without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, NoReturn, Protocol

from histories import Json
from simulation._disk import SimulatedDisk
from simulation._network import SimulatedNetwork
from simulation.world import Disk, Objects, Program, Receive

WALL_AT_BEGINNING_S = 1_700_000_000.0


class Died(BaseException):
    """The process is no more; nothing after this happens in it."""


class Surroundings(Protocol):
    """What a machine has of the world around it."""

    loop: asyncio.AbstractEventLoop
    network: SimulatedNetwork
    objects: Objects
    nodes: tuple[str, ...]
    seed: int

    def told(self, node: str, event: str, facts: dict[str, Json]) -> None:
        """A node said something of itself."""
        ...

    def reached(self, node: str, point: str) -> bool:
        """A crash point; True if the machine is to die here."""
        ...


class Machine:
    """A machine by name.  `life` is its process, None while it has none.

    `rate` is how fast its monotonic clock runs, `skew_s` how far the wall clock is off.
    """

    def __init__(self, name: str, around: Surroundings, program: Program) -> None:
        self.name = name
        self.around = around
        self.program = program
        self.disk = SimulatedDisk(Random(f"{around.seed}/{name}/disk"))
        self.rate = 1.0
        self.skew_s = 0.0
        self.lives = 0
        self.life: Life | None = None
        self.deaths: list[str] = []

    @property
    def state(self) -> str:
        """`running`, `paused` or `gone`."""
        if self.life is None:
            return "gone"
        return "running" if self.life.backlog is None else "paused"

    def start(self) -> None:
        """Start a process, if there is none."""
        if self.life is None:
            self.lives += 1
            self.life = Life(self)
            self.life.begin()

    def kill(self) -> None:
        """SIGKILL: the process is gone, what it wrote is not."""
        life, self.life = self.life, None
        if life is not None:
            life.end()

    def crash(self) -> None:
        """Loss of power: what was not synced may be gone, too."""
        self.kill()
        self.disk.crash()

    def pause(self) -> None:
        """SIGSTOP."""
        if self.life is not None and self.life.backlog is None:
            self.life.backlog = []

    def resume(self) -> None:
        """SIGCONT: all that came meanwhile comes now."""
        if self.life is not None and self.life.backlog is not None:
            backlog, self.life.backlog = self.life.backlog, None
            for callback, args in backlog:
                self.around.loop.call_soon(self.life.enter, callback, *args)


class Life:
    """One process on a machine: the `World` of its program.

    Invariant: once not `alive`, no callback of it runs and nothing it asks for has an effect.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.name = machine.name
        self.nodes = machine.around.nodes
        self.alive = True
        self.backlog: list[tuple[Callable[..., object], tuple[Any, ...]]] | None = None
        self.random = Random(f"{machine.around.seed}/{machine.name}/{machine.lives}")
        self.clock = _Clock(self)
        self.network = _Card(self)
        self.disk: Disk = machine.disk
        self.objects: Objects = machine.around.objects
        self._loop = machine.around.loop
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._answer: Callable[[str], Json] | None = None

    def begin(self) -> None:
        """Run the program."""
        self.spawn(self._main(), "main")

    def end(self) -> None:
        """Be dead."""
        self.alive = False
        self.machine.around.network.forget(self.name)
        for task in list(self._tasks):
            task.cancel()

    def enter(self, callback: Callable[..., object], *args: Any) -> None:
        """The door: call back now, later, or never."""
        if not self.alive:
            return
        if self.backlog is not None:
            self.backlog.append((callback, args))
            return
        try:
            callback(*args)
        except Died:
            pass
        except Exception as error:
            self._die(error)

    def spawn(self, work: Coroutine[Any, Any, None], name: str = "") -> asyncio.Task[None]:
        """See `World`."""
        task = self._loop.create_task(work, name=f"{self.name}: {name}")
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    async def forever(self) -> None:
        """See `World`."""
        await self._loop.create_future()

    def reach(self, point: str) -> None:
        """See `World`."""
        if self.machine.around.reached(self.name, point):
            self.machine.crash()
            self._dead()

    def tell(self, event: str, **facts: Json) -> None:
        """See `World`."""
        if self.alive:
            self.machine.around.told(self.name, event, facts)

    def serve(self, answer: Callable[[str], Json]) -> None:
        """See `World`."""
        self._answer = answer

    def answer(self, path: str) -> Json:
        """What its admin surface answers now; `OSError` if it is silent, else as `serve` says."""
        if not self.alive or self.backlog is not None or self._answer is None:
            raise ConnectionRefusedError(111, "no answer", self.name)
        return self._answer(path)

    def _dead(self) -> NoReturn:
        raise Died

    async def _main(self) -> None:
        await self.machine.program(self)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if self.alive and error is not None and not isinstance(error, Died):
            self._die(error)

    def _die(self, error: BaseException) -> None:
        """An unhandled error ends the process, as it does everywhere."""
        why = f"{type(error).__name__}: {error}"
        self.tell("died", why=why)
        self.machine.deaths.append(why)
        self.machine.kill()


class _Clock:
    """The clocks of a machine, as its process reads them."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._loop = life.machine.around.loop

    def monotonic(self) -> float:
        """See `world.Clock`."""
        return self._loop.time() * self._life.machine.rate

    def wall(self) -> float:
        """See `world.Clock`."""
        return WALL_AT_BEGINNING_S + self.monotonic() + self._life.machine.skew_s

    def later(self, delay_s: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """See `world.Clock`."""
        life = self._life
        return self._loop.call_later(delay_s / life.machine.rate, life.enter, callback)

    async def sleep(self, delay_s: float) -> None:
        """See `world.Clock`."""
        woken: asyncio.Future[None] = self._loop.create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        self.later(delay_s, wake)
        await woken


class _Card:
    """The network as a process has it."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._network = life.machine.around.network

    def listen(self, receive: Receive) -> None:
        """See `world.Network`."""
        life = self._life
        if life.alive:
            enter = life.enter
            self._network.listen(life.name, lambda sender, message: enter(receive, sender, message))

    def send(self, to: str, message: bytes) -> None:
        """See `world.Network`."""
        if self._life.alive:
            self._network.send(self._life.name, to, message)

"""One simulated machine: a disk and a clock that stay, and a process that comes and goes.

All that reaches a process comes through its `Door`.  So a process that is dead hears of nothing
any more, and one that is paused hears of it all later, while time goes on without it.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Protocol

from histories import Json
from simulation._clocks import MachineClock
from simulation._disk import SimulatedDisk
from simulation._life import Life
from simulation._loop import VirtualLoop
from simulation._network import SimulatedNetwork
from simulation._objects import SimulatedObjects
from simulation.world import Program


class Surroundings(Protocol):
    """What a machine has of the world around it."""

    loop: VirtualLoop
    network: SimulatedNetwork
    objects: SimulatedObjects
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

    `deaths` says why processes of it died by themselves, `fallen` whether the last one did, and
    `died_at` at which crash point it was ended, if it was at one.  `step_s` and `memory_bytes`
    are how slow its processor is and how much memory a process may have.
    """

    def __init__(self, name: str, around: Surroundings, program: Program) -> None:
        self.name = name
        self.around = around
        self.program = program
        self.disk = SimulatedDisk(around.loop, Random(f"{around.seed}/{name}/disk"))
        self.clock = MachineClock(Random(f"{around.seed}/{name}/clock"))
        self.step_s = 0.0
        self.memory_bytes: int | None = None
        self.lives = 0
        self.life: Life | None = None
        self.deaths: list[str] = []
        self.died_at: str | None = None
        self.fallen = False

    @property
    def state(self) -> str:
        """`running`, `paused` or `gone`."""
        if self.life is None:
            return "gone"
        return "paused" if self.life.door.paused else "running"

    def start(self) -> None:
        """Start a process, if there is none."""
        if self.life is None:
            self.lives += 1
            self.died_at = None
            self.fallen = False
            self.life = Life(self)
            self.around.told(self.name, "started", {"life": self.lives})
            self.life.begin()

    def kill(self, why: str = "killed") -> None:
        """SIGKILL: the process is gone, what it wrote is not."""
        self.fallen = False
        life, self.life = self.life, None
        if life is not None:
            life.end()
            self.around.told(self.name, "ended", {"why": why})

    def crash(self, why: str = "lost power") -> None:
        """Loss of power: what was not synced may be gone, too."""
        self.kill(why)
        self.disk.crash()
        self.clock.boot(self.around.loop.time())

    def die(self, why: str) -> None:
        """The process ends by its own mistake."""
        if self.life is not None:
            self.deaths.append(why)
            self.around.told(self.name, "died", {"why": why})
            self.kill(why)
            self.fallen = True

    def reach(self, point: str) -> bool:
        """The process is at a crash point; whether it is the end of it."""
        if not self.around.reached(self.name, point):
            return False
        self.crash(f"crash point: {point}")
        self.died_at = point
        return True

    def pause(self) -> None:
        """SIGSTOP."""
        if self.life is not None:
            self.life.door.pause()

    def resume(self) -> None:
        """SIGCONT: all that came meanwhile comes now."""
        if self.life is not None:
            self.life.door.resume()

    def slow(self, step_s: float) -> None:
        """From now on every step takes the process this long; 0 for no time at all."""
        self.step_s = step_s
        if self.life is not None:
            self.life.door.slow(step_s)

    def limit(self, memory_bytes: int | None) -> None:
        """A process that needs more than this is killed, also the one that runs now."""
        self.memory_bytes = memory_bytes
        if self.life is not None:
            self.life.grown(self.life.door.held_bytes)

    @property
    def rate(self) -> float:
        """How fast its clocks run."""
        return self.clock.rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self.clock.pace(rate, self.around.loop.time())
        if self.life is not None:
            self.around.loop.reschedule(partial(_moment, self.life))

    @property
    def skew_s(self) -> float:
        """How far its wall clock was set off."""
        return self.clock.skew_s

    @skew_s.setter
    def skew_s(self, skew_s: float) -> None:
        self.clock.skew_s = skew_s


def _moment(life: Life, due: object) -> float | None:
    return life.door.moment_of(due)  # type: ignore[arg-type]

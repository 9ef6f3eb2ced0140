"""How fast the simulated world is, on one core: ``python -m bench.simulation``.

Five nodes send messages to each other as fast as they are answered: handled by callbacks, by a
task for each message, and by a task that syncs its disk; and the time goes by with five nodes
that only keep timers.  Then raftkv on five nodes, with 500 operations a second from twenty clients
and without any, history and verdict included.  What counts is messages that arrived, or virtual
seconds that went by, per second of processor time, so that neighbours on the machine do not.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Final

from simulation import Case, Program, SimulatedCluster, World, play_case, run
from simulation.raftkv import SYSTEM

NODES: Final = tuple(f"n{i + 1}" for i in range(5))
_BALLS: Final = 4
"""Messages under way from each node to each other."""
_MESSAGE: Final = b"x" * 100
_ROUNDS: Final = 3
_CLIENTS: Final = 20


async def callbacks(world: World) -> None:
    """Every message is answered where it is heard."""
    send = world.network.send
    world.network.listen(lambda sender, message: send(sender, message))
    _serve(world)
    await world.forever()


async def tasks(world: World) -> None:
    """Every message is answered by a task of its own."""

    async def answer(sender: str, message: bytes) -> None:
        world.network.send(sender, message)

    world.network.listen(lambda sender, message: world.spawn(answer(sender, message)))
    _serve(world)
    await world.forever()


async def syncs(world: World) -> None:
    """Every message is written and synced before it is answered."""

    async def answer(sender: str, message: bytes) -> None:
        await world.disk.append("log", message)
        await world.disk.sync("log")
        world.network.send(sender, message)

    world.network.listen(lambda sender, message: world.spawn(answer(sender, message)))
    _serve(world)
    await world.forever()


async def timers(world: World) -> None:
    """Ten timers of 50 ms on each node, and nothing else."""

    async def tick() -> None:
        while True:
            await world.clock.sleep(0.05)

    for _ in range(10):
        world.spawn(tick())
    await world.forever()


def _serve(world: World) -> None:
    for node in world.nodes:
        for _ in range(_BALLS if node != world.name else 0):
            world.network.send(node, _MESSAGE)


def played(program: Program, virtual_s: float) -> tuple[int, float]:
    """Messages that arrived, and seconds of processor time that they took."""

    async def play() -> tuple[int, float]:
        cluster = SimulatedCluster(NODES, program, seed=1)
        cluster.start()
        await asyncio.sleep(0.01)
        before, began = cluster.network.delivered, time.process_time()
        await asyncio.sleep(virtual_s)
        answer = cluster.network.delivered - before, time.process_time() - began
        cluster.stop()
        return answer

    return run(play())


class _OneScenario:
    """Five nodes of raftkv where nothing breaks, so many operations a second, and `reads`."""

    name, bugs, points = SYSTEM.name, SYSTEM.bugs, SYSTEM.points
    program, client = staticmethod(SYSTEM.program), staticmethod(SYSTEM.client)

    def __init__(self, rate_hz: float, reads: str, virtual_s: float) -> None:
        calm = replace(
            SYSTEM.scenarios["calm"],
            nodes=5,
            concurrency=_CLIENTS,
            rate_hz=rate_hz,
            time_limit_s=virtual_s,
            options={"reads": reads},
        )
        idle = replace(calm, load=lambda _: None, settle_s=virtual_s, rate_hz=None)
        self.scenarios = {"calm": calm if rate_hz else idle}


def times_real_time(rate_hz: float, reads: str, virtual_s: float) -> float:
    """Virtual seconds of raftkv per second of processor time."""
    system = _OneScenario(rate_hz, reads, virtual_s)
    began = time.process_time()
    run_ = play_case(system, Case(SYSTEM.name, "calm", 0))
    spent = time.process_time() - began
    wanted = True if rate_hz else "unknown"  # nothing was asked, so there is nothing to judge
    if run_.verdict.valid != wanted or run_.virtual_s < virtual_s:
        raise RuntimeError(f"this was not the run to measure: {run_.verdict}")
    return run_.virtual_s / spent


ROWS: Final[dict[str, tuple[Program, float]]] = {
    "callbacks": (callbacks, 1.0),
    "tasks": (tasks, 1.0),
    "syncs": (syncs, 1.0),
}


def main() -> None:
    """Measure and tell."""
    options = argparse.ArgumentParser(prog="python -m bench.simulation", description=__doc__)
    options.add_argument("--profile", choices=ROWS, help="where the time goes")
    o = options.parse_args()
    if o.profile:
        profile = cProfile.Profile()
        profile.runcall(played, *ROWS[o.profile])
        pstats.Stats(profile).sort_stats("tottime").print_stats(18)
        return
    found: dict[str, float] = {}
    for name, (program, virtual_s) in ROWS.items():
        found[f"{name}, messages/s"] = _median(lambda: _rate(*played(program, virtual_s)))  # noqa: B023
    found["timers, virtual s/s"] = _median(lambda: 20 / played(timers, 20.0)[1])
    for reads in ("index", "lease"):
        name = f"raftkv, 500 operations/s, reads by {reads}, virtual s/s"
        found[name] = _median(lambda: times_real_time(500.0, reads, 10.0))  # noqa: B023
    found["raftkv, idle, virtual s/s"] = _median(lambda: times_real_time(0.0, "index", 60.0))
    print(json.dumps({name: round(value, 1) for name, value in found.items()}, indent=2))


def _rate(messages: int, seconds: float) -> float:
    return messages / seconds


def _median(measure: Callable[[], float]) -> float:
    return median(measure() for _ in range(_ROUNDS))


if __name__ == "__main__":
    main()

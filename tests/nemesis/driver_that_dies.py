"""A driver to be killed: strikes at random, as fast as it can, until somebody ends it.

Run as ``python driver_that_dies.py KIND DIRECTORY SEED [LAB]``; prints "ready" when the
first order is about to be given.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from cluster import Host, Journal, ProxyFront, Route, local, namespaces
from histories import Op
from nemesis import (
    CrashLoop,
    Fault,
    Kill,
    Nemesis,
    Partition,
    Pause,
    ProxyFault,
    Restart,
    targets,
)

ROUTE = Route("nothing", 2379, 12379, b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")


class Sleepers:
    """Processes that do nothing, each with a child that does nothing either.

    A proxy is in front of each, with nobody behind it.
    """

    name = "sleepers"

    def __init__(self) -> None:
        self.front = ProxyFront(seed=1)

    async def start(self, host: Host) -> None:
        if not await host.alive("sleepers"):
            await host.start("sleepers", ["sh", "-c", "sleep 1000 & sleep 1000; :"])

    async def kill(self, host: Host) -> None:
        await host.signal("sleepers", "KILL")

    async def stop(self, host: Host) -> None:
        await host.stop("sleepers")

    async def pause(self, host: Host) -> None:
        await host.signal("sleepers", "STOP")


@contextlib.asynccontextmanager
async def hosts_of(
    kind: str, directory: Path, journal: Journal, lab: str
) -> AsyncIterator[Sequence[Host]]:
    made: Any
    if kind == "local":
        made = local(3, directory=directory, journal=journal)
    elif kind == "namespaces":
        made = namespaces(3, directory=directory, journal=journal)
    else:
        from cluster import ssh

        made = ssh(lab, journal=journal)
    async with made as hosts:
        yield hosts


async def main(kind: str, directory: Path, seed: int, lab: str) -> None:
    random = Random(seed)
    system = Sleepers()
    faults: list[Fault] = [Kill(system, targets.minority), Pause(system, targets.majority)]
    faults += [Restart(system), CrashLoop(system, period_s=0.1)]
    faults += [ProxyFault(each, system, targets.majority) for each in ("latency", "down")]
    if kind != "local":
        faults.append(Partition())
    with Journal(directory / "faults.jsonl") as journal:
        async with hosts_of(kind, directory, journal, lab) as hosts:
            nemesis = Nemesis(faults, hosts, journal)
            await asyncio.gather(*map(system.start, hosts))
            await asyncio.gather(*(system.front.start(host, [ROUTE]) for host in hosts))
            await nemesis.setup()
            nodes = [host.name for host in hosts]
            print("ready", flush=True)
            while True:
                fault = random.choice(faults)
                if random.random() < 0.5:
                    order = Op(f"start-{fault.name}", fault.choose(nodes, random, {}))
                else:
                    order = Op(f"stop-{fault.name}")
                await nemesis.invoke(order)


if __name__ == "__main__":
    given = [*sys.argv[1:], ""]
    asyncio.run(main(given[0], Path(given[1]), int(given[2]), given[3]))

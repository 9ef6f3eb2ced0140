"""A driver to be killed: puts hosts under pressure at random until somebody ends it.

Run as ``python pressure_driver_that_dies.py KIND DIRECTORY SEED [LAB]``; prints "ready" when
the first order is about to be given, or sometimes when the faults are about to be set up,
which tries them, too.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from random import Random

from cluster import Journal
from histories import Op
from nemesis import (
    CpuQuota,
    Fault,
    FileDescriptors,
    Kill,
    MemoryBalloon,
    MemoryLimit,
    Nemesis,
    ProcessTable,
    targets,
)
from tests.nemesis.driver_that_dies import Sleepers, hosts_of


async def main(kind: str, directory: Path, seed: int, lab: str) -> None:
    random = Random(seed)
    system = Sleepers()
    faults: list[Fault] = [
        CpuQuota(system, targets.majority),
        FileDescriptors(system, targets.all),
        Kill(system),
        MemoryBalloon(targets.all, attributes={"megabytes": 16}),
        MemoryLimit(system, targets.majority, attributes={"megabytes": 16}),
        ProcessTable(system, targets.all),
    ]
    random.shuffle(faults)
    with Journal(directory / "faults.jsonl") as journal:
        async with hosts_of(kind, directory, journal, lab) as hosts:
            nemesis = Nemesis(faults, hosts, journal)
            await asyncio.gather(*map(system.start, hosts))
            early = random.random() < 0.3
            if early:
                print("ready", flush=True)
            await nemesis.setup()
            if not early:
                print("ready", flush=True)
            nodes = [host.name for host in hosts]
            while True:
                fault = random.choice(faults)
                if random.random() < 0.6:
                    order = Op(f"start-{fault.name}", fault.choose(nodes, random, {}))
                else:
                    order = Op(f"stop-{fault.name}")
                await nemesis.invoke(order)


if __name__ == "__main__":
    given = [*sys.argv[1:], ""]
    asyncio.run(main(given[0], Path(given[1]), int(given[2]), given[3]))

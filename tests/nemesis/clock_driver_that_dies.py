"""A driver to be killed: moves the clocks of servers as fast as it can, until somebody ends it.

Run as ``python clock_driver_that_dies.py DIRECTORY SEED``; prints "ready" before the first order.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from random import Random

from cluster import FakedClock, Journal, local
from histories import Op
from nemesis import CLOCK_FAULTS, ClockFault, Nemesis, targets
from tests.nemesis.valkey import Valkey


async def main(directory: Path, seed: int) -> None:
    random = Random(seed)
    with Journal(directory / "faults.jsonl") as journal:
        async with local(2, directory=directory, journal=journal) as hosts:
            system = Valkey(FakedClock())
            await system.setup(hosts)
            faults = [ClockFault(kind, system, targets.one) for kind in CLOCK_FAULTS]
            nemesis = Nemesis(faults, hosts, journal)
            await nemesis.setup()
            print("ready", flush=True)
            while True:
                fault = random.choice(faults)
                chosen = fault.choose([host.name for host in hosts], random, {})
                await nemesis.invoke(Op(f"start-{fault.name}", chosen))
                await nemesis.invoke(Op(f"stop-{fault.name}"))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))

"""A driver to be killed: strikes the network at random, as fast as it can, and proves nothing.

Run as ``python driver_of_packets.py DIRECTORY SEED LAB``; prints "ready" when the first
strike is about to come.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from random import Random

from cluster import Journal, ssh
from nemesis import DnsFailure, Fault, Flapping, PacketFault, ResetConnections, targets
from nemesis._fault import Field


async def main(directory: Path, seed: int, lab: str) -> None:
    random = Random(seed)
    faults: list[Fault] = [
        PacketFault("packet-loss", targets.minority, ways=["nft"]),
        PacketFault("packet-delay", targets.majority, ways=["nfqueue"]),
        PacketFault("packet-corrupt", ways=["nfqueue"]),
        PacketFault("packet-rate", targets.all, ways=["htb"]),
        Flapping(cut_s=0.5, open_s=0.5),
        ResetConnections(),
        DnsFailure(targets.all),
    ]
    with Journal(directory / "faults.jsonl") as journal:
        async with ssh(lab, journal=journal) as hosts:
            field = Field({host.name: host for host in hosts}, journal)
            for fault in faults:
                await fault.setup(field)
            print("ready", flush=True)
            while True:
                fault = random.choice(faults)
                if random.random() < 0.6:
                    await fault.inject(await fault.read(fault.choose(field.nodes, random, {})))
                else:
                    await fault.heal()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))

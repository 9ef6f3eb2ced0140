"""What SSH hosts cost in throughput against namespaces: ``python -m tests.soak.pairs [PAIRS]``.

Two clusters of five etcd members are up at once on this machine, one on SSH hosts (namespaces
with an sshd each), one on plain namespaces.  In each pair both are loaded for a second, one
after the other, in an order that is drawn, by 20 clients that read and write in turns.  A busy
machine slows both members of a pair alike, so what counts is the ratio within pairs: told are
its mean, the standard error, and the operations per second of both.

A hundred pairs take four minutes; exits with 1 if SSH hosts certainly cost 5 % or more.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from cluster import Etcd, Host, namespaces, ssh
from cluster._sshlab import ssh_lab
from histories import Op

NODES: Final = 5
CLIENTS: Final = 20
SECOND: Final = 1.0
COST_MAX: Final = 0.05


async def opened(system: Etcd, hosts: Sequence[Host]) -> list[Any]:
    """The clients of a cluster, all members having some."""
    client = system.client(workload="register", reads="linearizable", timeout_s=2.0)
    return [await client.open(hosts[number % len(hosts)].name) for number in range(CLIENTS)]


async def operations(clients: Sequence[Any]) -> float:
    """How many operations a second succeed under load."""
    began = time.monotonic()

    async def work(number: int, client: Any) -> int:
        done = turn = 0
        while time.monotonic() - began < SECOND:
            turn += 1
            key = f"r{number}"
            op = Op("read", key=key) if turn % 2 else Op("write", turn, key=key)
            done += (await client.invoke(op)).type == "ok"
        return done

    done = await asyncio.gather(*(work(number, each) for number, each in enumerate(clients)))
    return sum(done) / (time.monotonic() - began)


async def compare(pairs: int, seed: int, top: Path) -> int:
    """Load both in turns; 1 if SSH hosts certainly cost too much."""
    random = Random(seed)
    async with contextlib.AsyncExitStack() as stack:
        below = await stack.enter_async_context(ssh_lab(NODES, directory=top))
        far = await stack.enter_async_context(ssh(below.lab_toml))
        near = await stack.enter_async_context(namespaces(NODES, directory=top))
        clients: dict[str, list[Any]] = {}
        for name, hosts in (("ssh", far), ("namespaces", near)):
            system = Etcd()
            stack.push_async_callback(system.teardown)
            await system.setup(hosts)
            clients[name] = await opened(system, hosts)
        for each in clients.values():
            await operations(each)  # warm
        rates: dict[str, list[float]] = {name: [] for name in clients}
        for _ in range(pairs):
            for name in random.sample(list(clients), 2):
                rates[name].append(await operations(clients[name]))
        for each in clients.values():
            await asyncio.gather(*(client.close() for client in each))
    logs = [math.log(a / b) for a, b in zip(rates["ssh"], rates["namespaces"], strict=True)]
    mean = statistics.fmean(logs)
    error = statistics.stdev(logs) / math.sqrt(pairs)
    for name, seen in rates.items():
        print(f"{name}: {statistics.fmean(seen):.0f} operations/s")
    print(f"SSH hosts are {math.exp(mean):.3f} times as fast, standard error {error:.3f}")
    return 1 if mean + 2 * error < math.log(1 - COST_MAX) else 0


def main(pairs: int, seed: int) -> int:
    print(f"{pairs} pairs, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="pairs-") as top:
        return asyncio.run(compare(pairs, seed, Path(top)))


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    sys.exit(main(max(words[0], 2) if words else 100, words[1] if len(words) > 1 else 1))

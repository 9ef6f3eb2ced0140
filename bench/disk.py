"""What the faulty disk costs while nothing is broken: ``python -m bench.disk``.

Each round does the same beside the disk, on the file system that lies under it, and on it, one
right after the other, so that both meet the same neighbours; the ratio is the median of the
rounds'.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from statistics import median
from typing import Final

from cluster import Etcd, FaultyDisk, Host, namespaces
from histories import Op

_ROUNDS: Final = 5
_CLIENTS: Final = 8
_PUTS_S: Final = 3.0

PROGRAM: Final = """
import json, os, sys, time
size, small = 64 << 20, 200
told = {"write": [], "read": [], "sync": []}
for top in sys.argv[1:]:
    path, block = os.path.join(top, "bench"), os.urandom(1 << 16)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    begun = time.monotonic()
    for _ in range(size >> 16):
        os.write(file, block)
    os.fsync(file)
    told["write"].append(size / 1e6 / (time.monotonic() - begun))
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)
    file = os.open(path, os.O_RDWR)
    begun = time.monotonic()
    while os.read(file, 1 << 17):
        pass
    told["read"].append(size / 1e6 / (time.monotonic() - begun))
    begun = time.monotonic()
    for number in range(small):
        os.pwrite(file, block[:4096], number * 4096)
        os.fdatasync(file)
    told["sync"].append(small / (time.monotonic() - begun))
    os.close(file)
    os.unlink(path)
print(json.dumps(told))
"""

_NAMES: Final = {
    "write": "sequential writes and one fsync, MB/s",
    "read": "sequential reads, MB/s",
    "sync": "writes of 4 KiB, each synced, per s",
    "etcd": f"puts of {_CLIENTS} clients to three members of etcd, per s",
}


async def files(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """For each kind of work, (beside, on the disk) of each round."""
    found: dict[str, list[tuple[float, float]]] = {"write": [], "read": [], "sync": []}
    async with namespaces(1, directory=tempfile.gettempdir()) as [host]:
        disk = FaultyDisk()
        await disk.start(host)
        try:
            argv = [sys.executable, "-I", "-S", "-c", PROGRAM, disk.top(host), disk.data(host)]
            for _ in range(rounds):
                done = await host.run(argv, timeout_s=300)
                for kind, (beside, on) in json.loads(done.stdout).items():
                    found[kind].append((beside, on))
        finally:
            await disk.stop(host)
    return found


async def puts(rounds: int) -> list[tuple[float, float]]:
    """As `files`, for two clusters of etcd that run side by side."""
    async with namespaces(3) as plain, namespaces(3) as under:
        clusters = [(Etcd(), plain), (Etcd(disk=FaultyDisk()), under)]
        try:
            for etcd, hosts in clusters:
                await etcd.setup(hosts)
            found = []
            for _ in range(rounds):
                beside, on = [await _rate(etcd, hosts) for etcd, hosts in clusters]
                found.append((beside, on))
            return found
        finally:
            for etcd, _ in clusters:
                await etcd.teardown()


async def _rate(etcd: Etcd, hosts: Sequence[Host]) -> float:
    done = 0
    until = time.monotonic() + _PUTS_S

    async def work(number: int) -> None:
        nonlocal done
        client = await etcd.client().open(hosts[number % len(hosts)].name)
        while time.monotonic() < until:
            answer = await client.invoke(Op("write", done, key=f"k{number}"))
            done += answer.type == "ok"
        await client.close()

    await asyncio.gather(*map(work, range(_CLIENTS)))
    return done / _PUTS_S


async def measured(rounds: int) -> None:
    """Measure, and print a table in Markdown."""
    found = {**await files(rounds), "etcd": await puts(rounds)}
    print("| | beside | on the disk | ratio | of rounds |\n| --- | --- | --- | --- | --- |")
    for kind, pairs in found.items():
        beside, on = (median(each) for each in zip(*pairs, strict=True))
        ratios = sorted(on / beside for beside, on in pairs)
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        print(f"| {_NAMES[kind]} | {beside:.0f} | {on:.0f} | {median(ratios):.2f} | {spread} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    asyncio.run(measured(parser.parse_args().rounds))

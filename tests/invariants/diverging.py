"""A scene in which members of etcd 3.5.0 to 3.5.2 come to differ for ever (etcd issue 13766).

Such a member notes that it applied an entry before it has: `applyEntryNormal` sets the
consistent index first, then does the work.  The backend saves that index whenever it commits,
every 100 ms.  If it commits in between and the member is killed before it commits again, then
the restarted member believes that it has applied the entry, skips it, and has one revision less
than the others.

Plain puts are applied so fast that this hardly ever happens.  So here 24 writers send
transactions whose conditions take a member a while to look at (each is about all keys of a
range), and that put one key: members are nearly always between the index and the work.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from cluster import Etcd, Host, Journal, Observer, local
from cluster._etcd_client import EtcdApiError, Gateway
from histories import NEMESIS, History, Op

WRITERS: Final = 24
WITHIN_S: Final = 1.5
_QUIET_S: Final = 3.0
_CATCH_UP_S: Final = 30.0
_GUARDED_KEYS: Final = 500
_CONDITIONS: Final = 2
_KEYS_A_TXN: Final = 100

Load = Literal["guarded", "plain"]


@dataclass
class Played:
    """What members said, and how much there was to it."""

    history: History
    writes: int
    kills: int


async def play(
    directory: Path,
    *,
    seconds: float,
    seed: int,
    load: Load = "guarded",
    kills: bool = True,
    binary: Path | None = None,
) -> Played:
    """Three members under 24 writers, one at a time killed at random and started a bit later.

    Then all is healed and, once members have caught up, left alone for 3 s.  Without fsync they
    are faster, and a killed process loses no more for it.
    """
    told: list[Op] = []
    counted = {"writes": 0, "kills": 0}
    clock = asyncio.get_running_loop().time
    begun = clock()

    def now() -> int:
        return round((clock() - begun) * 1e9)

    def ordered(f: str) -> None:
        for kind in ("invoke", "ok"):
            told.append(Op(f, process=NEMESIS, type=kind, time=now()))

    def heard(op: Op) -> None:
        told.append(msgspec.structs.replace(op, time=now()))

    async with members(directory, binary) as (etcd, hosts):
        gateways = [Gateway(etcd._connection(host)) for host in hosts]
        await _seed(gateways[0])
        observer = Observer(etcd, hosts, 10)
        watch = asyncio.ensure_future(observer.watch(heard, now))
        writers = [
            asyncio.ensure_future(_write(etcd, hosts, number, load, counted))
            for number in range(WRITERS)
        ]
        try:
            if kills:
                ordered("start-kill")
                counted["kills"] = await _kill(etcd, hosts, random.Random(seed), clock() + seconds)
            else:
                await asyncio.sleep(seconds)
        finally:
            for writer in writers:
                writer.cancel()
            await asyncio.wait(writers)
        await etcd.ready()
        await _caught_up(etcd, hosts)
        if kills:
            ordered("stop-kill")
        await asyncio.sleep(_QUIET_S)
        watch.cancel()
        await asyncio.wait([watch])
        await asyncio.gather(*(gateway.close() for gateway in gateways))
    return Played(History.from_ops(told), **counted)


@contextlib.asynccontextmanager
async def members(
    directory: Path, binary: Path | None = None
) -> AsyncIterator[tuple[Etcd, Sequence[Host]]]:
    """Three members on this machine, which end with the block."""
    with Journal(directory / "faults.jsonl") as journal:
        async with local(3, directory=directory, journal=journal) as hosts:
            etcd = Etcd(fsync=False, binary=binary)
            try:
                await etcd.setup(hosts)
                yield etcd, hosts
            finally:
                await etcd.teardown()


async def _kill(etcd: Etcd, hosts: Sequence[Host], dice: random.Random, until: float) -> int:
    """Kill one member after the other; how many."""
    clock = asyncio.get_running_loop().time
    for count in itertools.count():
        await asyncio.sleep(dice.uniform(0.5, 1.0))
        if clock() >= until:
            return count
        host = dice.choice(hosts)
        await etcd.kill(host)
        await asyncio.sleep(0.5)
        await etcd.start(host)
    raise AssertionError


async def _seed(gateway: Gateway) -> None:
    """The keys that conditions are about."""
    for first in range(0, _GUARDED_KEYS, _KEYS_A_TXN):
        puts = [_put(f"g/{first + number:06}") for number in range(_KEYS_A_TXN)]
        await gateway.call("kv/txn", {"success": puts}, 10.0)


async def _write(
    etcd: Etcd, hosts: Sequence[Host], number: int, load: Load, counted: dict[str, int]
) -> None:
    """Put one new key after the other on one member until cancelled."""
    all_exist = {
        "key": _base64("g/"),
        "range_end": _base64("g0"),
        "target": "CREATE",
        "result": "GREATER",
        "create_revision": "0",
    }
    compare = [all_exist] * _CONDITIONS if load == "guarded" else []
    gateway = Gateway(etcd._connection(hosts[number % len(hosts)]))
    try:
        for count in itertools.count():
            txn = {"compare": compare, "success": [_put(f"w/{number}/{count}")]}
            try:
                await gateway.call("kv/txn", txn, 5.0)
                counted["writes"] += 1
            except (OSError, EtcdApiError):
                await asyncio.sleep(0.02)
    finally:
        await gateway.close()


async def _caught_up(etcd: Etcd, hosts: Sequence[Host]) -> None:
    """Wait until all members have applied as much of the log, for 30 s at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CATCH_UP_S):
            while True:
                states = await asyncio.gather(*map(etcd.observe, hosts), return_exceptions=True)
                seen = {_applied(state) for state in states}
                if len(seen) == 1 and None not in seen:
                    return
                await asyncio.sleep(0.1)


def _applied(state: Any) -> tuple[Any, Any] | None:
    return (state["index"], state["applied"]) if isinstance(state, dict) else None


def _put(key: str) -> dict[str, Any]:
    return {"request_put": {"key": _base64(key), "value": ""}}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("ascii")).decode("ascii")

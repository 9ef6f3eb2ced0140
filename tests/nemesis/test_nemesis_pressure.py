"""Faults of pressure on real processes: struck, proven, healed, and nothing left of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cluster import Host, Journal, Unsupported
from histories import Json, Op
from nemesis import (
    CpuQuota,
    Fault,
    FileDescriptors,
    IoThrottle,
    MemoryBalloon,
    MemoryLimit,
    Nemesis,
    ProcessTable,
)
from nemesis._pressed import family

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]

FAULTS: dict[str, Callable[[Any], Fault]] = {
    "cpu-quota": CpuQuota,
    "memory-limit": lambda system: MemoryLimit(system, attributes={"megabytes": 48}),
    "memory-balloon": lambda system: MemoryBalloon(system=system, attributes={"megabytes": 32}),
    "io-throttle": IoThrottle,
    "file-descriptors": FileDescriptors,
    "process-table": ProcessTable,
}
WORDS = {
    "cpu-quota": "throttled",
    "memory-limit": "limited",
    "memory-balloon": "squeezed",
    "io-throttle": "throttled",
    "file-descriptors": "exhausted",
    "process-table": "exhausted",
}


@contextlib.asynccontextmanager
async def at_work(
    system: Any, hosts: Sequence[Host], journal: Journal, *faults: Fault
) -> AsyncIterator[Callable[..., Awaitable[Op]]]:
    """A nemesis that is given orders by hand; skips where the machine cannot do it."""
    nemesis = Nemesis(faults, hosts, journal)
    for host in hosts:
        await system.start(host)

    async def order(f: str, value: Json = None) -> Op:
        return await nemesis.invoke(Op(f, value))

    try:
        try:
            await nemesis.setup()
        except Unsupported as error:
            if os.geteuid() != 0 or "the kernel has no" in str(error):
                pytest.skip(str(error))
            raise
        yield order
    finally:
        await nemesis.teardown()


async def stop_all(system: Any, hosts: Sequence[Host]) -> None:
    for host in hosts:
        await host.stop(system.name)


async def state_of(host: Host) -> list[tuple[Any, ...]]:
    """The daemon's processes, with the groups that they are in and their limits."""
    members = (await family(host, "sleepers", sudo=True)).members
    return [(each.pid, each.start, each.cgroups, each.soft, each.hard) for each in members]


def groups_of(journal: Journal) -> list[str]:
    """The control groups of this run, wherever they are."""
    tops = [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    found = [str(each) for top in tops for each in top.glob(f"momus-{journal.run}*")]
    return [each for each in found if "/cgroup" in each]


@pytest.fixture(params=["local", "namespaces"])
def on_hosts(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"on_{request.param}")


async def strike_and_heal(
    name: str, system: Any, hosts: Sequence[Host], journal: Journal, target: str
) -> None:
    """Everything about one fault on one host: what was struck, and that all is as it was."""
    by_name = {host.name: host for host in hosts}
    async with at_work(system, hosts, journal, FAULTS[name](system)) as order:
        before = await state_of(by_name[target])
        done = await order(f"start-{name}", {"targets": [target]})
        assert (done.type, done.error) == ("ok", None)
        assert done.value["receipt"]["during"][WORDS[name]] == [target]
        if name != "memory-balloon":
            assert await state_of(by_name[target]) != before
        entries = Journal.open_entries(journal.path)
        assert name in {entry.kind for entry in entries}
        done = await order(f"stop-{name}")
        assert (done.type, done.error) == ("ok", None)
        assert done.value["receipt"]["after"]["free"] == [target]
        assert await state_of(by_name[target]) == before
        assert groups_of(journal) == []
        assert name not in {entry.kind for entry in Journal.open_entries(journal.path)}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_proven_from_outside_and_leaves_the_host_as_it_was(
    name: str, on_hosts: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        await strike_and_heal(name, system, hosts, journal, "n2")
        await stop_all(system, hosts)

    on_hosts(2, scenario)

"""Faults of disks under a small real program: struck, proven, healed, and nothing left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from cluster import FaultyDisk, Host, Journal, Unsupported, heal
from histories import Json, Op
from momus._faults import KINDS
from nemesis import DiskDamage, DiskFault, Fault, LoseUnsynced, Nemesis, targets

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]

# $1 the ledger, $2 acknowledgements, $3 "synced" or "careless".  Whoever is careless
# acknowledges what the disk may not have.
LEDGER = """
import os, sys, time
ledger, acknowledged, how = sys.argv[1:]
at = os.open(ledger, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
acks = os.open(acknowledged, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
number = int((os.pread(acks, 1 << 20, 0).split() or [0])[-1])
while True:
    number += 1
    os.write(at, b"%d\\n" % number)
    if how == "synced":
        os.fsync(at)
    os.write(acks, b"%d\\n" % number)
    time.sleep(0.005)
"""
WORDS = {
    "disk-fill": "full",
    "disk-slow": "slow",
    "disk-read-errors": "unreadable",
    "disk-write-errors": "unwritable",
    "disk-sync-errors": "unsyncable",
    "disk-bit-flips": "flipped",
    "disk-truncate": "truncated",
    "disk-lose-unsynced": "lost",
}


class Ledger:
    """A system of programs that write numbers down, and then acknowledge them."""

    name = "ledger"

    def __init__(self, how: str = "synced", *, names: str = "ordered") -> None:
        self.disk = FaultyDisk(names=names)
        self._how = how

    async def start(self, host: Host) -> None:
        if not await host.alive(self.name):
            files = [f"{self.disk.data(host)}/ledger", f"{host.directory}/acknowledged"]
            await host.start(self.name, [sys.executable, "-c", LEDGER, *files, self._how])

    async def kill(self, host: Host) -> None:
        await host.signal(self.name, "KILL")

    async def written(self, host: Host) -> list[str]:
        """What is in the ledger, if there is one."""
        path = f"{self.disk.data(host)}/ledger"
        done = await host.run(["sh", "-c", '[ ! -e "$1" ] || cat -- "$1"', "sh", path])
        return done.text.split()

    async def acknowledged(self, host: Host) -> list[str]:
        return (await host.read(f"{host.directory}/acknowledged")).decode().split()

    async def go_on(self, host: Host) -> None:
        """Returns when some more has been acknowledged."""
        try:
            before = len(await self.acknowledged(host))
        except Exception:  # it has only begun
            before = 0
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(Exception):
                    if len(await self.acknowledged(host)) > before:
                        return
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def at_work(
    system: Ledger, hosts: Sequence[Host], journal: Journal, *faults: Fault
) -> AsyncIterator[Callable[..., Awaitable[Op]]]:
    """A nemesis that is given orders by hand, and the system at work on disks of ours."""
    nemesis = Nemesis(faults, hosts, journal)

    async def order(f: str, value: Json = None) -> Op:
        return await nemesis.invoke(Op(f, value))

    try:
        for host in hosts:
            try:
                await system.disk.start(host)
            except Unsupported as error:
                pytest.skip(str(error))
            await system.start(host)
            await system.go_on(host)
        await nemesis.setup()
        yield order
        await nemesis.teardown()
    finally:
        for host in hosts:
            await host.stop(system.name)
            await system.disk.stop(host)


def mounted(directory: Path) -> list[str]:
    """What is mounted below a directory, as this process sees it."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line for line in lines if line.split()[1].startswith(str(directory))]


SEALED: Json = {"files": ["sealed"]}
HOSTS = {"local": ["disk-fill", "disk-bit-flips", "disk-lose-unsynced"], "namespaces": [*WORDS]}


@pytest.mark.parametrize("kind", ["local", pytest.param("namespaces", marks=pytest.mark.slow)])
def test_every_fault_of_disks_is_proven_from_outside_and_leaves_nothing(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        system = Ledger()
        faults = {name: KINDS[name].make(system, targets.one) for name in HOSTS[kind]}
        async with at_work(system, hosts, journal, *faults.values()) as order:
            [host] = hosts
            sealed_at = f"{system.disk.data(host)}/sealed"
            await host.write(sealed_at, b"so it was written" * 1000)
            await host.run(["sync", sealed_at])  # or a fault below would make it forgotten
            for name in faults:
                value: dict[str, Json] = {"targets": ["n1"], "seed": 7}
                if name in ("disk-truncate", "disk-bit-flips"):
                    value["attributes"] = SEALED
                done = await order(f"start-{name}", value)
                assert (done.type, done.error) == ("ok", None), (name, done.value)
                assert done.value["receipt"]["during"][WORDS[name]] == ["n1"]
                assert name in {entry.kind for entry in Journal.open_entries(journal.path)}
                done = await order(f"stop-{name}")
                assert (done.type, done.error) == ("ok", None), (name, done.value)
                assert name not in {entry.kind for entry in Journal.open_entries(journal.path)}
                await system.go_on(host)
            sealed = await host.read(sealed_at)
            assert sealed == b"so it was written" * 1000
        left = {entry.kind for entry in Journal.open_entries(journal.path)}
        assert left <= {"directory"}
        assert mounted(tmp_path) == []

    request.getfixturevalue(f"on_{kind}")(1, scenario)


@pytest.mark.parametrize("how", ["synced", "careless"])
def test_who_acknowledges_before_syncing_loses_what_was_acknowledged(
    how: str, on_namespaces: Play
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        system = Ledger(how)
        async with at_work(system, hosts, journal, LoseUnsynced(system)) as order:
            done = await order("start-disk-lose-unsynced", {"targets": "all"})
            assert (done.type, done.error) == ("ok", None)
            for host in hosts:
                acknowledged = await system.acknowledged(host)
                lost = set(acknowledged) - set(await system.written(host))
                assert lost == (set() if how == "synced" else set(acknowledged))
            assert (await order("stop-disk-lose-unsynced")).type == "ok"

    on_namespaces(2, scenario)


def test_a_fault_that_somebody_ended_and_a_disk_that_died_are_noticed(
    on_namespaces: Play,
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        system = Ledger()
        fault = DiskFault("disk-write-errors", system, attributes={"probability": 1})
        async with at_work(system, hosts, journal, fault) as order:
            await order("start-disk-write-errors", {"targets": ["n1"]})
            rule = f"disk-write-errors-{journal.run}"
            await system.disk.order(hosts[0], {"do": "clear", "id": rule})
            done = await order("stop-disk-write-errors")
            assert done.type == "info"
            assert "n1 was sound before it was healed, not unwritable" in str(done.error)
            assert done.value["receipt"]["effect"] is False
            await system.go_on(hosts[0])

            await order("start-disk-write-errors", {"targets": ["n1"]})
            await hosts[0].signal("disk", "KILL")
            done = await order("stop-disk-write-errors")
            assert done.type == "info"
            assert "n1 was unknown before it was healed" in str(done.error)

    on_namespaces(1, scenario)


def test_a_system_without_a_disk_of_ours_is_refused_with_what_to_do(on_local: Play) -> None:
    class Plain(Ledger):
        disk = None  # type: ignore[assignment]

        def __init__(self) -> None:
            pass

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        nemesis = Nemesis([LoseUnsynced(Plain())], hosts, journal)
        with pytest.raises(Unsupported, match="FaultyDisk"):
            await nemesis.setup()

    on_local(1, scenario)


@pytest.mark.parametrize(
    ("kind", "attributes", "why"),
    [
        ("disk-slow", {"sync": 1, "read": 1, "write": 1}, "could not be proven"),
        ("disk-slow", {"sync": -1}, "whole number from 0"),
        ("disk-read-errors", {"probability": 0.001}, "could not be proven"),
        ("disk-read-errors", {"files": "*"}, "list of patterns"),
        ("disk-fill", {"megabytes": 1}, "has the attributes overwrites"),
        ("disk-bit-flips", {"bits": 0}, "of nothing"),
    ],
)
def test_attributes_that_make_no_sense_are_refused(
    kind: str, attributes: dict[str, Json], why: str
) -> None:
    make = DiskDamage if kind == "disk-bit-flips" else DiskFault
    with pytest.raises(ValueError, match=why):
        make(kind, Ledger(), attributes=attributes)


DRIVER = """
import asyncio, os, sys
from cluster import FaultyDisk, Journal, local
from nemesis import DiskFault, Nemesis
from histories import Op
from tests.nemesis.test_nemesis_disks import Ledger

async def main(directory):
    with Journal(directory + "/faults.jsonl") as journal:
        async with local(1, directory=directory, journal=journal) as hosts:
            system = Ledger()
            await system.disk.start(hosts[0])
            await system.start(hosts[0])
            nemesis = Nemesis([DiskFault("disk-slow", system)], hosts, journal)
            await nemesis.setup()
            done = await nemesis.invoke(Op("start-disk-slow", {"targets": "all"}))
            print(done.type, (await hosts[0].read(hosts[0].directory + "/disk.pid")).decode())
            sys.stdout.flush()
            await asyncio.sleep(100)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("disk_dies", [pytest.param(False, marks=pytest.mark.slow), True])
def test_after_the_driver_was_killed_heal_ends_the_fault_and_unmounts(
    disk_dies: bool, tmp_path: Path
) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert driver.stdout is not None
        said = driver.stdout.readline().split()
        if not said and os.geteuid() != 0:
            pytest.skip("an ordinary user mounts by fusermount3, and it is not there")
        assert said[0] == "ok"
        assert len(mounted(tmp_path)) == 1
        driver.kill()
        driver.wait()
        if disk_dies:
            os.kill(int(said[1]), signal.SIGKILL)
    finally:
        driver.kill()
        driver.communicate()
        healed = asyncio.run(heal(tmp_path))
    assert {each.kind for each in healed} == {"directory", "mount", "daemon", "disk-slow"}
    assert [each for each in healed if not each.settled] == []
    assert mounted(tmp_path) == []
    assert [each.name for each in tmp_path.iterdir()] == ["faults.jsonl"]
    assert asyncio.run(heal(tmp_path)) == []

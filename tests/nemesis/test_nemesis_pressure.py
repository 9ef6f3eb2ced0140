"""Faults of pressure on real processes: struck, proven, healed, and nothing left of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cluster import Host, Journal, Unsupported, ssh
from cluster._sshlab import ssh_lab
from histories import Json, Op
from nemesis import (
    CpuQuota,
    Fault,
    FileDescriptors,
    IoThrottle,
    Kill,
    MemoryBalloon,
    MemoryLimit,
    Nemesis,
    ProcessTable,
)
from nemesis._pressed import family

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]

AS_ROOT = os.geteuid() == 0
"""Our own processes are looked at without root, too."""

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
    members = (await family(host, "sleepers", sudo=AS_ROOT)).members
    return [(each.pid, each.start, each.cgroups, each.soft, each.hard) for each in members]


def groups_of(journal: Journal) -> list[str]:
    """The control groups of this run, wherever they are."""
    tops = [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    found = [str(each) for top in tops for each in top.glob(f"momus-{journal.run}*")]
    return [each for each in found if "/cgroup" in each]


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


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("local", name) for name in FAULTS),
        *(pytest.param("namespaces", name, marks=pytest.mark.slow) for name in FAULTS),
    ],
)
def test_each_fault_is_proven_from_outside_and_leaves_the_host_as_it_was(
    kind: str, name: str, system: Any, request: pytest.FixtureRequest
) -> None:
    on_hosts: Play = request.getfixturevalue(f"on_{kind}")

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        await strike_and_heal(name, system, hosts, journal, "n1")
        await stop_all(system, hosts)

    on_hosts(1, scenario)


@pytest.mark.slow
def test_ssh_hosts_come_under_every_pressure_and_out_of_it(tmp_path: Path, system: Any) -> None:
    async def scenario() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with (
                ssh_lab(1, directory=tmp_path / "lab") as lab,
                ssh(lab.lab_toml, journal=journal) as hosts,
            ):
                for name in FAULTS:
                    await strike_and_heal(name, system, hosts, journal, "n1")
                await stop_all(system, hosts)

    (tmp_path / "lab").mkdir()
    try:
        asyncio.run(scenario())
    except Unsupported as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", ["process-table", "file-descriptors"])
def test_a_daemon_that_was_started_anew_is_free_and_the_receipt_says_so(
    name: str, on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async with at_work(system, hosts, journal, FAULTS[name](system)) as order:
            assert (await order(f"start-{name}", {"targets": ["n1"]})).type == "ok"
            await hosts[0].stop("sleepers")
            await system.start(hosts[0])
            done = await order(f"stop-{name}")
            assert done.error == f"n1 was free before it was healed, not died or {WORDS[name]}"
            assert done.value["receipt"]["effect"] is False

    on_local(1, scenario)


@pytest.mark.parametrize(
    "name", [pytest.param("process-table", marks=pytest.mark.slow), "file-descriptors"]
)
def test_a_daemon_that_died_of_it_was_under_it_and_is_started_again(
    name: str, on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async with at_work(system, hosts, journal, FAULTS[name](system)) as order:
            assert (await order(f"start-{name}", {"targets": ["n1"]})).type == "ok"
            await hosts[0].signal("sleepers", "KILL")
            done = await order(f"stop-{name}")
            assert (done.type, done.error) == ("ok", None)
            assert done.value["receipt"]["during"]["died"] == ["n1"]
            assert done.value["receipt"]["after"]["free"] == ["n1"]
            assert groups_of(journal) == []

    on_local(1, scenario)


def test_a_daemon_that_another_fault_will_start_is_left_to_it(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        pressure = FAULTS["file-descriptors"](system)
        async with at_work(system, hosts, journal, pressure, Kill(system)) as order:
            await order("start-file-descriptors", {"targets": ["n1"]})
            await order("start-kill", {"targets": ["n1"]})
            assert (await order("stop-file-descriptors")).type == "ok"
            assert (await order("stop-kill")).type == "ok"

    on_local(1, scenario)


def test_a_limit_that_somebody_lifted_is_noticed(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async with at_work(system, hosts, journal, ProcessTable(system)) as order:
            await order("start-process-table", {"targets": ["n1"]})
            [group] = groups_of(journal)
            (Path(group) / "pids.max").write_text("max")
            done = await order("stop-process-table")
            assert done.error == "n1 was loosened before it was healed, not died or exhausted"

    on_local(1, scenario)


def test_processes_that_somebody_moved_away_are_noticed(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async with at_work(system, hosts, journal, ProcessTable(system)) as order:
            before = await state_of(hosts[0])
            await order("start-process-table", {"targets": ["n1"]})
            [group] = groups_of(journal)
            moved, *others = (Path(group) / "cgroup.procs").read_text().split()
            (Path(group).parent / "cgroup.procs").write_text(moved)
            done = await order("stop-process-table")
            assert "n1 was partly before it was healed" in str(done.error)
            assert others
            assert await state_of(hosts[0]) == before

    on_local(1, scenario)


def test_who_was_born_under_pressure_comes_out_of_it_too(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        faults: list[Fault] = [
            ProcessTable(system, attributes={"spare": 4}),
            FileDescriptors(system, attributes={"spare": 4}),
        ]
        argv = ["sh", "-c", 'trap "sleep 1000 &" USR1; while :; do sleep 1000 & wait $!; done']
        await hosts[0].start("sleepers", argv)
        async with at_work(system, hosts, journal, *faults) as order:
            before = await state_of(hosts[0])
            await order("start-process-table", {"targets": ["n1"]})
            await order("start-file-descriptors", {"targets": ["n1"]})
            os.kill(before[0][0], signal.SIGUSR1)
            async with asyncio.timeout(10):
                while len(during := await state_of(hosts[0])) == len(before):
                    await asyncio.sleep(0.05)
            assert {each[2:] for each in during} != {each[2:] for each in before}
            await order("stop-file-descriptors")
            assert (await order("stop-process-table")).type == "ok"
            after = await state_of(hosts[0])
            assert len(after) > len(before)
            assert {each[2:] for each in after} == {each[2:] for each in before}

    on_local(1, scenario)


def test_a_server_with_a_descriptor_to_spare_does_not_accept_when_it_is_used(
    on_local: Play, system: Any
) -> None:
    """The limit leaves room for one connection; the second one is not served."""

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        await hosts[0].start("sleepers", [sys.executable, "-c", HOLDING])
        fault = FileDescriptors(system, attributes={"spare": 1})
        async with at_work(system, hosts, journal, fault) as order:
            done = await order("start-file-descriptors", {"targets": ["n1"]})
            assert (done.type, done.error) == ("ok", None)
            knocked = done.value["receipt"]["during"]["seen"]["n1"]["knocked"]
            assert (knocked["unserved"], knocked["opened"]) == (True, 2)
            assert (await order("stop-file-descriptors")).type == "ok"

    on_local(1, scenario)


HOLDING = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
held = []
while True:
    try:
        held.append(listener.accept()[0])
    except OSError:
        time.sleep(0.05)
"""


def test_a_limit_below_what_is_used_is_refused_unless_asked_for(
    on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        holding = "import time; held = bytearray(b'x') * (64 << 20); time.sleep(999)"
        argv = [sys.executable, "-c", holding]
        await hosts[0].start("sleepers", argv)
        async with asyncio.timeout(20):
            while (await family(hosts[0], "sleepers", sudo=AS_ROOT)).members[0].resident < 64 << 20:
                await asyncio.sleep(0.05)
        async with at_work(system, hosts, journal, FAULTS["memory-limit"](system)) as order:
            done = await order("start-memory-limit", {"targets": ["n1"]})
            assert "MiB, more than the limit of 48 MiB; order more megabytes" in str(done.error)
            asked = {"megabytes": 48, "below_use": 1}
            done = await order("start-memory-limit", {"targets": ["n1"], "attributes": asked})
            assert (done.type, done.error) == ("ok", None)
            await order("stop-memory-limit")

    on_local(1, scenario)


GROWING = """
import signal, time
def grow(*_):
    held = bytearray(b"x") * (99 << 20)
signal.signal(signal.SIGUSR1, grow)
while True:
    time.sleep(1)
"""


def test_a_daemon_that_grows_past_its_limit_is_killed_and_the_receipt_tells(
    on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        await hosts[0].start("sleepers", [sys.executable, "-c", GROWING])
        async with at_work(system, hosts, journal, FAULTS["memory-limit"](system)) as order:
            assert (await order("start-memory-limit", {"targets": ["n1"]})).type == "ok"
            await hosts[0].signal("sleepers", "USR1")
            async with asyncio.timeout(20):
                while await hosts[0].alive("sleepers"):
                    await asyncio.sleep(0.05)
            done = await order("stop-memory-limit")
            assert (done.type, done.error) == ("ok", None)
            during = done.value["receipt"]["during"]
            assert during["died"] == ["n1"]
            assert during["seen"]["n1"]["killed_for_memory"] == 1

    on_local(1, scenario)


def test_a_balloon_never_takes_more_than_its_share(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        fault = MemoryBalloon(attributes={"megabytes": 1 << 30})
        async with at_work(system, hosts, journal, fault) as order:
            done = await order("start-memory-balloon", {"targets": ["n1"]})
            assert "are more than 80 % of its share of the memory" in str(done.error)
            assert done.value["receipt"]["during"]["free"] == ["n1"]

    on_local(1, scenario)


@pytest.mark.parametrize(
    ("fault", "attributes", "complaint"),
    [
        (CpuQuota, {"cpu": 1}, "has the attributes cpus, not 'cpu'"),
        (CpuQuota, {"cpus": 0}, "a number from 0.01, not 0"),
        (MemoryLimit, {"megabytes": 64.5}, "a whole number from 16, not 64.5"),
        (ProcessTable, {"spare": -1}, "a whole number from 0, not -1"),
    ],
)
def test_attributes_that_make_no_sense_are_refused(
    fault: Any, attributes: dict[str, float], complaint: str, system: Any
) -> None:
    with pytest.raises(ValueError, match=complaint):
        fault(system, attributes=attributes)


def test_without_root_the_reason_and_a_remedy_are_told_before_the_load(
    on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        if os.geteuid() == 0:
            run = hosts[0].run

            async def as_nobody(argv: Sequence[str], **kwargs: Any) -> Any:
                drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
                return await run([*drop, *argv] if kwargs.get("sudo") else argv, **kwargs)

            hosts[0].run = as_nobody  # type: ignore[method-assign]
            Path(hosts[0].directory).chmod(0o777)
        nemesis = Nemesis([CpuQuota(system)], hosts, journal)
        with pytest.raises(Unsupported, match=r"'cpu-quota' is impossible: .*sudo|run as root"):
            await nemesis.setup()
        with contextlib.suppress(Exception):
            await nemesis.teardown()

    on_local(1, scenario)


def test_a_forged_pid_file_does_not_make_a_family_of_all_processes(
    on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        del journal
        await system.start(hosts[0])
        boot = (await family(hosts[0], "sleepers", sudo=AS_ROOT)).boot
        init = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
        await hosts[0].write(f"{hosts[0].directory}/forged.pid", f"1 {init} {boot}\n".encode())
        assert (await family(hosts[0], "forged", sudo=AS_ROOT)).members == ()

    on_local(1, scenario)

"""Pressure whose driver died: what `momus heal` does about it, from the journal alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cluster import Host, Journal, Unsupported, heal, local, namespaces, ssh
from cluster._sshlab import ssh_lab
from histories import Op
from nemesis import (
    CpuQuota,
    Fault,
    FileDescriptors,
    MemoryBalloon,
    Nemesis,
    ProcessTable,
    _nofile_program,
)
from nemesis._pressed import family
from nemesis._programs import ask

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="control groups of this machine can be made by root only"
)

DRIVER = Path(__file__).with_name("pressure_driver_that_dies.py")
ROOT = Path(__file__).parents[2]
PRESSURES = ("cpu-quota", "file-descriptors", "memory-balloon", "process-table")
AS_ROOT = os.geteuid() == 0


def faults_for(system: Any) -> list[Fault]:
    return [
        CpuQuota(system),
        ProcessTable(system),
        FileDescriptors(system),
        MemoryBalloon(attributes={"megabytes": 32}),
    ]


async def struck(system: Any, hosts: Sequence[Host], journal: Journal, *names: str) -> None:
    """All under pressure, and nobody left to heal it."""
    faults = [each for each in faults_for(system) if each.name in names]
    nemesis = Nemesis(faults, hosts, journal)
    await nemesis.setup()
    for name in names:
        done = await nemesis.invoke(Op(f"start-{name}", {"targets": ["n1"]}))
        assert (done.type, done.error) == ("ok", None)


async def state_of(host: Host) -> list[tuple[Any, ...]]:
    members = (await family(host, "sleepers", sudo=AS_ROOT)).members
    return [(each.pid, each.start, each.cgroups, each.soft, each.hard) for each in members]


def groups_of(run: str) -> list[str]:
    tops = [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [str(each) for top in tops if "cgroup" in str(top) for each in top.glob(f"momus-{run}*")]


@pytest.mark.parametrize("kind", [pytest.param("local", marks=pytest.mark.slow), "ssh"])
def test_a_dead_drivers_pressure_is_taken_away_and_nothing_is_left(
    kind: str, tmp_path: Path, system: Any
) -> None:
    """The daemon was there before the run, so heal must not end it."""

    async def scenario(hosts: Sequence[Host]) -> None:
        await system.start(hosts[0])
        try:
            before = await state_of(hosts[0])
            with Journal(tmp_path / "faults.jsonl") as journal:
                await struck(system, hosts, journal, *PRESSURES)
            assert await state_of(hosts[0]) != before
            assert groups_of(journal.run) != []
            healed = await heal(tmp_path / "faults.jsonl", even_running=True)
            assert {one.outcome for one in healed} == {"undone"}
            assert {one.kind for one in healed} == set(PRESSURES)
            assert await state_of(hosts[0]) == before
            assert groups_of(journal.run) == []
            assert (await family(hosts[0], "memory-balloon", sudo=AS_ROOT)).members == ()
            assert await heal(tmp_path / "faults.jsonl", even_running=True) == []
        finally:
            for name in ("sleepers", "memory-balloon"):
                await hosts[0].stop(name)

    async def play() -> None:
        if kind == "local":
            async with local(1, directory=tmp_path) as hosts:
                await scenario(hosts)
        else:
            async with ssh_lab(1, directory=tmp_path) as lab, ssh(lab.lab_toml) as remote:
                await scenario(remote)

    try:
        asyncio.run(play())
    except Unsupported as error:
        if error.host == "this machine":
            pytest.skip(str(error))
        raise


def test_a_group_is_removed_even_if_the_namespace_has_ended(tmp_path: Path, system: Any) -> None:
    async def play() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with namespaces(1, directory=tmp_path) as hosts:
                await system.start(hosts[0])
                await struck(system, hosts, journal, "process-table")
        assert groups_of(journal.run) != []
        healed = await heal(tmp_path / "faults.jsonl", even_running=True)
        assert {(one.host, one.outcome) for one in healed} == {("n1", "gone"), ("driver", "undone")}
        assert groups_of(journal.run) == []

    try:
        asyncio.run(play())
    except Unsupported as error:
        if error.host == "this machine":
            pytest.skip(str(error))
        raise


def test_a_strike_that_arrives_after_its_undo_is_barred(
    tmp_path: Path, system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its driver died while it was on its way."""

    async def play() -> None:
        late: list[Any] = []
        async with local(1, directory=tmp_path) as [host]:
            await system.start(host)
            before, run = await state_of(host), host.run

            async def slow(argv: Sequence[str], **kwargs: Any) -> Any:
                if "momus-strike" in argv:
                    late.append((argv, {**kwargs, "check": False}))
                    return None
                return await run(argv, **kwargs)

            with Journal(tmp_path / "faults.jsonl") as journal:
                fault = FileDescriptors(system)
                nemesis = Nemesis([fault], [host], journal)
                await nemesis.setup()
                monkeypatch.setattr(host, "run", slow)
                done = await nemesis.invoke(Op("start-file-descriptors", {"targets": ["n1"]}))
                assert "n1 was loosened after the strike" in str(done.error)
            monkeypatch.undo()
            await heal(tmp_path / "faults.jsonl", even_running=True)
            [(argv, kwargs)] = late
            arrived = await run(argv, **kwargs)
            assert b"has been undone" in arrived.stderr
            assert await state_of(host) == before
            await host.stop("sleepers")

    asyncio.run(play())


def test_after_a_reboot_and_for_strangers_with_the_same_pid_nothing_is_done(
    tmp_path: Path, system: Any
) -> None:
    async def play() -> None:
        async with local(1, directory=tmp_path) as [host]:
            await system.start(host)
            before = await family(host, "sleepers", sudo=AS_ROOT)
            leader = before.members[0]
            request = {"do": "restore", "leader": [leader.pid, leader.start]}
            limits = [[each.pid, each.start, 64, 3] for each in before.members]
            await ask(host, _nofile_program, {**request, "boot": "another", "limits": limits})
            strangers = [[each.pid, each.start + 1, 64, 3] for each in before.members]
            await ask(host, _nofile_program, {**request, "boot": before.boot, "limits": strangers})
            assert (await family(host, "sleepers", sudo=AS_ROOT)).members == before.members
            await host.stop("sleepers")

    asyncio.run(play())


def killed_driver(kind: str, directory: Path, random: Random, lab: str = "") -> set[str]:
    """Run a driver, kill it at some moment and heal; what was healed."""
    directory.mkdir()
    with (directory / "driver.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(DRIVER), kind, str(directory), str(random.randrange(10**6)), lab],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said == "ready\n", (directory / "driver.log").read_text()
        time.sleep(random.uniform(0, 4))  # the moment at which it dies, not a wait
        assert process.poll() is None, (directory / "driver.log").read_text()
    finally:
        process.kill()
        process.communicate()
    healed = asyncio.run(heal(directory))
    assert [one for one in healed if not one.settled] == []
    [run] = {entry.run for entry in Journal.entries(directory / "faults.jsonl")}
    assert groups_of(run) == []
    assert list(Path("/run").glob(f"momus-{run}*")) == []
    await_nobody_in(run)
    return {one.kind for one in healed}


def await_nobody_in(run: str) -> None:
    """The kernel needs a moment to end what it ends."""
    deadline = time.monotonic() + 10
    while (left := processes_in(f"momus-{run}")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def processes_in(directory: str) -> list[str]:
    """Processes whose working directory is, or was, below one of this name."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and directory in os.readlink(entry / "cwd"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@pytest.mark.parametrize(
    ("kind", "tries"),
    [
        ("local", 1),
        *(
            pytest.param(kind, 33, marks=pytest.mark.slow)
            for kind in ("local", "namespaces", "ssh")
        ),
    ],
)
def test_after_the_driver_was_killed_at_any_moment_heal_leaves_no_pressure(
    kind: str, tries: int, tmp_path: Path
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    random = Random(seed)
    kinds: set[str] = set()

    async def scenario() -> None:
        async with ssh_lab(3, directory=tmp_path) as lab:
            for number in range(tries):
                directory = tmp_path / str(number)
                healed = asyncio.to_thread(
                    killed_driver, "ssh", directory, random, str(lab.lab_toml)
                )
                kinds.update(await healed)

    if kind == "ssh":
        try:
            asyncio.run(scenario())
        except Unsupported as error:
            pytest.skip(str(error))
    else:
        for number in range(tries):
            kinds |= killed_driver(kind, tmp_path / str(number), random)
    assert tries == 1 or kinds & set(PRESSURES)

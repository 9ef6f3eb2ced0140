"""The driver is killed while it breaks things; what it left behind is healed by its journal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cluster import Host, Journal, Unsupported, heal, local, namespaces, ssh
from cluster._sshlab import ssh_lab
from histories import Op
from nemesis import Nemesis, Pause
from nemesis._processes import look
from tests.nemesis.traces import rules_of, with_foreign_rules

DRIVER = Path(__file__).with_name("driver_that_dies.py")
ROOT = Path(__file__).parents[2]
READY_TIMEOUT_S = 60.0
MARK = "MOMUS_TEST_OF_A_DEAD_DRIVER"


@pytest.fixture
def random() -> Random:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    return Random(seed)


@contextlib.contextmanager
def driver(kind: str, directory: Path, seed: int, lab: str = "") -> Iterator[subprocess.Popen[str]]:
    """A driver at work; killed in the end at the latest."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "driver.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(DRIVER), kind, str(directory), str(seed), lab],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), MARK: str(directory)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if said != "ready\n":
            process.kill()
            pytest.fail(f"the driver did not come up: {(directory / 'driver.log').read_text()}")
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def processes_of(directory: Path) -> list[str]:
    """What still runs of all that was started under a driver, wherever it went."""
    mark = f"{MARK}={directory}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found.append(f"{entry.name}: {command.decode(errors='replace')}")
    return found


def await_nothing_of(directory: Path) -> None:
    """The kernel needs a moment to end what it ends."""
    deadline = time.monotonic() + 10
    while (left := processes_of(directory)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


@pytest.mark.parametrize("kind", ["local", "namespaces"])
@pytest.mark.parametrize(
    "tries", [pytest.param(3, id="few"), pytest.param(50, id="many", marks=pytest.mark.slow)]
)
def test_after_the_driver_was_killed_at_any_moment_heal_leaves_nothing_of_it(
    kind: str, tries: int, tmp_path: Path, random: Random
) -> None:
    if kind == "namespaces":
        need_namespaces(tmp_path)
    for number in range(tries):
        directory = tmp_path / str(number)
        with driver(kind, directory, random.randrange(10**6)) as process:
            time.sleep(random.uniform(0, 1.5))  # the moment at which it dies, not a wait
            process.send_signal(signal.SIGKILL)
            process.wait()
            healed = asyncio.run(heal(directory))
        assert [one for one in healed if not one.settled] == []
        await_nothing_of(directory)
        assert asyncio.run(heal(directory)) == [], "healing twice does nothing more"
        assert sorted(each.name for each in directory.iterdir()) == ["driver.log", "faults.jsonl"]


@pytest.mark.parametrize(
    "tries", [pytest.param(2, id="few"), pytest.param(50, id="many", marks=pytest.mark.slow)]
)
def test_ssh_hosts_that_outlive_their_driver_are_as_they_were_after_heal(
    tries: int, tmp_path: Path, random: Random
) -> None:
    async def scenario() -> None:
        async with ssh_lab(3, directory=tmp_path / "lab") as lab, ssh(lab.lab_toml) as hosts:
            before = await with_foreign_rules(hosts)
            kinds: set[str] = set()
            for number in range(tries):
                directory = tmp_path / str(number)
                seed = random.randrange(10**6)
                with driver("ssh", directory, seed, str(lab.lab_toml)) as process:
                    await asyncio.sleep(random.uniform(0, 4))  # the moment at which it dies
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    healed = await heal(directory)
                assert [one for one in healed if not one.settled] == []
                kinds |= {one.kind for one in healed}
                assert [await rules_of(host) for host in hosts] == before
                [run] = {entry.run for entry in Journal.entries(directory / "faults.jsonl")}
                assert processes_in(f"momus-{run}") == []
                assert list(lab.lab_toml.parent.glob(f"**/momus-{run}*")) == []
            assert tries < 10 or {"partition", "pause", "kill", "daemon"} <= kinds

    try:
        asyncio.run(scenario())
    except Unsupported as error:
        if error.host == "this machine":
            pytest.skip(str(error))
        raise


def processes_in(directory: str) -> list[str]:
    """Processes whose working directory is, or was, below one of this name."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and directory in os.readlink(entry / "cwd"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def test_a_paused_process_that_momus_did_not_start_goes_on_after_heal(
    tmp_path: Path, system: Any
) -> None:
    """It was there before the run, so heal must wake it and must not end it."""

    async def scenario() -> None:
        async with local(2, directory=tmp_path / "lab") as hosts:
            try:
                for host in hosts:
                    await system.start(host)
                # A driver that is no more: its journal says "begin" by a process long gone.
                journal = Journal(tmp_path / "faults.jsonl")
                nemesis = Nemesis([Pause(system)], hosts, journal)
                await nemesis.setup()
                await nemesis.invoke(Op("start-pause", {"targets": ["n1"]}))
                journal.end()
                assert await states(hosts) == ["paused", "running"]
                [one] = await heal(tmp_path / "faults.jsonl", even_running=True)
                assert (one.kind, one.host, one.outcome) == ("pause", "n1", "undone")
                assert await states(hosts) == ["running", "running"]
            finally:
                for host in hosts:
                    await host.stop("sleepers")

    asyncio.run(scenario())


async def states(hosts: Sequence[Host]) -> list[str]:
    return [(await look(host, "sleepers")).state for host in hosts]


def need_namespaces(directory: Path) -> None:
    async def raise_one() -> None:
        async with namespaces(1, directory=directory):
            pass

    try:
        asyncio.run(raise_one())
    except Unsupported as error:
        pytest.skip(str(error))

"""A host dies in the middle of a run over SSH: an event of the run, and no hang."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from cluster import Host, HostError
from cluster._sshlab import sshd_command
from histories import NEMESIS, Store
from tests.lab.conftest import Stage
from tests.lab.deaths import REPOSITORY
from tests.lab.fingerprint import await_as_before, fingerprints

RUN_TIMEOUT_S: Final = 110.0
ENOUGH_BYTES: Final = 20_000

# SIGKILL for all processes of the host but the one that holds its namespaces.
_KILL_ALL: Final = b"""
import os, signal
here = os.stat("/proc/self/ns/net").st_ino
for pid in os.listdir("/proc"):
    try:
        if pid.isdigit() and int(pid) != os.getpid() and os.stat(
            "/proc/%s/ns/net" % pid
        ).st_ino == here and b"_keeper.py" not in open("/proc/%s/cmdline" % pid, "rb").read():
            os.kill(int(pid), signal.SIGKILL)
    except OSError:
        pass
"""


async def _die(_stage: Stage, below: Host) -> None:
    await below.run(["python3", "-I", "-S", "-"], input=_KILL_ALL)


async def _rise(stage: Stage, below: Host) -> None:
    command = sshd_command(stage.lab.lab_toml.parent, below.name)
    script = 'setsid "$@" >/dev/null 2>&1 </dev/null &'
    await below.run(["sh", "-c", script, "sshd", *command])


async def _fall_silent(_stage: Stage, below: Host) -> None:
    """Packets are swallowed, as by a cable that was pulled."""
    rules = b"""
    table inet silence {
        chain input { type filter hook input priority -500; policy drop; }
        chain output { type filter hook output priority -500; policy drop; }
    }
    """
    await below.run(["nft", "-f", "-"], input=rules)


async def _speak_again(_stage: Stage, below: Host) -> None:
    await below.run(["nft", "delete", "table", "inet", "silence"])


Act = Callable[[Stage, Host], Awaitable[None]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lose", "find"),
    [
        pytest.param(_die, _rise, id="killed"),
        pytest.param(_fall_silent, _speak_again, id="silent"),
    ],
)
def test_a_run_whose_host_dies_ends_and_says_so_and_heal_restores_the_host(
    stage: Stage, tmp_path: Path, lose: Act, find: Act
) -> None:
    async def scenario() -> None:
        await stage.forget()
        tops = [str(stage.lab.lab_toml.parent)]
        before = await fingerprints(stage.hosts, directories=tops)
        lost = stage.lab.hosts[1]
        words = ["run", "etcd", "--lab", str(stage.lab.lab_toml), "--faults", "pause,partition"]
        words += ["--interval", "1", "--time-limit", "10", "--rate", "50", "--op-timeout", "1"]
        words += ["--seed", str(stage.seed), "--store", str(tmp_path), "--json", "--quiet"]
        run = momus(*words)
        try:
            await enough_recorded(tmp_path, run)
            await lose(stage, lost)
            said, _ = await asyncio.to_thread(run.communicate, timeout=RUN_TIMEOUT_S)
        finally:
            run.kill()
            with contextlib.suppress(HostError):  # if it was never lost
                await find(stage, lost)
        answer = json.loads(said)
        assert any(lost.name in each for each in answer["troubles"]), answer["troubles"]
        ended_as_it_began(tmp_path)
        await can_log_in(lost)
        healed = momus("heal", "--store", str(tmp_path))
        told, _ = await asyncio.to_thread(healed.communicate, timeout=RUN_TIMEOUT_S)
        assert healed.returncode == 0, told
        assert await await_as_before(before, stage.hosts, directories=tops) == []

    stage.run(scenario())


def momus(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "momus", *words],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        text=True,
    )


async def enough_recorded(store: Path, run: subprocess.Popen[str]) -> None:
    """Wait until the load is under way."""
    while not any(each.stat().st_size > ENOUGH_BYTES for each in store.rglob("history.jsonl")):
        assert run.poll() is None, "the run ended before its time"
        await asyncio.sleep(0.1)


def ended_as_it_began(store: Path) -> None:
    """Every order to the nemesis was answered, also those about the lost host."""
    events = [event for event in Store(store).latest().history() if event.process == NEMESIS]
    assert [event.f for event in events if event.type == "invoke"] == [
        event.f for event in events if event.type != "invoke"
    ]
    assert events


async def can_log_in(below: Host) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                (await below.dial(22)).close()
                return
            except OSError:
                await asyncio.sleep(0.1)

"""Runs of a real etcd that are interrupted or killed: what is left, and what is lost.

A soak of many kills at random moments is `python tests/soak/kills.py`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster import Unsupported, etcd_binary
from histories import Store

REPOSITORY = Path(__file__).parents[2]
TIMEOUT_S = 90.0


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``momus`` in a process of its own; all are gone in the end."""
    try:
        etcd_binary()
    except Unsupported as missing:
        pytest.skip(str(missing))
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path)}
        process = subprocess.Popen(
            [sys.executable, "-m", "momus", *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=TIMEOUT_S)
    subprocess.run(
        [sys.executable, "-m", "momus", "heal", "--store", "store"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def wait_for_events(store: Path, count: int) -> Path:
    """The folder of the newest run, once it has recorded `count` events."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        history = store / "latest" / "history.jsonl"
        if history.exists() and history.read_bytes().count(b'"process"') >= count:
            return history.parent.resolve()
        time.sleep(0.02)
    raise TimeoutError(f"no run in {store} recorded {count} events within {TIMEOUT_S} s")


def processes_in(folder: Path) -> list[str]:
    """The command lines of all processes that work below `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found


RUN = ("run", "etcd", "--local", "--time-limit", "60", "--interval", "1", "--seed", "3", "--json")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_load_heals_and_judges(
    runner: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    process = runner(*RUN)
    folder = wait_for_events(tmp_path / "store", 200)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    answer = json.loads(stdout)
    assert process.returncode == 0, stderr
    assert (answer["valid"], answer["interrupted"]) == (True, True)
    assert answer["operations"] >= 90
    assert number.name in stderr
    assert any("a signal ended the run early" in note for note in answer["notes"])
    assert len(Store(tmp_path / "store").latest().history()) >= 200
    assert (folder / "report.html").exists()
    assert (folder / "nodes/n1/etcd.log").stat().st_size > 0
    assert processes_in(tmp_path) == []


def test_after_a_kill_the_history_opens_heal_cleans_up_and_the_next_run_starts(
    runner: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = runner(*RUN)
    folder = wait_for_events(tmp_path / "store", 200)
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    run = Store(tmp_path / "store").latest()
    assert run.path.resolve() == folder
    assert run.state == "crashed"
    assert len(run.history()) >= 100  # a torn group at the end may be missing

    healing = runner("heal", "--json")
    healed = json.loads(healing.communicate(timeout=TIMEOUT_S)[0])
    assert healing.returncode == 0
    assert healed
    assert all(each["settled"] for each in healed)
    assert processes_in(tmp_path) == []
    again = runner("heal")
    assert "nothing to heal" in again.communicate(timeout=TIMEOUT_S)[0]

    checking = runner("check", str(folder), "--json")
    answer = json.loads(checking.communicate(timeout=TIMEOUT_S)[0])
    assert answer["valid"] is True
    second = runner("run", "etcd", "--local", "--time-limit", "1", "--faults", "none", "--json")
    stdout, stderr = second.communicate(timeout=TIMEOUT_S)
    assert (second.returncode, json.loads(stdout)["valid"]) == (0, True), stderr

"""Clocks of whole hosts, and the program that moves them.

All hosts that a test can make share the clock of the driver, which must not be moved.  So the
very text of the program is run with an injected clock: `time.clock_settime` writes to a file
how far the clock is off, and `time.clock_gettime` adds it.  For a real one name a throw-away
machine: ``MOMUS_CLOCK_LAB=lab.toml``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import Host, Journal, Unsupported, heal, local, ssh
from histories import Op
from nemesis import CLOCK_FAULTS, ClockFault, Nemesis, _clock_program, _clock_ways, _programs
from nemesis._clock_ways import CAN_SET
from nemesis._programs import text_of

INJECTED = """
import os, sys, time
OFF, REAL = os.environ["MOMUS_TEST_CLOCK"], time.clock_gettime
def gettime(clock):
    if clock != time.CLOCK_REALTIME:
        return REAL(clock)
    with open(OFF) as file:
        return REAL(clock) + float(file.read())
def settime(clock, at):
    assert clock == time.CLOCK_REALTIME, clock
    off = at - REAL(clock)
    with open(OFF + ".new", "w") as file:
        file.write(repr(off))
    os.replace(OFF + ".new", OFF)
time.clock_gettime, time.clock_settime = gettime, settime
time.time = lambda: gettime(time.CLOCK_REALTIME)
"""
PROGRAM = INJECTED + text_of(_clock_program)
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Injected:
    """A host's clock that is a file, and the program that moves it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "off"
        self.off_s = 0.0
        (directory / "lab").mkdir(exist_ok=True)

    @property
    def off_s(self) -> float:
        return float(self.file.read_text())

    @off_s.setter
    def off_s(self, off_s: float) -> None:
        self.file.write_text(repr(off_s))

    def run(self, do: str, **request: Any) -> dict[str, Any]:
        order = {"do": do, "directory": str(self.directory / "lab"), **request}
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", PROGRAM, json.dumps(order)],
            env={**os.environ, "MOMUS_TEST_CLOCK": str(self.file)},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def keep(self, how: str, **settings: Any) -> dict[str, Any]:
        """Strike; what `undo` needs to know."""
        right = self.run("base")
        limits = {"lease_s": 60, "at_most_s": 60}
        self.run("keep", how=how, **{**limits, **right, **settings})
        return right

    @property
    def keeper(self) -> int:
        try:
            return int((self.directory / "lab" / "clock-keeper").read_text().split()[0])
        except FileNotFoundError:
            return 0

    def await_off(self, wanted: Callable[[float], bool]) -> None:
        deadline = time.monotonic() + 20
        while not wanted(self.off_s):
            assert time.monotonic() < deadline, self.off_s
            time.sleep(0.005)


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Injected]:
    injected = Injected(tmp_path)
    yield injected
    injected.run("undo", base_s=0.0, boot="none")  # no keeper outlives its test
    assert not (tmp_path / "lab" / "clock-struck").exists()


def test_a_clock_is_held_wrong_and_put_right_exactly(clock: Injected) -> None:
    clock.off_s = 7.0  # whatever it was ahead before is none of our business
    right = clock.keep("hold", offset_s=-300.0)
    assert clock.off_s == pytest.approx(-293, abs=0.001)
    assert Path(f"/proc/{clock.keeper}").exists()
    assert clock.run("undo", **right) == {"was_wrong": True}
    assert clock.off_s == pytest.approx(7, abs=0.001)
    assert clock.run("undo", **right) == {"was_wrong": False}
    assert list((clock.directory / "lab").iterdir()) == []


def test_a_strobe_is_right_and_wrong_in_turns(clock: Injected) -> None:
    right = clock.keep("strobe", offset_s=60.0, period_s=0.2)
    for wanted in (60, 0, 60, 0):
        clock.await_off(lambda off_s, wanted=wanted: abs(off_s - wanted) < 0.01)  # type: ignore[misc]
    clock.run("undo", **right)
    assert abs(clock.off_s) < 0.001


def test_a_drift_grows(clock: Injected) -> None:
    right = clock.keep("drift", rate=-2.0)
    for wanted in (-0.1, -0.5, -1.0):
        clock.await_off(lambda off_s, wanted=wanted: off_s < wanted)  # type: ignore[misc]
    clock.run("undo", **right)
    assert abs(clock.off_s) < 0.001


def test_a_keeper_puts_the_clock_right_when_it_is_told_to_end(clock: Injected) -> None:
    clock.keep("hold", offset_s=60.0)
    os.kill(clock.keeper, signal.SIGTERM)
    clock.await_off(lambda off_s: abs(off_s) < 0.001)


@pytest.mark.parametrize("limits", [{"lease_s": 0.4}, {"at_most_s": 0.4}])
def test_a_keeper_puts_the_clock_right_when_nobody_comes_back(
    clock: Injected, limits: dict[str, float]
) -> None:
    clock.keep("hold", offset_s=60.0, **limits)
    clock.await_off(lambda off_s: abs(off_s) < 0.001)


def test_a_lease_that_is_renewed_lasts(clock: Injected) -> None:
    clock.keep("hold", offset_s=60.0, lease_s=1.5)
    keeper = clock.keeper
    until = time.monotonic() + 2
    while time.monotonic() < until:
        (clock.directory / "lab" / "clock-lease").write_text(repr(time.monotonic()))
        time.sleep(0.1)
    assert clock.off_s == pytest.approx(60, abs=0.001)
    assert clock.keeper == keeper
    (clock.directory / "lab" / "clock-lease").unlink()


def test_a_clock_whose_keeper_was_killed_is_put_right_by_the_undo(clock: Injected) -> None:
    right = clock.keep("hold", offset_s=60.0)
    os.kill(clock.keeper, signal.SIGKILL)
    assert clock.run("undo", **right) == {"was_wrong": True}
    assert abs(clock.off_s) < 0.001


def test_a_second_strike_takes_over_without_a_moment_of_right_time(clock: Injected) -> None:
    right = clock.keep("hold", offset_s=60.0)
    first = clock.keeper
    limits = {"lease_s": 60, "at_most_s": 60}
    clock.run("keep", how="hold", offset_s=100.0, **limits, **right)
    assert clock.off_s == pytest.approx(100, abs=0.001)
    assert _clock_program.started(first) == "", "at most a zombie is left of it"
    clock.run("undo", **right)
    assert abs(clock.off_s) < 0.001


def test_a_clock_that_nobody_struck_is_left_alone(clock: Injected) -> None:
    right = clock.run("base")
    clock.off_s = 12.0  # an administrator set it
    assert clock.run("undo", **right) == {"was_wrong": False}
    assert clock.off_s == 12.0


def test_after_a_reboot_the_clock_is_left_as_the_kernel_has_read_it(clock: Injected) -> None:
    right = clock.keep("hold", offset_s=60.0)
    os.kill(clock.keeper, signal.SIGKILL)
    clock.off_s = 0.4
    another = {**right, "boot": "00000000-another-boot"}
    assert clock.run("undo", **another) == {"was_wrong": False}
    assert clock.off_s == 0.4
    assert not (clock.directory / "lab" / "clock-struck").exists()


def test_without_the_directory_the_clock_itself_tells_that_it_was_struck(clock: Injected) -> None:
    right = clock.keep("hold", offset_s=60.0)
    os.kill(clock.keeper, signal.SIGKILL)
    elsewhere = str(clock.directory / "nowhere")
    assert clock.run("undo", **right, directory=elsewhere) == {"was_wrong": True}
    assert abs(clock.off_s) < 0.001


def test_a_forged_keeper_file_kills_nobody(clock: Injected) -> None:
    bystander = subprocess.Popen(["sleep", "1000"])
    try:
        for forged in (f"{bystander.pid} 1 {BOOT}", f"0 0 {BOOT}", f"-1 0 {BOOT}", "nonsense"):
            (clock.directory / "lab" / "clock-keeper").write_text(forged)
            clock.run("undo", base_s=0.0, boot="none")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_the_program_runs_on_the_oldest_python_that_hosts_may_have() -> None:
    import ast

    ast.parse(text_of(_clock_program), feature_version=(3, 6))


class Sleepers:
    """A system whose clock nobody cares for."""

    name = "sleepers"


@pytest.fixture
def host_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Injected:
    """Every host is one of its own, with a clock that is a file."""
    injected = Injected(tmp_path)
    monkeypatch.setenv("MOMUS_TEST_CLOCK", str(injected.file))
    monkeypatch.setattr(_programs, "text_of", lambda _program: PROGRAM)
    monkeypatch.setattr(_clock_ways, "CAN_SET", 'echo "can be set"')
    return injected


@pytest.mark.skipif(os.geteuid() != 0, reason="the clock of a host is root's")
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("skew", {"offset_s": -42.5}),
        ("strobe", {"offset_s": 10, "period_s": 0.6}),
        pytest.param("jump", {"offset_s": 7200}, marks=pytest.mark.slow),
        pytest.param("drift", {"rate": 0.5}, marks=pytest.mark.slow),
    ],
)
def test_the_clock_of_a_host_goes_wrong_and_is_put_right(
    host_clock: Injected, tmp_path: Path, kind: str, settings: dict[str, float]
) -> None:
    async def scenario() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with local(1, directory=tmp_path, journal=journal) as hosts:
                nemesis = Nemesis([ClockFault(kind, Sleepers())], hosts, journal)
                await nemesis.setup()
                started = await nemesis.invoke(Op(f"start-{kind}", {"targets": ["n1"], **settings}))
                assert (started.type, started.error) == ("ok", None)
                during = started.value["receipt"]["during"]
                assert during[CLOCK_FAULTS[kind].word] == ["n1"]
                assert during["ways"] == {"n1": "host clock"}
                assert during["asked"] == {"n1": "its kernel"}
                stopped = await nemesis.invoke(Op(f"stop-{kind}"))
                assert (stopped.type, stopped.error) == ("ok", None)
                assert host_clock.off_s == pytest.approx(0.25, abs=0.001)
                await nemesis.teardown()

    host_clock.off_s = 0.25  # it need not agree with the driver's
    asyncio.run(scenario())


@pytest.mark.skipif(os.geteuid() != 0, reason="the clock of a host is root's")
def test_the_journal_alone_puts_the_clock_of_a_host_right(
    host_clock: Injected, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with local(1, directory=tmp_path / "lab") as hosts:
            journal = Journal(tmp_path / "faults.jsonl")
            fault = ClockFault("skew", Sleepers())
            nemesis = Nemesis([fault], hosts, journal)
            await nemesis.setup()
            await nemesis.invoke(Op("start-skew", {"targets": ["n1"], "offset_s": 99}))
            for lease in fault._leases.values():
                lease.cancel()
            journal.end()
            assert host_clock.off_s == pytest.approx(99, abs=0.001)
            [entry] = Journal.open_entries(tmp_path / "faults.jsonl")
            assert entry.sudo
            [healed] = await heal(tmp_path / "faults.jsonl", even_running=True)
            assert healed.outcome == "undone"
            assert host_clock.off_s == pytest.approx(0, abs=0.001)

    asyncio.run(scenario())


@pytest.mark.skipif(os.geteuid() != 0, reason="the clock of a host is root's")
def test_two_nodes_on_one_machine_are_refused(host_clock: Injected, tmp_path: Path) -> None:
    async def scenario() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with local(2, directory=tmp_path, journal=journal) as hosts:
                with pytest.raises(Unsupported, match="it has one clock with n1"):
                    await Nemesis([ClockFault("skew", Sleepers())], hosts, journal).setup()

    assert host_clock.off_s == 0.0
    asyncio.run(scenario())


@pytest.mark.skipif(os.geteuid() != 0, reason="the clock of a host is root's")
def test_who_does_not_mind_ntp_has_it_in_the_receipt(
    host_clock: Injected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with local(1, directory=tmp_path, journal=journal) as hosts:
                with pytest.raises(Unsupported, match="chronyd runs, and would set it right"):
                    await Nemesis([ClockFault("skew", Sleepers())], hosts, journal).setup()
                brave = ClockFault("skew", Sleepers(), despite_ntp=True)
                nemesis = Nemesis([brave], hosts, journal)
                await nemesis.setup()
                proof = await brave.prove(frozenset({"n1"}))
                assert proof.states == {"n1": "true"}
                assert "chronyd runs" in str(proof.evidence["beside"])

    says = 'echo "chronyd runs, and would set it right"; echo "mend: stop it"; exit 4'
    monkeypatch.setattr(_clock_ways, "CAN_SET", says)
    assert host_clock.off_s == 0.0
    asyncio.run(scenario())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set clocks")
def test_a_host_where_ntp_would_set_the_clock_right_is_refused(tmp_path: Path) -> None:
    another = ["momus", str(tmp_path), "another-boot-than-ours"]
    script = ["sh", "-c", CAN_SET, *another]
    told = subprocess.run(script, capture_output=True, text=True)
    if told.returncode == 1:
        pytest.skip(f"this machine's clock: {told.stdout.strip()}")
    daemon = tmp_path / "chronyd"
    daemon.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(daemon), "1000"])
    try:
        told = subprocess.run(script, capture_output=True, text=True)
        assert (told.returncode, told.stdout.splitlines()) == (
            4,
            ["chronyd runs, and would set it right", "mend: timedatectl set-ntp false"],
        )
        shared = ["sh", "-c", CAN_SET, "momus", str(tmp_path), BOOT]
        told = subprocess.run(shared, capture_output=True, text=True)
        assert (told.returncode, told.stdout.strip()) == (
            1,
            "it is the clock of the driver, too",
        )
    finally:
        process.kill()
        process.wait()


async def offset_s(host: Host) -> float:
    before = time.time()
    said = float((await host.run(["date", "+%s.%N"])).text)
    return said - (before + time.time()) / 2


def test_the_clock_of_a_real_machine(tmp_path: Path) -> None:
    lab = os.environ.get("MOMUS_CLOCK_LAB")
    if not lab:
        pytest.skip(
            "hosts made here share the driver's clock, which must not be moved; name a lab of "
            "throw-away machines: MOMUS_CLOCK_LAB=lab.toml"
        )

    async def scenario() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with ssh(lab, journal=journal) as hosts:
                before = await asyncio.gather(*map(offset_s, hosts))
                faults = [ClockFault(kind, Sleepers()) for kind in CLOCK_FAULTS]
                nemesis = Nemesis(faults, hosts, journal)
                await nemesis.setup()
                for kind in CLOCK_FAULTS:
                    for verb in ("start", "stop"):
                        value = {"targets": [hosts[0].name]} if verb == "start" else None
                        done = await nemesis.invoke(Op(f"{verb}-{kind}", value))
                        assert (done.type, done.error) == ("ok", None)
                await nemesis.teardown()
                after = await asyncio.gather(*map(offset_s, hosts))
                for was, now in zip(before, after, strict=True):
                    assert now == pytest.approx(was, abs=0.5)

    asyncio.run(scenario())

"""Clocks of daemons that go wrong by libfaketime, seen from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cluster import (
    Etcd,
    FakedClock,
    Host,
    Journal,
    Unsupported,
    etcd_binary,
    heal,
    local,
    ssh,
)
from cluster._faked_clock import unreachable
from cluster._sshlab import ssh_lab
from histories import Op
from nemesis import CLOCK_FAULTS, ClockFault, Kill, Nemesis, targets
from tests.nemesis.valkey import Valkey, valkey_binary

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]
ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("clock_driver_that_dies.py")
SKEW = {"targets": ["n1"], "offset_s": -42.5}


@pytest.fixture(autouse=True)
def _has_libfaketime(tmp_path: Path) -> None:
    async def look() -> None:
        async with local(1, directory=tmp_path) as hosts:
            await FakedClock().library(hosts[0])

    try:
        asyncio.run(look())
    except Unsupported as error:
        pytest.skip(str(error))


@contextlib.asynccontextmanager
async def at_work(
    faults: Any, system: Valkey, hosts: Sequence[Host], journal: Journal
) -> AsyncIterator[Nemesis]:
    """A nemesis with this fault (or these), on running servers."""
    try:
        await system.setup(hosts)
        nemesis = Nemesis(faults if isinstance(faults, list) else [faults], hosts, journal)
        await nemesis.setup()
        try:
            yield nemesis
        finally:
            await nemesis.teardown()
    finally:
        for host in hosts:
            await host.signal(system.name, "KILL")
            await host.stop(system.name)
    for host in hosts:
        pid = (await host.read(f"{host.directory}/{system.name}.pid")).split()[0].decode()
        left = await host.run(["find", "/dev/shm", "-name", f"*faketime_*_{pid}"])
        assert left.text == "", "what the library shared has gone, too"


async def ahead_s(system: Valkey, host: Host) -> float:
    return await system.told_time(host) - time.time()


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("skew", {"offset_s": -0.5}),
        ("jump", {"offset_s": 7200}),
        ("strobe", {"offset_s": 2.5, "period_s": 0.3}),
        ("drift", {"rate": -0.25}),
    ],
)
def test_a_server_in_the_dress_loses_its_time_and_gets_it_back(
    on_namespaces: Play, kind: str, settings: dict[str, float]
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        system = Valkey(FakedClock())
        fault = ClockFault(kind, system)
        async with at_work(fault, system, hosts, journal) as nemesis:
            open_before = journal.open_ids
            started = await nemesis.invoke(Op(f"start-{kind}", {"targets": ["n1"], **settings}))
            assert (started.type, started.error) == ("ok", None)
            during = started.value["receipt"]["during"]
            assert during[CLOCK_FAULTS[kind].word] == ["n1"]
            assert during["ways"] == {"n1": "libfaketime"}
            assert during["asked"] == {"n1": "valkey"}
            others = await fault.prove(frozenset({"n2"}))
            assert others.states == {"n2": "true"}, "the other server's clock is its own"
            stopped = await nemesis.invoke(Op(f"stop-{kind}"))
            assert (stopped.type, stopped.error) == ("ok", None)
            assert stopped.value["receipt"]["after"]["true"] == ["n1"]
            assert journal.open_ids == open_before
            left = await hosts[0].run(["sh", "-c", 'ls "$1"', "sh", hosts[0].directory])
            assert "clock-keeper" not in left.text
            assert "clock-struck" not in left.text

    on_namespaces(2, scenario)


def test_a_second_jump_comes_on_top_of_the_first_and_a_second_skew_does_not(
    on_local: Play,
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        system = Valkey(FakedClock())
        faults = [ClockFault("jump", system), ClockFault("skew", system)]
        async with at_work(faults, system, hosts, journal) as nemesis:
            for name, sum_s in (("jump", 200.0), ("skew", 100.0)):
                for _ in range(2):
                    value = {"targets": ["n1"], "offset_s": 100}
                    started = await nemesis.invoke(Op(f"start-{name}", value))
                    assert started.type == "ok", started.error
                assert await ahead_s(system, hosts[0]) == pytest.approx(sum_s, abs=1)
                stopped = await nemesis.invoke(Op(f"stop-{name}"))
                assert stopped.type == "ok", stopped.error

    on_local(1, scenario)


def test_a_server_that_cannot_tell_is_known_by_a_probe_in_its_dress(on_local: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        system = Valkey(FakedClock(), tells=False)
        async with at_work(ClockFault("skew", system), system, hosts, journal) as nemesis:
            started = await nemesis.invoke(Op("start-skew", SKEW))
            assert (started.type, started.error) == ("ok", None)
            assert started.value["receipt"]["during"]["asked"] == {"n1": "a probe in its dress"}
            assert (await nemesis.invoke(Op("stop-skew"))).type == "ok"

    on_local(1, scenario)


def test_a_server_that_is_killed_and_started_again_is_still_wrong(on_local: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        system = Valkey(FakedClock())
        faults = [ClockFault("skew", system), Kill(system)]
        async with at_work(faults, system, hosts, journal) as nemesis:
            assert (await nemesis.invoke(Op("start-skew", SKEW))).type == "ok"
            assert (await nemesis.invoke(Op("start-kill", {"targets": ["n1"]}))).type == "ok"
            assert (await nemesis.invoke(Op("stop-kill"))).type == "ok"
            assert await ahead_s(system, hosts[0]) == pytest.approx(-42.5, abs=1)
            stopped = await nemesis.invoke(Op("stop-skew"))
            assert (stopped.type, stopped.error) == ("ok", None)

    on_local(1, scenario)


def test_a_clock_that_was_put_right_behind_our_backs_is_noticed(on_local: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        clock = FakedClock()
        system = Valkey(clock)
        async with at_work(ClockFault("skew", system), system, hosts, journal) as nemesis:
            assert (await nemesis.invoke(Op("start-skew", SKEW))).type == "ok"
            await hosts[0].write(clock.file(hosts[0], system.name), b"+0\n")
            stopped = await nemesis.invoke(Op("stop-skew"))
            assert stopped.type == "info"
            assert "n1 was true before it was healed, not skewed" in str(stopped.error)
            assert stopped.value["receipt"]["effect"] is False

    on_local(1, scenario)


def test_a_server_that_was_started_anew_without_the_dress_is_noticed(on_local: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        system = Valkey(FakedClock())
        async with at_work(ClockFault("skew", system), system, hosts, journal) as nemesis:
            await system.stop(hosts[0])
            system.clock = None
            await system.start(hosts[0])
            started = await nemesis.invoke(Op("start-skew", SKEW))
            assert started.type == "info"
            assert "n1 was true after the strike, not skewed" in str(started.error)

    on_local(1, scenario)


def test_a_keeper_without_its_driver_puts_the_clock_right(
    on_local: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        system = Valkey(FakedClock())
        fault = ClockFault("skew", system, lease_s=1.5)

        async def nobody(_host: Host) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(fault, "_hold_lease", nobody)
        async with at_work(fault, system, hosts, journal) as nemesis:
            await nemesis.invoke(Op("start-skew", SKEW))
            async with asyncio.timeout(20):
                while abs(await ahead_s(system, hosts[0])) > 1:
                    await asyncio.sleep(0.05)
            proof = await fault.prove(frozenset({"n1"}))
            assert proof.states == {"n1": "true"}

    on_local(1, scenario)


def test_a_keeper_that_is_told_to_end_puts_the_clock_right(on_local: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        system = Valkey(FakedClock())
        async with at_work(ClockFault("strobe", system), system, hosts, journal) as nemesis:
            value = {"targets": ["n1"], "offset_s": 50, "period_s": 1}
            assert (await nemesis.invoke(Op("start-strobe", value))).type == "ok"
            keeper = Path(hosts[0].directory, "clock-keeper").read_text().split()
            os.kill(int(keeper[0]), signal.SIGTERM)
            async with asyncio.timeout(20):
                while Path(f"/proc/{keeper[0]}").exists():
                    await asyncio.sleep(0.02)
            assert abs(await ahead_s(system, hosts[0])) < 1
            assert Path(hosts[0].directory, "valkey.clock").read_text() == "+0\n"

    on_local(1, scenario)


def test_the_journal_alone_puts_the_clock_right(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with local(1, directory=tmp_path / "lab") as hosts:
            system = Valkey(FakedClock())
            await system.setup(hosts)
            journal = Journal(tmp_path / "faults.jsonl")
            fault = ClockFault("drift", system, settings={"rate": 0.5})
            nemesis = Nemesis([fault], hosts, journal)
            await nemesis.setup()
            await nemesis.invoke(Op("start-drift", {"targets": ["n1"]}))
            journal.end()
            for _ in range(2):
                healed = await heal(tmp_path / "faults.jsonl", even_running=True)
                assert all(one.outcome == "undone" for one in healed)
                assert abs(await ahead_s(system, hosts[0])) < 0.2
            assert not Path(hosts[0].directory, "clock-keeper").exists()
            for lease in fault._leases.values():
                lease.cancel()
            await system.stop(hosts[0])

    (tmp_path / "lab").mkdir()
    asyncio.run(scenario())


@pytest.mark.parametrize(
    "tries", [pytest.param(1, id="one"), pytest.param(30, id="many", marks=pytest.mark.slow)]
)
def test_after_the_driver_was_killed_at_any_moment_heal_leaves_nothing(
    tmp_path: Path, tries: int
) -> None:
    valkey_binary()
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    random = Random(seed)
    for number in range(tries):
        directory = tmp_path / str(number)
        directory.mkdir()
        process = subprocess.Popen(
            [sys.executable, str(DRIVER), str(directory), str(random.randrange(10**6))],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(random.uniform(0, 1.5))  # the moment at which it dies, not a wait
        finally:
            process.kill()
            process.communicate()
            healed = asyncio.run(heal(directory))
        assert [one for one in healed if not one.settled] == []
        assert sorted(each.name for each in directory.iterdir()) == ["faults.jsonl"]
        deadline = time.monotonic() + 10
        while (left := processes_below(directory)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left == []


def processes_below(directory: Path) -> list[str]:
    """Processes whose working directory is, or was, below this one."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(directory) in os.readlink(entry / "cwd"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def test_etcd_is_refused_with_both_reasons(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with local(1, directory=tmp_path, journal=journal) as hosts:
                etcd = Etcd()
                await etcd.setup(hosts)
                try:
                    with pytest.raises(Unsupported) as refused:
                        await Nemesis([ClockFault("skew", etcd)], hosts, journal).setup()
                finally:
                    await etcd.teardown()
                assert "it is the clock of the driver, too" in refused.value.what
                assert "it is a Go program" in refused.value.what
                with pytest.raises(Unsupported, match="it is a Go program"):
                    await FakedClock().start(hosts[0], "etcd", [str(etcd_binary())])
                assert not await hosts[0].alive("etcd")

    if os.geteuid() != 0:
        pytest.skip("only root gets as far as the clock")
    asyncio.run(scenario())


def test_what_libfaketime_cannot_reach_is_refused_before_it_is_started(on_local: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        host, system = hosts[0], Valkey()
        await system.start(host)
        try:
            fault = ClockFault("skew", system, way="libfaketime")
            with pytest.raises(Unsupported, match="valkey cannot be moved: it was started without"):
                await Nemesis([fault], hosts, journal).setup()
            system.clock = FakedClock()
            with pytest.raises(Unsupported, match="it runs without libfaketime"):
                await Nemesis([ClockFault("skew", system)], hosts, journal).setup()
        finally:
            await system.stop(host)
        with pytest.raises(Unsupported, match="there is no /no/such; install it: faketime"):
            await FakedClock(library="/no/such").start(host, "valkey", ["sleep", "9"])
        assert await unreachable(host, str(system.binary)) == ""
        assert await unreachable(host, "sh") == ""
        assert await unreachable(host, str(DRIVER)) == "", "a script; its interpreter counts"
        if Path("/sbin/ldconfig").is_file():
            assert await unreachable(host, "/sbin/ldconfig") == "it is linked statically"

    on_local(1, scenario)


def test_ssh_hosts_have_both_ways_or_say_why_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with (
                ssh_lab(1, directory=tmp_path / "lab") as lab,
                ssh(lab.lab_toml, journal=journal) as hosts,
            ):
                system = Valkey(FakedClock())
                faults = [ClockFault(kind, system) for kind in ("skew", "drift")]
                async with at_work(faults, system, hosts, journal) as nemesis:
                    for kind in ("skew", "drift"):
                        started = await nemesis.invoke(Op(f"start-{kind}", {"targets": ["n1"]}))
                        assert (started.type, started.error) == ("ok", None)
                        stopped = await nemesis.invoke(Op(f"stop-{kind}"))
                        assert (stopped.type, stopped.error) == ("ok", None)
                    whole = ClockFault("skew", system, way="host clock")
                    with pytest.raises(Unsupported, match="it is the clock of the driver, too"):
                        await Nemesis([whole], hosts, journal).setup()

    try:
        asyncio.run(scenario())
    except Unsupported as error:
        if error.host == "this machine":
            pytest.skip(str(error))
        raise


def test_what_is_drawn_comes_from_the_seed_and_what_no_probe_could_tell_is_refused() -> None:
    system = Valkey()
    for kind in CLOCK_FAULTS:
        fault = ClockFault(kind, system, targets.minority)
        nodes = ["n1", "n2", "n3"]
        drawn = [fault.choose(nodes, Random(7), {}) for _ in range(2)]
        assert drawn[0] == drawn[1]
        for seed in range(50):
            value = fault.choose(nodes, Random(seed), {})
            fault._checked({name: value[name] for name in CLOCK_FAULTS[kind].settings})
    with pytest.raises(ValueError, match="no clock does 'leap'"):
        ClockFault("leap", system)
    with pytest.raises(ValueError, match="offset_s is at least 0"):
        ClockFault("skew", system, settings={"offset_s": 0.01})
    with pytest.raises(ValueError, match="period_s is at least 0"):
        ClockFault("strobe", system, settings={"period_s": -1})
    with pytest.raises(ValueError, match="rate is a number, not 'fast'"):
        ClockFault("drift", system, settings={"rate": "fast"})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="has the settings rate, not speed"):
        ClockFault("drift", system, settings={"speed": 2})

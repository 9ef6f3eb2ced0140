"""The nodes of a simulated system as real processes: the same program, real kills and files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cluster import FaultyDisk, Host, Journal, Unsupported, local
from histories import Op
from nemesis import LoseUnsynced, Nemesis
from simulation import Case, play_case
from simulation.real import CrashPoint, Processes
from tests.simulation.notebook import BEFORE_SYNC, PROGRAM, SYSTEM

LIMIT_S = 60
ROOT = Path(__file__).parents[2]

Scenario = Callable[[Processes, Host], Awaitable[None]]


def with_notebook(
    tmp_path: Path, scenario: Scenario, *, bug: str | None = None, disk: FaultyDisk | None = None
) -> None:
    """Play it with one notebook as a local process; nothing is left of it afterwards."""

    async def play() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with local(1, directory=tmp_path, journal=journal) as [host]:
                system = Processes(SYSTEM, PROGRAM, bug=bug, seed=7, disk=disk)
                try:
                    await system.setup([host])
                    await scenario(system, host)
                finally:
                    await system.teardown()
            assert not journal.open_ids

    async def in_time() -> None:
        async with asyncio.timeout(LIMIT_S):
            await play()

    asyncio.run(in_time())


async def told(system: Processes, *ops: Op) -> list[object]:
    """What a fresh client gets for these operations."""
    client = await system.client().open("n1")
    try:
        return [(await client.invoke(op)).value for op in ops]
    finally:
        await client.close()


def test_the_same_program_runs_in_the_simulated_world_too() -> None:
    assert play_case(SYSTEM, Case("notebook", "crash", seed=1)).verdict.valid is True
    buggy = [play_case(SYSTEM, Case("notebook", "crash", seed, "no-sync")) for seed in range(5)]
    assert False in [played.verdict.valid for played in buggy]


def test_what_was_written_is_there_after_a_kill(tmp_path: Path) -> None:
    async def scenario(system: Processes, host: Host) -> None:
        assert await told(system, Op("write", 3), Op("read")) == [3, 3]
        await system.kill(host)
        assert not await system.alive(host)
        with pytest.raises(OSError, match=r"n1 accepts no connection|^$"):
            async with asyncio.timeout(5):  # the kernel may still be about to close its sockets
                await told(system, Op("read"))
        await system.start(host)
        await system.ready(LIMIT_S)
        assert await told(system, Op("read")) == [3]

    with_notebook(tmp_path, scenario)


def test_a_client_knows_what_it_could_not_send_and_connects_again(tmp_path: Path) -> None:
    async def scenario(system: Processes, host: Host) -> None:
        client = await system.client().open("n1")
        assert (await client.invoke(Op("write", 1))).type == "ok"
        await system.kill(host)

        async def ask_until_it_is_gone() -> None:
            while True:  # the kernel may still be about to close its sockets
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await client.invoke(Op("read"))

        with pytest.raises(client.definite, match="no connection to n1"):
            await ask_until_it_is_gone()
        await system.start(host)
        await system.ready(LIMIT_S)
        answer = None
        while answer is None:
            with contextlib.suppress(*client.definite):
                answer = await client.invoke(Op("read"))
            await asyncio.sleep(0.01)
        assert answer.value == 1
        await client.close()

    with_notebook(tmp_path, scenario)


def test_an_armed_crash_point_is_the_end_of_the_process(tmp_path: Path) -> None:
    async def scenario(system: Processes, host: Host) -> None:
        await system.arm(host, BEFORE_SYNC, 2)
        assert await told(system, Op("write", 1)) == [1]
        assert await system.ask(host, "/admin/process") != {}
        asked = asyncio.create_task(told(system, Op("write", 2)))
        while await system.alive(host):
            await asyncio.sleep(0.02)
        asked.cancel()
        await system.start_with(host, crash_at=[(BEFORE_SYNC, 1)])
        await system.ready(LIMIT_S)
        assert await told(system, Op("read")) == [2]  # the process died, the machine did not
        asked = asyncio.create_task(told(system, Op("write", 3)))
        while await system.alive(host):
            await asyncio.sleep(0.02)
        asked.cancel()

    with_notebook(tmp_path, scenario)


def test_an_error_that_nobody_handles_ends_the_process_and_is_in_its_log(tmp_path: Path) -> None:
    async def scenario(system: Processes, host: Host) -> None:
        asked = asyncio.create_task(told(system, Op("break")))
        while await system.alive(host):
            await asyncio.sleep(0.02)
        asked.cancel()
        log = (await host.read(system.logs(host)[0])).decode()
        assert "n1: life 1, seed 7, bug None" in log
        assert "RuntimeError: nobody handles this" in log

    with_notebook(tmp_path, scenario)


def test_a_node_tells_of_itself_over_http_and_in_a_file(tmp_path: Path) -> None:
    async def scenario(system: Processes, host: Host) -> None:
        await told(system, Op("write", 1))
        assert await system.observe(host) == {"role": "leader", "writes": 1}
        assert await system.primaries() == ["n1"]
        with pytest.raises(LookupError):
            await system.ask(host, "/admin/nothing")
        lines = (await host.read(system.logs(host)[1])).splitlines()
        [wrote] = map(json.loads, lines)
        assert (wrote["event"], wrote["value"], wrote["node"]) == ("wrote", 1, "n1")
        await system.pause(host)
        with pytest.raises(OSError, match=r".*"):
            await system.observe(host)
        await system.resume(host)
        assert await system.primaries() == ["n1"]

    with_notebook(tmp_path, scenario)


def test_what_a_node_told_is_told_once_and_outlives_it(tmp_path: Path) -> None:
    async def scenario(system: Processes, host: Host) -> None:
        await told(system, Op("write", 1), Op("write", 2))
        wrote = [{"event": "wrote", "value": value} for value in (1, 2)]
        assert await system.news(host) == wrote
        assert await system.news(host) == []
        await told(system, Op("write", 3))
        await system.kill(host)
        assert await system.news(host) == [{"event": "wrote", "value": 3}]
        await system.start(host)
        await system.ready(LIMIT_S)
        await told(system, Op("write", 4))
        assert await system.news(host) == [{"event": "wrote", "value": 4}]

    with_notebook(tmp_path, scenario)


def test_a_node_that_dies_of_itself_leaves_word(tmp_path: Path) -> None:
    async def scenario(system: Processes, host: Host) -> None:
        asked = asyncio.create_task(told(system, Op("break")))
        while await system.alive(host):
            await asyncio.sleep(0.02)
        asked.cancel()
        why = "RuntimeError: nobody handles this"
        assert await system.news(host) == [{"event": "died", "why": why}]

    with_notebook(tmp_path, scenario)


def test_orders_are_for_programs_that_know_them(tmp_path: Path) -> None:
    async def scenario(system: Processes, host: Host) -> None:
        with pytest.raises(LookupError, match="/admin/move"):
            await system.order(host, "/admin/move", {"shard": "s1"})

    with_notebook(tmp_path, scenario)


@pytest.mark.parametrize("bug", [None, "no-sync"])
def test_what_was_acknowledged_before_it_was_synced_is_lost_with_the_power(
    tmp_path: Path, bug: str | None
) -> None:
    async def scenario(system: Processes, host: Host) -> None:
        with Journal(tmp_path / "nemesis.jsonl") as journal:
            nemesis = Nemesis([LoseUnsynced(system)], [host], journal)
            await nemesis.setup()
            try:
                assert await told(system, Op("write", 1)) == [1]
                done = await nemesis.invoke(Op("start-disk-lose-unsynced", ["n1"]))
                assert (done.type, done.error) == ("ok", None)
                await nemesis.invoke(Op("stop-disk-lose-unsynced"))
                await system.ready(LIMIT_S)
                assert await told(system, Op("read")) == [1 if bug is None else None]
            finally:
                await nemesis.teardown()

    try:
        with_notebook(tmp_path, scenario, bug=bug, disk=FaultyDisk())
    except Unsupported as missing:
        pytest.skip(str(missing))


def test_a_node_that_has_only_just_been_started_dies_at_a_crash_point_with_its_writes(
    tmp_path: Path,
) -> None:
    async def scenario(system: Processes, host: Host) -> None:
        with Journal(tmp_path / "nemesis.jsonl") as journal:
            nemesis = Nemesis([CrashPoint(system, [BEFORE_SYNC])], [host], journal)
            await nemesis.setup()
            try:
                assert await told(system, Op("write", 1)) == [1]
                await system.kill(host)
                await system.start(host)
                order = {"targets": ["n1"], "point": BEFORE_SYNC, "nth": 2}
                strike = asyncio.create_task(nemesis.invoke(Op("start-crash-point", order)))
                number = 1
                while not strike.done():
                    number += 1
                    with contextlib.suppress(OSError):  # a time-out is one, too
                        async with asyncio.timeout(0.5):
                            await told(system, Op("write", number))
                    await asyncio.sleep(0)
                assert ((await strike).type, (await strike).error) == ("ok", None)
                await nemesis.invoke(Op("stop-crash-point"))
                await system.ready(LIMIT_S)
                [kept] = await told(system, Op("read"))
                assert isinstance(kept, int)
                assert kept >= 1
            finally:
                await nemesis.teardown()

    try:
        with_notebook(tmp_path, scenario, disk=FaultyDisk())
    except Unsupported as missing:
        pytest.skip(str(missing))


def test_an_ambush_kills_who_comes_and_is_declined_where_nobody_does(tmp_path: Path) -> None:
    async def scenario(system: Processes, host: Host) -> None:
        with Journal(tmp_path / "nemesis.jsonl") as journal:
            nemesis = Nemesis([CrashPoint(system, [BEFORE_SYNC])], [host], journal)
            await nemesis.setup()
            try:
                order = {"targets": ["n1"], "point": BEFORE_SYNC, "nth": 1, "ambush": True}
                for comes in (False, True):
                    done = await nemesis.invoke(Op("start-crash-point", order))
                    assert (done.type, done.error) == ("ok", None)
                    assert await system.alive(host)
                    if comes:
                        asked = asyncio.create_task(told(system, Op("write", 1)))
                        while await system.alive(host):
                            await asyncio.sleep(0.02)
                        asked.cancel()
                    done = await nemesis.invoke(Op("stop-crash-point"))
                    assert done.type == ("ok" if comes else "info"), done.error
                    assert comes or "nobody came to the crash point" in str(done.error)
                    await system.ready(LIMIT_S)
                assert await told(system, Op("write", 2), Op("read")) == [2, 2]
            finally:
                await nemesis.teardown()

    try:
        with_notebook(tmp_path, scenario, disk=FaultyDisk())
    except Unsupported as missing:
        pytest.skip(str(missing))


def test_a_node_that_is_started_wrongly_says_why(tmp_path: Path) -> None:
    config = tmp_path / "n1.json"
    here = {"node": "n1", "peers": {"n1": ["127.0.0.1", 1]}, "admin": 2, "data": "", "told": ""}
    config.write_text(json.dumps({**here, "program": "simulation.nowhere:program"}))
    command = [sys.executable, "-m", "simulation.real", "n1", "--config", str(config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 2
    assert "there is no program 'simulation.nowhere:program'" in done.stderr


def test_a_bug_that_the_system_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="notebook has no bug 'no-sink'; it has no-sync"):
        Processes(SYSTEM, PROGRAM, bug="no-sink")

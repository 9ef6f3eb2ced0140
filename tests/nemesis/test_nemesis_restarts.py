"""Processes that are ended and started again: once, one after the other, over and over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from cluster import Host, HostError, Journal
from histories import Op
from nemesis import CrashLoop, Nemesis, Restart, RollingRestart, _restarts
from nemesis._processes import look

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]


async def at_work(fault: Any, system: Any, hosts: Sequence[Host], journal: Journal) -> Nemesis:
    for host in hosts:
        await system.start(host)
    nemesis = Nemesis([fault], hosts, journal)
    await nemesis.setup()
    return nemesis


async def identities(hosts: Sequence[Host]) -> list[Any]:
    return [(await look(host, "sleepers")).identity for host in hosts]


def test_a_restarted_process_is_another_one_and_the_others_are_the_same(
    on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        nemesis = await at_work(Restart(system), system, hosts, journal)
        before = await identities(hosts)
        started = await nemesis.invoke(Op("start-restart", {"targets": ["n1"]}))
        assert (started.type, started.error) == ("ok", None)
        receipt = started.value["receipt"]
        assert receipt["before"]["running"] == ["n1"]
        assert receipt["during"]["restarted"] == ["n1"]
        after = await identities(hosts)
        assert after[0] not in (None, before[0])
        assert after[1] == before[1]
        stopped = await nemesis.invoke(Op("stop-restart"))
        assert (stopped.type, stopped.error) == ("ok", None)
        assert await identities(hosts) == after, "stopping it changes nothing"
        again = await nemesis.invoke(Op("start-restart", {"targets": ["n1", "n2"]}))
        assert again.value["receipt"]["during"]["restarted"] == ["n1", "n2"]
        await nemesis.teardown()

    on_local(2, scenario)


def test_a_restart_of_what_did_not_run_is_no_restart(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        nemesis = await at_work(Restart(system), system, hosts, journal)
        await system.stop(hosts[0])
        done = await nemesis.invoke(Op("start-restart", {"targets": ["n1"]}))
        assert done.type == "info"
        assert "n1 was gone before the strike, not running" in str(done.error)
        assert done.value["receipt"]["effect"] is False
        await nemesis.teardown()

    on_local(1, scenario)


def test_a_process_that_did_not_come_up_again_is_started_when_the_fault_is_healed(
    on_local: Play, system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        nemesis = await at_work(Restart(system), system, hosts, journal)
        start = system.start

        async def refuse(host: Host) -> None:
            raise HostError(host.name, "no room on the disk", "make some")

        monkeypatch.setattr(system, "start", refuse)
        done = await nemesis.invoke(Op("start-restart", {"targets": ["n1"]}))
        assert "could not strike n1" in str(done.error)
        assert (await look(hosts[0], "sleepers")).state == "gone"
        monkeypatch.setattr(system, "start", start)
        assert (await nemesis.invoke(Op("stop-restart"))).type == "ok"
        assert (await look(hosts[0], "sleepers")).state == "running"
        assert journal.open_ids == frozenset() or not nemesis._in_force["restart"]

    on_local(1, scenario)


def test_a_rolling_restart_takes_one_at_a_time_and_waits_until_all_are_ready(
    on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        story: list[str] = []

        class Told(type(system)):  # type: ignore[misc]
            async def stop(self, host: Host) -> None:
                story.append(f"stop {host.name}")
                await super().stop(host)

            async def start(self, host: Host) -> None:
                await super().start(host)
                story.append(f"start {host.name}")

            async def ready(self, _timeout_s: float) -> None:
                assert all([await host.alive("sleepers") for host in hosts])
                story.append("ready")

        told = Told()
        nemesis = await at_work(RollingRestart(told), told, hosts, journal)
        story.clear()
        done = await nemesis.invoke(Op("start-rolling-restart", {"targets": "all"}))
        assert (done.type, done.error) == ("ok", None)
        rounds = [[f"stop {host.name}", f"start {host.name}", "ready"] for host in hosts]
        assert story == [step for each in rounds for step in each]
        assert done.value["receipt"]["during"]["restarted"] == ["n1", "n2", "n3"]
        assert (await nemesis.invoke(Op("stop-rolling-restart"))).type == "ok"

    on_local(3, scenario)


def test_a_rolling_restart_ends_where_a_member_does_not_become_ready(
    on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async def never(_timeout_s: float) -> None:
            raise HostError("n1", "it is not ready", "look into its log")

        system.ready = never
        nemesis = await at_work(RollingRestart(system), system, hosts, journal)
        before = await identities(hosts)
        done = await nemesis.invoke(Op("start-rolling-restart", {"targets": "all"}))
        assert done.type == "info"
        assert "the system was not ready after its restart" in str(done.error)
        assert (await identities(hosts))[1] == before[1], "n2 is left alone"
        await nemesis.teardown()

    on_local(2, scenario)


def test_a_crash_loop_crashes_until_it_is_stopped_and_leaves_the_process_running(
    on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        fault = CrashLoop(system, period_s=0.1)
        nemesis = await at_work(fault, system, hosts, journal)
        spared = (await identities(hosts))[1]
        started = await nemesis.invoke(Op("start-crash-loop", {"targets": ["n1"]}))
        assert (started.type, started.error) == ("ok", None)
        assert started.value["receipt"]["during"]["crashing"] == ["n1"]
        seen: set[Any] = set()
        async with asyncio.timeout(30):
            while len(seen) < 4:
                seen.add((await look(hosts[0], "sleepers")).identity)
        stopped = await nemesis.invoke(Op("stop-crash-loop"))
        assert (stopped.type, stopped.error) == ("ok", None)
        assert stopped.value["receipt"]["after"]["running"] == ["n1"]
        assert (await identities(hosts))[1] == spared
        assert len(asyncio.all_tasks()) == 1, "nothing goes on crashing"

    on_local(2, scenario)


def test_a_crash_loop_that_no_longer_crashes_is_noticed(
    on_local: Play, system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_restarts, "SETTLE_S", 1.0)

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        fault = CrashLoop(system, period_s=0.05)
        nemesis = await at_work(fault, system, hosts, journal)
        await nemesis.invoke(Op("start-crash-loop", {"targets": ["n1"]}))

        spared = asyncio.Event()

        async def lenient(_host: Host) -> None:
            spared.set()

        system.kill = lenient
        await asyncio.wait_for(spared.wait(), 30)
        stopped = await nemesis.invoke(Op("stop-crash-loop"))
        assert stopped.type == "info"
        assert stopped.error == "n1 was running before it was healed, not crashing"
        assert stopped.value["receipt"]["effect"] is False

    on_local(1, scenario)


def test_teardown_ends_a_crash_loop(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        nemesis = await at_work(CrashLoop(system, period_s=0.1), system, hosts, journal)
        await nemesis.invoke(Op("start-crash-loop", {"targets": ["n1"]}))
        await nemesis.teardown()
        assert (await look(hosts[0], "sleepers")).state == "running"
        assert len(asyncio.all_tasks()) == 1

    on_local(1, scenario)


def test_a_crash_loop_needs_a_period(system: Any) -> None:
    with pytest.raises(ValueError, match="above zero"):
        CrashLoop(system, period_s=0)

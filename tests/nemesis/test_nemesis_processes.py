"""Kill and pause, on real processes of this machine and in namespaces."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import generators
from cluster import Host, HostError, Journal
from histories import History, Json, Op, Recorder
from nemesis import (
    Fault,
    Kill,
    Nemesis,
    NotHealed,
    Partition,
    Pause,
    Unsupported,
    schedule,
    targets,
)
from nemesis._processes import look

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]


class Order:
    """A nemesis that is given orders by hand."""

    def __init__(self, nemesis: Nemesis) -> None:
        self._nemesis = nemesis

    async def __call__(self, f: str, value: Json = None) -> Op:
        return await self._nemesis.invoke(Op(f, value))


@contextlib.asynccontextmanager
async def at_work(
    system: Any, hosts: Sequence[Host], journal: Journal, *faults: Fault
) -> AsyncIterator[Order]:
    nemesis = Nemesis(faults, hosts, journal)
    await nemesis.setup()
    for host in hosts:
        await system.start(host)
    try:
        yield Order(nemesis)
    finally:
        await nemesis.teardown()


async def states(hosts: Sequence[Host]) -> list[str]:
    return [(await look(host, "sleepers")).state for host in hosts]


@pytest.fixture(params=["local", "namespaces"])
def on_hosts(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"on_{request.param}")


def test_a_killed_process_is_gone_and_healing_starts_it_again(on_hosts: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async with at_work(system, hosts, journal, Kill(system)) as order:
            done = await order("start-kill", {"targets": ["n2"]})
            assert (done.type, done.error) == ("ok", None)
            assert done.value["receipt"]["before"]["running"] == ["n2"]
            assert done.value["receipt"]["during"]["gone"] == ["n2"]
            assert await states(hosts) == ["running", "gone", "running"]
            assert (await order("stop-kill")).type == "ok"
            assert await states(hosts) == ["running"] * 3

    on_hosts(3, scenario)


def test_a_paused_process_stands_still_with_its_children_and_goes_on_afterwards(
    on_hosts: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async with at_work(system, hosts, journal, Pause(system)) as order:
            before = await look(hosts[0], "sleepers")
            done = await order("start-pause", {"targets": ["n1", "n3"]})
            assert (done.type, done.error) == ("ok", None)
            assert await states(hosts) == ["paused", "running", "paused"]
            done = await order("stop-pause")
            assert (done.type, done.error) == ("ok", None)
            assert await look(hosts[0], "sleepers") == before

    on_hosts(3, scenario)


def test_the_undo_is_in_the_journal_while_the_fault_is_in_force_and_closed_afterwards(
    on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        def pauses() -> list[str]:
            entries = Journal.open_entries(journal.path)
            return [entry.host["name"] for entry in entries if entry.kind == "pause"]

        async with at_work(system, hosts, journal, Pause(system)) as order:
            await order("start-pause", {"targets": ["n2"]})
            assert pauses() == ["n2"]
            await order("stop-pause")
            assert pauses() == []

    on_local(2, scenario)


def test_the_journal_is_written_before_the_host_is_touched(
    on_local: Play, system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        pause = system.pause

        async def carefully(host: Host) -> None:
            assert "pause" in [entry.kind for entry in Journal.open_entries(journal.path)]
            await pause(host)

        monkeypatch.setattr(system, "pause", carefully)
        async with at_work(system, hosts, journal, Pause(system)) as order:
            assert (await order("start-pause", {"targets": ["n1"]})).type == "ok"

    on_local(1, scenario)


def test_a_process_that_was_not_running_cannot_be_struck(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async with at_work(system, hosts, journal, Pause(system), Kill(system)) as order:
            await hosts[0].stop("sleepers")
            for fault in ("pause", "kill"):
                done = await order(f"start-{fault}", {"targets": ["n1"]})
                assert done.type == "info"
                assert "n1 was gone before the strike" in done.error
            await system.start(hosts[0])

    on_local(1, scenario)


def test_a_signal_that_does_nothing_is_noticed(
    on_local: Play, system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nemesis._processes.SETTLE_S", 0.1)

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async def lie(host: Host) -> None:
            assert host.name == "n1"

        monkeypatch.setattr(system, "pause", lie)
        async with at_work(system, hosts, journal, Pause(system)) as order:
            done = await order("start-pause", {"targets": ["n1"]})
            assert done.error == "n1 was running after the strike, not paused"

    on_local(1, scenario)


def test_somebody_who_restarts_a_killed_process_is_noticed(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async with at_work(system, hosts, journal, Kill(system)) as order:
            await order("start-kill", {"targets": ["n1"]})
            await system.start(hosts[0])
            done = await order("stop-kill")
            assert done.error == "n1 was running before it was healed, not gone"

    on_local(1, scenario)


def test_primaries_that_nobody_observed_are_asked_for_when_they_are_struck(
    on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        kill = Kill(system, targets.primaries)
        async with at_work(system, hosts, journal, kill) as order:
            done = await order("start-kill", {"targets": None, "choice": "primaries"})
            assert done.value["targets"] == ["n2"]
            assert await states(hosts) == ["running", "gone"]

    on_local(2, scenario)


def test_a_system_without_primaries_says_so(on_local: Play, system: Any) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        class Flock:
            name = "sleepers"
            kill, start = system.kill, system.start

        async with at_work(system, hosts, journal, Kill(Flock())) as order:
            done = await order("start-kill", "primaries")
            assert "cannot name its primaries" in done.error

    on_local(1, scenario)


def test_half_of_the_hosts_unreachable_the_others_are_healed_and_the_rest_is_named(
    on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        gone: set[str] = set()

        def unplug(host: Host) -> None:
            run = host.run

            async def maybe(*args: Any, **kwargs: Any) -> Any:
                if host.name in gone:
                    raise HostError(host.name, "no route to host", "see the cable")
                return await run(*args, **kwargs)

            host.run = maybe  # type: ignore[method-assign]

        for host in hosts:
            unplug(host)
        nemesis = Nemesis([Pause(system)], hosts, journal)
        await nemesis.setup()
        for host in hosts:
            await system.start(host)
        await nemesis.invoke(Op("start-pause", {"targets": ["n1", "n2", "n3", "n4"]}))
        gone |= {"n2", "n4"}
        with pytest.raises(NotHealed, match="pause on n2: n2: no route to host") as raised:
            await nemesis.teardown()
        assert raised.value.hosts["pause"].keys() == {"n2", "n4"}
        gone.clear()
        assert await states(hosts) == ["running", "paused", "running", "paused"]
        await nemesis.teardown()
        assert await states(hosts) == ["running"] * 4

    on_local(4, scenario)


def test_a_cancelled_strike_is_healed_by_teardown(
    on_local: Play, system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        struck = asyncio.Event()
        pause = system.pause

        async def slowly(host: Host) -> None:
            await pause(host)
            struck.set()
            await asyncio.sleep(0.1)

        monkeypatch.setattr(system, "pause", slowly)
        nemesis = Nemesis([Pause(system)], hosts, journal)
        await nemesis.setup()
        await system.start(hosts[0])
        strike = asyncio.ensure_future(nemesis.invoke(Op("start-pause", {"targets": ["n1"]})))
        await struck.wait()
        strike.cancel()
        with pytest.raises(asyncio.CancelledError):
            await strike
        await nemesis.teardown()
        assert await states(hosts) == ["running"]
        assert not [e for e in Journal.open_entries(journal.path) if e.kind == "pause"]

    on_local(1, scenario)


def test_the_undo_of_a_pause_touches_no_other_process_that_got_the_pid(
    on_local: Play, system: Any
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async with at_work(system, hosts, journal, Pause(system)) as order:
            await order("start-pause", {"targets": ["n1"]})
            [entry] = [e for e in Journal.open_entries(journal.path) if e.kind == "pause"]
            *script, pid, start, boot = entry.undo[0]
            await hosts[0].run([*script, pid, str(int(start) + 1), boot])
            await hosts[0].run([*script, pid, start, "another-boot"])
            assert await states(hosts) == ["paused"]
            os.killpg(int(pid), signal.SIGCONT)
            assert await states(hosts) == ["running"]

    on_local(1, scenario)


def test_a_partition_of_local_processes_is_refused_before_the_load(on_local: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        nemesis = Nemesis([Partition()], hosts, journal)
        with pytest.raises(Unsupported, match=r"share one network, .*; use namespaces"):
            await nemesis.setup()

    on_local(2, scenario)


def test_a_partition_by_a_login_without_root_is_refused_with_a_remedy(
    on_local: Play,
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        hosts[0].kind = "ssh"  # type: ignore[misc]
        with pytest.raises(Unsupported, match=r"may not change the network; .* sudo = true"):
            await Nemesis([Partition()], hosts, journal).setup()

    on_local(1, scenario)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"targets": ["n9"]}, "names n9, but the nodes are n1"),
        ({"targets": "minority"}, "names minority, but"),
        ({"targets": 3}, 'node names, "all" or "primaries", not 3'),
        (None, "not None"),
    ],
)
def test_targets_that_do_not_exist_are_refused(
    on_local: Play, system: Any, value: Json, complaint: str
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        async with at_work(system, hosts, journal, Kill(system)) as order:
            done = await order("start-kill", value)
            assert done.type == "info"
            assert complaint in done.error
            assert await states(hosts) == ["running"]

    on_local(1, scenario)


class Idle:
    """A client for a run in which only the nemesis works."""

    definite: tuple[type[BaseException], ...] = ()

    async def open(self, node: str) -> Idle:
        del node
        return self

    async def setup(self) -> None: ...
    async def teardown(self) -> None: ...
    async def close(self) -> None: ...

    async def invoke(self, op: Op) -> Op:
        return op.ok()


def test_a_run_with_the_same_seed_orders_the_same_faults(
    on_local: Play, system: Any, tmp_path: Path
) -> None:
    """What is ordered depends on the seed only; when exactly, on the machine."""

    async def orders(hosts: Sequence[Host], journal: Journal, seed: int) -> list[Json]:
        faults: list[Fault] = [Pause(system, targets.minority), Kill(system)]
        test = generators.Test(
            name="faults only",
            nodes=tuple(host.name for host in hosts),
            client=Idle(),
            generator=generators.limit(8, schedule(faults, 0.05, first_s=0)),
            nemesis=Nemesis(faults, hosts, journal),
            concurrency=1,
            seed=seed,
        )
        path = tmp_path / f"{secrets.token_hex(4)}.jsonl"
        with Recorder(path, {"name": test.name}) as recorder:
            outcome = await generators.play(test, recorder)
        assert (outcome.error, outcome.trouble) == (None, ())
        assert (outcome.operations, outcome.info) == (0, 0)
        return [(e.f, e.value) for e in History.read(path) if e.type == "invoke"]

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        for host in hosts:
            await system.start(host)
        once = await orders(hosts, journal, 11)
        assert len(once) == 8
        assert await orders(hosts, journal, 11) == once
        assert await orders(hosts, journal, 12) != once

    on_local(5, scenario)

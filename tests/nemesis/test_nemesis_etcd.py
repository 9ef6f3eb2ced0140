"""The whole of it on a real etcd: a schedule, the runner, the recorder, receipts, healing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import generators
from cluster import Etcd, Host, Journal
from generators import play, register
from histories import NEMESIS, History, Op, Recorder
from nemesis import Fault, Kill, Nemesis, Partition, Pause, final, script

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]

STEPS = [
    (0.5, "start-partition", {"choice": "primaries", "kind": "one", "targets": None}),
    (4.0, "stop-partition", None),
    (4.5, "start-kill", {"choice": "primaries", "targets": None}),
    (5.5, "stop-kill", None),
    (6.0, "start-pause", {"choice": "primaries", "targets": None}),
    (7.0, "stop-pause", None),
]


def quick_etcd() -> Etcd:
    return Etcd(heartbeat_ms=50, election_ms=500, fsync=False)


def test_a_leader_cut_off_from_the_others_is_replaced_by_one_of_them(on_namespaces: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        etcd = quick_etcd()
        await etcd.setup(hosts)
        nemesis = Nemesis([Partition(system=etcd)], hosts, journal)
        await nemesis.setup()
        done = await nemesis.invoke(Op("start-partition", STEPS[0][2]))
        assert (done.type, done.error) == ("ok", None)
        [old] = done.value["targets"]
        async with asyncio.timeout(20):
            while not (leaders := set(await etcd.primaries())) or leaders == {old}:
                await asyncio.sleep(0.05)
        await nemesis.teardown()
        await etcd.ready(20)
        await etcd.teardown()

    on_namespaces(3, scenario)


def test_a_run_under_faults_has_a_receipt_for_each_and_leaves_nothing_open(
    on_namespaces: Play, tmp_path: Path
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        etcd = quick_etcd()
        await etcd.setup(hosts)
        faults: list[Fault] = [Partition(system=etcd), Kill(etcd), Pause(etcd)]
        load = generators.stagger(0.01, register().generator)
        generator = generators.phases(
            generators.clients(generators.time_limit(8, load), script(STEPS)), final(faults)
        )
        test = generators.Test(
            name="etcd under faults",
            nodes=tuple(host.name for host in hosts),
            client=etcd.client(timeout_s=1.0),
            generator=generator,
            nemesis=Nemesis(faults, hosts, journal),
            concurrency=6,
        )
        with Recorder(tmp_path / "history.jsonl", {"name": test.name}) as recorder:
            outcome = await play(test, recorder)
        assert (outcome.error, outcome.trouble) == (None, ())
        events = [e for e in History.read(tmp_path / "history.jsonl") if e.process == NEMESIS]
        ends = [(e.f, e.type, e.error) for e in events if e.type != "invoke"]
        stops = ["stop-partition", "stop-kill", "stop-pause"]
        assert ends == [(f, "ok", None) for f in [*(step[1] for step in STEPS), *stops]]
        assert all(e.value["receipt"]["ok"] for e in events if e.type == "ok")
        left = {entry.kind for entry in Journal.open_entries(journal.path)}
        assert left <= {"directory"}
        await etcd.ready(20)
        await etcd.teardown()

    on_namespaces(3, scenario)

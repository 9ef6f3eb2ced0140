"""A real etcd under each kind of pressure, with clients at work."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

import generators
from cluster import Etcd, Host, Journal
from generators import play, register
from histories import NEMESIS, History, Recorder
from nemesis import (
    CpuQuota,
    Fault,
    FileDescriptors,
    IoThrottle,
    MemoryBalloon,
    MemoryLimit,
    Nemesis,
    ProcessTable,
    final,
    script,
)

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]
STRIKE_S, QUIET_S = 4.0, 2.0


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make control groups here")
def test_etcd_goes_on_under_every_pressure_and_afterwards_everything_is_as_before(
    on_namespaces: Play, tmp_path: Path
) -> None:
    """Each strikes the leader; one that etcd dies of is healed by starting it again."""

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        etcd = Etcd(heartbeat_ms=50, election_ms=500)
        faults: list[Fault] = [
            CpuQuota(etcd),
            MemoryLimit(etcd, attributes={"megabytes": 128}),
            MemoryLimit(
                etcd, attributes={"megabytes": 16, "below_use": 1}, name="memory-limit-too-low"
            ),
            IoThrottle(etcd, attributes={"kilobytes_per_s": 256}),
            FileDescriptors(etcd),
            ProcessTable(etcd),
            MemoryBalloon(system=etcd, attributes={"megabytes": 256}),
        ]
        await etcd.setup(hosts)
        value = {"choice": "primaries", "targets": None}
        steps = []
        for number, fault in enumerate(faults):
            at_s = number * (STRIKE_S + QUIET_S) + 1.0
            steps += [
                (at_s, f"start-{fault.name}", value),
                (at_s + STRIKE_S, f"stop-{fault.name}", None),
            ]
        length_s = len(faults) * (STRIKE_S + QUIET_S) + 1.0
        load = generators.stagger(0.02, register().generator)
        generator = generators.phases(
            generators.clients(generators.time_limit(length_s, load), script(steps)),
            final(faults),
        )
        test = generators.Test(
            name="etcd under pressure",
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
        stops = [f"stop-{fault.name}" for fault in faults]
        assert ends == [(f, "ok", None) for f in [*(step[1] for step in steps), *stops]]
        assert all(e.value["receipt"]["ok"] for e in events if e.type == "ok")
        left = {entry.kind for entry in Journal.open_entries(journal.path)}
        assert left <= {"directory"}
        await etcd.ready(20)
        await etcd.teardown()

    on_namespaces(3, scenario)

"""A conditional schedule on a real etcd: what was observed sets the fault off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import generators
from cluster import Etcd, Host, Journal, Observer
from generators import play, register
from histories import NEMESIS, OBSERVER, History, Recorder
from nemesis import Kill, Nemesis, final, primary_elected, start, when

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]


def test_the_primary_is_killed_some_time_after_it_was_elected_and_then_the_next(
    on_local: Play, tmp_path: Path
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        etcd = Etcd(heartbeat_ms=50, election_ms=500, fsync=False)
        try:
            await etcd.setup(hosts)
            faults = [Kill(etcd)]
            strikes = when(
                primary_elected(),
                after_s=0.5,
                do=start("kill", targets="primaries"),
                strike_s=1.0,
                quiet_s=0.5,
                times=2,
            )
            load = generators.stagger(0.02, register().generator)
            test = generators.Test(
                name="etcd under conditions",
                nodes=tuple(host.name for host in hosts),
                client=etcd.client(timeout_s=1.0),
                generator=generators.phases(
                    generators.clients(generators.time_limit(8, load), strikes), final(faults)
                ),
                nemesis=Nemesis(faults, hosts, journal),
                observer=Observer(etcd, hosts, 10),
                concurrency=3,
            )
            with Recorder(tmp_path / "history.jsonl", {"name": test.name}) as recorder:
                outcome = await play(test, recorder)
            assert (outcome.error, outcome.trouble) == (None, ())
        finally:
            await etcd.teardown()

    on_local(3, scenario)
    history = History.read(tmp_path / "history.jsonl")
    events = list(history.of_process(NEMESIS))
    starts = [event for event in events if event.f == "start-kill"]
    assert [event.type for event in starts] == ["invoke", "ok"] * 2
    assert all(event.value["receipt"]["ok"] for event in events if event.type == "ok")
    seen = [event for event in history.of_process(OBSERVER) if event.type == "ok"]
    known_term = 0
    for ordered in starts[::2]:
        [target] = ordered.value["targets"]
        elected = next(
            event
            for event in seen
            if event.node == target
            and event.value["role"] == "leader"
            and event.value["term"] > known_term
        )
        known_term = elected.value["term"]
        assert ordered.time >= elected.time + 0.5e9
        assert ordered.value["when"] == "primary elected, 0.5 s after"
    assert starts[0].value["targets"] != starts[2].value["targets"] or known_term > 2

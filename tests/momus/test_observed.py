"""Histories that hold observations: whoever does not want them goes past them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

import momus
from cluster import Etcd, Journal, local
from histories import OBSERVER, Event, History, Op
from momus._cli import cli
from momus._plan import Plan


def observed(read: int) -> list[Event]:
    """A register of two writes and a read, between what two nodes say of themselves."""
    steps: list[tuple[Any, ...]] = [
        (OBSERVER, "ok", "observe", None, {"role": "leader", "term": 2, "asked": 0}, "n1"),
        (0, "invoke", "write", "x", 1, "n1"),
        (OBSERVER, "ok", "observe", None, {"role": "follower", "term": 2, "asked": 1}, "n2"),
        (0, "ok", "write", "x", 1, "n1"),
        (1, "invoke", "write", "x", 2, "n2"),
        (1, "ok", "write", "x", 2, "n2"),
        (OBSERVER, "ok", "observe", None, {"role": "leader", "term": 2, "asked": 6}, "n1"),
        (0, "invoke", "read", "x", None, "n1"),
        (0, "ok", "read", "x", read, "n1"),
        (OBSERVER, "fail", "observe", None, {"asked": 8, "missed": 2}, "n2"),
    ]
    return [
        Event(index, index * 1000, process, kind, f, key, value, None, node)
        for index, (process, kind, f, key, value, node) in enumerate(steps)
    ]


@pytest.mark.parametrize(("read", "valid"), [(2, True), (1, False)])
@pytest.mark.parametrize("algorithm", ["auto", "jit"])
def test_the_verdict_is_the_same_with_and_without_them(
    read: int, valid: bool, algorithm: str
) -> None:
    events = observed(read)
    clients = [event for event in events if event.process != OBSERVER]
    plain = [msgspec.structs.replace(event, index=index) for index, event in enumerate(clients)]
    for history in (History.from_events(events), History.from_events(plain)):
        verdict = momus.check(history, "register", algorithm=algorithm)
        assert verdict.valid is valid
        assert not any("left out" in note for note in verdict.notes)
    guessed = momus.check(History.from_events(events))
    assert guessed.valid is valid


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "edn", "log"])
def test_they_are_converted_or_said_to_be_lost(tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / f"out.{suffix}"
    History.from_events(observed(2)).write_jsonl(source)
    done = CliRunner().invoke(cli, ["convert", str(source), str(target)])
    assert done.exit_code == 0, done.output
    again = History.read(target)
    if suffix == "log":
        assert len(again.clients()) == 6
        return
    assert [event.value for event in again.of_process(OBSERVER)] == [
        event.value for event in observed(2) if event.process == OBSERVER
    ]
    assert all(pair == -1 for pair in again.pairs[again.process < 0]), "each stands alone"


def test_reports_and_certificates_go_past_them(tmp_path: Path) -> None:
    for read in (2, 1):
        source = tmp_path / f"{read}.jsonl"
        History.from_events(observed(read)).write_jsonl(source)
        page, proof = tmp_path / f"{read}.html", tmp_path / f"{read}.json"
        words = ["check", str(source), "--report", str(page), "--certificate", str(proof)]
        done = CliRunner().invoke(cli, [*words, "--json"])
        assert json.loads(done.stdout)["valid"] is (read == 2), done.output
        assert page.stat().st_size > 0
        if read == 2:
            assert CliRunner().invoke(cli, ["verify", str(source), str(proof)]).exit_code == 0


def test_a_plan_says_how_often_to_observe_and_refuses_what_is_too_often() -> None:
    assert "--observe 0.5" in Plan("etcd", observe_hz=0.5).settled().command()
    with pytest.raises(momus.Refusal, match="try --observe 2"):
        Plan("etcd", observe_hz=1000).settled()


def test_etcd_tells_its_role_its_term_and_whether_it_sends_snapshots(tmp_path: Path) -> None:
    told: list[Op] = []

    async def main() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with local(1, directory=tmp_path, journal=journal) as hosts:
                etcd = Etcd(fsync=False, heartbeat_ms=50, election_ms=250, tells_snapshots=True)
                try:
                    await etcd.setup(hosts)
                    observer = momus.cluster.Observer(etcd, hosts, 20)
                    watch = asyncio.ensure_future(observer.watch(told.append, lambda: 0))
                    async with asyncio.timeout(20):
                        while len(told) < 2:
                            await asyncio.sleep(0.01)
                        await etcd.kill(hosts[0])
                        while told[-1].error is None:
                            await asyncio.sleep(0.01)
                    watch.cancel()
                    await asyncio.wait([watch])
                finally:
                    await etcd.teardown()

    asyncio.run(main())
    first = told[0].value
    assert (first["role"], first["sending_snapshot"], first["snapshots_sent"]) == (
        "leader",
        False,
        0,
    )
    assert first["term"] >= 1
    assert told[-1].value.keys() <= {"asked", "missed"}, "what is dead has no role"

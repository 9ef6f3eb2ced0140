"""Members of a real etcd: without kills they never diverge, and are seen to converge."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from checker import invariants
from cluster import Etcd, Journal, local
from cluster._etcd_program import version_of
from histories import History, Op
from momus._cli import cli
from momus._judge import Request
from momus._plan import Plan
from momus._run import play_plan
from tests.invariants.diverging import WITHIN_S, play


def played(store: Path, seconds: float) -> tuple[Path, History]:
    """Three members and 24 clients that add to a set; then quiet, and last reads."""
    plan = Plan(
        system="etcd",
        workload="set",
        lab="local",
        faults=(),
        time_limit_s=seconds,
        rate_hz=0,
        concurrency=24,
        observe_hz=10,
        seed=1,
        store=store,
    ).settled()
    found = play_plan(plan, Request(time_limit_s=10), quiet=True)
    assert found.conduct.broke is None
    assert found.after is not None
    return found.run.path, found.after.history


def test_members_that_nobody_hurts_do_not_diverge(tmp_path: Path) -> None:
    path, history = played(tmp_path, 1.0)
    verdict = invariants.convergence(within_s=1.5).check(history)
    assert verdict.valid is True, verdict.details["broken"]
    assert verdict.details["judged"] > 10
    for one in (
        invariants.same_at_same_place(),
        invariants.terms_never_go_back(),
        invariants.at_most_one_primary(per="term"),
    ):
        assert one.check(history).valid is True
    words = ["check", str(path), "--checker", "convergence:within_s=1.5", "--json"]
    done = CliRunner().invoke(cli, words)
    assert json.loads(done.stdout)["valid"] is True, done.output


@pytest.mark.slow
def test_members_killed_under_load_are_named_when_they_diverge(
    tmp_path: Path, etcd_program: Path
) -> None:
    """etcd 3.5.0 to 3.5.2 lose an applied entry if killed at a bad moment (etcd issue 13766)."""
    release = asyncio.run(version_of(etcd_program))
    if release not in ("3.5.0", "3.5.1", "3.5.2"):
        pytest.skip(f"etcd {release} does not diverge by the kill of a process")
    for seed in range(5):
        directory = tmp_path / str(seed)
        directory.mkdir()
        played = asyncio.run(play(directory, seconds=20.0, seed=seed))
        assert played.kills > 5
        verdict = invariants.convergence(within_s=WITHIN_S).check(played.history)
        assert verdict.details["judged"] > 10
        if verdict.valid is False:
            broken = verdict.details["broken"]
            print(f"seed {seed}: {broken}")
            assert any("but revision is" in each or "its revision was" in each for each in broken)
            assert any("the hash of what they hold" in each for each in broken)
            return
    pytest.fail("no member diverged in 5 tries, though this is an etcd that does")


@pytest.mark.slow
def test_members_under_the_same_load_without_kills_do_not_diverge(tmp_path: Path) -> None:
    played = asyncio.run(play(tmp_path, seconds=5.0, seed=1, kills=False))
    assert played.writes > 50
    verdict = invariants.convergence(within_s=WITHIN_S).check(played.history)
    assert verdict.valid is True, verdict.details["broken"]
    assert invariants.same_content().check(played.history).valid is True


def test_members_that_hold_other_things_at_the_same_revision_are_told_apart(
    tmp_path: Path,
) -> None:
    """Two clusters of one member each, given out as one cluster."""
    same = asyncio.run(written_to_both(tmp_path, "a", "a"))
    assert invariants.same_content().check(same).valid is True
    other = asyncio.run(written_to_both(tmp_path, "a", "b"))
    verdict = invariants.convergence(within_s=0.2).check(other)
    [found] = verdict.counterexamples
    assert "both at revision 2 (etcd 3." in found.sentence
    assert "the hash of what they hold is" in found.sentence


async def written_to_both(directory: Path, one: str, two: str) -> History:
    """Observations of two clusters, after a write to each."""
    told: list[Op] = []
    with Journal(directory / "faults.jsonl") as journal:
        async with local(2, directory=directory, journal=journal) as hosts:
            etcds = {
                host.name: Etcd(fsync=False, heartbeat_ms=20, election_ms=100) for host in hosts
            }
            try:
                for host, value in zip(hosts, (one, two), strict=True):
                    await etcds[host.name].setup([host])
                    client = await etcds[host.name].client().open(host.name)
                    assert (await client.invoke(Op("write", value, "x"))).type == "ok"
                    await client.close()
                for look in range(1, 7):
                    for host in hosts:
                        state = await etcds[host.name].observe(host)
                        told.append(
                            Op(
                                "observe",
                                state,
                                None,
                                "ok",
                                "observer",
                                look * 10**8,
                                None,
                                host.name,
                            )
                        )
            finally:
                for etcd in etcds.values():
                    await etcd.teardown()
    return History.from_ops(told)

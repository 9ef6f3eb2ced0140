"""Members of a real etcd: without kills they never diverge, and are seen to converge."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from checker import invariants
from cluster import Etcd, Journal, Observer, local
from histories import NEMESIS, History, Op
from momus._cli import cli
from momus._judge import Request
from momus._plan import Plan
from momus._run import play_plan


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


async def killed_under_load(directory: Path, seconds: float, seed: int) -> History:
    """Members killed at random under 24 writers, then started and left alone for 3 s.

    Only what the members say is recorded.  Without fsync they are faster, and a killed process
    loses no more for it.
    """
    told: list[Op] = []
    dice = random.Random(seed)
    with Journal(directory / "faults.jsonl") as journal:
        async with local(3, directory=directory, journal=journal) as hosts:
            etcd = Etcd(fsync=False, heartbeat_ms=50, election_ms=500)
            clock = asyncio.get_running_loop().time
            begun = clock()

            def now() -> int:
                return round((clock() - begun) * 1e9)

            def tell(op: Op) -> None:
                told.append(msgspec.structs.replace(op, time=now()))

            def ordered(f: str) -> None:
                for kind in ("invoke", "ok"):
                    told.append(Op(f, process=NEMESIS, type=kind, time=now()))

            async def write(number: int) -> None:
                client = await etcd.client(workload="set").open(hosts[number % 3].name)
                for count in itertools.count():
                    done = await client.invoke(Op("add", [number, count]))
                    await asyncio.sleep(0 if done.type == "ok" else 0.02)

            try:
                await etcd.setup(hosts)
                await etcd.ready()
                watch = asyncio.ensure_future(Observer(etcd, hosts, 10).watch(tell, now))
                writers = [asyncio.ensure_future(write(number)) for number in range(24)]
                ordered("start-kill")
                while clock() - begun < seconds:
                    host = dice.choice(hosts)
                    await asyncio.sleep(dice.uniform(0.2, 0.6))
                    await etcd.kill(host)
                    await etcd.start(host)
                for writer in writers:
                    writer.cancel()
                await asyncio.wait(writers)
                await etcd.ready()
                ordered("stop-kill")
                await asyncio.sleep(3.0)
                watch.cancel()
                await asyncio.wait([watch])
            finally:
                await etcd.teardown()
    return History.from_ops(told)


@pytest.mark.slow
def test_members_killed_under_load_are_named_if_they_diverge(tmp_path: Path) -> None:
    """etcd 3.5.1 may lose an applied entry if it is killed at a bad moment (etcd issue 13766)."""
    for seed in range(5):
        directory = tmp_path / str(seed)
        directory.mkdir()
        history = asyncio.run(killed_under_load(directory, 20.0, seed))
        verdict = invariants.convergence(within_s=1.5).check(history)
        assert verdict.valid is not True or verdict.details["judged"] > 10
        if verdict.valid is False:
            print(f"seed {seed}: {verdict.details['broken']}")
            assert any("revision" in each.sentence for each in verdict.counterexamples)
            return
    pytest.skip("no kill of 5 tries hit the moment in which members of etcd 3.5.1 diverge")

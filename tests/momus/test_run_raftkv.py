"""`momus run raftkv`: the program of the simulated world under real kills and partitions."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from momus import _run
from momus._cli import cli
from momus._exits import Broken, ExitCode, Refusal
from momus._plan import Plan
from simulation.real import scene_of


def run(tmp_path: Path, *words: str, skip: str = "") -> dict[str, Any]:
    """The answer of `momus run raftkv`; skips where this machine lacks what it takes."""
    store = ["--store", str(tmp_path), "--quiet", "--json"]
    done = CliRunner().invoke(cli, ["run", "raftkv", *words, *store])
    if done.exit_code == ExitCode.BROKEN:
        pytest.skip(f"{skip}: {done.output.strip()[-300:]}")
    assert done.exit_code in (ExitCode.VALID, ExitCode.INVALID, ExitCode.UNKNOWN), done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_raftkv_is_linearizable_under_kills_as_local_processes(tmp_path: Path) -> None:
    words = ["--local", "--faults", "kill", "--interval", "1.5", "--time-limit", "5"]
    answer = run(tmp_path, *words, "--seed", "1", skip="no local processes")
    assert answer["valid"] is not False, answer
    assert answer["operations"] > 50
    assert list(Path(answer["run"]).glob("nodes/n1/raftkv.told.jsonl"))


def power_cuts(tmp_path: Path, cycles: int) -> list[str]:
    """The options for power cuts that only who syncs survives, and the time they need.

    Two nodes lose their power between writing and syncing; the third, which may have led them,
    is killed and comes back when they have had time to agree without it.
    """
    names = ["n1", "n2", "n3"]
    steps: list[list[Any]] = []
    for cycle in range(cycles):
        at_s, third = 3 + 10 * cycle, names[cycle % 3]
        cut = {"targets": [n for n in names if n != third], "point": "before wal sync", "nth": 1}
        steps += [
            [at_s, "start-crash-point", cut],
            [at_s + 0.1, "start-kill", {"targets": [third]}],
            [at_s + 4, "stop-crash-point"],
            [at_s + 7, "stop-kill"],
        ]
    script = tmp_path / "script.json"
    script.write_text(json.dumps(steps))
    load = ["--rate", "200", "--keys", "2", "--ops-per-key", "100000"]
    # With two of three nodes down nothing can succeed, and nothing has to.
    load += ["--minimums", "window=0"]
    return ["--script", str(script), "--time-limit", str(10 * cycles), *load, "--seed", "1"]


@pytest.mark.slow
def test_writes_acknowledged_before_they_were_synced_are_lost_with_the_power(
    tmp_path: Path,
) -> None:
    words = power_cuts(tmp_path, 6)
    answer = run(tmp_path, *words, "--bug", "ack-before-sync", skip="no namespaces or FUSE")
    assert answer["valid"] is False, answer
    assert any("no order of the operations allows that" in str(f) for f in answer["failures"])


@pytest.mark.slow
def test_who_syncs_first_survives_the_same_power_cuts(tmp_path: Path) -> None:
    answer = run(tmp_path, *power_cuts(tmp_path, 6), skip="no namespaces or FUSE")
    assert answer["valid"] is True, answer


STORIES = (
    "kill-primary",
    "crash-wal",
    "partition-heal",
    "pause",
    "rebalance",
    "crash-during-migration",
    "membership",
)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", STORIES)
def test_scenarios_of_the_simulation_are_played_by_real_processes(
    tmp_path: Path, scenario: str
) -> None:
    words = ["--scenario", scenario, "--time-limit", "24", "--seed", "1"]
    answer = run(tmp_path, *words, skip="no namespaces or FUSE")
    assert answer["valid"] is not False, answer
    assert answer["operations"] > 100


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "bug", "checker"),
    [
        ("rebalance", "migrating-in-accepts-write", "migrating-in-never-accepts"),
        ("rebalance", "foreign-shard-replayed", "no-foreign-replay"),
        ("client-retries", "no-dedup-on-retry", "linearizable"),
    ],
)
def test_bugs_are_found_in_real_processes_by_who_should_find_them(
    tmp_path: Path, scenario: str, bug: str, checker: str
) -> None:
    words = ["--scenario", scenario, "--bug", bug, "--time-limit", "30", "--seed", "1"]
    answer = run(tmp_path, *words, skip="no namespaces or FUSE")
    assert answer["valid"] is False, answer
    assert answer["parts"][checker]["valid"] is False, answer["failures"]


@pytest.mark.slow
def test_raftkv_is_linearizable_for_a_minute_of_kills_and_partitions(tmp_path: Path) -> None:
    words = ["--faults", "kill,partition", "--time-limit", "60", "--seed", "1"]
    answer = run(tmp_path, *words, skip="no network namespaces")
    assert answer["valid"] is True, answer


@pytest.mark.parametrize(
    ("plan", "refusal"),
    [
        (Plan("raftkv", bug="no-such"), "unknown bug 'no-such'; try one of "),
        (Plan("etcd", bug="no-sync"), "etcd has no bugs to switch on"),
        (Plan("etcd", scenario="crash"), "etcd has no scenarios"),
        (Plan("etcd", faults=("crash-point",)), "etcd has no crash points"),
        (Plan("raftkv", scenario="no-such"), "unknown scenario 'no-such'; try one of "),
        (Plan("raftkv", scenario="leases"), "needs clock-.*, which real processes do not have"),
        (Plan("raftkv", schedule="scenario"), "--schedule scenario is that of a --scenario"),
        (
            Plan("raftkv", scenario="rebalance", schedule="scenario", faults=("kill",)),
            "--faults without move needs another --schedule",
        ),
        (Plan("etcd", faults=("move",)), "unknown fault 'move'"),
        (Plan("raftkv", targets="some"), "unknown --targets 'some'"),
        (Plan("raftkv", workload="bank"), "unknown workload 'bank'; try one of register"),
        (Plan("raftkv", reads="serializable"), "unknown --reads 'serializable'"),
        (Plan("raftkv", members=1), "raftkv does not know --members"),
        (Plan("raftkv", faults=("latency",)), "raftkv does not know faults of proxies"),
    ],
)
def test_what_makes_no_sense_for_a_simulated_system_is_refused(plan: Plan, refusal: str) -> None:
    with pytest.raises(Refusal, match=refusal):
        plan.settled()


def test_a_scenario_brings_its_faults_and_whom_they_strike() -> None:
    scene = scene_of("raftkv", "kill-primary")
    assert {name: [each.name for each in among] for name, among in scene.faults.items()} == {
        "kill": ["primaries"]
    }
    wal = scene_of("raftkv", "crash-wal")
    assert list(wal.faults) == ["crash-point"]
    assert "before wal sync" in wal.points
    assert list(scene_of("raftkv", "crash-all").faults) == ["disk-lose-unsynced"]


def test_the_command_of_a_plan_names_the_bug_and_the_scenario() -> None:
    plan = Plan("raftkv", bug="ack-before-sync", faults=("kill",)).settled()
    assert "--bug ack-before-sync" in plan.command()
    again = Plan("raftkv", scenario="crash-wal", faults=("crash-point",), targets="all").settled()
    assert "--scenario crash-wal" in again.command()
    assert "--targets all" in again.command()
    assert plan.name == "raftkv-register-ack-before-sync"


def plan_of(monkeypatch: pytest.MonkeyPatch, *words: str) -> Plan:
    """The plan that a command line makes, which is not carried out."""
    found: list[Plan] = []

    def keep(plan: Plan, *_: Any, **__: Any) -> Any:
        found.append(plan)
        raise Broken("it is only a plan")

    monkeypatch.setattr(_run, "play_plan", keep)
    done = CliRunner().invoke(cli, ["run", "raftkv", *words])
    assert "it is only a plan" in done.output, done.output
    return found[0]


def test_a_scenario_keeps_its_own_schedule_and_rate_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = plan_of(monkeypatch, "--scenario", "rebalance", "--seed", "1")
    assert (own.schedule, own.rate_hz, own.nodes) == ("scenario", 50.0, 5)
    assert {*own.faults} == {"kill", "move", "packet-delay"}
    assert plan_of(monkeypatch, *shlex.split(own.command())[3:]) == own
    said = plan_of(monkeypatch, "--scenario", "rebalance", "--interval", "3s", "--rate", "20")
    assert (said.schedule, said.interval_s, said.rate_hz) == ("random", 3.0, 20.0)
    assert own.minimums == said.minimums == (("window", 0.0),)
    usual = plan_of(monkeypatch, "--faults", "change,transfer")
    assert usual.minimums == ()
    assert (usual.schedule, usual.interval_s, usual.rate_hz) == ("random", 5.0, 200.0)


def test_a_script_may_order_what_only_this_system_obeys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "script.json"
    script.write_text('[[1, "start-transfer", {"shard": "s1", "to": "n2"}], [2, "stop-transfer"]]')
    assert plan_of(monkeypatch, "--script", str(script)).faults == ("transfer",)

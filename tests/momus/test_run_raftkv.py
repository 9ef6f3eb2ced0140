"""`momus run raftkv`: the program of the simulated world under real kills and partitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from momus._cli import cli
from momus._exits import ExitCode, Refusal
from momus._plan import Plan


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
        (Plan("raftkv", workload="bank"), "unknown workload 'bank'; try one of register"),
        (Plan("raftkv", reads="serializable"), "unknown --reads 'serializable'"),
        (Plan("raftkv", members=1), "raftkv does not know --members"),
        (Plan("raftkv", faults=("latency",)), "raftkv does not know faults of proxies"),
    ],
)
def test_what_makes_no_sense_for_a_simulated_system_is_refused(plan: Plan, refusal: str) -> None:
    with pytest.raises(Refusal, match=refusal):
        plan.settled()


def test_the_command_of_a_plan_names_the_bug() -> None:
    plan = Plan("raftkv", bug="ack-before-sync", faults=("kill",)).settled()
    assert "--bug ack-before-sync" in plan.command()
    assert plan.name == "raftkv-register-ack-before-sync"

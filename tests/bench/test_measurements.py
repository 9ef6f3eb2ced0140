"""What a measurement says, and how the table tells whether a promise was kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.contest import BenchError, Contest, Measured
from bench.histories import Clients, history_file
from bench.rows import Bench, Goal, Row, ten_clients
from bench.table import document, tables

ROOT = Path(__file__).resolve().parents[2]


def measured(seconds: float, peak_mib: int) -> Measured:
    return Measured(("valid",), seconds, seconds, peak_mib << 20, 1 << 20, operations=1000)


def test_a_child_measures_the_check_alone(tmp_path: Path) -> None:
    path = history_file(Clients(200, clients=3, stale_at=0.5), tmp_path)
    argv = [sys.executable, "-m", "bench.measurement", "--initial", "0", "--repeat", "2", str(path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, timeout=60, check=True)
    said = json.loads(done.stdout)
    assert said["verdict"] == "invalid"
    assert said["explained"]
    assert said["operations"] == 200
    assert len(said["all"]) == 2
    assert 0 < said["loaded_bytes"] <= said["peak_bytes"]


def test_a_model_in_python_is_measured_by_name(tmp_path: Path) -> None:
    contest = Contest(tmp_path, porcupine=None)
    files = [history_file(Clients(50, clients=2), tmp_path)]
    for model in ("cas-register", "python", "python-untold"):
        assert contest.momus(files, initial="0", model=model).verdicts == ("valid",)


def test_without_go_nothing_is_compared(tmp_path: Path) -> None:
    (row,) = ten_clients(Bench(Contest(tmp_path, porcupine=None), scale=1000, repetitions=1))
    assert row.porcupine is None
    assert [goal.met for goal in row.goals] == [None, None]


def test_a_child_that_breaks_is_not_a_measurement(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="broke"):
        Contest(tmp_path, porcupine=None).momus([tmp_path / "missing.jsonl"], initial="0")


def test_ratios_are_against_porcupine_on_the_same_history() -> None:
    row = Row("a history", measured(0.5, 10), measured(50, 2000))
    assert row.faster == 100
    assert row.leaner == 200


def test_a_missed_promise_says_so() -> None:
    goals = (Goal("fast", "slow", False), Goal("lean", "lean", True), Goal("sure", "-", None))
    text = document([Row("a history", measured(1, 10), None, goals)])
    kept = [line.split("|")[4].strip() for line in text.splitlines() if line.startswith("| a his")]
    assert kept[1:] == ["**MISSED**", "yes", "not compared"]


def test_promises_are_not_judged_at_another_size() -> None:
    row = Row("a history", measured(1, 10), None, (Goal("fast", "slow", False),))
    assert not any("MISSED" in line for line in tables([row], judged=False))

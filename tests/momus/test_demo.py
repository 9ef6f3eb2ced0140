"""The demo: its exit code, its patience, its honesty."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import momus._demo
from checker import Valid, Verdict
from histories import History, Store
from momus._aftermath import Aftermath
from momus._cli import cli
from momus._conduct import Conduct
from momus._judge import Request
from momus._plan import Plan
from momus._run import Played


@dataclass
class Stage:
    """Answers each run with the next verdict of its kind, and remembers the plans."""

    linearizable: list[Valid]
    serializable: list[Valid]
    conduct: Callable[[], Conduct] = Conduct
    plans: list[Plan] = field(default_factory=list)

    def play(self, plan: Plan, _request: Request) -> Played:
        self.plans.append(plan)
        verdict = Verdict(getattr(self, plan.reads).pop(0), "linearizable", operations=1)
        run = Store(plan.store).create(plan.name)
        after = Aftermath(verdict, History.from_events([]), Path("report.html"))
        return Played(plan, run, self.conduct(), after)


def demo(monkeypatch: pytest.MonkeyPatch, folder: Path, stage: Stage, *more: str) -> Result:
    monkeypatch.setattr(momus._demo, "play_plan", stage.play)
    return CliRunner().invoke(
        cli, ["demo", "--local", "--store", str(folder), "--seed", "5", *more]
    )


def test_both_as_predicted_is_0(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Stage([True], [False])
    result = demo(monkeypatch, tmp_path, stage)
    assert result.exit_code == 0
    assert "linearizable reads: valid, as predicted; report: report.html" in result.stdout
    assert "serializable reads: invalid, as predicted; report: report.html" in result.stdout
    assert [plan.reads for plan in stage.plans] == ["linearizable", "serializable"]
    assert {plan.seed for plan in stage.plans} == {5}
    assert [plan.faults for plan in stage.plans] == [("pause",), ("pause",)]


def test_a_run_without_a_stale_read_is_tried_again_with_another_seed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stage = Stage([True], [True, True, False])
    assert demo(monkeypatch, tmp_path, stage).exit_code == 0
    assert [plan.seed for plan in stage.plans] == [5, 5, 6, 7]


def test_its_patience_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Stage([True], [True] * 9)
    result = demo(monkeypatch, tmp_path, stage)
    assert result.exit_code == 3
    assert len(stage.plans) == 1 + momus._demo.STALE_TRIES_MAX
    assert "serializable reads: valid, NOT as predicted" in result.stdout


def test_a_bug_of_etcd_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = demo(monkeypatch, tmp_path, Stage([False], [False]))
    assert result.exit_code == 1
    assert "13766" in result.stdout
    assert "20418" in result.stdout


def test_a_broken_run_is_4(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Stage([True], [False], lambda: Conduct(broke="n1 did not start"))
    result = demo(monkeypatch, tmp_path, stage)
    assert result.exit_code == 4
    assert "n1 did not start" in result.stderr


def test_programs_get_one_object(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = demo(monkeypatch, tmp_path, Stage([True], [False]), "--json")
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["as_expected"] is True
    assert [run["valid"] for run in found["runs"]] == [True, False]
    assert [run["report"] for run in found["runs"]] == ["report.html", "report.html"]


@pytest.mark.slow
def test_the_real_demo(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["demo", "--store", str(tmp_path)])
    assert result.exit_code == 0, result.output

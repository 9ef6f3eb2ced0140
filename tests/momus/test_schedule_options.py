"""``momus run``: when faults strike, as the options say, and a plan that says it again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import momus
import reports
from histories import Run, Store
from momus import _run
from momus._cli import cli
from momus._plan import Plan
from momus._replay import plan_again
from nemesis import NotHealed  # noqa: F401  (the room is there)

STEPS: list[Any] = [[0.2, "start-pause", {"targets": ["n1"]}], [0.6, "stop-pause"]]


@pytest.fixture
def plan_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The plan that a command line makes, which is not carried out."""

    def plan_of(*words: str) -> Plan:
        found: list[Plan] = []

        def keep(plan: Plan, **_: Any) -> int:
            found.append(plan)
            return 0

        monkeypatch.setattr(_run, "_play", keep)
        done = CliRunner().invoke(cli, ["run", "etcd", *words])
        assert done.exit_code == 0, done.output
        return found[0]

    return plan_of


def refused(*words: str) -> str:
    result = CliRunner().invoke(cli, ["run", "etcd", *words])
    assert result.exit_code == 2, result.output
    return result.stderr


def test_a_plan_is_made_again_by_its_command(plan_of: Any, tmp_path: Path) -> None:
    script = tmp_path / "steps.json"
    script.write_text(json.dumps(STEPS))
    for words in (
        [],
        ["--schedule", "chaos", "--at-once", "2", "--weights", "kill=3,partition=0.5"],
        ["--schedule", "turns", "--faults", "pause"],
        ["--in-turns", "--observe", "0", "--op-timeout", "3s", "--keys", "7"],
        ["--script", str(script), "--seed", "5"],
    ):
        plan = plan_of(*words)
        again = plan_of(*shlex.split(plan.command())[3:])
        assert again == plan


def test_in_turns_is_an_older_word_for_a_schedule(plan_of: Any) -> None:
    assert plan_of("--in-turns").schedule == "turns"
    assert plan_of("--in-turns", "--schedule", "turns").schedule == "turns"
    assert "exclude each other" in refused("--in-turns", "--schedule", "chaos")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--schedule", "havoc"], "try one of random, turns, chaos"),
        (["--at-once", "2"], "--at-once is for --schedule chaos"),
        (["--weights", "kill=much"], "'kill=much' is no weight of a fault"),
        (["--weights", "kill"], "'kill' is no weight of a fault"),
        (["--weights", "quake=1"], "unknown fault of --weights 'quake'"),
        (["--weights", "kill=-1"], "the weight of kill is a number above zero"),
        (["--weights", "kill=nan"], "the weight of kill is a number above zero"),
        (["--weights", "kill=2", "--schedule", "turns"], "leave it out"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(words: list[str], said: str) -> None:
    assert said in refused(*words)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("{}", "a script is a list like"),
        ("[[1]]", "step 1 is [1]"),
        ('[["soon", "start-kill"]]', "step 1: 'soon' is no time"),
        ('[[-1, "start-kill"]]', "step 1: -1 is no time"),
        ('[[NaN, "start-kill"]]', "step 1: nan is no time"),
        ('[[1, "start-quake"]]', "step 1: 'start-quake' is no order"),
        ('[[1, "kill"]]', "step 1: 'kill' is no order"),
        ('[[2, "start-kill"], [1, "stop-kill"]]', "step 2 is due before"),
    ],
)
def test_scripts_that_make_no_sense_are_refused(tmp_path: Path, content: str, said: str) -> None:
    script = tmp_path / "steps.json"
    script.write_text(content)
    assert said in refused("--script", str(script))


def test_a_script_excludes_schedules_and_needs_its_faults(tmp_path: Path) -> None:
    script = tmp_path / "steps.json"
    script.write_text(json.dumps(STEPS))
    assert "leave the schedule out" in refused("--script", str(script), "--schedule", "chaos")
    assert "speaks of pause" in refused("--script", str(script), "--faults", "kill")


def test_runs_of_a_former_version_in_turns_are_understood(tmp_path: Path) -> None:

    meta = {**Plan("etcd").settled().meta(), "in_turns": True}
    del meta["schedule"], meta["weights"], meta["at_once"], meta["observe_hz"]
    with Store(tmp_path).create("etcd-register", meta) as run:
        pass
    plan = plan_again(Run(run.path), "etcd", hosts=None, seed=None, store=tmp_path)
    assert (plan.schedule, plan.weights) == ("turns", ())


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pictures, which take longer than the runs."""
    monkeypatch.setattr(reports, "render", lambda _history, _verdict, path, **_: path)
    monkeypatch.setattr(reports, "plots", lambda *_: ())


def carried_out(tmp_path: Path, *words: str) -> tuple[Result, Run]:
    where = ["--local", "--nodes", "3", "--store", str(tmp_path / "store"), "--json", "--quiet"]
    result = CliRunner().invoke(cli, ["run", "etcd", *where, "--rate", "50", *words])
    return result, Run(Path(json.loads(result.stdout)["run"]))


@pytest.mark.usefixtures("undrawn")
def test_a_script_is_played_on_a_real_etcd(tmp_path: Path) -> None:
    script = tmp_path / "steps.json"
    script.write_text(json.dumps(STEPS))
    result, run = carried_out(tmp_path, "--script", str(script), "--time-limit", "1.5")
    assert result.exit_code == 0, result.output
    told = [event for event in run.history().of_process(momus.NEMESIS) if event.type == "invoke"]
    assert [(event.f, event.value) for event in told[:2]] == [(f, v) for _, f, v in _full(STEPS)]
    assert told[0].time >= 0.2e9
    assert len(run.history().of_process(momus.OBSERVER)) >= 3


def _full(steps: list[Any]) -> list[tuple[float, str, Any]]:
    return [(*step, None)[:3] for step in steps]


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_chaos_on_a_real_etcd_has_receipts_and_is_replayed(tmp_path: Path) -> None:
    words = ["--schedule", "chaos", "--at-once", "2", "--faults", "kill,pause,down"]
    result, run = carried_out(
        tmp_path, *words, "--interval", "0.7", "--time-limit", "5", "--seed", "4"
    )
    found = json.loads(result.stdout)
    assert (result.exit_code, found["troubles"]) == (0, []), found
    events = list(run.history().of_process(momus.NEMESIS))
    in_force: set[str] = set()
    most = 0
    for event in events:
        verb, _, name = event.f.partition("-")
        if event.type == "ok":
            assert event.value["receipt"]["ok"], event
            (in_force.add if verb == "start" else in_force.discard)(name)
            most = max(most, len(in_force))
    assert most == 2
    again = CliRunner().invoke(
        cli,
        [
            "run",
            "etcd",
            "--replay",
            str(run.path),
            "--store",
            str(tmp_path / "again"),
            "--json",
            "-q",
        ],
    )
    orders = [(e.f, e.value) for e in events if e.type == "invoke"]
    repeated = Run(Path(json.loads(again.stdout)["run"])).history().of_process(momus.NEMESIS)
    assert [(e.f, e.value) for e in repeated if e.type == "invoke"][: len(orders)] == orders

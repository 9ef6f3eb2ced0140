"""``momus check --checker``: checkers without a search, beside a model or alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import momus
from histories import Op
from momus import History
from momus._cli import cli


def done(f: str, value: Any, key: Any = None, process: int = 0) -> list[Op]:
    argument = None if f in ("read", "generate") else value
    return [Op(f, argument, key, "invoke", process), Op(f, value, key, "ok", process)]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fine = [*done("add", 1), *done("generate", 5), *done("generate", 6), *done("read", [1])]
    lost = [*done("add", 1), *done("add", 2), *done("read", [1])]
    keys = [*done("add", 1, "x"), *done("add", 1, "y"), *done("read", [1], "x")]
    for name, ops in (("fine", fine), ("lost", lost), ("keys", keys)):
        History.from_ops(ops).write_jsonl(f"{name}.jsonl")


def check(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", *arguments])


def test_each_checker_is_a_part_of_the_answer() -> None:
    result = check("fine.jsonl", "--checker", "set,unique-ids", "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["valid"], found["model"]) == (0, True, None)
    assert {name: part["valid"] for name, part in found["parts"].items()} == {
        "set": True,
        "unique-ids": True,
    }
    assert found["parts"]["unique-ids"]["details"]["acknowledged"] == 2


def test_the_worst_of_the_checkers_decides_and_failures_name_theirs() -> None:
    result = check("lost.jsonl", "--checker", "set", "--checker", "unique-ids", "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["parts"]["unique-ids"]["valid"]) == (1, "unknown")
    [failure] = found["failures"]
    assert (failure["checker"], failure["operation"]) == ("set", 4)


def test_what_shows_nothing_exits_with_3() -> None:
    result = check("lost.jsonl", "--checker", "unique-ids")
    assert result.exit_code == 3
    assert "0 ids were generated" in result.stdout


def test_a_person_reads_what_was_counted() -> None:
    result = check("lost.jsonl", "--checker", "set-full")
    assert "INVALID  set-full: attempted 2, acknowledged 2, seen 1, stable 1, lost 1" in (
        result.stdout
    )
    assert "The element 2 is lost" in result.stdout


def test_with_a_model_there_is_a_search_besides() -> None:
    result = check("lost.jsonl", "--checker", "set", "--model", "set", "--json")
    found = json.loads(result.stdout)
    assert (list(found["parts"]), found["model"]) == (["linearizable", "set"], "set")
    assert [failure["checker"] for failure in found["failures"]] == ["linearizable", "set"]


def test_where_operations_have_keys_each_is_judged_by_itself() -> None:
    result = check("keys.jsonl", "--checker", "set", "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["parts"]["set"]["details"]["keys"]) == (3, 2)
    assert found["unknown"]["sentence"].startswith('set: Key "y": No read')


def test_settings_stand_behind_the_name() -> None:
    flicker = [*done("add", 1), *done("read", []), *done("read", [1])]
    History.from_ops(flicker).write_jsonl("flicker.jsonl")
    assert check("flicker.jsonl", "--checker", "set-full").exit_code == 0
    assert check("flicker.jsonl", "--checker", "set-full:linearizable=true").exit_code == 1
    assert check("flicker.jsonl", "--checker", "set-full:read=peruse").exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--checker", "sett"], "unknown checker sett; try one of"),
        (["--checker", "set:a=1"], "the checker set cannot be made with a=1"),
        (["--checker", "set:a"], "the setting 'a' of set has no value; try a=true"),
        (["--checker", "set", "--initial", "0"], "--initial is of a model"),
        (["--checker", "set", "--progress", "p"], "--progress is of a model"),
        (["--checker", "set", "--certificate", "c"], "--certificate is of a model"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], message: str) -> None:
    result = check("fine.jsonl", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_limits_hold_for_each_checker() -> None:
    limits = ["--time-limit", "60s", "--memory-limit", "1GB"]
    assert check("fine.jsonl", "--checker", "set,unique-ids", *limits).exit_code == 0


def test_the_report_has_a_line_for_each_checker() -> None:
    assert check("lost.jsonl", "--checker", "set,queue", "--report", "r.html").exit_code == 1
    page = Path("r.html").read_text()
    assert '<h2 id="parts">Checkers</h2>' in page
    assert "momus check lost.jsonl --checker set,queue" in page


def test_python_says_the_same() -> None:
    verdict = momus.check("lost.jsonl", checkers=["set"])
    assert (verdict.valid, list(verdict.parts)) == (False, ["set"])

"""``momus check``: what it answers, in which form, with which exit code."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import momus
from momus._cli import cli

FINE = """
{"process": 0, "type": "invoke", "f": "write", "value": 1}
{"process": 0, "type": "ok", "f": "write", "value": 1}
{"process": 1, "type": "invoke", "f": "read", "value": null}
{"process": 1, "type": "ok", "f": "read", "value": 1}
"""

STALE = """
{"process": 0, "type": "invoke", "f": "write", "value": 1, "key": "x"}
{"process": 0, "type": "ok", "f": "write", "value": 1, "key": "x"}
{"process": 1, "type": "invoke", "f": "read", "value": null, "key": "x"}
{"process": 1, "type": "ok", "f": "read", "value": null, "key": "x"}
{"process": 1, "type": "invoke", "f": "write", "value": 1, "key": "y"}
{"process": 1, "type": "ok", "f": "write", "value": 1, "key": "y"}
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fine.jsonl").write_text(FINE.lstrip())
    (tmp_path / "stale.jsonl").write_text(STALE.lstrip())


def check(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["check", *arguments], input=stdin)


def answer(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_valid_history_exits_with_0_and_says_what_was_judged_and_how() -> None:
    result = check("fine.jsonl", "--json")
    found = answer(result)
    assert result.exit_code == 0
    assert found["valid"] is True
    assert (found["model"], found["operations"], found["failures"]) == ("register", 2, [])
    assert found["algorithm"]
    assert found["seconds"] >= 0
    assert "guessed the model register from the operations read, write" in found["notes"]


def test_an_invalid_history_exits_with_1_and_shows_the_failing_key_only() -> None:
    result = check("stale.jsonl", "--model", "cas-register", "--json")
    assert result.exit_code == 1
    [failure] = answer(result)["failures"]
    assert failure["key"] == "x"
    assert failure["operation"] == 2
    assert failure["states"] == [1]
    assert failure["operations"][0].keys() >= {"index", "process", "type", "f", "value"}
    assert "read null" in failure["sentence"]


def test_the_initial_value_is_json() -> None:
    assert check("stale.jsonl", "--initial", "null").exit_code == 1
    (Path("read.jsonl")).write_text(
        '{"process": 0, "type": "invoke", "f": "read", "value": null}\n'
        '{"process": 0, "type": "ok", "f": "read", "value": [1, "a"]}\n'
    )
    assert check("read.jsonl").exit_code == 1
    assert check("read.jsonl", "--initial", '[1, "a"]').exit_code == 0


def test_a_missing_key_of_a_kv_store_reads_as_the_empty_string_or_null() -> None:
    for value in ('""', "null"):
        (Path("get.jsonl")).write_text(
            '{"process": 0, "type": "invoke", "f": "get", "key": "k", "value": null}\n'
            f'{{"process": 0, "type": "ok", "f": "get", "key": "k", "value": {value}}}\n'
        )
        assert check("get.jsonl").exit_code == 0
        assert check("get.jsonl", "--model", "kv").exit_code == 0


def test_several_files_give_one_object_merged_and_one_each() -> None:
    result = check("fine.jsonl", "stale.jsonl", "--json")
    found = answer(result)
    assert result.exit_code == 1
    assert found["valid"] is False
    assert found["operations"] == 5
    assert [each["file"] for each in found["files"]] == ["fine.jsonl", "stale.jsonl"]
    assert [each["valid"] for each in found["files"]] == [True, False]
    assert [failure["file"] for failure in found["failures"]] == ["stale.jsonl"]


def test_a_quoted_glob_and_standard_input_are_files_too() -> None:
    assert len(answer(check("*.jsonl", "--json"))["files"]) == 2
    assert answer(check("-", "--json", stdin=FINE.lstrip()))["valid"] is True
    assert check("-", stdin=STALE.lstrip()).exit_code == 1


def test_people_get_the_verdict_the_sentence_a_drawing_and_the_next_step() -> None:
    result = check("stale.jsonl")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("INVALID  stale.jsonl  (3 operations, register,")
    assert "Process 1 read null" in result.stdout
    assert re.search(r"process 1 .*✗ read", result.stdout)
    assert "possible just before: 1" in result.stdout
    assert "next: --report FILE.html" in result.stdout


def test_a_report_is_written_where_it_is_wanted() -> None:
    result = check("stale.jsonl", "--report", "out.html", "--json")
    assert answer(result)["report"] == "out.html"
    assert "<html" in Path("out.html").read_text()
    assert check("*.jsonl", "--report", "out.html").exit_code == 2


def test_a_budget_that_runs_out_is_unknown_with_exit_code_3() -> None:
    steps = [f'{{"process": 0, "type": "{t}", "f": "write", "value": 1}}' for t in ("invoke", "ok")]
    Path("long.jsonl").write_text("\n".join(steps * 20_000))
    result = check("long.jsonl", "--time-limit", "0", "--json")
    assert result.exit_code == 3
    found = answer(result)
    assert found["valid"] == "unknown"
    assert found["unknown"]["cause"] == "time"
    assert "--time-limit" in found["unknown"]["remedy"]


def test_values_cannot_repaint_the_terminal() -> None:
    (Path("evil.jsonl")).write_text(
        '{"process": 0, "type": "invoke", "f": "read", "value": null}\n'
        '{"process": 0, "type": "ok", "f": "read", "value": "\\u001b[2J\\u0007"}\n'
    )
    result = check("evil.jsonl", "--initial", '"\\u001b]0;x\\u0007"')
    assert result.exit_code == 1
    assert "\x1b" not in result.stdout
    assert "\x07" not in result.stdout


LINE = '{"process": 0, "type": "invoke", "f": "read", "value": null}\n'
OK = '{"process": 0, "type": "ok", "f": "read", "value": null}\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        (LINE + '{"process": 0, "type":\n', 2),
        (LINE + "hello\n", 2),
        (LINE + '{"process": 0, "type": "done", "f": "read", "value": 1}\n', 2),
        (OK, 1),
        (LINE + LINE, 2),
        (LINE + OK + OK, 3),
        (LINE + '{"process": 0, "type": "ok", "f": "write", "value": 1}\n', 2),
        (
            '{"time": 5, "process": 0, "type": "invoke", "f": "read", "value": null}\n'
            '{"time": 4, "process": 0, "type": "ok", "f": "read", "value": null}\n',
            2,
        ),
        (LINE + '{"process": 0, "type": "ok", "f": "read", "value": ' + "[" * 100_000 + "\n", 2),
        (LINE + '{"process": 0, "type": "ok", "f": "read", "value": ' + "9" * 100_000 + "}\n", 2),
        (LINE + '{"process": {}, "type": "ok", "f": "read", "value": 1}\n', 2),
        (LINE + '{"type": "ok", "f": "read", "value": 1}\n', 2),
        ("\x00\x01\x02\n", 1),
        ('{"momus": "history", "version": 1, "meta": {}}\n', 1),
        (LINE.replace("0", '"client"'), 1),
        (LINE.replace("0", '"0"'), 1),
        (LINE + '{"process": 0, "type": "ok", "f": "read", "value": 1, "key": "x"}\n', 2),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_bad_input_is_one_line_with_file_and_line_and_no_verdict(
    text: str, line: int | None, as_json: bool
) -> None:
    Path("bad.jsonl").write_text(text)
    result = check("fine.jsonl", "bad.jsonl", *(["--json"] if as_json else []))
    assert result.exit_code == 2
    assert result.stdout == ""
    where = "bad.jsonl:" if line is None else f"bad.jsonl:{line}: "
    assert result.stderr.startswith(f"momus: {where}")
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) < 5_000


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        ('{"process": 0, "type": "invoke", "f": "dance", "value": null}\n', []),
        ('{"process": 0, "type": "invoke", "f": "dance", "value": null}\n', ["-m", "register"]),
        ('{"process": 0, "type": "invoke", "f": "cas", "value": 3}\n', []),
        (LINE, ["--model", "nonsense"]),
        (LINE, ["--algorithm", "nonsense"]),
        (LINE, ["--format", "edn"]),
        (LINE, ["--format", "parquet"]),
    ],
)
def test_a_history_that_does_not_fit_the_request_is_refused(
    content: str, arguments: list[str]
) -> None:
    Path("odd.jsonl").write_text(content)
    result = check("odd.jsonl", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("momus: odd.jsonl")
    assert result.stderr.count("\n") == 1


def test_operations_of_named_processes_are_left_out_and_that_is_said() -> None:
    named = '{"process": "client 1", "type": "invoke", "f": "write", "value": 1}\n'
    Path("named.jsonl").write_text(FINE.lstrip() + named)
    found = answer(check("named.jsonl", "--json"))
    assert (found["valid"], found["operations"]) == (True, 2)
    assert 'process "client 1" has a name, and 1 operations' in " ".join(found["notes"])


def test_a_compressed_file_is_told_as_one() -> None:
    Path("fine.jsonl.gz").write_bytes(gzip.compress(FINE.encode()))
    result = check("fine.jsonl.gz")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "zcat FILE | momus check -" in result.stderr


def test_a_report_that_cannot_be_written_is_refused_before_the_search() -> None:
    result = check("stale.jsonl", "--report", "fine.jsonl/out.html")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "fine.jsonl/out.html: no report can be written there" in result.stderr


def test_a_model_has_an_initial_state_of_its_own() -> None:
    model = momus.Model("anything", 0, lambda state, _: state)
    with pytest.raises(momus.Refusal, match="its own initial state"):
        momus.check("fine.jsonl", model, initial=1)


def test_a_set_that_lost_an_element_is_invalid() -> None:
    steps: list[tuple[int, str, str, Any]] = [
        (0, "invoke", "add", 7),
        (0, "ok", "add", 7),
        (1, "invoke", "read", None),
        (1, "ok", "read", []),
    ]
    lines = [
        json.dumps({"process": process, "type": type_, "f": f, "value": value})
        for process, type_, f, value in steps
    ]
    Path("set.jsonl").write_text("\n".join(lines))
    found = answer(check("set.jsonl", "--json"))
    assert (found["valid"], found["algorithm"]) == (False, "element by element")
    assert "without 7" in found["failures"][0]["sentence"]

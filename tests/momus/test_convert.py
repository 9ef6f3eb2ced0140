"""``momus convert``: from any format to any other, with one warning of what is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from histories import History
from momus._cli import cli

RUN = """{"momus":"history","version":1,"meta":{"name":"by hand"}}
{"time": 5, "process": 0, "type": "invoke", "f": "write", "value": 1, "key": "x"}
{"time": 9, "process": 0, "type": "ok", "f": "write", "value": 1, "key": "x"}
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.jsonl").write_text(RUN)


def convert(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(cli, ("convert", *arguments), input=input)


@pytest.mark.parametrize("target", ["out.parquet", "out.jsonl", "out.ndjson"])
def test_what_holds_everything_is_written_without_a_word(target: str) -> None:
    result = convert("run.jsonl", target)
    assert (result.exit_code, result.output) == (0, "")
    before, after = History.read("run.jsonl"), History.read(target)
    assert list(before) == list(after)
    assert dict(before.meta) == dict(after.meta)


def test_what_is_lost_is_one_line_on_standard_error() -> None:
    result = convert("run.jsonl", "out.log")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == (
        "momus: out.log: porcupine-log cannot hold everything; lost: the header (name); "
        "the times; the key of 2 events\n"
    )


def test_from_standard_input_to_standard_output() -> None:
    result = convert("-", "-", "--to", "edn", input=RUN)
    assert result.exit_code == 0
    assert result.stdout.startswith("{:index 0, :time 5, :type :invoke, :process 0, :f :write")


def test_the_format_is_taken_from_the_name_or_asked_for() -> None:
    assert convert("run.jsonl", "out.edn").exit_code == 0
    assert Path("out.edn").read_text().startswith("{:index 0")
    result = convert("run.jsonl", "out.txt")
    assert result.exit_code == 2
    assert "try --to with one of" in result.stderr


def test_what_cannot_be_converted_leaves_nothing_behind() -> None:
    result = convert("run.jsonl", "out.txt", "--to", "porcupine-kv")
    assert result.exit_code == 2
    assert "try another format" in result.stderr
    assert sorted(path.name for path in Path().iterdir()) == ["run.jsonl"]
    assert convert("missing.jsonl", "out.edn").exit_code == 2
    assert convert("run.jsonl", ".", "--to", "edn").exit_code == 2

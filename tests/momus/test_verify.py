"""``momus check --certificate`` writes the proof, ``momus verify`` believes nothing of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from momus._cli import cli

FINE = """
{"process": 0, "type": "invoke", "f": "write", "value": 1, "key": "x"}
{"process": 1, "type": "invoke", "f": "write", "value": 2, "key": 1}
{"process": 0, "type": "ok", "f": "write", "value": 1, "key": "x"}
{"process": 0, "type": "invoke", "f": "read", "value": null, "key": "x"}
{"process": 0, "type": "ok", "f": "read", "value": 1, "key": "x"}
{"process": 1, "type": "ok", "f": "write", "value": 2, "key": 1}
{"process": 0, "type": "invoke", "f": "write", "value": 3, "key": "x"}
"""
STALE = FINE.replace('"read", "value": 1', '"read", "value": 7')


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fine.jsonl").write_text(FINE.lstrip())
    (tmp_path / "stale.jsonl").write_text(STALE.lstrip())
    momus("check", "fine.jsonl", "--initial", "0", "--certificate", "proof.json")


def momus(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def proof() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("proof.json").read_text())
    return found


def test_a_certificate_proves_its_history() -> None:
    result = momus("verify", "fine.jsonl", "proof.json")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("VALID  fine.jsonl  (proven by proof.json: 3 operations of 2")


def test_it_says_in_json_what_is_proven() -> None:
    found = json.loads(momus("verify", "fine.jsonl", "proof.json", "--json").output)
    assert found["proven"] is True
    assert (found["model"], found["initial"], found["keys"]) == ("register", 0, 2)


def test_the_certificate_holds_for_the_history_in_another_format() -> None:
    from histories import History

    History.read("fine.jsonl").write_parquet("fine.parquet")
    assert momus("verify", "fine.parquet", "proof.json").exit_code == 0


def test_check_says_where_the_certificate_is() -> None:
    arguments = ("check", "fine.jsonl", "--initial", "0", "--certificate", "again.json")
    assert "certificate: again.json" in momus(*arguments).output
    assert json.loads(momus(*arguments, "--json").output)["certificate"] == "again.json"


def test_what_is_not_valid_has_no_certificate() -> None:
    result = momus("check", "stale.jsonl", "--certificate", "none.json")
    assert result.exit_code == 1
    assert not Path("none.json").exists()


def test_it_proves_no_other_history() -> None:
    result = momus("verify", "stale.jsonl", "proof.json")
    assert result.exit_code == 1
    assert "REFUSED" in result.output
    assert "another history" in result.output


def reverse(found: dict[str, Any]) -> None:
    found["keys"][0]["order"].reverse()
    found["keys"][0]["points"] = [3, 3]


def drop(found: dict[str, Any]) -> None:
    found["keys"][0]["order"].pop()
    found["keys"][0]["points"].pop()


def split(found: dict[str, Any]) -> None:
    [first, second] = found["keys"][0]["order"]
    [early, late] = found["keys"][0]["points"]
    found["keys"][0] |= {"order": [first], "points": [early]}
    found["keys"].append({"key": "x", "order": [second], "points": [late]})


def mix(found: dict[str, Any]) -> None:
    other = found["keys"].pop()
    found["keys"][0]["order"] += other["order"]
    found["keys"][0]["points"] += other["points"]


def beyond(found: dict[str, Any]) -> None:
    found["keys"][0]["order"].append(10_000)
    found["keys"][0]["points"].append(10_000)


def early(found: dict[str, Any]) -> None:
    found["keys"][0]["points"][0] = -1


def untimed(found: dict[str, Any]) -> None:
    found["keys"][0]["points"].pop()


def rename(found: dict[str, Any]) -> None:
    found["keys"][1]["key"] = True


def initial(found: dict[str, Any]) -> None:
    found["initial"] = 1
    found["keys"][0] |= {"order": [3, 0], "points": [3, 3]}


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (reverse, "the model does not allow"),
        (drop, "is not placed"),
        (split, "two orders"),
        (mix, "on another key"),
        (beyond, "event 10000 is not an invocation"),
        (rename, "on another key"),
        (early, "takes effect too early"),
        (untimed, "not one point in time"),
        (initial, "returned before"),
        (lambda found: found.update(model="trust-me"), "no model"),
        (lambda found: found["history"].update(events=6), "not of 7"),
        (lambda found: found["history"].update(digest="sha256:0"), "digests differ"),
    ],
)
def test_a_certificate_that_was_tampered_with_is_refused_with_the_reason(
    tamper: Callable[[dict[str, Any]], None], reason: str
) -> None:
    found = proof()
    tamper(found)
    Path("proof.json").write_text(json.dumps(found))
    result = momus("verify", "fine.jsonl", "proof.json")
    assert result.exit_code == 1
    assert reason in result.output, result.output


def test_one_can_insist_on_what_is_to_be_proven() -> None:
    assert momus("verify", "fine.jsonl", "proof.json", "--initial", "0").exit_code == 0
    assert momus("verify", "fine.jsonl", "proof.json", "--initial", "1").exit_code == 1
    result = momus("verify", "fine.jsonl", "proof.json", "--model", "cas-register")
    assert "about the model register, not cas-register" in result.output
    assert result.exit_code == 1


@pytest.mark.parametrize("content", ["", "{}", "[" * 10_000, '{"momus":"history"}', "\x00"])
def test_what_is_no_certificate_is_bad_input(content: str) -> None:
    Path("proof.json").write_text(content)
    result = momus("verify", "fine.jsonl", "proof.json")
    assert result.exit_code == 2
    assert "not a certificate" in result.stderr


def test_certificates_are_for_one_file_and_for_models_that_have_names() -> None:
    assert momus("check", "fine.jsonl", "stale.jsonl", "--certificate", "x").exit_code == 2
    assert momus("check", "fine.jsonl", "-m", "set", "--certificate", "x").exit_code == 2
    assert momus("check", "fine.jsonl", "--certificate", "no/../fine.jsonl/x").exit_code == 2
    assert momus("verify", "fine.jsonl", "missing.json").exit_code == 2


LATE = """
{"process": 0, "type": "invoke", "f": "write", "value": 1, "key": "x"}
{"process": 0, "type": "ok", "f": "write", "value": 1, "key": "x"}
{"process": 1, "type": "invoke", "f": "read", "value": null, "key": "x"}
{"process": 1, "type": "ok", "f": "read", "value": 0, "key": "x"}
"""


def test_sequential_consistency_is_an_option_and_proven_by_an_order_of_its_own() -> None:
    Path("late.jsonl").write_text(LATE.lstrip())
    assert momus("check", "late.jsonl", "--initial", "0").exit_code == 1
    options = ("--initial", "0", "--consistency", "sequential", "--certificate", "late.json")
    result = momus("check", "late.jsonl", *options)
    assert result.exit_code == 0, result.output
    assert "says nothing about real time" in result.output
    result = momus("verify", "late.jsonl", "late.json")
    assert result.exit_code == 0, result.output
    assert "in the order of each process, not of real time" in result.output
    claim = Path("late.json").read_text().replace("sequential", "linearizable")
    Path("late.json").write_text(claim)
    assert momus("verify", "late.jsonl", "late.json").exit_code == 1


def test_what_a_process_saw_in_the_wrong_order_is_not_sequentially_consistent() -> None:
    newer = LATE.replace('"read", "value": 0', '"read", "value": 1')
    again = newer + LATE[LATE.index('{"process": 1') :]
    Path("again.jsonl").write_text(again.lstrip())
    options = ("--model", "register", "--initial", "0", "--consistency", "sequential")
    result = momus("check", "again.jsonl", *options)
    assert result.exit_code == 1, result.output
    assert "keeps the order of each process" in result.output
    assert momus("check", "again.jsonl", "--algorithm", "jit", *options).exit_code == 2

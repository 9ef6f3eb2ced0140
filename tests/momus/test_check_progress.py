"""``momus check --progress`` keeps how far an unknown verdict was, and goes on from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from histories import Event, History
from momus._cli import cli


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hard().write_jsonl("hard.jsonl")


def hard() -> History:
    """Many writes at once and a read that nobody wrote: every subset is a configuration."""
    events = [Event(0, n, n, "invoke", "write", 1, n) for n in range(1, 13)]
    events += [Event(0, 30, 0, "invoke", "read", 1, None)]
    events += [Event(0, 31, 0, "ok", "read", 1, 99)]
    events += [Event(0, 100 + n, n, "ok", "write", 1, n) for n in range(1, 13)]
    events += [Event(0, 200, 0, "invoke", "write", 2, 1), Event(0, 201, 0, "ok", "write", 2, 1)]
    return History.from_events(
        Event(index, e.time, e.process, e.type, e.f, e.key, e.value)
        for index, e in enumerate(events)
    )


def momus(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", "hard.jsonl", "--algorithm", "jit", *arguments])


def test_an_unknown_verdict_says_what_is_proven_and_where_it_was() -> None:
    result = momus("--time-limit", "0", "--progress", "left")
    assert result.exit_code == 3, result.output
    assert "1 of 2 keys are decided, all valid" in result.output
    assert "the first 0 of 13 completed operations of key 1 can all be placed" in result.output
    assert "how far it was is kept in left" in result.output
    [still_open] = json.loads(momus("--time-limit", "0", "--json").output)["open"]
    assert (still_open["key"], still_open["cause"], still_open["line"]) == (1, "time", 15)


def test_a_later_call_goes_on_and_does_not_decide_again_what_is_decided() -> None:
    momus("--time-limit", "0", "--progress", "left")
    result = momus("--progress", "left")
    assert result.exit_code == 1, result.output
    assert "gone on from left, where 1 of 2 keys were decided" in result.output
    assert "where 2 of 2 keys were decided" in momus("--progress", "left").output


def test_progress_of_something_else_is_refused_in_one_line() -> None:
    momus("--time-limit", "0", "--progress", "left")
    result = momus("--progress", "left", "--initial", "7")
    assert result.exit_code == 2
    assert result.output.startswith(
        "momus: hard.jsonl: left: the progress with the model register from null, not register "
        "from 7; leave --progress out"
    ), result.output
    Path("left").write_bytes(b"no progress")
    assert "not a progress file" in momus("--progress", "left").output

"""``momus audit``: the tables, what is missing, and the exit code."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from momus._cli import cli

BASIC = ["audit", "register", "--sound-seeds", "1", "--seeds", "2", "--jobs", "1", "-q"]


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    options = ["--scenario", "crash", "--bug", "no-sync", "--json"]
    found: dict[str, Any] = json.loads(CliRunner().invoke(cli, [*BASIC, *options]).stdout)
    return found


def test_what_is_found_and_reached_is_in_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    options = ["--scenario", "crash", "--bug", "no-sync", "--junit", str(path)]
    done = CliRunner().invoke(cli, [*BASIC, *options])
    assert done.exit_code == 0, done.output
    assert "nothing is missing" in done.stdout
    assert "no-sync" in done.stdout
    suites = ElementTree.parse(path).getroot().findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["register crash", "register audit"]
    assert [case.get("name") for case in suites[0]] == ["without a bug", "finds no-sync"]


def test_the_tables_say_who_finds_what_where() -> None:
    options = ["--scenario", "calm", "--scenario", "crash", "--bug", "no-sync"]
    lines = CliRunner().invoke(cli, [*BASIC, *options]).stdout.splitlines()
    rows: dict[str, list[str]] = {}
    for words in filter(None, map(str.split, lines)):
        rows.setdefault(words[0], words)
    # The invariants have letters, under which each scenario says how many bugs they find there.
    assert rows["a"] == ["a", "counts", "never", "go", "back", "2", "no-sync"]
    assert rows["b"] == ["b", "linearizable", "2", "no-sync"]
    assert rows["scenario"][:3] == ["scenario", "a", "b"]
    assert rows["calm"] == ["calm", "+", "+"]
    assert rows["crash"] == ["crash", "1", "1", "no-sync"]


def test_what_it_found_is_replayed_byte_by_byte(answer: dict[str, Any]) -> None:
    [cell] = answer["cells"]
    program, *words = shlex.split(cell["replay"])
    assert program == "momus"
    done = CliRunner().invoke(cli, [*words, "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["digest"] == cell["digest"]


def test_the_answer_says_what_was_looked_at(answer: dict[str, Any]) -> None:
    assert answer["complete"] is True
    assert answer["covered"] == {"linearizable": ["crash"], "counts never go back": ["crash"]}
    # One run without a bug, and one that finds it and comes again, with the bug and without it;
    # perhaps another was under way by then.
    assert answer["played"] in (4, 5)


def test_a_bug_that_nobody_finds_makes_it_fail(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    options = ["--scenario", "calm", "--bug", "no-sync", "--json", "--junit", str(path)]
    done = CliRunner().invoke(cli, [*BASIC, *options])
    assert done.exit_code == 1
    [missing] = json.loads(done.stdout)["missing"]
    assert missing.startswith("The bug no-sync is not found by counts never go back")
    suite = ElementTree.parse(path).getroot().findall("testsuite")[-1]
    assert (suite.get("name"), suite.get("failures")) == ("register audit", "1")

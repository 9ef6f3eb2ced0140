"""``momus audit``: the tables, what is missing, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from click.testing import CliRunner

from momus._cli import cli

BASIC = ["audit", "register", "--sound-seeds", "1", "--seeds", "2", "--jobs", "1", "-q"]


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


def test_a_bug_that_nobody_finds_makes_it_fail() -> None:
    done = CliRunner().invoke(cli, [*BASIC, "--scenario", "calm", "--bug", "no-sync", "--json"])
    assert done.exit_code == 1
    [missing] = json.loads(done.stdout)["missing"]
    assert missing.startswith("The bug no-sync is not found by counts never go back")

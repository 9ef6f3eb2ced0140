"""What finds what in raftkv is as its page says, and nothing is left out of the audit."""

from __future__ import annotations

import json
import re
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from momus._cli import cli
from simulation import Case, play_case, result_of
from simulation._audit import finds
from simulation.raftkv import SYSTEM

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"\| `([\w-]+)` \| `([\w-]+)` \| (\d+) \| (\d+) of (\d+) \| ([\w, -]+) \|")


class Row(NamedTuple):
    """Of `seeds` seeds `found` show the bug in this scenario, `seed` as the first, by `who`."""

    bug: str
    scenario: str
    seed: int
    found: int
    seeds: int
    who: tuple[str, ...]


def rows() -> list[Row]:
    page = (ROOT / "docs" / "raftkv.md").read_text()
    return [
        Row(bug, scenario, int(seed), int(found), int(seeds), tuple(who.split(", ")))
        for bug, scenario, seed, found, seeds, who in ROW.findall(page)
    ]


ROWS = rows()
UNMOVED = {"no-foreign-replay", "migrating-in-never-accepts"}
"""Where no shards move or share a log they judge, and show nothing."""
NOBODY: Any = None
"""The judges of raftkv ask nothing of a setting."""
LIKELIEST = [next(mine) for _, mine in groupby(ROWS, key=lambda row: row.bug)]


def is_found_as_said(row: Row) -> None:
    bug = SYSTEM.bugs[row.bug]
    case = Case("raftkv", row.scenario, row.seed, row.bug)
    result = result_of(play_case(SYSTEM, case))
    assert finds(bug, result), result
    said = [cause.checker for cause in result.causes if cause.checker in bug.checkers]
    assert tuple(dict.fromkeys(said)) == row.who


def test_the_page_has_each_bug_with_all_scenarios_that_should_find_it() -> None:
    said = {bug: [row.scenario for row in mine] for bug, mine in groupby(ROWS, lambda row: row.bug)}
    assert said == {bug.name: list(bug.scenarios) for bug in SYSTEM.bugs.values()}
    assert all(row.found and row.seed < row.seeds for row in ROWS)


@pytest.mark.parametrize("row", LIKELIEST, ids=lambda row: row.bug)
def test_a_bug_is_found_with_the_seed_and_by_whom_the_page_says(row: Row) -> None:
    is_found_as_said(row)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.bug}-{row.scenario}")
def test_every_row_of_the_page_is_so(row: Row) -> None:
    is_found_as_said(row)


def test_all_who_judge_are_covered_but_for_availability_which_only_measures() -> None:
    for scenario in SYSTEM.scenarios.values():
        judges = set(scenario.checkers(NOBODY))
        assert set(scenario.invariants) <= judges, scenario.name
        assert judges - set(scenario.invariants) <= {*UNMOVED, "availability"}, scenario.name
    covered = {each for scenario in SYSTEM.scenarios.values() for each in scenario.invariants}
    assert covered == {
        "linearizable", "at-most-one-primary", "terms-never-go-back", "no-foreign-replay",
        "only-primaries-accept", "migrating-in-never-accepts", "same-at-same-place",
        "recovers", "nobody-died", "no-progress-without-majority", "recovered-followers-serve",
    }  # fmt: skip


def test_every_invariant_is_seen_to_complain_of_some_bug() -> None:
    covered = {each for scenario in SYSTEM.scenarios.values() for each in scenario.invariants}
    complaining = {checker for row in ROWS for checker in row.who}
    assert covered - complaining == {"recovered-followers-serve"}, "histories show that one"


def test_every_crash_point_in_the_code_is_among_those_of_the_system() -> None:
    code = "".join(path.read_text() for path in (ROOT / "simulation" / "raftkv").glob("*.py"))
    assert set(re.findall(r'\.reach\("([^"]+)"\)', code)) == set(SYSTEM.points)


@pytest.mark.slow
def test_of_raftkv_nothing_is_missing() -> None:
    done = CliRunner().invoke(cli, ["audit", "raftkv", "--json", "--quiet"])
    answer = json.loads(done.stdout)
    assert answer["missing"] == []
    assert done.exit_code == 0

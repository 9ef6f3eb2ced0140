"""The rows that tell how often a bug is found, and by whom."""

from __future__ import annotations

from bench.bugs import row
from simulation import Bug, Case, Cause, Result

BUG = Bug("late", ".", checkers=("b", "c"))


def result(seed: int, *who: str) -> Result:
    causes = tuple(Cause(each, "k") for each in who)
    return Result(Case("s", "calm", seed, "late"), "invalid" if who else "valid", causes)


def test_only_those_who_should_complain_have_found_a_bug() -> None:
    results = [result(3, "a", "c", "b"), result(1, "a"), result(2), result(4, "b")]
    assert row(BUG, "calm", results) == "| `late` | `calm` | 3 | 2 of 4 | c, b |"


def test_a_bug_that_names_nobody_is_found_by_anybody() -> None:
    anybody = Bug("late", ".")
    assert row(anybody, "calm", [result(1, "a")]) == "| `late` | `calm` | 1 | 1 of 1 | a |"


def test_a_bug_that_nobody_finds_has_a_row() -> None:
    assert row(BUG, "calm", [result(1, "a")]) == "| `late` | `calm` | - | 0 of 1 | nobody |"

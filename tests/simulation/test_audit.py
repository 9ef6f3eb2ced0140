"""The audit notices what nobody would notice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from checker import Valid
from simulation import Audit, Bug, Case, Cause, Players, Result, audit
from simulation.register import SYSTEM, RegisterSystem


class Three(RegisterSystem):
    """Bugs for the tests below; nothing of it is ever played."""

    bugs = {  # noqa: RUF012
        "loud": Bug("loud", "."),
        "picky": Bug("picky", ".", scenarios=("kill",), checkers=("b",)),
        "silent": Bug("silent", "."),
    }
    points = ("here", "there")


def play(cases: Iterable[Case]) -> Iterator[Result]:
    """`loud` shows in every third seed of pause, `picky` to "a" at once and to "b" at last."""
    for case in cases:
        who = None
        if case.bug == "loud" and case.scenario == "pause" and case.seed % 3 == 2:
            who = "a"
        if case.bug == "picky":
            who = "b" if case.seed == 4 else "a"
        checkers: dict[str, Valid] = {"a": who != "a", "b": who != "b", "c": "unknown"}
        causes = () if who is None else (Cause(who, "k"),)
        yield Result(
            case,
            "invalid" if who else "valid",
            causes,
            checkers=checkers,
            points={"here": 2},
        )


def found(**options: object) -> Audit:
    return audit("three", Three(), play, seeds=range(5), **options)  # type: ignore[arg-type]


def test_a_bug_is_found_by_the_first_run_that_shows_it_to_whom_it_should() -> None:
    cells = {cell.bug: cell for cell in found().cells if cell.seed is not None}
    loud, picky = cells["loud"], cells["picky"]
    assert (loud.scenario, loud.seed, loud.checkers, loud.played) == ("pause", 2, ("a",), 3)
    assert (picky.scenario, picky.seed, picky.checkers) == ("kill", 4, ("b",))


def test_what_is_missing_is_told() -> None:
    assert found().missing == (
        "No scenario gives c anything to judge.",
        f"The bug silent is not found in {5 * len(Three.scenarios)} runs.",
        "The crash point 'there' is never reached.",
    )


def test_the_whole_table_has_every_scenario_that_may_find_a_bug() -> None:
    cells = found(full=True, bugs=["loud"]).cells
    assert [cell.scenario for cell in cells] == list(Three.scenarios)
    assert [cell.seed for cell in cells if cell.scenario != "pause"] == [None] * (len(cells) - 1)


def test_a_system_that_fails_without_a_bug_is_not_sound() -> None:
    def fails(cases: Iterable[Case]) -> Iterator[Result]:
        return (Result(case, "invalid", (Cause("a", "k"),), points={"here": 1}) for case in cases)

    missing = audit("three", Three(), fails, bugs=[], scenarios=["calm"]).missing
    assert missing[0] == "Without a bug calm is invalid with seed 0 (3 such runs): a: k."


def test_bugs_that_there_are_not_are_refused() -> None:
    with pytest.raises(ValueError, match="no bug 'typo'"):
        found(bugs=["typo"])


def test_of_the_register_nothing_is_missing_in_its_crashes() -> None:
    with Players() as players:
        whole = audit(
            "register",
            SYSTEM,
            players.results,
            seeds=range(20),
            sound_seeds=range(1),
            scenarios=["crash"],
            bugs=["no-sync"],
        )
    assert whole.missing == ()
    assert whole.covered == {"counts never go back": ("crash",), "linearizable": ("crash",)}

"""The audit notices what nobody would notice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest
from msgspec import structs

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

    def __init__(self, *bugs: Bug, **said: tuple[str, ...]) -> None:
        """With these bugs instead, and scenarios that say what they cover."""
        self.bugs = {bug.name: bug for bug in bugs} or Three.bugs
        self.scenarios = {
            name: replace(each, invariants=said.get(name, said.get("others", ())))
            for name, each in RegisterSystem.scenarios.items()
        }


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


Play = Callable[[Iterable[Case]], Iterator[Result]]


def found(system: Three | None = None, play: Play = play, **options: object) -> Audit:
    return audit("three", system or Three(), play, seeds=range(5), **options)  # type: ignore[arg-type]


def test_a_bug_is_found_by_the_first_run_that_shows_it_to_whom_it_should() -> None:
    cells = {cell.bug: cell for cell in found().cells if cell.seed is not None}
    loud, picky = cells["loud"], cells["picky"]
    assert (loud.scenario, loud.seed, loud.checkers, loud.played) == ("pause", 2, ("a",), 3)
    assert (picky.scenario, picky.seed, picky.checkers) == ("kill", 4, ("b",))


def test_what_is_missing_is_told() -> None:
    assert found().missing == (
        "No scenario gives c anything to judge.",
        f"The bug silent is not found in {5 * len(Three.scenarios)} runs.",
        "No machine loses its power at the crash point 'here'.",
        "The crash point 'there' is never reached.",
    )


def test_a_crash_point_at_which_power_is_lost_is_not_missing() -> None:
    def crashing(cases: Iterable[Case]) -> Iterator[Result]:
        for result in play(cases):
            crashes = {"here": 1, "there": 1}
            yield structs.replace(result, points={"here": 2, "there": 1}, crashes=crashes)

    whole = found(play=crashing, bugs=[])
    assert whole.missing == ("No scenario gives c anything to judge.",)
    runs = 3 * len(Three.scenarios)
    assert (whole.points["here"], whole.crashes["there"]) == (2 * runs, runs)


def test_a_crash_point_that_the_system_does_not_name_is_told() -> None:
    def elsewhere(cases: Iterable[Case]) -> Iterator[Result]:
        return (structs.replace(result, points={"nowhere": 1}) for result in play(cases))

    missing = found(play=elsewhere, bugs=[]).missing
    assert missing[-1] == "The crash point 'nowhere' is reached, but is not among the system's."


def test_only_runs_without_a_bug_cover_anything() -> None:
    def odd(cases: Iterable[Case]) -> Iterator[Result]:
        for result in play(cases):
            sound = result.case.bug is None
            checkers: dict[str, Valid] = {**result.checkers, "b": "unknown" if sound else True}
            points = {} if sound else result.points
            yield structs.replace(result, checkers=checkers, points=points)

    missing = found(play=odd, bugs=["loud"]).missing
    assert "No scenario gives b anything to judge." in missing
    assert "The crash point 'here' is never reached." in missing


def test_a_run_that_showed_next_to_nothing_covers_nothing() -> None:
    def vacuous(cases: Iterable[Case]) -> Iterator[Result]:
        for result in play(cases):
            if result.case.scenario != "kill":
                yield structs.replace(result, ending="unknown", causes=(Cause("vacuity", "v"),))
            else:
                yield result

    assert found(play=vacuous, bugs=[]).covered == {"a": ("kill",), "b": ("kill",), "c": ()}


def test_a_scenario_covers_what_it_says() -> None:
    whole = found(Three(kill=("b",), others=("a",)), bugs=["picky"])
    others = tuple(name for name in Three.scenarios if name != "kill")
    assert whole.covered == {"a": others, "b": ("kill",)}
    assert whole.measures == ("c",)
    assert not [each for each in whole.missing if "point" not in each]


def test_what_is_said_to_be_covered_and_is_not_is_missing() -> None:
    odd = Bug("odd", ".", scenarios=("kill", "kil"), checkers=("a", "d"))
    assert found(Three(odd, kill=("a", "typo"), others=("a",))).missing[:3] == (
        "No scenario gives typo anything to judge.",
        "odd should be found by kil, which is no scenario.",
        "odd should be found by d, which no scenario covers.",
    )

    def not_in_kill(cases: Iterable[Case]) -> Iterator[Result]:
        for result in play(cases):
            kill = result.case.scenario == "kill"
            checkers = {**result.checkers, "b": "unknown"} if kill else result.checkers
            yield structs.replace(result, checkers=checkers)

    assert found(Three(others=("a", "b")), not_in_kill).missing[0] == (
        "kill says that it covers b, which judged nothing in 3 runs."
    )


def test_what_is_invalid_without_the_bug_too_has_not_found_it() -> None:
    def unsound(cases: Iterable[Case]) -> Iterator[Result]:
        for result in play(cases):
            if result.case.bug is None and result.case.seed == 4:
                yield structs.replace(result, ending="invalid", causes=(Cause("b", "k"),))
            else:
                yield result

    assert (
        "kill finds picky with seed 4, but is invalid with it also without the bug."
        in found(play=unsound, bugs=["picky"]).missing
    )


def test_what_does_not_come_again_is_told() -> None:
    runs: dict[Case, int] = {}

    def moody(cases: Iterable[Case]) -> Iterator[Result]:
        for result in play(cases):
            number = runs[result.case] = runs.get(result.case, 0) + 1
            yield structs.replace(result, digest=f"sha256:{number}")

    assert (
        "kill with picky and seed 4 is not a function of its seed: its history was sha256:1, "
        "then sha256:2." in found(play=moody, bugs=["picky"]).missing
    )


def test_the_whole_table_has_every_scenario_that_may_find_a_bug() -> None:
    cells = found(full=True, bugs=["loud"]).cells
    assert [cell.scenario for cell in cells] == list(Three.scenarios)
    assert [cell.seed for cell in cells if cell.scenario != "pause"] == [None] * (len(cells) - 1)


def test_in_the_whole_table_every_scenario_that_a_bug_names_has_to_find_it() -> None:
    naming = Three(Bug("loud", ".", scenarios=("pause", "kill"), checkers=("a",)))
    tells = "The bug loud is not found by a in 5 runs of kill, which should find it."
    assert tells in found(naming, full=True).missing
    assert tells not in found(naming).missing


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

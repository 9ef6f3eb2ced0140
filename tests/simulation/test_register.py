"""The register: correct without a bug, and each bug is found by what it breaks."""

from __future__ import annotations

import pytest

from simulation import Case, Played, play_case
from simulation.register import SYSTEM


def played(scenario: str, seed: int, bug: str | None = None) -> Played:
    return play_case(SYSTEM, Case("register", scenario, seed, bug))


@pytest.mark.parametrize("scenario", SYSTEM.scenarios)
def test_without_a_bug_every_scenario_is_valid(scenario: str) -> None:
    for seed in range(3):
        found = played(scenario, seed)
        assert found.outcome.error is None
        assert found.verdict.valid is True, (seed, found.verdict.counterexamples[0].sentence)
        assert not found.deaths
        assert set(found.points) == set(SYSTEM.points)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SYSTEM.scenarios)
def test_without_a_bug_many_seeds_are_valid(scenario: str) -> None:
    for seed in range(300):
        assert played(scenario, seed).verdict.valid is True, seed


@pytest.mark.parametrize(
    ("scenario", "bug", "checker"),
    [
        ("crash", "no-sync", "counts never go back"),
        ("crash", "no-sync", "linearizable"),
        ("pause", "no-write-back", "linearizable"),
        ("partition", "one-is-enough", "linearizable"),
        ("partition", "no-tie-break", "linearizable"),
    ],
)
def test_a_bug_is_found_by_what_it_breaks(scenario: str, bug: str, checker: str) -> None:
    assert any(
        played(scenario, seed, bug).verdict.parts[checker].valid is False for seed in range(60)
    )


def test_a_bug_that_it_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="the register has no bug 'no-brakes'; it has no-sync"):
        played("calm", 0, "no-brakes")


def test_a_run_says_of_itself_what_it_was_and_not_all_it_recorded() -> None:
    found = played("calm", 3)
    said = repr(found)
    assert said.endswith(f"{len(found.history)} events, True>")
    assert "'calm'" in said
    assert len(said) < 400

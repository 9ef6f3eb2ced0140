"""raftkv keeps its promises in its scenarios, and does not with the bugs that they find."""

from __future__ import annotations

import pytest

from simulation import Case, Played, play_case
from simulation.raftkv import SYSTEM
from simulation.raftkv._scenarios import SCENARIOS


def play(scenario: str, seed: int, bug: str | None = None) -> Played:
    played = play_case(SYSTEM, Case("raftkv", scenario, seed, bug))
    assert played.outcome.error is None, played.outcome.error
    return played


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_it_is_linearizable_and_breaks_no_invariant(scenario: str) -> None:
    played = play(scenario, seed=1)
    assert played.verdict.valid is True, (played.case, played.verdict)
    assert not played.deaths
    assert played.outcome.ok > 200


@pytest.mark.slow
@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_it_keeps_its_promises_for_hundreds_of_seeds(scenario: str) -> None:
    for seed in range(300):
        played = play(scenario, seed)
        assert played.verdict.valid is True, (played.case, played.verdict)
        assert not played.deaths, played.case


def test_the_same_seed_gives_the_same_history() -> None:
    one, other = play("partition-heal", seed=3), play("partition-heal", seed=3)
    assert list(one.history) == list(other.history)


@pytest.mark.parametrize(
    ("bug", "scenario"),
    [
        ("ack-before-majority", "partition-heal"),
        ("read-index-without-confirming", "partition-heal"),
    ],
)
def test_a_bug_is_found_by_its_scenario(bug: str, scenario: str) -> None:
    verdicts = (play(scenario, seed, bug).verdict for seed in range(30))
    assert any(verdict.valid is False for verdict in verdicts)

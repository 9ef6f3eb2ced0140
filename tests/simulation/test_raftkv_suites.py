"""The suites of raftkv: it keeps its promises in every story, and the stories are what they say."""

from __future__ import annotations

import pytest

from simulation import Case, Played, play_case, shown
from simulation.raftkv import SYSTEM
from simulation.raftkv._suites import SUITES

STORIES = sorted(SUITES)


def play(scenario: str, seed: int, bug: str | None = None) -> Played:
    played = play_case(SYSTEM, Case("raftkv", scenario, seed, bug))
    assert played.outcome.error is None, played.outcome.error
    return played


@pytest.mark.parametrize("scenario", STORIES)
def test_raftkv_keeps_its_promises_in(scenario: str) -> None:
    played = play(scenario, seed=1)
    assert shown(played).valid is True, (played.case, played.verdict)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", STORIES)
def test_raftkv_keeps_its_promises_for_hundreds_of_seeds_in(scenario: str) -> None:
    for seed in range(300):
        played = play(scenario, seed)
        assert shown(played).valid is True, (played.case, played.verdict)


def test_clients_find_the_leader_though_who_was_sent_away_remembers_another() -> None:
    played = play("membership-changes", seed=368)  # n4 sent them to n3, and n3 to n4
    assert shown(played).valid is True, played.verdict


def test_every_story_says_in_a_sentence_what_it_is_about() -> None:
    for name, scenario in SUITES.items():
        assert scenario.name == name
        assert scenario.sentence.endswith(".")

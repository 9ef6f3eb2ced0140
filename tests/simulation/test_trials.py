"""Cases tried in an order: the first that fails counts, whoever is done first."""

from __future__ import annotations

import time

import pytest

from simulation import Case, Players, Result
from simulation._trials import OutOfTime, Trials
from simulation.register import SYSTEM

SOUND = Case("register", "calm", 0, time_limit_s=0.3)
SLOW = Case("register", "crash", 0, "no-sync")
QUICK = Case("register", "crash", 0, "no-sync", time_limit_s=0.6)


def invalid(result: Result) -> bool:
    return result.ending == "invalid"


def in_a_minute() -> float:
    return time.monotonic() + 60


def test_the_first_in_order_counts_and_not_the_first_to_end() -> None:
    with Players(2) as players:
        list(players.results([SOUND, SOUND]))  # both are ready to play
        trials = Trials(players, invalid, in_a_minute())
        found = trials.first([SOUND, SLOW, QUICK])
    assert found is not None
    assert found.case == SLOW
    assert found.seconds > 0


def test_what_was_tried_once_is_known() -> None:
    trials = Trials(SYSTEM, invalid, in_a_minute())
    assert trials.first([SOUND, SOUND]) is None
    assert trials.played == 1
    for _ in range(2):
        found = trials.first([SOUND, QUICK])
        assert found is not None
        assert found.case == QUICK
    assert trials.played == 2


def test_after_the_deadline_nothing_is_begun() -> None:
    with Players(1) as players:
        for by in (players, SYSTEM):
            trials = Trials(by, invalid, time.monotonic())
            with pytest.raises(OutOfTime):
                trials.first([SOUND])
            assert trials.played == 0

"""A correct system survives what it has to survive in this world, and a broken one does not."""

from __future__ import annotations

import pytest

from simulation import Case, play_case
from tests.simulation.quorum_register import QuorumRegister


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_correct_register_is_linearizable_whatever_happens_short_of_damage(seed: int) -> None:
    played = play_case(
        QuorumRegister(), Case("quorum-register", "tolerated", seed, time_limit_s=8.0)
    )
    assert played.outcome.error is None
    assert played.outcome.ok > 50
    assert played.verdict.valid is True


def test_what_was_acknowledged_before_it_was_synced_is_lost_with_the_power() -> None:
    verdicts = [
        play_case(
            QuorumRegister(), Case("quorum-register", "crashes", seed, "no-sync", time_limit_s=6.0)
        ).verdict.valid
        for seed in range(4)
    ]
    assert False in verdicts

"""raftkv keeps its promises in its scenarios, and does not with the bugs that they find."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulation import Case, Played, play_case
from simulation.raftkv import SYSTEM

SCENARIOS = (
    "bad-weather", "crash-all", "crash-elections", "crash-keeping", "crash-shards", "crash-wal",
    "disks", "kill-primary", "lease-transfer", "leases", "membership", "migration",
    "partition-heal", "pause", "rapid-leaders", "retries", "snapshots",
)  # fmt: skip


def play(
    scenario: str, seed: int, bug: str | None = None, time_limit_s: float | None = None
) -> Played:
    played = play_case(SYSTEM, Case("raftkv", scenario, seed, bug, time_limit_s=time_limit_s))
    assert played.outcome.error is None, played.outcome.error
    return played


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_it_is_linearizable_and_breaks_no_invariant(scenario: str) -> None:
    played = play(scenario, seed=1, time_limit_s=5.0)
    assert played.verdict.valid is True, (played.case, played.verdict)
    assert played.outcome.ok > 30


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_it_keeps_its_promises_for_hundreds_of_seeds(scenario: str) -> None:
    for seed in range(300):
        played = play(scenario, seed)
        assert played.verdict.valid is True, (played.case, played.verdict)


def test_the_same_seed_gives_the_same_history() -> None:
    one, other = play("migration", seed=3), play("migration", seed=3)
    assert list(one.history) == list(other.history)


def test_an_unknown_bug_is_refused() -> None:
    with pytest.raises(ValueError, match="raftkv has no bug 'none-such'"):
        play("calm", 1, "none-such")


def test_the_page_has_all_bugs_as_they_are() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "raftkv.md").read_text()
    for bug in SYSTEM.bugs.values():
        assert f"| `{bug.name}` | {bug.sentence} | {bug.like} |" in page

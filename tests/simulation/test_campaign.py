"""Campaigns: what they play, how failures are grouped, and what cannot take them down."""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from simulation import Campaign, Case, Cause, Players, Result, campaign, cases_of, gathered
from simulation import system_of as found
from simulation._results import failed
from simulation.register import SYSTEM

ROOT = Path(__file__).parents[2]
MOODY = "tests.simulation.systems:SYSTEM"


def invalid(seed: int, *checkers: str, scenario: str = "calm") -> Result:
    causes = tuple(Cause(name, "broken") for name in checkers)
    return Result(Case("register", scenario, seed), "invalid", causes, f"seed {seed}")


def test_every_seed_of_every_scenario_is_played_once() -> None:
    cases = list(cases_of("register", SYSTEM, ["calm", "kill"], ("no-sync",), range(17, 20)))
    assert [(case.scenario, case.seed) for case in cases] == [
        *itertools.chain.from_iterable((("calm", seed), ("kill", seed)) for seed in (17, 18, 19))
    ]
    assert {case.bug for case in cases} == {"no-sync"}


@pytest.mark.parametrize(
    ("scenario", "bug", "why"),
    [("clam", None, "no scenario 'clam'; it has calm"), ("calm", "typo", "no bug 'typo'")],
)
def test_what_there_is_not_is_refused(scenario: str, bug: str | None, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        campaign(SYSTEM, scenarios=[scenario], bug=bug, seeds=[0])


def test_failures_are_grouped_by_their_first_cause_and_told_by_their_first_seed() -> None:
    results = [
        invalid(4, "a", "b"),
        invalid(2, "a"),
        invalid(1, "b"),
        invalid(3, "a", "b"),
        failed(Case("register", "calm", 0), "hung", "It did not end."),
        Result(Case("register", "calm", 5), "valid"),
    ]
    cases = [Case("register", "calm", seed) for seed in range(6)]
    expected = gathered("register", cases, results)
    told = [(g.ending, g.cause.checker, g.count, g.first.seed) for g in expected.groups]
    assert told == [("invalid", "a", 3, 2), ("invalid", "b", 1, 1), ("hung", "hung", 1, 0)]
    assert expected.groups[0].also == ((Cause("b", "broken"), 2),)
    assert expected.valid is False
    for seed in range(5):  # in whatever order they come
        random.Random(seed).shuffle(results)
        assert gathered("register", cases, results).groups == expected.groups


def verdict_of(*endings: str) -> Campaign:
    cases = [Case("register", "calm", seed) for seed in range(len(endings))]
    results = [
        Result(case, ending, () if ending == "valid" else (Cause("c", "k"),))  # type: ignore[arg-type]
        for case, ending in zip(cases, endings, strict=True)
    ]
    return gathered("register", cases, results)


def test_a_campaign_is_as_valid_as_its_worst_run() -> None:
    assert verdict_of("valid", "valid").valid is True
    assert verdict_of("valid", "unknown").valid == "unknown"
    assert verdict_of("valid", "hung").valid == "unknown"
    assert verdict_of("valid", "broke").broke
    assert verdict_of("hung", "invalid", "unknown").valid is False
    assert verdict_of().valid == "unknown"


def test_processes_find_what_this_process_finds() -> None:
    here = campaign(SYSTEM, scenarios=["crash"], bug="no-sync", seeds=range(3))
    there = campaign("register", scenarios=["crash"], bug="no-sync", seeds=range(3), jobs=2)
    assert there.groups == here.groups
    assert there.counts == {"crash": {"invalid": 3}}
    assert [each.digest for each in there.failures] == [each.digest for each in here.failures]


def test_a_run_that_hangs_and_one_that_ends_its_process_spoil_only_themselves() -> None:
    cases = [Case(MOODY, "calm", seed, bug) for seed, bug in enumerate(("hangs", "ends", None))]
    with Players(1, case_limit_s=3.0) as players:
        results = {each.case.bug: each for each in players.results(cases)}
        pids = [player.process for player in players.playing.values()]
    assert {bug: each.ending for bug, each in results.items()} == {
        "hangs": "hung",
        "ends": "broke",
        None: "valid",
    }
    assert "ended with 7" in results["ends"].sentence
    assert all(process.returncode is not None for process in pids)


def test_whoever_stops_listening_leaves_no_player_at_work() -> None:
    with Players(1, case_limit_s=60.0) as players:
        results = players.results([Case(MOODY, "calm", 0), Case(MOODY, "calm", 1, "hangs")])
        next(results)
        results.close()
        assert not [player for player in players.playing.values() if player.case is not None]


def test_the_first_process_of_a_container_plays_campaigns_like_any_other() -> None:
    """Its players have the parent 1, as orphans have elsewhere."""
    code = (
        "from simulation import campaign; import os; assert os.getpid() == 1; "
        "print(campaign('register', scenarios=['calm'], seeds=[0], jobs=1).valid)"
    )
    apart = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], check=False).returncode:
        pytest.skip("unshare --user --pid is not allowed here")
    done = subprocess.run(
        [*apart, sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_after_its_time_a_campaign_begins_nothing_more() -> None:
    over = campaign(SYSTEM, scenarios=["calm"], seeds=range(9), time_limit_s=0.0)
    assert (over.played, over.planned, over.valid) == (0, 9, "unknown")


def test_the_system_is_named_as_it_was_asked_for() -> None:
    assert next(cases_of(MOODY, found(MOODY))).system == MOODY

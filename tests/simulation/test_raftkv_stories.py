"""Stories: what they order, when, and whom it meets."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histories import NEMESIS, Event
from nemesis import grudges
from simulation import Case, play_case
from simulation.raftkv import SYSTEM
from simulation.raftkv._scenarios import KEEPING_POINTS, MOVE_POINTS
from simulation.raftkv._suites import _whom as whom
from simulation.raftkv._suites._story import again, trouble

NODES = ["n1", "n2", "n3", "n4", "n5"]
CUTS = {
    "alone": (whom.leader_alone, {1, 4}),
    "minority": (whom.leader_in_minority, {2}),
    "majority": (whom.leader_in_majority, {3}),
}


def orders(scenario: str, seed: int) -> list[Event]:
    history = play_case(SYSTEM, Case("raftkv", scenario, seed)).history
    return [e for e in history.of_process(NEMESIS) if e.f.startswith("start-")]


@pytest.mark.parametrize("shape", CUTS)
@given(leader=st.sampled_from(NODES), seed=st.integers())
def test_the_leader_is_on_the_side_that_the_name_says(shape: str, leader: str, seed: int) -> None:
    cut, sizes = CUTS[shape]
    grudge = cut(NODES, Random(seed), leader)
    heard = len(NODES) - len(grudge[leader])
    assert heard in sizes
    for source, node in grudges.links(grudge):
        assert (node, source) in grudges.links(grudge)


@given(leader=st.sampled_from(NODES), seed=st.integers())
def test_a_deaf_leader_is_heard_and_a_mute_one_hears(leader: str, seed: int) -> None:
    deaf = grudges.links(whom.leader_deaf(NODES, Random(seed), leader))
    mute = grudges.links(whom.leader_mute(NODES, Random(seed), leader))
    others = [node for node in NODES if node != leader]
    assert deaf == {(other, leader) for other in others}
    assert mute == {(leader, other) for other in others}


@given(leader=st.sampled_from(NODES), seed=st.integers(), count=st.integers(1, 4))
def test_targets_know_who_leads(leader: str, seed: int, count: int) -> None:
    observed = {"primaries": [leader]}
    others = whom.followers(count)(NODES, Random(seed), observed)
    assert others is not None
    assert len(others) == count
    assert leader not in others
    together = whom.leader_and(count)(NODES, Random(seed), observed)
    assert together is not None
    assert len(together) == count + 1
    assert leader in together


@given(seed=st.integers())
def test_a_trouble_is_over_after_it_began(seed: int) -> None:
    for each in again(3, 2.0, trouble("kill", whom.at(whom.some(1)), at_s=0.1, lasts_s=1.0)):
        begin, end = each.steps(Random(seed))
        assert (begin.f, end.f) == ("start-kill", "stop-kill")
        assert 100_000_000 <= begin.at_ns < end.at_ns


def test_the_leader_is_whom_the_stories_strike() -> None:
    history = play_case(SYSTEM, Case("raftkv", "isolated-leader", 2)).history
    leaders: set[str] = set()
    cuts = 0
    for event in history:
        if event.f == "observe" and isinstance(event.value, dict) and event.node is not None:
            if event.value.get("role") == "primary":
                leaders = {event.node}
        elif event.f == "start-partition" and event.type == "invoke":
            assert {event.value["targets"][0]} == leaders
            cuts += 1
    assert cuts == 4


def test_seeds_differ_in_when_and_a_seed_does_not() -> None:
    one, same, other = (orders("leader-failure", seed) for seed in (1, 1, 2))
    assert one == same
    assert [event.time for event in one] != [event.time for event in other]


@pytest.mark.parametrize(
    ("scenario", "points"),
    [("crash-at-each-step-of-a-move", MOVE_POINTS), ("crash-keeping", KEEPING_POINTS)],
)
def test_power_is_lost_at_every_point_that_the_story_is_about(
    scenario: str, points: tuple[str, ...]
) -> None:
    assert set(play_case(SYSTEM, Case("raftkv", scenario, 1)).crashes) == set(points)


def test_in_figure_eight_a_leader_alone_is_followed_by_another_alone_and_leads_again() -> None:
    """Who led when it was cut off, who was killed in the newer term, who crashed in the newest."""
    history = play_case(SYSTEM, Case("raftkv", "figure-eight", 3)).history
    acted = 0
    struck: dict[str, str] = {}
    for event in history.of_process(NEMESIS):
        if event.f.startswith("start-") and event.type == "ok":
            struck[event.f.removeprefix("start-")] = event.value["targets"][0]
        if event.f == "start-crash" and event.type == "ok":
            first, second, again = struck["partition"], struck["kill"], struck["crash"]
            acted += first == again != second
    assert acted

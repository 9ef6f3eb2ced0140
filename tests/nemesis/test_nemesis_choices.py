"""Targets and grudges: pure functions, so they are tested as such."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histories import Json
from nemesis import Target, grudges, targets

FIVE = ["n1", "n2", "n3", "n4", "n5"]

clusters = st.integers(1, 9).map(lambda count: [f"n{number}" for number in range(1, count + 1)])
seeds = st.integers(0, 1000)


@pytest.mark.parametrize(
    ("target", "size"),
    [
        (targets.none, 0),
        (targets.one, 1),
        (targets.minority, 2),
        (targets.majority, 3),
        (targets.all, 5),
        (targets.named("n4", "n2"), 2),
    ],
)
def test_a_target_chooses_as_many_nodes_as_its_name_says(target: Target, size: int) -> None:
    chosen = target(FIVE, Random(1)) or ()
    assert len(chosen) == size
    assert list(chosen) == [node for node in FIVE if node in chosen]


@given(clusters, seeds)
def test_a_minority_and_a_majority_always_meet_their_definition(
    nodes: list[str], seed: int
) -> None:
    assert 2 * len(targets.minority(nodes, Random(seed)) or ()) < len(nodes)
    assert 2 * len(targets.majority(nodes, Random(seed)) or ()) > len(nodes)


def test_the_same_seed_chooses_the_same_nodes() -> None:
    assert targets.minority(FIVE, Random(7)) == targets.minority(FIVE, Random(7))
    assert len({targets.minority(FIVE, Random(seed)) for seed in range(50)}) > 3


def test_primaries_are_the_ones_last_observed_else_left_to_the_cluster() -> None:
    assert targets.primaries(FIVE, Random(1), {"primaries": ["n3"]}) == ("n3",)
    assert targets.primaries(FIVE, Random(1), {}) is None


def test_a_named_node_that_does_not_exist_is_refused_with_the_nodes_that_do() -> None:
    with pytest.raises(ValueError, match="names n9, but the nodes are n1, n2"):
        targets.named("n9")(["n1", "n2"], Random(1))


def test_targets_are_parsed_from_what_a_user_writes() -> None:
    assert targets.parse("minority") is targets.minority
    assert targets.parse("n1, n2")(FIVE, Random(1)) == ("n1", "n2")
    with pytest.raises(ValueError, match="use one of none, one, minority"):
        targets.parse("")


def test_a_split_makes_every_component_deaf_to_the_others() -> None:
    assert grudges.split([["a"], ["b", "c"]]) == {
        "a": {"b", "c"},
        "b": {"a"},
        "c": {"a"},
    }


def test_one_way_makes_one_node_deaf_and_nobody_deaf_to_it() -> None:
    grudge = grudges.one_way(FIVE, Random(3))
    [(deaf, dropped)] = grudge.items()
    assert dropped == set(FIVE) - {deaf}


def test_a_majority_ring_of_five_leaves_each_node_its_two_neighbours() -> None:
    grudge = grudges.majority_ring(FIVE, Random(1))
    assert all(len(grudge[node]) == 2 for node in FIVE)


def test_a_majority_ring_of_three_is_a_chain() -> None:
    grudge = grudges.majority_ring(["a", "b", "c"], Random(1))
    assert len(grudges.links(grudge)) == 2


@given(clusters.filter(lambda nodes: len(nodes) >= 3), seeds)
def test_in_a_majority_ring_all_hear_a_majority_no_two_the_same_and_cuts_are_mutual(
    nodes: list[str], seed: int
) -> None:
    grudge = grudges.majority_ring(nodes, Random(seed))
    heard = [frozenset(nodes) - grudge.get(node, frozenset()) for node in nodes]
    assert all(2 * len(some) > len(nodes) for some in heard)
    assert len(set(heard)) == len(nodes)
    cut = grudges.links(grudge)
    assert cut == {(destination, source) for source, destination in cut}


@given(clusters.filter(lambda nodes: len(nodes) >= 3), seeds)
def test_a_bridge_hears_all_and_is_heard_by_all_and_the_halves_hear_each_other_through_it_only(
    nodes: list[str], seed: int
) -> None:
    grudge = grudges.bridge(nodes, Random(seed))
    [between] = nodes - grudge.keys()
    assert all(between not in sources for sources in grudge.values())
    left = grudge[next(iter(grudge))]
    right = frozenset(nodes) - left - {between}
    assert abs(len(left) - len(right)) <= 1
    assert all(grudge[node] == (right if node in left else left) for node in grudge)


@given(clusters.filter(lambda nodes: len(nodes) >= 2), seeds)
def test_a_random_partition_cuts_something(nodes: list[str], seed: int) -> None:
    assert grudges.links(grudges.any_links(nodes, Random(seed)))


def test_a_random_partition_may_cut_any_direction_of_any_link() -> None:
    cut = [grudges.links(grudges.any_links(["a", "b"], Random(seed))) for seed in range(30)]
    assert {frozenset(each) for each in cut} == {
        frozenset({("a", "b")}),
        frozenset({("b", "a")}),
        frozenset({("a", "b"), ("b", "a")}),
    }


@given(clusters, seeds, st.sampled_from(sorted(grudges.SHAPES)))
def test_a_grudge_survives_the_history_and_never_names_its_own_node(
    nodes: list[str], seed: int, shape: str
) -> None:
    grudge = grudges.SHAPES[shape](nodes, Random(seed))
    assert all(node not in sources and sources for node, sources in grudge.items())
    assert grudges.from_json(grudges.to_json(grudge), nodes) == grudge


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (["n1"], "a grudge is"),
        ({"n1": "n2"}, "must be a list"),
        ({"n1": ["n9"]}, "names n9"),
        ({"n1": ["n1"]}, "against itself"),
    ],
)
def test_a_grudge_that_makes_no_sense_is_refused(value: Json, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        grudges.from_json(value, FIVE)

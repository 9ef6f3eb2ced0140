"""Shrinking: what may be left out is left out, and the failure stays the same."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from simulation import (
    Case,
    NothingToShrink,
    Result,
    Shrunk,
    digest_of,
    play_case,
    result_of,
    shrink,
    size_of,
)
from simulation._shrinking import seed_count, seeds
from simulation.register import SYSTEM
from tests.simulation.drawn import CASE, WRITES, Drawn

FAILING = Case("register", "crash", 0, "no-sync")
EFFORTS = (10, 30)


def test_a_failure_shrinks_to_a_few_operations_and_is_replayed() -> None:
    short = structs.replace(FAILING, time_limit_s=0.6)
    shrunk = shrink(short, SYSTEM, time_limit_s=600, efforts=(20, 100))
    faults, operations, nodes, _ = size_of(shrunk.case)
    assert faults <= 3
    assert operations <= 20
    assert nodes <= 3
    assert shrunk.cause in shrunk.result.causes
    again = play_case(SYSTEM, shrunk.case)
    assert again.verdict.valid is False
    assert digest_of(again.history) == shrunk.result.digest


def test_what_does_not_fail_is_not_shrunk() -> None:
    with pytest.raises(NothingToShrink, match="does not fail"):
        shrink(Case("register", "calm", 0), SYSTEM)


def test_when_the_time_is_over_the_smallest_so_far_is_the_answer() -> None:
    shrunk = shrink(FAILING, SYSTEM, time_limit_s=0.0)
    assert not shrunk.complete
    assert shrunk.case == FAILING


def without_one(case: Case) -> Iterator[Case]:
    """The case without one thing that is asked, or one fault with its end."""
    asks, strikes = case.asks or (), case.strikes or ()
    assert not case.final_asks
    for place in range(len(asks)):
        yield structs.replace(case, asks=asks[:place] + asks[place + 1 :])
    for place, strike in enumerate(strikes):
        if strike.f.startswith("start-"):
            end = strike.f.replace("start-", "stop-")
            ends = [i for i, each in enumerate(strikes) if i > place and each.f == end]
            gone = {place, *ends[:1]}
            yield structs.replace(
                case, strikes=tuple(each for i, each in enumerate(strikes) if i not in gone)
            )


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    needed=st.sets(st.integers(0, WRITES - 1), max_size=4),
    faults=st.sets(st.sampled_from(["kill", "pause"])),
    luck=st.sampled_from([1, 1, 2, 5]),
    seed=st.integers(0, 1000),
)
def test_what_is_left_fails_in_the_same_way_and_nothing_single_can_be_left_out(
    needed: set[int], faults: set[str], luck: int, seed: int
) -> None:
    system = Drawn(frozenset(needed), frozenset(faults), luck)
    lucky = next(each for each in range(seed, seed + 60) if system.lucky(each, WRITES))
    case = structs.replace(CASE, seed=lucky)
    first = result_of(play_case(system, case))
    assert first.ending == "invalid"
    shrunk = shrink(case, system, time_limit_s=600, efforts=EFFORTS)
    assert shrunk.complete
    assert shrunk.cause == first.causes[0]
    again = result_of(play_case(system, shrunk.case))
    assert again.digest == shrunk.result.digest
    assert shrunk.cause in again.causes
    before = (first.faults, first.operations, 3)
    assert all(now <= was for now, was in zip(size_of(shrunk.case)[:3], before, strict=True))
    for smaller in without_one(shrunk.case):
        many = seed_count(smaller, EFFORTS[-1])
        for tried in islice(seeds(smaller), many):
            found = result_of(play_case(system, structs.replace(smaller, seed=tried)))
            assert shrunk.cause not in found.causes
    if luck == 1:
        assert size_of(shrunk.case)[:2] == (len(faults), len(needed))


def test_whoever_plays_the_smallest_case_is_the_same() -> None:
    short = structs.replace(FAILING, time_limit_s=0.5)
    found: list[Shrunk] = [
        shrink(short, SYSTEM, time_limit_s=600, efforts=(10, 20)),
        shrink(short, time_limit_s=600, efforts=(10, 20), jobs=2),
    ]
    assert found[0].complete
    assert found[1].complete
    here, there = (msgspec.json.encode(each.case) for each in found)
    assert here == there
    assert found[0].result.digest == found[1].result.digest


def test_each_case_on_the_way_fails_in_the_same_way() -> None:
    told: list[Result] = []
    shrink(CASE, Drawn(frozenset({3}), frozenset({"kill"}), 1), efforts=(10,), tell=told.append)
    assert len(told) > 2
    causes = {result.causes[0] for result in told}
    assert len(causes) == 1
    sizes = [size_of(result.case)[:3] for result in told]
    assert sizes == sorted(sizes, reverse=True)

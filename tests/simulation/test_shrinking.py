"""Shrinking: what may be left out is left out, and the failure stays the same."""

from __future__ import annotations

import pytest
from msgspec import structs

from simulation import (
    Ask,
    Case,
    NothingToShrink,
    Strike,
    digest_of,
    play_case,
    result_of,
    shrink,
    size_of,
)
from simulation import _smaller as smaller
from simulation.register import SYSTEM

FAILING = Case("register", "crash", 0, "no-sync")
PARTITION = Strike(1.0, "start-partition", {"grudge": {"n1": ["n2", "n3"], "n3": ["n1"]}})

SAID = Case(
    "register",
    "crash",
    7,
    nodes=3,
    strikes=(
        Strike(0.5, "start-crash", {"targets": ["n1", "n3"], "choice": "majority"}),
        PARTITION,
        Strike(1.5, "stop-crash"),
        Strike(2.5, "stop-partition"),
        Strike(3.0, "stop-crash"),
    ),
    settle_s=1.0,
    asks=(
        Ask(0.25, 0, "write", None, 700),
        Ask(2.25, 1, "cas", None, [700, 9000]),
        Ask(4.25, 1, "read"),
    ),
    final_asks=(Ask(5.0, 2, "write", None, 9000),),
)


def test_a_recorded_run_is_played_again_operation_by_operation() -> None:
    played = play_case(SYSTEM, FAILING)
    again = smaller.explicit(FAILING, SYSTEM.scenarios["crash"], played.history)
    assert len(smaller.all_asks(again)) == result_of(played).operations
    assert again.final_asks
    assert len(again.final_asks) == 3
    assert size_of(again)[0] == result_of(played).faults
    history = play_case(SYSTEM, again).history
    assert [(e.time, e.f, e.value) for e in history.clients()][:200] == [
        (e.time, e.f, e.value) for e in played.history.clients()
    ][:200]


def test_a_start_and_its_stop_belong_together() -> None:
    crash, partition, lonely = smaller.units(SAID)
    assert [each.f for each in crash] == ["start-crash", "stop-crash"]
    assert [each.f for each in partition] == ["start-partition", "stop-partition"]
    assert [each.f for each in lonely] == ["stop-crash"]
    assert smaller.with_units(SAID, [partition, crash, lonely]) == SAID


def test_with_fewer_nodes_the_others_are_struck_no_more() -> None:
    two = smaller.with_nodes(SAID, ["n1", "n2", "n3"], 2)
    assert two.nodes == 2
    values = {each.f: each.value for each in two.strikes or () if each.value}
    assert values["start-crash"] == {"targets": ["n1"], "choice": "majority"}
    assert values["start-partition"] == {"grudge": {"n1": ["n2"]}}
    one = smaller.with_nodes(SAID, ["n2", "n1", "n3"], 1)
    assert [each.f for each in one.strikes or ()] == ["stop-crash"]


def times(case: Case) -> list[float]:
    asked = [each.at_s for each in case.asks or ()]
    return asked + [each.at_s for each in case.strikes or ()]


def test_waits_get_shorter_and_the_order_stays() -> None:
    places = [place for _, place in sorted((at_s, i) for i, at_s in enumerate(times(SAID)))]
    for case in (*smaller.sooner(SAID), *smaller.rounded(SAID)):
        now = times(case)
        assert [now[place] for place in places] == sorted(now)
        assert size_of(case)[3] <= size_of(SAID)[3] + 0.1
    assert [each.at_s for each in next(smaller.sooner(SAID)).asks or ()] == [0.0, 0.0, 0.0]


def test_values_become_simple_and_equal_ones_stay_equal() -> None:
    case = next(smaller.simpler(SAID))
    assert [ask.value for _, ask in smaller.all_asks(case)] == [1, [1, 2], None, 2]


def test_what_comes_before_a_cut_happens_just_the_same() -> None:
    played = play_case(SYSTEM, FAILING)
    whole = smaller.explicit(FAILING, SYSTEM.scenarios["crash"], played.history)
    whole = structs.replace(whole, final_asks=(), settle_s=0.0)
    cut = smaller.cut(whole, 20)
    end_ns = round((cut.asks or ())[-1].at_s * 1e9)
    events = [
        [(e.time, e.process, e.type, e.f, e.value) for e in play_case(SYSTEM, case).history]
        for case in (whole, cut)
    ]
    before = [[event for event in each if event[0] <= end_ns] for each in events]
    assert before[0] == before[1]


def test_a_failure_shrinks_to_a_few_operations_and_is_replayed() -> None:
    short = structs.replace(FAILING, time_limit_s=0.6)
    shrunk = shrink(short, SYSTEM, time_limit_s=600, efforts=(40,))
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

"""What a case consists of, and the cases that are smaller: what is left out, and what stays."""

from __future__ import annotations

from msgspec import structs

from simulation import Ask, Case, Strike, play_case, result_of, size_of
from simulation import _plainer as plainer
from simulation import _smaller as smaller
from simulation._leaps import FAR, leaps
from simulation._moment import Moment, moment_of
from simulation._steps import FIRST, steps
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


def test_with_times_for_all_of_it_the_end_happens_as_it_was_recorded() -> None:
    played = play_case(SYSTEM, FAILING)
    timed = smaller.timed(FAILING, SYSTEM.scenarios["crash"], played.history)
    assert timed.final_asks == ()
    assert len(timed.asks or ()) == result_of(played).operations
    recorded, again = (
        [(e.process, e.type, e.f, e.value) for e in history.clients()]
        for history in (played.history, play_case(SYSTEM, timed).history)
    )
    assert recorded == again


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


def told_times(case: Case) -> list[float]:
    asked = [each.at_s for each in case.asks or ()]
    return asked + [each.at_s for each in case.strikes or ()]


def test_waits_get_shorter_and_the_order_stays() -> None:
    before = told_times(SAID)
    places = sorted(range(len(before)), key=before.__getitem__)
    for case in (*(plainer.closer(SAID, gap_s) for gap_s in (0.0, 0.3)), *plainer.rounded(SAID)):
        now = told_times(case)
        assert [now[place] for place in places] == sorted(now)
        assert all(at_s <= was_s + 1e-6 for at_s, was_s in zip(now, before, strict=True))
    assert told_times(plainer.closer(SAID, 0.0)) == [0.0] * 8
    assert min(told_times(plainer.closer(SAID, 0.0, lead_s=0.2))) == 0.2


def test_values_become_simple_and_equal_ones_stay_equal() -> None:
    case = next(plainer.simpler(SAID))
    assert [ask.value for _, ask in smaller.all_asks(case)] == [1, [1, 2], None, 2]


def test_from_its_moment_on_a_failure_is_certain_and_before_it_is_not() -> None:
    scenario = SYSTEM.scenarios["crash"]
    played = play_case(SYSTEM, FAILING)
    cause = result_of(played).causes[0]
    timed = play_case(SYSTEM, smaller.timed(FAILING, scenario, played.history))
    moment = moment_of(timed, cause, scenario.concurrency)
    assert moment is not None
    until = play_case(SYSTEM, smaller.cut(timed.case, moment.at_s))
    assert cause in result_of(until).causes
    assert max(smaller.times(until.case)) <= moment.at_s < max(smaller.times(timed.case)) / 2
    before = [event for event in timed.history if event.time < round(moment.at_s * 1e9)]
    assert [event for event in until.history][: len(before)] == before
    again = moment_of(until, cause, scenario.concurrency)
    assert again is not None
    assert again.at_s == moment.at_s


def test_the_moment_shows_the_operations_that_the_complaint_is_about() -> None:
    case = Case("register", "calm", 8, "no-tie-break")
    scenario = SYSTEM.scenarios["calm"]
    played = play_case(SYSTEM, case)
    timed = smaller.timed(case, scenario, played.history)
    played = play_case(SYSTEM, timed)
    [cause] = result_of(played).causes
    moment = moment_of(played, cause, scenario.concurrency)
    assert moment is not None
    shown = [smaller.all_asks(timed)[place][1] for place in moment.asks]
    assert [ask.f for ask in shown].count("read") >= 1
    assert 2 <= len(shown) <= 12
    assert all(ask.at_s <= moment.at_s for ask in shown)


def test_leaps_leave_out_much_and_the_smallest_is_first() -> None:
    asks = tuple(Ask(0.1 * number, number % 5, "write", f"k{number % 3}") for number in range(64))
    case = structs.replace(SAID, asks=asks, final_asks=())
    found = leaps(case, Moment(6.0, asks=(3, 60), keys=("k0",)))
    weights = [smaller.weight_of(each) for each in found]
    assert weights == sorted(weights)
    assert weights[-1] <= FAR * smaller.weight_of(case)
    told = [[(ask.thread, ask.key) for ask in each.asks or ()] for each in found]
    assert [(3, "k0"), (0, "k0")] in told  # what the complaint shows
    assert any(len(each) >= 16 and {key for _, key in each} == {"k0"} for each in told)
    assert told[0] == []
    assert all(size_of(each)[3] <= size_of(case)[3] for each in found)


def test_steps_leave_out_every_single_thing() -> None:
    case = structs.replace(SAID, settle_s=0.0, final_asks=())
    found = [step.case for step in steps(case, ["n1", "n2", "n3"], FIRST)]
    asks, every = smaller.all_asks(case), smaller.units(case)
    for place in range(len(asks)):
        assert smaller.with_asks(case, asks[:place] + asks[place + 1 :]) in found
    for place in range(len(every)):
        assert smaller.with_units(case, every[:place] + every[place + 1 :]) in found
    for count in (1, 2):
        assert smaller.with_nodes(case, ["n1", "n2", "n3"], count) in found
    assert case not in found
    for each in found:
        faults, operations, nodes, last_s = size_of(each)
        assert (faults, operations, nodes) <= size_of(case)[:3]
        assert last_s <= size_of(case)[3]


def test_steps_go_on_where_one_succeeded() -> None:
    case = structs.replace(SAID, settle_s=0.0, final_asks=())
    names = ["n1", "n2", "n3"]
    every = steps(case, names, FIRST)
    ranks = [step.rank for step in every]
    assert ranks == sorted(ranks)
    later = steps(case, names, ranks[5])
    assert later == every[5:] + every[:5]

"""Values that only grow: counters, and tables of inserted values."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import Monotonic
from histories import History, Json, Op
from tests.checker.drawing import drawn


def counted(drawing: str, **settings: bool) -> tuple[bool | str, int, int]:
    verdict = Monotonic(**settings).check(drawn(drawing))
    return verdict.valid, verdict.details["per-process_count"], verdict.details["global_count"]


def test_reads_that_grow_are_fine() -> None:
    assert counted("""
        0 |-inc>1-|            |-inc>2-|
        1           |-read 1-|           |-read 2-| |-read 2-|
    """) == (True, 0, 0)


def test_a_process_that_is_told_less_than_before() -> None:
    assert counted("0 |-read 2-| |-read 1-|") == (False, 1, 1)


def test_another_process_is_told_less() -> None:
    drawing = """
        0 |-read 2-|
        1            |-read 1-|
    """
    assert counted(drawing) == (False, 0, 1)
    assert counted(drawing, linearizable=False) == (True, 0, 1)


def test_at_the_same_time_another_process_may_be_told_less() -> None:
    assert counted("""
        0 |-read 2-|
        1        |-read 1-|
    """) == (True, 0, 0)


def test_every_increment_is_greater() -> None:
    assert counted("0 |-read 1-| |-read 1-| |-inc>2-|") == (True, 0, 0)
    assert counted("0 |-inc>2-| |-inc>2-|") == (False, 1, 1)


@pytest.mark.parametrize("end", ["x", "..."])
def test_what_was_not_told_cannot_decrease(end: str) -> None:
    assert counted(f"0 |-read 2-| |-read 3-| |-inc>1-{end}") == (True, 0, 0)


def test_the_sentence_names_who_was_told_more() -> None:
    verdict = Monotonic().check(
        drawn("""
        0 |-read 7-|
        1            |-read 3-|
    """)
    )
    [found] = verdict.counterexamples
    assert "read 3 by process 1" in found.sentence
    assert "read 7 by process 0" in found.sentence


def test_one_value_has_no_order() -> None:
    assert Monotonic().check(drawn("0 |-read 2-| |-read 2-x")).valid == "unknown"


def test_texts_do_not_grow() -> None:
    with pytest.raises(ValueError, match="counters answer integers"):
        Monotonic().check(drawn('0 |-read "a"-|'))


ADDED = """
    0 |-add 1-| |-add 2-| |-add 4-x
    1   |-add 3-|  |-add 5-...
    2                                 """


def table(rows: str, **settings: bool) -> dict[str, int]:
    verdict = Monotonic(**settings).check(drawn(f"{ADDED}|-read {rows}-|"))
    counts = {
        name.removesuffix("_count"): count
        for name, count in verdict.details.items()
        if name.endswith("_count") and count
    }
    assert verdict.valid is not bool(counts.keys() - {"recovered"})
    return counts


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        ("[1,2,3]", {}),
        ("[[1,10],[2,20],[3,30]]", {}),
        ("[1,2,3,5]", {"recovered": 1}),
        ("[1,3]", {"lost": 1}),
        ("[1,2,2,3]", {"duplicates": 1}),
        ("[1,2,3,4]", {"revived": 1}),
        ("[1,2,3,9]", {"unexpected": 1}),
        ("[1,3,2]", {"value-reorders": 1}),
        ("[2,1,3]", {"value-reorders": 1, "value-reorders-per-process": 1}),
        ("[[1,10],[2,10],[3,30]]", {"order-by-errors": 1}),
        ("[[1,20],[2,10],[3,30]]", {"order-by-errors": 1}),
        ("[[1,10,0],[3,20,0],[2,30,1]]", {"value-reorders": 1}),
    ],
)
def test_rows_of_a_table(rows: str, counts: dict[str, int]) -> None:
    assert table(rows) == counts


def test_the_order_between_processes_counts_only_where_it_is_promised() -> None:
    assert table("[1,3,2]", linearizable=False) == {}


def test_only_the_last_read_is_judged() -> None:
    drawing = "0 |-add 1-| |-read []-| |-read [1]-|"
    assert Monotonic().check(drawn(drawing)).valid is True


def test_without_an_acknowledged_add_a_table_shows_nothing() -> None:
    assert Monotonic().check(drawn("0 |-add 1-x |-read []-|")).valid == "unknown"


@given(st.integers(2, 40), st.data())
def test_as_many_decreases_are_found_as_were_planted(reads: int, data: st.DataObject) -> None:
    planted = data.draw(st.sets(st.integers(1, reads)))
    ops: list[Op] = [Op("read", process=0), Op("read", 0, process=0, type="ok")]
    for number in range(1, reads + 1):
        value = -number if number in planted else number
        ops += [Op("read", process=0), Op("read", value, process=0, type="ok")]
    details = Monotonic().check(History.from_ops(ops)).details
    assert details["per-process_count"] == details["global_count"] == len(planted)


@given(st.integers(0, 2**32))
def test_running_maxima_agree_with_plain_loops(seed: int) -> None:
    random = Random(seed)
    ops: list[Op] = []
    open_ops: dict[int, str] = {}
    for now in range(30):
        process = random.randrange(3)
        f = open_ops.pop(process, None)
        if f is None:
            f = open_ops[process] = random.choice(["read", "inc"])
            ops.append(Op(f, process=process, time=now // 2))
        else:
            value: Json = random.randrange(-3, 4) * 10 ** random.choice([0, 17])
            type = random.choice(["ok", "ok", "fail"])
            ops.append(Op(f, value, process=process, type=type, time=now // 2))  # type: ignore[arg-type]
    history = History.from_ops(ops)
    details = Monotonic().check(history).details
    events = list(history)
    told = [(int(history.pairs[n]), n) for n, event in enumerate(events) if event.type == "ok"]
    alone = everyone = 0
    for began, ended in told:
        mine = [
            events[b].value
            for a, b in told
            if b < began and events[b].process == events[ended].process
        ]
        all_ = [events[b].value for _, b in told if events[b].time < events[began].time]
        least = 1 if events[ended].f == "inc" else 0
        alone += bool(mine) and events[ended].value < max(mine) + least
        everyone += bool(all_) and events[ended].value < max(all_) + least
    assert (details["per-process_count"], details["global_count"]) == (alone, everyone)

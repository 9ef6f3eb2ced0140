"""Logs with offsets: what became of records, and in which order they were seen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import Log
from checker.evidence._log_records import Told
from histories import History, Json, Op, canonical
from tests.checker.drawing import drawn


def troubles(history: History, **settings: Any) -> dict[str, int]:
    verdict = Log(**settings).check(history)
    innocent = ("never_read_count", "recovered_count")
    counts = {
        name.removesuffix("_count"): count
        for name, count in verdict.details.items()
        if name.endswith("_count") and count and name not in innocent
    }
    assert (verdict.valid is False) is bool(counts)
    return counts


SENT = "0 |-append 7>[0,7]-| |-append 8>[1,8]-| |-append 9>[2,9]-|"


@pytest.mark.parametrize(
    ("polls", "expected"),
    [
        ("|-poll>[[0,7],[1,8],[2,9]]-|", {}),
        ("|-poll>[[0,7]]-| |-poll>[[1,8],[2,9]]-|", {}),
        # Nobody polled so far: it may come.
        ("|-poll>[[0,7],[1,8]]-|", {}),
        ("|-poll>[[1,8],[2,9]]-|", {"lost-write": 1}),
        ("|-poll>[[0,7],[2,9]]-|", {"lost-write": 1, "poll-skip": 1}),
        ("|-poll>[[0,7],[2,9]]-| |-assign null-| |-poll>[[1,8]]-|", {"poll-skip": 1}),
        ("|-poll>[[0,7],[1,8]]-| |-poll>[[1,8],[2,9]]-|", {"poll-nonmonotonic": 1}),
        ("|-poll>[[0,7],[1,8]]-| |-poll>[[0,7],[1,8]]-|", {"poll-nonmonotonic": 1}),
        ("|-poll>[[0,7],[1,8]]-| |-assign null-| |-poll>[[0,7]]-|", {}),
        ("|-poll>[[0,7],[1,8],[2,9],[3,8]]-|", {"duplicate": 1}),
        ("|-poll>[[0,7],[1,5],[2,9]]-|", {"truncated": 1, "unexpected": 1}),
        ("|-poll>[[0,7],[1,8],[2,9],[3,4]]-|", {"unexpected": 1}),
        ("|-poll>[[0,7],[1,8,false]]-|", {"crc-mismatch": 1}),
        ("|-poll>[[0,7],[1,8,17,17]]-|", {}),
        ("|-poll>[[0,7],[1,8,17,18]]-|", {"crc-mismatch": 1}),
    ],
)
def test_what_one_consumer_is_given(polls: str, expected: dict[str, int]) -> None:
    assert troubles(drawn(f"{SENT} {polls}")) == expected


def test_readers_that_disagree() -> None:
    assert troubles(
        drawn("""
        0 |-append 7>[0,7]-| |-append 8-... |-poll>[[0,7]]-|
        1                                                     |-poll>[[0,8]]-|
    """)
    ) == {"inconsistent-offsets": 1}


@pytest.mark.parametrize(("end", "expected"), [("...", {}), ("x  ", {"aborted-read": 1})])
def test_a_record_in_doubt_may_be_seen(end: str, expected: dict[str, int]) -> None:
    assert (
        troubles(
            drawn(f"""
        0 |-append 7>[0,7]-| |-append 8-{end} |-poll>[[0,7],[1,8]]-|
    """)
        )
        == expected
    )


def test_a_producer_is_told_offsets_that_grow() -> None:
    assert troubles(drawn("0 |-append 7>[1,7]-| |-append 8>[0,8]-| |-poll>[[0,8],[1,7]]-|")) == {
        "send-nonmonotonic": 1
    }


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        ("|-read [1,8]-| |-read [0,7]-|", {}),
        ("|-read [1,null]-| |-read [0,7]-|", {"truncated": 1}),
        ("|-read [1,6]-|", {"truncated": 1, "unexpected": 1}),
        ("|-read [3,null]-|", {}),
    ],
)
def test_lookups_of_offsets(reads: str, expected: dict[str, int]) -> None:
    assert troubles(drawn(f"{SENT} {reads}")) == expected


def test_an_offset_that_was_empty_before_is_no_loss() -> None:
    assert troubles(drawn("0 |-read [0,null]-| |-append 7>[0,7]-| |-read [0,7]-|")) == {}


def test_holes_count_where_there_may_be_none() -> None:
    history = drawn("0 |-append 7>[0,7]-| |-append 8>[2,8]-| |-poll>[[0,7],[2,8]]-|")
    assert troubles(history) == {}
    assert troubles(history, dense=True) == {"gap": 1}


def test_steps_of_transactions() -> None:
    sends: Json = [["send", 5, [0, "a"]], ["send", 6, [0, "b"]]]
    ops = [
        Op("send", [["send", 5, "a"], ["send", 6, "b"]], process=0),
        Op("send", sends, process=0, type="ok"),
        Op("poll", [["poll"]], process=1),
        Op("poll", [["poll", {"5": [[0, "a"]], "6": [[0, "b"]]}]], process=1, type="ok"),
    ]
    assert troubles(History.from_ops(ops)) == {}
    ops[-1] = Op("txn", [["poll", {"5": [[0, "b"]]}]], process=1, type="ok")
    ops[-2] = Op("txn", [["poll"]], process=1)
    assert troubles(History.from_ops(ops)) == {"truncated": 1, "unexpected": 1}


def test_offsets_of_groups_do_not_go_back() -> None:
    start = '0 |-append 7>[0,7]-| |-poll>[[0,7]]-| |-commit ["g",4]-|'
    assert troubles(drawn(f'{start} |-committed>["g",4]-|')) == {}
    assert troubles(drawn(f'{start} |-committed>["h",null]-|')) == {}
    assert troubles(drawn(f'{start} |-committed>["g",3]-|')) == {"group-regressed": 1}
    assert troubles(drawn(f'{start} |-committed>["g",null]-|')) == {"group-regressed": 1}


def test_the_sentence_names_record_offset_and_process() -> None:
    [found] = Log().check(drawn(f"{SENT} |-poll>[[1,8],[2,9]]-|")).counterexamples
    assert "7 at offset 0 of key null, append [0, 7] by process 0" in found.sentence
    assert [event.f for event in found.operations] == ["append", "poll"]


@pytest.mark.parametrize("drawing", [SENT, "0 |-poll>[]-|", "0 |-append 7-x |-poll>[]-|"])
def test_without_records_nothing_is_shown(drawing: str) -> None:
    assert Log().check(drawn(drawing)).valid == "unknown"


def test_other_polls_are_refused() -> None:
    with pytest.raises(ValueError, match="a poll answers"):
        Log().check(drawn(f"{SENT} |-poll>[7,8]-|"))


@given(
    st.lists(st.sampled_from(["fine", "lost", "truncated"]), min_size=1, max_size=40),
    st.integers(1, 3),
    st.booleans(),
)
def test_as_many_losses_are_found_as_were_planted(fates: list[str], keys: int, texts: bool) -> None:
    ops: list[Op] = []
    polls: dict[int, list[Json]] = {key: [] for key in range(keys)}
    for number, fate in enumerate([*fates, *["fine"] * keys]):
        key, offset = number % keys, number // keys
        value: Json = f"v{number}" if texts else number
        ops += [
            Op("append", value, process=0, key=key),
            Op("append", [offset, value], process=0, key=key, type="ok"),
        ]
        if fate == "truncated":
            ops += [Op("append", -number - 1, process=9, key=key)]
            ops += [Op("append", -number - 1, process=9, key=key, type="info")]
            value = -number - 1
        if fate != "lost":
            polls[key].append([offset, value])
    for key, records in polls.items():
        ops += [Op("poll", process=1, key=key), Op("poll", records, process=1, key=key, type="ok")]
    counts = troubles(History.from_ops(ops))
    assert counts.get("lost-write", 0) == fates.count("lost")
    assert counts.get("truncated", 0) == fates.count("truncated")
    assert counts.keys() <= {"lost-write", "truncated", "poll-skip"}


VALUES = st.sampled_from(
    [0, 1, 10**20, 1.5, "a", "a\\b", None, True, [], [[1, 2]], [0, 1], {"a": [[3]]}]
)
RECORDS = st.one_of(
    st.tuples(st.integers(0, 3), VALUES),
    st.tuples(st.integers(0, 3), VALUES, st.sampled_from([True, False, 7])),
    st.tuples(st.integers(0, 3), VALUES, st.integers(0, 1), st.integers(0, 1)),
).map(list)
BATCHES = st.one_of(
    st.lists(RECORDS, max_size=3),
    st.dictionaries(st.sampled_from("56"), st.lists(RECORDS, max_size=2), max_size=2),
)
SENDS = st.one_of(VALUES, st.tuples(st.integers(0, 3) | st.none(), VALUES).map(list))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from([5, "6", None]), SENDS).map(list),
        st.tuples(st.just("poll"), BATCHES).map(list),
        st.just(["poll"]),
    ),
    min_size=1,
    max_size=3,
)
OPERATIONS = st.one_of(
    st.tuples(st.sampled_from(["append", "send"]), SENDS),
    st.tuples(st.just("poll"), BATCHES | st.none()),
    st.tuples(st.just("poll"), st.sampled_from([7, [7], [[0]], {"5": 7}, {"5": [["0", 1]]}])),
    st.tuples(st.just("read"), st.tuples(st.integers(0, 3), VALUES).map(list)),
    st.tuples(st.sampled_from(["send", "poll", "txn"]), STEPS),
)


@given(
    st.lists(
        st.tuples(
            OPERATIONS, st.sampled_from(["ok", "ok", "ok", "fail", "info"]), st.integers(0, 2)
        ),
        max_size=8,
    )
)
def test_operations_taken_at_once_say_the_same_as_one_by_one(told: list[Any]) -> None:
    ops = [
        op
        for (f, value), outcome, key in told
        for op in (
            Op(f, value, process=key, key=key),
            Op(f, value, process=key, key=key, type=outcome),
        )
    ]
    history = History.from_ops(ops)
    assert read(history, quick=True) == read(history, quick=False)


def read(history: History, *, quick: bool) -> dict[str, list[Any]] | str:
    """What is told, or why it is refused."""
    try:
        return records(Told.of(history, quick=quick))
    except ValueError as error:
        return str(error)


def records(log: Told) -> dict[str, list[Any]]:
    """All records in turn, with keys and values themselves."""
    return {
        kind: [
            (
                int(op),
                str(log.keys[key]),  # 5 and "5" are one partition
                int(offset),
                None if kind == "empty" else canonical(log.values.value_of(value)),
            )
            for op, key, offset, value in zip(
                table.op, table.key.tolist(), table.offset, table.value.tolist(), strict=True
            )
        ]
        for kind in ("sent", "tried", "failed", "polled", "looked_up", "empty", "damaged")
        for table in [getattr(log, kind)]
    }

"""What came before, by columns, against a look at every row by itself; also of huge numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence._before import Numbers, earlier_max, instants_of, numbered, settled_max
from checker.evidence._numbers import ABSENT, bytes_of, firsts_of, integers_at
from histories import Event, History, Json, canonical

HUGE = 10**18
NUMBERS = st.integers(-3, 3) | st.sampled_from([-(2**62), -HUGE + 1, 10**6, 2**40, HUGE - 1])
VALUES = NUMBERS | st.just(ABSENT)
GROUPS = st.integers(0, 3) | st.sampled_from([10**6, 2**40])


def column(values: list[Any]) -> Numbers:
    return np.array(values, dtype=np.int64)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1)
    )
)
def test_numbers_of_rows_are_equal_and_in_order_where_the_rows_are(rows: list[list[int]]) -> None:
    number = numbered(*column(rows).T).tolist()
    assert min(number) >= 0
    ranks = {each: rank for rank, each in enumerate(sorted(set(number)))}
    expected = {tuple(row): rank for rank, row in enumerate(sorted({*map(tuple, rows)}))}
    assert [ranks[each] for each in number] == [expected[tuple(row)] for row in rows]


@given(st.lists(st.tuples(GROUPS, VALUES)))
def test_the_greatest_number_earlier_in_a_group(rows: list[tuple[int, int]]) -> None:
    rows.sort(key=lambda row: row[0])
    group, value = (column([row[n] for row in rows]) for n in (0, 1))
    assert earlier_max(group, value).tolist() == [
        max((one for of, one in rows[:n] if of == mine), default=ABSENT)
        for n, (mine, _) in enumerate(rows)
    ]


@given(
    st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 6), VALUES)),
    st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 6))),
)
def test_the_greatest_number_told_before_somebody_asked(
    told: list[tuple[int, int, int]], asked: list[tuple[int, int]]
) -> None:
    key, end, value = (column([row[n] for row in told]) for n in range(3))
    asked_key, begin = (column([row[n] for row in asked]) for n in range(2))
    assert settled_max(key, end, value, asked_key, begin).tolist() == [
        max((one for of, at, one in told if of == mine and at < since), default=ABSENT)
        for mine, since in asked
    ]


@pytest.mark.parametrize("times", [[0, 0, 0], [0, 5, 5], [3, 4, 9], []])
def test_instants_are_in_order_of_time(times: list[int]) -> None:
    events = [Event(n, at, n, "invoke", "f", None, None) for n, at in enumerate(times)]
    expected = sorted(set(times)) if len(set(times)) > 1 else list(range(len(times)))
    clock = times if len(set(times)) > 1 else expected
    found = instants_of(History.from_events(events)).tolist()
    assert found == [expected.index(at) for at in clock]


JSON: st.SearchStrategy[Json] = (
    st.integers(-(10**20), 10**20)
    | NUMBERS
    | st.floats(-99, 99)
    | st.sampled_from([None, True, 1e30, -1e-30, "17", {}, "n"])
)


@given(st.lists(JSON | st.lists(JSON, max_size=3), min_size=1, max_size=8))
def test_integers_are_read_where_they_stand(values: list[Json]) -> None:
    """At most 18 digits, and all of them; the first element of a list may be null."""
    events = [Event(n, n, n, "invoke", "f", None, value) for n, value in enumerate(values)]
    history = History.from_events(events)
    texts = history.values
    whole, number, _ = integers_at(bytes_of(texts), np.asarray(texts.offsets[:-1]) + 1)
    fits, first, end = firsts_of(texts, np.arange(len(texts)))
    for n, text in enumerate(texts):
        value = history.value_of(n)
        head = value[0] if isinstance(value, list) and value else True
        assert fits[n] == (head is None or short(head))
        if isinstance(value, list):
            assert (whole[n], number[n]) == (short(head), head if short(head) else 0)
        if fits[n]:
            assert first[n] == (ABSENT if head is None else head)
            assert text[end[n] - texts.offsets[n] :][:1] in (b",", b"]")
            assert text.startswith(b"[" + canonical(head))


def short(value: Json) -> bool:
    return type(value) is int and abs(value) < HUGE

"""A set that only grows: what is lost, made up, or seen in an impossible order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import checker
from checker import ILLEGAL, Call, Model, ModelError, grow_only_set, verify
from histories import Event, History


def step(state: frozenset[Any], call: Call) -> Any:
    if call.f == "add":
        return state | {call.argument}
    return state if not call.completed or frozenset(call.result) == state else ILLEGAL


SET = Model("set", frozenset(), step, read_only={"read"})


def history(*lines: tuple[int, str, str, Any]) -> History:
    """Events from (process, type, f, value); one instant each."""
    return History.from_events(
        Event(index, index, process, type_, f, None, value)  # type: ignore[arg-type]
        for index, (process, type_, f, value) in enumerate(lines)
    )


def add(process: int, value: int, end: str = "ok") -> list[tuple[int, str, str, Any]]:
    return [(process, "invoke", "add", value), (process, end, "add", value)]


def read(process: int, *value: int) -> list[tuple[int, str, str, Any]]:
    return [(process, "invoke", "read", None), (process, "ok", "read", list(value))]


def test_everything_acknowledged_is_there() -> None:
    verdict = grow_only_set(history(*add(0, 1), *add(1, 2), *read(0, 2, 1)))
    assert verdict.valid is True
    assert (verdict.checker, verdict.operations) == ("set", 3)


def test_an_acknowledged_element_that_is_missing_was_lost() -> None:
    verdict = grow_only_set(history(*add(0, 1), *add(1, 2), *read(3, 2)))
    assert verdict.valid is False
    [case] = verdict.counterexamples
    assert "Process 3 read the set without 1, though process 0 had been told" in case.sentence
    assert case.operation == 4
    assert case.details["missing"] == [1]
    assert [event.index for event in case.operations] == [0, 1, 4, 5]


@pytest.mark.parametrize("end", ["fail", None])
def test_an_element_that_failed_or_that_nobody_added_must_not_be_there(end: str | None) -> None:
    lines = add(0, 1, end) if end else []
    verdict = grow_only_set(history(*lines, *read(1, 1)))
    assert verdict.valid is False
    assert "Process 1 read 1 in the set" in verdict.counterexamples[0].sentence


@pytest.mark.parametrize("elements", [(), (1,)])
def test_nobody_knows_whether_a_crashed_addition_is_there(elements: tuple[int, ...]) -> None:
    assert grow_only_set(history(*add(0, 1, "info"), *read(1, *elements))).valid is True


def test_two_reads_cannot_each_have_what_the_other_lacks() -> None:
    open_adds = [(0, "invoke", "add", 1), (1, "invoke", "add", 2)]
    verdict = grow_only_set(history(*open_adds, *read(2, 1), *read(3, 2)))
    assert verdict.valid is False
    assert "the other way round" in verdict.counterexamples[0].sentence


def test_a_set_does_not_shrink() -> None:
    verdict = grow_only_set(history((0, "invoke", "add", 1), *read(1, 1), *read(2)))
    assert verdict.valid is False
    assert "the other way round" in verdict.counterexamples[0].sentence


def test_an_order_of_additions_that_real_time_forbids_is_seen_by_one_long_read() -> None:
    verdict = grow_only_set(
        history((9, "invoke", "read", None), *add(0, 1), *add(1, 2), (9, "ok", "read", [2]))
    )
    assert verdict.valid is False


def test_without_a_read_nothing_is_known() -> None:
    verdict = grow_only_set(history(*add(0, 1)))
    assert verdict.valid == "unknown"
    assert verdict.unknown is not None
    assert verdict.unknown.cause == "vacuous"


@pytest.mark.parametrize(
    "lines", [[(0, "invoke", "dance", 1)], [(0, "invoke", "read", None), (0, "ok", "read", 3)]]
)
def test_what_is_no_set_is_refused(lines: list[tuple[int, str, str, Any]]) -> None:
    with pytest.raises(ModelError):
        grow_only_set(history(*lines))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Small histories of a set that now and then answers wrongly."""
    lines: list[tuple[int, str, str, Any]] = []
    busy: dict[int, tuple[str, Any]] = {}
    process, there = 0, set[int]()
    for _ in range(draw(st.integers(1, 14))):
        worker = draw(st.integers(0, 3))
        if worker not in busy:
            f = draw(st.sampled_from(["add", "read"]))
            value = draw(st.integers(0, 4)) if f == "add" else None
            busy[worker] = (f, value)
            lines.append((worker, "invoke", f, value))
            continue
        f, value = busy.pop(worker)
        if f == "add":
            end = draw(st.sampled_from(["ok", "ok", "ok", "fail", "open"]))
            if end != "fail":
                there.add(value)
            if end == "open":
                busy[worker] = (f, value)
            else:
                lines.append((worker, end, f, value))
        else:
            seen = set(there)
            seen ^= set(draw(st.lists(st.integers(0, 4), max_size=1)))
            lines.append((worker, "ok", "read", sorted(seen)))
    del process
    return history(*lines)


@settings(max_examples=1000, deadline=None)
@given(histories())
def test_it_agrees_with_the_general_search_and_its_certificates_verify(small: History) -> None:
    verdict = grow_only_set(small)
    expected = checker.linearizable(small, SET)
    if verdict.valid == "unknown":
        assert expected.valid is True
        return
    assert verdict.valid is expected.valid
    if verdict.valid is True:
        assert verify(small, SET, verdict.certificates) is None

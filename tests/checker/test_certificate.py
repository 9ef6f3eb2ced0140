"""The verifier refuses whatever is not a linearization."""

from __future__ import annotations

import numpy as np

import checker
from checker import Linearization
from tests.checker.drawing import drawn

HISTORY = drawn("""
    0 |-write 1-|
    1    |-read 0-|
    2                |-write 2-...
    3                                |-read 2-|  |-write 3-x
""")
WRITE_1, READ_0, WRITE_2, READ_2, WRITE_3 = 0, 1, 4, 6, 8
REGISTER = checker.register(0)


def refusal(*order: int) -> str | None:
    certificate = Linearization(None, np.array(order, dtype=np.uint32))
    return checker.verify(HISTORY, REGISTER, [certificate])


def test_a_linearization_is_accepted() -> None:
    assert refusal(READ_0, WRITE_1, WRITE_2, READ_2) is None


def test_an_order_that_the_model_does_not_allow_is_refused() -> None:
    assert "model does not allow the operation of event 1" in (
        refusal(WRITE_1, READ_0, WRITE_2, READ_2) or ""
    )


def test_an_order_against_real_time_is_refused() -> None:
    assert "event 1 returned before it takes effect" in (
        refusal(WRITE_2, READ_0, WRITE_1, READ_2) or ""
    )


def timed(*points: int) -> str | None:
    order = np.array([READ_0, WRITE_1, WRITE_2, READ_2], dtype=np.uint32)
    certificate = Linearization(None, order, np.array(points, dtype=np.int64))
    return checker.verify(HISTORY, REGISTER, [certificate])


def test_points_in_time_can_be_told_and_are_the_earliest_that_fit() -> None:
    order = np.array([READ_0, WRITE_1, WRITE_2, READ_2], dtype=np.uint32)
    points = checker.points(HISTORY, Linearization(None, order))
    begun = [int(HISTORY.time[event]) for event in (READ_0, WRITE_2, READ_2)]
    assert points.tolist() == [begun[0], begun[0], *begun[1:]]
    assert timed(*points.tolist()) is None


def test_each_point_must_lie_inside_the_interval_of_its_operation() -> None:
    read, write, second, last = checker.points(
        HISTORY, Linearization(None, np.array([READ_0, WRITE_1, WRITE_2, READ_2], np.uint32))
    ).tolist()
    assert "event 1 takes effect too early" in (timed(read - 1, write, second, last) or "")
    assert "event 0 takes effect too early" in (timed(read + 1, write, second, last) or "")
    assert "event 0 returned before" in (timed(read, second, second, last) or "")
    assert "not one point" in (timed(read, write, second) or "")


def test_a_missing_operation_is_noticed() -> None:
    assert refusal(READ_0, WRITE_1, WRITE_2) == "the operation of event 6 is not placed"


def test_nothing_is_placed_twice() -> None:
    assert "placed once" in (refusal(READ_0, WRITE_1, WRITE_1, WRITE_2, READ_2) or "")


def test_what_failed_is_not_placed() -> None:
    assert "certainly did not happen" in (refusal(READ_0, WRITE_1, WRITE_2, READ_2, WRITE_3) or "")


def test_completions_cannot_be_placed() -> None:
    assert "not an invocation" in (refusal(2) or "")


def test_each_key_has_its_own_certificate() -> None:
    wrong = Linearization("x", np.array([READ_0], dtype=np.uint32))
    assert "on another key" in (checker.verify(HISTORY, REGISTER, [wrong]) or "")

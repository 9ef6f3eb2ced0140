"""Queues that deliver again: every outcome, and its nearest clean neighbour."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import Delivery
from histories import History, Json, Op
from tests.checker.drawing import drawn
from tests.evidence.outcomes import kinds, why

ONE, MOST, EXACT = "at-least-once", "at-most-once", "exactly-once"

CASES: dict[str, tuple[str, dict[str, Any], dict[str, list[Json]]]] = {
    "delivered and acked": (
        "0 |-enqueue 1-| |-dequeue>1-| |-ack 1-| |-dequeue>null-|",
        {ONE: True, MOST: True, EXACT: True},
        {},
    ),
    "delivered twice": (
        "0 |-enqueue 1-| |-dequeue>1-| |-dequeue>1-| |-ack 1-| |-dequeue>null-|",
        {ONE: True, MOST: False, EXACT: False},
        {"duplicated": [1]},
    ),
    "lost": (
        "0 |-enqueue 1-| |-enqueue 2-| |-dequeue>1-| |-dequeue>null-|",
        {ONE: False, MOST: True, EXACT: False},
        {"lost": [2]},
    ),
    "perhaps still in the queue": (
        "0 |-enqueue 1-| |-enqueue 2-| |-dequeue>1-|",
        {ONE: "vacuous", MOST: True, EXACT: "vacuous"},
        {},
    ),
    "perhaps taken by a dequeue in doubt": (
        """
        0 |-enqueue 1-| |-enqueue 2-| |-dequeue>1-| |-dequeue>null-|
        1                             |-dequeue-...
        """,
        {ONE: "harness", MOST: "harness", EXACT: "harness"},
        {"lost": [2]},
    ),
    "enqueued in doubt and never delivered": (
        "0 |-enqueue 1-| |-dequeue>1-| |-enqueue 2-... |-dequeue>null-|",
        {ONE: True, MOST: True, EXACT: True},
        {},
    ),
    "from nowhere": (
        "0 |-enqueue 1-| |-dequeue>1-| |-dequeue>7-|",
        {ONE: False, MOST: False, EXACT: False},
        {"unexpected": [7]},
    ),
    "its enqueue failed": (
        "0 |-enqueue 1-x |-dequeue>1-|",
        {ONE: False, MOST: False, EXACT: False},
        {"unexpected": [1]},
    ),
    "delivered after it was acked": (
        "0 |-enqueue 1-| |-dequeue>1-| |-ack 1-| |-dequeue>1-|",
        {ONE: False, MOST: False, EXACT: False},
        {"after_ack": [1], "duplicated": [1]},
    ),
    "delivered while it was acked": (
        """
        0 |-enqueue 1-| |-dequeue>1-|  |-ack 1-|
        1                            |-dequeue>1-|
        """,
        {ONE: True, MOST: False, EXACT: False},
        {"duplicated": [1]},
    ),
    "delivered after an ack in doubt": (
        "0 |-enqueue 1-| |-dequeue>1-| |-ack 1-... |-dequeue>1-|",
        {ONE: True, MOST: False, EXACT: False},
        {"duplicated": [1]},
    ),
    "two enqueued, two delivered": (
        "0 |-enqueue 1-| |-enqueue 1-| |-dequeue>1-| |-ack 1-| |-dequeue>1-|",
        {ONE: True, MOST: True, EXACT: True},
        {},
    ),
}


@pytest.mark.parametrize("guarantee", [ONE, MOST, EXACT])
@pytest.mark.parametrize("name", CASES)
def test_outcomes(name: str, guarantee: Any) -> None:
    drawing, expected, told = CASES[name]
    verdict = Delivery(guarantee).check(drawn(drawing))
    word = why(verdict) if verdict.valid == "unknown" else verdict.valid
    if expected[guarantee] == "harness" and guarantee == MOST:
        assert word is True
    else:
        assert word == expected[guarantee]
    assert kinds(verdict) == told
    assert bool(verdict.counterexamples) is (verdict.valid is False)


def seconds(*steps: tuple[float, float, str, Json]) -> History:
    """A history of operations that all succeed, from and until these seconds."""
    ops = []
    for process, (begin, end, f, value) in enumerate(steps):
        argument = None if f == "dequeue" else value
        ops.append(Op(f, argument, None, "invoke", process, int(begin * 1e9)))
        ops.append(Op(f, value, None, "ok", process, int(end * 1e9)))
    return History.from_ops(sorted(ops, key=lambda op: op.time or 0))


PUT = (0.0, 1.0, "enqueue", 1)


@pytest.mark.parametrize(
    ("steps", "too_soon"),
    [
        # Ten seconds from the beginning of one to the end of the other are enough.
        ([(2, 3, "dequeue", 1), (11, 12, "dequeue", 1)], []),
        ([(2, 3, "dequeue", 1), (11, 11.9, "dequeue", 1)], [1]),
        ([(2, 3, "dequeue", 1), (5, 6, "nack", 1), (7, 8, "dequeue", 1)], []),
        ([(2, 3, "dequeue", 1), (8.5, 9, "nack", 1), (7, 8, "dequeue", 1)], [1]),
        ([(2, 13, "dequeue", 1), (3, 4, "dequeue", 1)], []),
    ],
)
def test_a_message_that_is_out_is_not_delivered(steps: Any, too_soon: list[int]) -> None:
    verdict = Delivery(visibility_s=10).check(seconds(PUT, *steps, (30, 31, "ack", 1)))
    assert verdict.details["too_soon"] == too_soon
    assert verdict.valid is not bool(too_soon)


@pytest.mark.parametrize(
    ("steps", "abandoned"),
    [
        ([(2, 3, "dequeue", 1), (14, 15, "dequeue", None)], [1]),
        ([(2, 3, "dequeue", 1), (12, 15, "dequeue", None)], []),
        ([(2, 3, "dequeue", 1), (4, 5, "ack", 1), (14, 15, "dequeue", None)], []),
        ([(2, 3, "dequeue", 1), (13, 14, "dequeue", 1), (15, 16, "dequeue", None)], []),
    ],
)
def test_what_nobody_acked_is_delivered_again(steps: Any, abandoned: list[int]) -> None:
    verdict = Delivery(visibility_s=10).check(seconds(PUT, *steps))
    assert verdict.details["abandoned"] == abandoned
    assert verdict.valid is not bool(abandoned)
    assert Delivery().check(seconds(PUT, *steps)).valid is True


def test_the_sentence_tells_both_deliveries() -> None:
    history = seconds(PUT, (2, 3, "dequeue", 1), (4, 5, "dequeue", 1))
    [found] = Delivery(visibility_s=10).check(history).counterexamples
    assert "The message 1 was delivered twice within less than 10 s" in found.sentence
    assert "ok at 3.000 s" in found.sentence
    assert "ok at 5.000 s" in found.sentence


@pytest.mark.parametrize("wrong", [{"guarantee": "twice"}, {"visibility_s": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"the guarantee is one of|visibility_s is above 0"):
        Delivery(**wrong)


@given(st.sets(st.integers(0, 99), min_size=1), st.integers(0, 10**6))
def test_as_many_troubles_are_found_as_were_planted(messages: set[int], seed: int) -> None:
    lost = [m for m in messages if (m + seed) % 5 == 0]
    twice = [m for m in messages if (m + seed) % 5 == 1]
    zombies = [m for m in messages if (m + seed) % 5 == 2]
    ops = [op for m in sorted(messages) for op in _done("enqueue", m)]
    for m in sorted(messages - set(lost)):
        ops += _done("dequeue", m)
        ops += _done("dequeue", m) if m in twice else []
        ops += _done("ack", m)
        ops += _done("dequeue", m) if m in zombies else []
    verdict = Delivery("exactly-once").check(History.from_ops([*ops, *_done("dequeue", None)]))
    assert verdict.details["lost"] == sorted(lost)
    assert verdict.details["duplicated"] == sorted(twice + zombies)
    assert verdict.details["after_ack"] == sorted(zombies)


def _done(f: str, value: Json) -> list[Op]:
    return [
        Op(f, None if f == "dequeue" else value, process=0),
        Op(f, value, process=0, type="ok"),
    ]

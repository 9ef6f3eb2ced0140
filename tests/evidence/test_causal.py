"""Causes before effects, across keys and processes."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import Causal
from histories import Event, History, Json, Op
from tests.checker.drawing import drawn


def keyed(*steps: tuple[int, str, str, Json]) -> History:
    """Operations one after the other: process, name, key, answer."""
    return History.from_ops(
        op
        for process, f, key, value in steps
        for op in (
            Op(f, value if f == "write" else None, key=key, process=process),
            Op(f, value, key=key, process=process, type="ok"),
        )
    )


def judged(history: History, **settings: Any) -> tuple[bool | str, int, int]:
    verdict = Causal(**settings).check(history)
    return (
        verdict.valid,
        verdict.details["causal-order_count"],
        verdict.details["unexpected_count"],
    )


QUESTION_AND_ANSWER = (
    (0, "write", "question", [1, "lost?"]),
    (1, "read", "question", [1, "lost?"]),
    (1, "write", "answer", [2, "found"]),
)


def test_an_answer_is_seen_with_its_question() -> None:
    history = keyed(
        *QUESTION_AND_ANSWER,
        (2, "read", "answer", [2, "found"]),
        (2, "read", "question", [1, "lost?"]),
    )
    assert judged(history) == (True, 0, 0)


def test_an_answer_without_its_question_is_no_causal_order() -> None:
    history = keyed(
        *QUESTION_AND_ANSWER, (2, "read", "answer", [2, "found"]), (2, "read", "question", None)
    )
    assert judged(history) == (False, 1, 0)
    [found] = Causal().check(history).counterexamples
    assert "came causally before it" in found.sentence
    assert [event.process for event in found.operations][-1] == 2


def test_one_who_has_not_seen_the_answer_may_miss_the_question() -> None:
    history = keyed(*QUESTION_AND_ANSWER, (2, "read", "question", None))
    assert judged(history) == (True, 0, 0)


def test_distinct_values_need_no_versions() -> None:
    steps: tuple[Any, ...] = (
        (0, "write", "x", "a"),
        (0, "write", "y", "b"),
        (1, "read", "y", "b"),
    )
    assert judged(keyed(*steps, (1, "read", "x", "a"))) == (True, 0, 0)
    assert judged(keyed(*steps, (1, "read", "x", None))) == (False, 1, 0)


def test_what_a_doubtful_write_knew_is_known_to_who_reads_it() -> None:
    drawing = """
        0 |-read [5,1]-| |-write [null,2]-...
        1                                     |-read [6,2]-| |-read [4,3]-|
        2 |-write [null,1]>[5,1]-| |-write [null,3]>[4,3]-|
    """
    assert judged(drawn(drawing))[:2] == (False, 1)


def test_sessions_are_part_of_it() -> None:
    assert judged(drawn("0 |-write [null,1]>[5,1]-| |-write [null,2]>[6,2]-| |-read [5,1]-|")) == (
        False,
        1,
        0,
    )


@pytest.mark.parametrize(
    "drawing",
    [
        "0 |-write a-| |-read a-| |-read z-|",
        "0 |-write a-| |-read a-| |-write z-x |-read z-|",
        "0 |-write a-| |-read a-| |-read z-| |-write z-|",
        "0 |-write [null,1]>[1,1]-| |-read [1,1]-| |-read [2,9]-|",
    ],
)
def test_values_that_nobody_had_written_are_unexpected(drawing: str) -> None:
    assert judged(drawn(drawing)) == (False, 0, 1)


@pytest.mark.parametrize(
    "drawing",
    [
        "0 |-write a-| |-write z-... |-read z-|",
        "0 |-write [null,1]>[1,1]-| |-write [null,9]-... |-read [2,9]-|",
    ],
)
def test_values_of_doubtful_writes_are_not(drawing: str) -> None:
    assert judged(drawn(drawing)) == (True, 0, 0)


@pytest.mark.parametrize("drawing", ["0 |-write a-|", "0 |-read null-|"])
def test_without_effects_nothing_is_shown(drawing: str) -> None:
    assert judged(drawn(drawing))[0] == "unknown"


def test_a_store_that_is_read_behind_in_order_is_causal() -> None:
    assert judged(
        keyed(
            (0, "write", "x", [1, "a"]),
            (0, "write", "x", [2, "b"]),
            (0, "write", "y", [3, "c"]),
            (1, "read", "x", [1, "a"]),
            (1, "read", "x", [2, "b"]),
            (1, "read", "y", None),
        )
    ) == (True, 0, 0)


def causally_wrong(events: list[Event]) -> int:
    """How many reads are older than their past, by a closure over all pairs."""
    ends = [event for event in events if event.type == "ok"]
    past: list[set[int]] = []
    version = [0 if end.value is None else end.value[0] for end in ends]
    wrong = 0
    for n, end in enumerate(ends):
        before: set[int] = set()
        for m in range(n):
            mine = ends[m].process == end.process
            cause = ends[m].f == "write" and end.f == "read" and version[m] == version[n]
            if mine or cause:
                before |= past[m] | {m}
        past.append(before)
        wrong += end.f == "read" and any(
            ends[m].key == end.key and version[m] > version[n] for m in before
        )
    return wrong


@given(st.integers(0, 2**32), st.integers(1, 3))
def test_causes_agree_with_a_closure(seed: int, keys: int) -> None:
    random = Random(seed)
    steps: list[tuple[int, str, str, Json]] = []
    written: dict[str, list[int]] = {}
    for number in range(1, 25):
        process, key = random.randrange(3), "xyz"[random.randrange(keys)]
        if random.random() < 0.4:
            written.setdefault(key, []).append(number)
            steps.append((process, "write", key, [number, number]))
        else:
            seen = random.choice([0, *written.get(key, [])])
            steps.append((process, "read", key, [seen, seen] if seen else None))
    history = keyed(*steps)
    assert judged(history, order="versions")[1] == causally_wrong(list(history))


@pytest.mark.parametrize("order", ["versions", "time"])
@given(
    st.lists(
        st.sampled_from(["fine", "fine", "no question", "nobody's", "too early"]),
        min_size=1,
        max_size=25,
    ),
    st.booleans(),
)
def test_as_many_faults_are_found_as_were_planted(
    order: Any, fates: list[str], doubtful: bool
) -> None:
    ops: list[Op] = []

    def did(process: int, f: str, key: str, number: int, ending: Any = "ok") -> None:
        value: Json = [number, f"v{number}"] if order == "versions" else f"v{number}"
        value = value if number else None
        asked = None
        if f == "write":
            asked = [None, f"v{number}"] if order == "versions" else value
        ops.append(Op(f, asked, key=key, process=process))
        told = asked if ending == "info" else value
        ops.append(Op(f, told, key=key, process=process, type=ending))

    for number, fate in enumerate(fates):
        question, answer, version = f"q{number}", f"a{number}", 10 * number + 1
        if fate == "too early":
            did(2, "read", question, version)
        did(0, "write", question, version)
        did(1, "read", question, version)
        # A client whose write is in doubt has to go on under another number.
        did(100 + number if doubtful else 1, "read", question, version)
        writer = 100 + number if doubtful else 1
        did(writer, "write", answer, version + 1, "info" if doubtful else "ok")
        did(2, "read", answer, version + 1)
        if fate == "nobody's":
            did(2, "read", answer, version + 5)
        did(2, "read", question, 0 if fate == "no question" else version)
    assert judged(History.from_ops(ops), order=order) == (
        set(fates) == {"fine"},
        fates.count("no question"),
        fates.count("nobody's") + fates.count("too early"),
    )

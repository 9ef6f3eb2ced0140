"""The four session guarantees, of versions and of distinct values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import CHECKERS
from histories import History, Op
from tests.checker.drawing import drawn

NAMES = ("read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads")


def broken(drawing: str) -> dict[str, int]:
    """Which guarantees are broken, and how often."""
    found = {}
    for name in NAMES:
        verdict = CHECKERS[name]().check(drawn(drawing))
        count = verdict.details[f"{name.replace('-', '_')}_count"]
        assert (verdict.valid is False) is bool(count)
        if count:
            found[name] = count
    return found


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        # A process reads what it wrote, or something newer, or something older.
        ("0 |-write [null,1]>[5,1]-| |-read [5,1]-|", {}),
        ("0 |-write [null,1]>[5,1]-| |-read [6,2]-|", {}),
        ("0 |-write [null,1]>[5,1]-| |-read [4,2]-|", {"read-your-writes": 1}),
        ("0 |-write [null,1]>[5,1]-| |-read null-|", {"read-your-writes": 1}),
        # Whether it wrote is not known.
        ("0 |-write [null,1]-...     |-read [4,2]-|", {}),
        ("0 |-write [null,1]-x       |-read [4,2]-|", {}),
        # It reads an older version than before.
        ("0 |-read [4,1]-| |-read [5,2]-|", {}),
        ("0 |-read [5,2]-| |-read [4,1]-|", {"monotonic-reads": 1}),
        ("0 |-read [5,2]-| |-read [6,3]-| |-read [4,1]-| |-read [5,2]-|", {"monotonic-reads": 2}),
        # Its writes have versions in another order.
        ("0 |-write [null,1]>[5,1]-| |-write [null,2]>[6,2]-|", {}),
        ("0 |-write [null,1]>[5,1]-| |-write [null,2]>[4,2]-|", {"monotonic-writes": 1}),
        # It writes, in the order of versions, before what it had read.
        ("0 |-read [5,1]-| |-write [null,2]>[6,2]-|", {}),
        ("0 |-read [5,1]-| |-write [null,2]>[4,2]-|", {"writes-follow-reads": 1}),
    ],
)
def test_versions_of_one_process(drawing: str, expected: dict[str, int]) -> None:
    assert broken(drawing) == expected


def test_what_another_process_saw_is_its_own_business() -> None:
    assert (
        broken("""
        0 |-write [null,1]>[5,1]-| |-read [5,1]-|
        1                                         |-read [4,2]-|
    """)
        == {}
    )


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("0 |-write a-| |-write b-| |-read b-|", {}),
        ("0 |-write a-| |-write b-| |-read a-|", {"read-your-writes": 1}),
        ("0 |-write a-| |-read null-|", {"read-your-writes": 1}),
        (
            """
        0 |-write a-| |-write b-|
        1                         |-read a-| |-read b-|
    """,
            {},
        ),
        (
            """
        0 |-write a-| |-write b-|
        1                         |-read b-| |-read a-|
    """,
            {"monotonic-reads": 1, "monotonic-writes": 1},
        ),
        # Written at the same time, a and b have no order, so neither read is an older one.
        (
            """
        0 |-write a-|
        1    |-write b-|
        2                         |-read b-| |-read a-|
    """,
            {},
        ),
        (
            """
        0 |-write a-|
        1             |-read a-| |-write b-|
        2                                    |-read b-| |-read a-|
    """,
            {"monotonic-reads": 1, "writes-follow-reads": 1},
        ),
        (
            """
        0 |-write a-|
        1             |-read a-| |-write b-|
        2                                    |-read a-| |-read b-|
    """,
            {},
        ),
    ],
)
def test_distinct_values(drawing: str, expected: dict[str, int]) -> None:
    assert broken(drawing) == expected


def test_keys_are_told_apart() -> None:
    ops = [
        op
        for key, value in [("x", [5, "a"]), ("y", [4, "b"])]
        for op in (
            Op("read", process=0, key=key),
            Op("read", value, process=0, key=key, type="ok"),
        )
    ]
    assert CHECKERS["monotonic-reads"]().check(History.from_ops(ops)).valid == "unknown"


@pytest.mark.parametrize("name", NAMES)
def test_where_nothing_had_to_be_heeded_nothing_is_shown(name: str) -> None:
    verdict = CHECKERS[name]().check(
        drawn("""
        0 |-write [null,1]>[5,1]-|
        1                          |-read [5,1]-|
    """)
    )
    assert verdict.valid == "unknown"
    assert verdict.unknown is not None
    assert verdict.unknown.cause == "vacuous"


@pytest.mark.parametrize(
    ("name", "drawing"),
    [
        ("read-your-writes", "0 |-write [null,1]>[5,1]-| |-read [4,2]-|"),
        ("monotonic-reads", "0 |-read [5,1]-| |-read [4,2]-|"),
        ("monotonic-writes", "0 |-write [null,1]>[5,1]-| |-write [null,2]>[4,2]-|"),
        ("writes-follow-reads", "0 |-read [5,1]-| |-write [null,2]>[4,2]-|"),
    ],
)
def test_the_sentence_names_both_operations(name: str, drawing: str) -> None:
    [found] = CHECKERS[name]().check(drawn(drawing)).counterexamples
    assert "[4, " in found.sentence
    assert "[5, " in found.sentence
    assert len(found.operations) == 4


@given(st.lists(st.sampled_from(["r", "w"]), min_size=2, max_size=30), st.data())
def test_as_many_breaches_are_found_as_were_planted(kinds: list[str], data: st.DataObject) -> None:
    ops: list[Op] = []
    seen = {"r": False, "w": False}
    expected = dict.fromkeys(NAMES, 0)
    for number, kind in enumerate(kinds, 1):
        planted = (seen["r"] or seen["w"]) and data.draw(st.booleans())
        version = -number if planted else number
        f = "read" if kind == "r" else "write"
        answer: Any = [version if version > 0 else 0, "v"]
        ops += [Op(f, process=0), Op(f, answer, process=0, type="ok")]
        if planted:
            expected["read-your-writes"] += kind == "r" and seen["w"]
            expected["monotonic-reads"] += kind == "r" and seen["r"]
            expected["monotonic-writes"] += kind == "w" and seen["w"]
            expected["writes-follow-reads"] += kind == "w" and seen["r"]
        else:
            seen[kind] = True
    history = History.from_ops(ops)
    for name, count in expected.items():
        details = CHECKERS[name](order="versions").check(history).details
        assert details[f"{name.replace('-', '_')}_count"] == count

"""A set and its last read: every outcome, and its nearest clean neighbour."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import Set
from histories import History, Json, Op
from tests.checker.drawing import drawn
from tests.evidence.outcomes import kinds, why

CASES: dict[str, tuple[str, Any, dict[str, list[Json]]]] = {
    "all there": (
        """
        0 |-add 1-|  |-read [1,2]-|
        1 |-add 2-|
        """,
        True,
        {},
    ),
    "an acknowledged element is lost": (
        """
        0 |-add 1-|  |-read [1]-|
        1 |-add 2-|
        """,
        False,
        {"lost": [2]},
    ),
    "only the last read counts": (
        """
        0 |-add 1-|  |-read []-|  |-read [1]-|
        """,
        True,
        {},
    ),
    "an addition in doubt may be missing": (
        """
        0 |-add 1-|  |-read [1]-|
        1 |-add 2-...
        """,
        True,
        {},
    ),
    "an addition in doubt that is there is recovered": (
        """
        0 |-add 1-|  |-read [1,2]-|
        1 |-add 2-...
        """,
        True,
        {"recovered": [2]},
    ),
    "a failed addition is not there": (
        """
        0 |-add 1-|  |-read [1]-|
        1 |-add 2-x
        """,
        True,
        {},
    ),
    "a failed addition that is there is unexpected": (
        """
        0 |-add 1-|  |-read [1,2]-|
        1 |-add 2-x
        """,
        False,
        {"unexpected": [2]},
    ),
    "an element from nowhere is unexpected": (
        "0 |-add 1-|  |-read [1,7]-|",
        False,
        {"unexpected": [7]},
    ),
    "an addition during the read may be seen": (
        """
        0 |-add 1-|  |-read [1,2]-|
        1               |-add 2-|
        """,
        True,
        {},
    ),
    "an addition after the read cannot have been seen": (
        """
        0 |-add 1-|  |-read [1,2]-|
        1                            |-add 2-|
        """,
        False,
        {"unexpected": [2]},
    ),
    "an addition acknowledged during the read may be missing": (
        """
        0 |-add 1-|  |-read [1]-|
        1         |-add 2-|
        """,
        True,
        {"late": [2]},
    ),
    "an addition acknowledged just as the read begins may be missing": (
        """
        0 |-add 1-|  |-read [1]-|
        1   |-add 2--|
        """,
        True,
        {"late": [2]},
    ),
    "twice in one read": (
        "0 |-add 1-|  |-read [1,1]-|",
        False,
        {"duplicated": [1]},
    ),
    "added twice, there once": (
        """
        0 |-add 1-|  |-read [1]-|
        1 |-add 1-|
        """,
        True,
        {},
    ),
    "failed once, acknowledged once": (
        """
        0 |-add 1-|  |-read [1]-|
        1 |-add 1-x
        """,
        True,
        {},
    ),
    "texts and lists are elements, too": (
        """
        0 |-add "a"-|  |-read ["a",[1,"b"],1]-|
        1 |-add [1,"b"]-|
        2 |-add "1"-...
        3 |-add 1-|
        """,
        True,
        {},
    ),
    "a number is not its text": (
        """
        0 |-add 1-|  |-read ["1"]-|
        """,
        False,
        {"lost": [1], "unexpected": ["1"]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_outcomes(name: str) -> None:
    drawing, valid, expected = CASES[name]
    verdict = Set().check(drawn(drawing))
    assert (verdict.valid, kinds(verdict)) == (valid, expected)
    assert bool(verdict.counterexamples) is (valid is False)


@pytest.mark.parametrize(
    "drawing",
    ["0 |-add 1-|", "0 |-add 1-|  |-read [1]-...", "0 |-add 1-x  |-read []-|", "0 |-read []-|"],
)
def test_a_set_that_nobody_read_or_nobody_filled_shows_nothing(drawing: str) -> None:
    verdict = Set().check(drawn(drawing))
    assert (verdict.valid, why(verdict)) == ("unknown", "vacuous")


def test_an_empty_history_shows_nothing() -> None:
    assert why(Set().check(History.from_ops([]))) == "vacuous"


def test_the_nemesis_is_no_client() -> None:
    history = History.from_ops(
        [
            Op("add", 9, process="nemesis"),
            Op("add", 9, process="nemesis", type="info"),
            *_adds([1]),
            *_read([1]),
        ]
    )
    assert Set().check(history).details["attempted"] == 1


def test_the_sentence_tells_who_added_it_and_who_missed_it() -> None:
    [found] = Set().check(drawn(CASES["an acknowledged element is lost"][0])).counterexamples
    assert "element 2 is lost" in found.sentence
    assert "add 2 by process 1" in found.sentence
    assert [event.value for event in found.operations] == [2, 2, None, [1]]


@given(
    st.sets(st.integers() | st.text(max_size=3), min_size=1, max_size=60),
    st.data(),
)
def test_as_many_troubles_are_found_as_were_planted(
    elements: set[Json], data: st.DataObject
) -> None:
    added = sorted(elements, key=repr)
    lost = data.draw(st.lists(st.sampled_from(added), unique=True, max_size=len(added) - 1))
    alien = [["alien", n] for n in range(data.draw(st.integers(0, 5)))]
    read = data.draw(st.permutations([each for each in added if each not in lost] + alien))
    verdict = Set().check(History.from_ops([*_adds(added), *_read(read)]))
    assert verdict.details["lost_count"] == len(lost)
    assert verdict.details["unexpected_count"] == len(alien)
    assert verdict.valid is not bool(lost or alien)


def _adds(elements: list[Json]) -> list[Op]:
    return [
        op
        for each in elements
        for op in (Op("add", each, process=0), Op("add", each, process=0, type="ok"))
    ]


def _read(elements: list[Json]) -> list[Op]:
    return [Op("read", process=0), Op("read", elements, process=0, type="ok")]

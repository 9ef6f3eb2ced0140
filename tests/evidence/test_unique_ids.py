"""Ids: unique, or not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import UniqueIds
from histories import History, Json, Op
from tests.checker.drawing import drawn


def judged(drawing: str) -> tuple[bool | str, Json]:
    verdict = UniqueIds().check(drawn(drawing))
    return verdict.valid, [each["element"] for each in verdict.details["duplicated"]]


def test_ids_that_differ_are_unique() -> None:
    assert judged("""
        0 |-generate>1-| |-generate>2-|
        1   |-generate>3-|
    """) == (True, [])


def test_an_id_that_two_clients_were_given_is_not() -> None:
    assert judged("""
        0 |-generate>1-| |-generate>2-|
        1   |-generate>2-|
    """) == (False, [2])


def test_a_number_and_its_text_are_two_ids() -> None:
    assert judged('0 |-generate>1-| |-generate>"1"-|') == (True, [])


@pytest.mark.parametrize("end", ["x", "..."])
def test_what_nobody_was_told_is_no_id(end: str) -> None:
    assert judged(f"""
        0 |-generate>1-| |-generate>2-|
        1   |-generate>2-{end}
    """) == (True, [])


def test_no_id_is_no_duplicate() -> None:
    history = drawn("0 |-generate>null-| |-generate>null-| |-generate>1-| |-generate>2-|")
    assert UniqueIds().check(history).valid is True


@pytest.mark.parametrize("drawing", ["0 |-generate>1-|", "0 |-read 1-| |-read 1-|"])
def test_fewer_than_two_ids_show_nothing(drawing: str) -> None:
    verdict = UniqueIds().check(drawn(drawing))
    assert verdict.valid == "unknown"
    assert verdict.unknown is not None
    assert verdict.unknown.cause == "vacuous"


def test_the_sentence_names_both_who_were_given_the_id() -> None:
    verdict = UniqueIds().check(
        drawn("""
        0 |-generate>7-|
        1                  |-generate>7-|
    """)
    )
    [found] = verdict.counterexamples
    assert "The id 7 was generated 2 times" in found.sentence
    assert [event.process for event in found.operations] == [0, 1]
    assert verdict.details["attempted"] == verdict.details["acknowledged"] == 2


@given(st.sets(st.integers() | st.text(), min_size=2), st.data())
def test_as_many_duplicates_are_found_as_were_planted(ids: set[Json], data: st.DataObject) -> None:
    given_out = sorted(ids, key=repr)
    again = data.draw(st.lists(st.sampled_from(given_out), unique=True))
    order = data.draw(st.permutations(given_out + again))
    ops = [
        each
        for id in order
        for each in (Op("generate", process=0), Op("generate", id, process=0, type="ok"))
    ]
    verdict = UniqueIds().check(History.from_ops(ops))
    assert verdict.valid is not bool(again)
    assert verdict.details["duplicated_count"] == len(again)
    assert {repr(each["element"]) for each in verdict.details["duplicated"]} <= set(
        map(repr, again)
    )

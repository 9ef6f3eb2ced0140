"""Rows that are remembered for the next invariant, against rows made anew for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker import Verdict
from checker import invariants as inv
from checker.evidence import Checker, compose
from checker.invariants import where
from checker.invariants._rows import _made
from histories import History
from tests.invariants.observed import MS, Story, shards

SAID = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from(["n1", "n2"]), st.integers(0, 3)), max_size=6
)
LIKE_IT: dict[str, Callable[[History], History]] = {
    "itself": lambda history: history,
    "another object of the same columns": replace,
    "a cut": lambda history: history.between(2 * MS, 7 * MS),
    "all of it, cut": lambda history: history.between(0, 20 * MS),
    "with other times": lambda history: replace(history, time=history.time + MS),
    "with other nodes": lambda history: replace(history, node=history.node[::-1].copy()),
    "with other names": lambda history: replace(
        history, node_names=[name + "'" for name in history.node_names]
    ),
    "with other words for processes": lambda history: replace(
        history, process_names=["nemesis"] * len(history.process_names)
    ),
    "with values of others": lambda history: replace(history, value=history.value[::-1].copy()),
    "told by clients": lambda history: replace(history, process=history.process * 0),
    "with values of another table": lambda history: replace(
        history, values=told([(9, "n1", 0)]).values, value=history.value.clip(max=0)
    ),
    "with other outcomes": lambda history: replace(history, type=history.type * 0 + 2),
}


def told(said: list[tuple[int, str, int]]) -> History:
    """Of a node's shards, where the term is odd."""
    story = Story()
    for at, node, term in said:
        story.says(at, node, **(shards(x={"term": term}) if term % 2 else {"term": term}))
    return story.history()


@given(
    st.tuples(SAID, SAID),
    st.lists(st.tuples(st.integers(0, 1), st.sampled_from(sorted(LIKE_IT))), max_size=12),
)
def test_rows_are_those_of_the_history_that_is_asked_for(
    said: tuple[Any, Any], asked: list[tuple[int, str]]
) -> None:
    histories = [told(each) for each in said]
    for which, like in asked:
        first = histories[which]
        assert inv.rows_of(first) == _made(first)
        history = LIKE_IT[like](first)
        assert inv.rows_of(history) == _made(history), like


class Meanwhile:
    """A history; whenever one of its columns is looked up, somebody else asks for other rows."""

    def __init__(self, history: History, other: History) -> None:
        self._history, self._other = history, other
        self._expected = _made(other)

    def __getattr__(self, name: str) -> Any:
        assert inv.rows_of(self._other) == self._expected
        return getattr(self._history, name)


@pytest.mark.parametrize("known", [True, False])
def test_threads_are_not_given_rows_of_each_other(known: bool) -> None:
    """One of the two is stopped wherever it looks, and the other one goes on."""
    one, other = told([(5, "n1", 2)]), told([(5, "n1", 3)])
    inv.rows_of(one if known else other)
    assert inv.rows_of(cast(History, Meanwhile(one, other))) == _made(one)
    assert inv.rows_of(one) == _made(one)
    assert inv.rows_of(other) == _made(other)


INVARIANTS: dict[str, Checker] = {
    "terms": inv.terms_never_go_back(),
    "writes": inv.accepts_only(where(term=2)),
    "one": inv.at_most_one(where(term=2), "shard"),
}


@pytest.mark.parametrize("limits", [{}, {"time_limit_s": 60.0, "jobs": 2}])
def test_invariants_together_say_what_each_says_by_itself(limits: dict[str, Any]) -> None:
    """Rows are made before processes are forked off, of the right history, also the second time."""
    for term in (1, 2):
        story = Story().says(1, "n1", term=3).says(9, "n1", term=term).writes(3, 5, "n1")
        history = story.history()
        together = compose(INVARIANTS, **limits).check(history)
        for name, invariant in INVARIANTS.items():
            alone, part = invariant.check(story.history()), together.parts[name]
            assert (part.valid, part.details) == (alone.valid, alone.details)
            assert part.counterexamples == alone.counterexamples


class Unprepared:
    """A checker whose preparation fails; that is no matter if it can judge."""

    name = "unprepared"

    def prepare(self, history: History) -> None:
        raise RuntimeError(f"not of {len(history)} events")

    def check(self, history: History) -> Verdict:
        return Verdict(False, self.name, operations=len(history))


def test_who_cannot_prepare_judges_all_the_same() -> None:
    verdict = compose({"own": Unprepared(), **INVARIANTS}, time_limit_s=60).check(told([]))
    assert verdict.parts["own"].valid is False

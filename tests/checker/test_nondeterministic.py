"""Models whose steps have a choice, drawn by hand: what may be torn, retried, shuffled."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

import checker
from checker import Call, ModelError, NondeterministicModel
from checker._nondeterministic import Possible
from tests.checker.choices import WILFUL
from tests.checker.drawing import drawn

DRAWN = {
    ("torn", "a write that was answered is whole"): (
        False,
        """
        0 |-write bb-|
        1              |-read ba-|
    """,
    ),
    ("torn", "one that was not may have changed one letter only"): (
        True,
        """
        0 |-write bb-...
        1                 |-read ba-|
    """,
    ),
    ("torn", "or both, or none"): (
        True,
        """
        0 |-write bb-...
        1                 |-read aa-| |-read bb-|
    """,
    ),
    ("torn", "but it chooses once: who has seen it whole sees it whole"): (
        False,
        """
        0 |-write bb-...
        1                 |-read bb-| |-read ba-|
    """,
    ),
    ("torn", "a read throws out the other choices, so it must not be taken too early"): (
        True,
        """
        0 |-write bb-...
        1 |------------------read ba------------------|
        2                 |-read aa-| |-write cc-...
        3                                                |-read ca-|
    """,
    ),
    ("torn", "a letter that nobody wrote"): (
        False,
        """
        0 |-write bb-...
        1                 |-read ca-|
    """,
    ),
    ("retried", "an addition that was answered was done once"): (
        False,
        """
        0 |-add 1-| |-read 2-|
    """,
    ),
    ("retried", "one that was not may have been done twice"): (
        True,
        """
        0 |-add 1-...
        1              |-read 2-|
    """,
    ),
    ("retried", "but not three times"): (
        False,
        """
        0 |-add 1-...
        1              |-read 3-|
    """,
    ),
    ("retried", "nor once, and once more later"): (
        False,
        """
        0 |-add 1-...
        1              |-read 1-| |-read 2-|
    """,
    ),
    ("retried", "two of them may make three"): (
        True,
        """
        0 |-add 1-...
        1 |-add 1-...
        2              |-read 3-|
    """,
    ),
    ("shuffled", "neighbours may change places"): (
        True,
        """
        0 |-enqueue 1-| |-enqueue 2-|
        1                              |-dequeue >2-| |-dequeue >1-|
    """,
    ),
    ("shuffled", "or stay"): (
        True,
        """
        0 |-enqueue 1-| |-enqueue 2-|
        1                              |-dequeue >1-| |-dequeue >2-|
    """,
    ),
    ("shuffled", "nobody slips past two"): (
        False,
        """
        0 |-enqueue 1-| |-enqueue 2-| |-enqueue 3-|
        1                                            |-dequeue >3-|
    """,
    ),
    ("shuffled", "what is inside is there for one dequeue"): (
        False,
        """
        0 |-enqueue 1-| |-enqueue 2-|
        1                              |-dequeue >2-| |-dequeue >2-|
    """,
    ),
}


@pytest.mark.parametrize(
    ("name", "valid", "drawing"),
    [
        pytest.param(name, valid, drawing, id=f"{name}: {told}")
        for (name, told), (valid, drawing) in DRAWN.items()
    ],
)
def test_drawn_histories(name: str, valid: bool, drawing: str) -> None:
    history, model = drawn(drawing), WILFUL[name].model
    verdict = checker.linearizable(history, model)
    assert verdict.valid is valid
    if valid:
        assert checker.verify(history, model, verdict.certificates) is None


def test_the_states_shown_are_single_states_and_the_sets_are_marked() -> None:
    history = drawn("""
        0 |-write bb-...
        1                 |-read cc-|
    """)
    verdict = checker.linearizable(history, WILFUL["torn"].model)
    [found] = verdict.counterexamples
    assert sorted(map(str, found.states)) == ["aa", "ba", "bb"]
    assert found.sentence.startswith('Process 1 read "cc", but no order of the operations')
    shown = [configuration["state"] for configuration in found.configurations]
    assert sorted(map(str, shown)) == ["aa", "{'one of': ['bb', 'ba']}"]
    history = drawn("""
        0 |-write bb-...
        1                 |-read bb-| |-read ba-|
    """)
    [found] = checker.linearizable(history, WILFUL["torn"].model).counterexamples
    assert found.states == ("bb",)
    msgspec.json.encode(verdict)


def test_a_certificate_that_no_choices_explain_is_refused() -> None:
    history = drawn("""
        0 |-write bb-...
        1                 |-read ba-| |-read bb-|
    """)
    model = WILFUL["torn"].model
    order = checker.Linearization(None, np.array([0, 2, 4], dtype=np.uint32))
    assert "does not allow the operation of event 4" in (
        checker.verify(history, model, [order]) or ""
    )


def test_sets_are_equal_whatever_the_order_and_told_apart_by_type() -> None:
    assert Possible([1, 2, 1]) == Possible([2, 1])
    assert hash(Possible([1, 2])) == hash(Possible([2, 1]))
    assert Possible([1]) != Possible([True])
    assert Possible([[1], {"a": 1}]) == Possible([{"a": 1}, [1]])


@pytest.mark.parametrize("answer", [None, "ab", {"a": 1}, checker.ILLEGAL])
def test_a_step_that_answers_no_list_of_states_is_told_so(answer: Any) -> None:
    def step(_state: Any, _call: Call) -> Any:
        return answer

    with pytest.raises(ModelError, match="all states that may follow"):
        checker.linearizable(drawn("0 |-read 1-|"), NondeterministicModel("odd", [0], step))


def test_a_model_begins_somewhere() -> None:
    nowhere = NondeterministicModel("nowhere", [], lambda state, _call: [state])
    with pytest.raises(ModelError, match="no initial state"):
        checker.linearizable(drawn("0 |-read 1-|"), nowhere)


def test_a_step_may_be_a_generator() -> None:
    def step(state: int, call: Call) -> Any:
        if call.f == "write":
            yield call.argument
            yield state
        elif state == call.result:
            yield state

    forgetful = NondeterministicModel("forgetful register", {0}, step)
    history = drawn("0 |-write 1-| |-read 0-| |-write 2-| |-read 2-|")
    assert checker.linearizable(history, forgetful).valid is True
    history = drawn("0 |-write 1-| |-read 0-| |-read 1-|")
    assert checker.linearizable(history, forgetful).valid is False

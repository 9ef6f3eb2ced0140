"""What is guessed of a model in Python makes no verdict wrong, whatever the model does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from checker import ILLEGAL, Call, Model, linearizable, verify
from checker import _guessing as guessing
from checker import _searching as searching
from checker._asking import Asking
from checker._guessing import Guess, guessed
from histories import Event, History, Json
from tests.checker.bruteforce import defined_by, operations
from tests.checker.bruteforce import linearizable as by_definition
from tests.checker.test_random_models import histories, models

Step = Callable[[Any, Call], Any]


@contextlib.contextmanager
def eagerly(calls: int = 24) -> Iterator[list[Guess | None]]:
    """Nothing is found out for sure, and all is guessed that can be of so many calls; what was."""
    made: list[Guess | None] = []

    def listening(*asked: Any) -> Guess | None:
        made.append(guessed(*asked))
        return made[-1]

    with (
        mock.patch.object(Asking, "never_change", return_value=None),
        mock.patch.object(guessing, "CLASSES_MIN", 0),
        mock.patch.object(guessing, "_LEGAL_MIN", 1),
        mock.patch.object(guessing, "_CALLS", calls),
        mock.patch.object(guessing, "_STATES", calls),
        mock.patch.object(searching, "guessed", listening),
    ):
        yield made


def register(state: Any, call: Call) -> Any:
    if call.f == "write":
        return call.argument
    return state if not call.completed or call.result == state else ILLEGAL


def in_turn(*done: tuple[str, Json]) -> History:
    """One client's operations, one after the other: ("write", argument), ("read", answer)."""
    events: list[Event] = []
    for f, value in done:
        argument, answer = (value, None) if f == "write" else (None, value)
        time = len(events)
        events.append(Event(time, time, 0, "invoke", f, None, argument))
        events.append(Event(time + 1, time + 1, 0, "ok", f, None, answer))
    return History.from_events(events)


def usual(seed: int) -> list[tuple[str, Json]]:
    """Writes of different values, each read afterwards or not."""
    random = Random(seed)
    done: list[tuple[str, Json]] = []
    for value in range(1, 40):
        done.append(("write", value))
        done += [("read", value)] * random.randrange(3)
    return done


@settings(max_examples=200)
@given(models(), histories())
def test_models_drawn_at_random_are_judged_as_they_are_defined(
    model: Model, history: History
) -> None:
    expected = by_definition(operations(history), defined_by(model), model.initial)
    with eagerly(calls=2):
        verdict = linearizable(history, model, core=False)
    assert verdict.valid is expected
    if expected:
        assert verify(history, model, verdict.certificates) is None


@settings(max_examples=200)
@given(models(), histories(), st.integers(0, 30))
def test_also_where_states_are_lists_and_some_answers_were_known_before(
    model: Model, history: History, asked_max: int
) -> None:
    """Then every answer comes by way of `Asking`, which may know it without asking again."""

    def step(state: Any, call: Call) -> Any:
        after = model.step(state[0], call)
        return ILLEGAL if after is ILLEGAL else [after]

    boxed = Model("in lists", [model.initial], step)
    expected = by_definition(operations(history), defined_by(model), model.initial)
    with (
        mock.patch.object(searching, "_ASKED_MAX", asked_max),
        mock.patch.object(guessing, "CLASSES_MIN", 0),
        mock.patch.object(guessing, "_LEGAL_MIN", 1),
        mock.patch.object(guessing, "_CALLS", 1),
        mock.patch.object(guessing, "_STATES", 1),
    ):
        verdict = linearizable(history, boxed, core=False)
    assert verdict.valid is expected
    if expected:
        assert verify(history, boxed, verdict.certificates) is None


def test_a_read_of_a_register_is_guessed_to_change_nothing_and_to_need_its_own_state() -> None:
    with eagerly() as made:
        assert linearizable(in_turn(*usual(1)), Model("register", 0, register)).valid is True
    (guess,) = made
    assert guess is not None
    assert guess.read_only.any()
    assert (guess.only >= 0).any()


def test_a_read_may_be_legal_in_a_state_of_which_it_was_guessed_that_it_is_not() -> None:
    def forgetful(state: Any, call: Call) -> Any:
        return state if call.f == "read" and state == "old" else register(state, call)

    history = in_turn(*usual(2), ("write", "old"), ("read", 7))
    with eagerly(calls=5) as made:
        assert linearizable(history, Model("forgetful", 0, forgetful)).valid is True
    assert made[0] is not None


def test_a_read_that_changes_something_after_all_refutes_the_guess() -> None:
    def once(state: Any, call: Call) -> Any:
        return (
            0 if (call.f, state, call.result) == ("read", "once", "once") else register(state, call)
        )

    done = [*usual(3), ("write", "once"), ("read", "once")]
    with eagerly(calls=5) as made:
        model = Model("once", 0, once)
        assert linearizable(in_turn(*done, ("read", 0)), model).valid is True
        assert linearizable(in_turn(*done, ("read", "once")), model).valid is False
    assert len(made) > 2, "each time there was a guess, it was refuted, and there was another"


def test_a_step_that_cannot_be_taken_in_some_states_stops_the_guessing_only() -> None:
    def touchy(state: Any, call: Call) -> Any:
        if call.f == "read" and state == 0:
            raise RuntimeError("nobody reads that here")
        return register(state, call)

    with eagerly() as made:
        assert linearizable(in_turn(*usual(4)), Model("touchy", 0, touchy)).valid is True
    assert made == [None]


def test_what_was_answered_before_there_was_a_guess_refutes_it_as_well() -> None:
    def once(state: Any, call: Call) -> Any:
        # States are lists, so the engine asks for each answer by way of `Asking`; the one
        # read that changes something does so in the initial state, which was looked at first.
        if call.f == "read" and call.result == "first":
            return ["changed"] if state == [0] else ILLEGAL
        if call.f == "write":
            return [call.argument]
        return state if state == [call.result] else ILLEGAL

    done: list[tuple[str, Json]] = [("read", "first")]
    for value in range(1, 40):
        done += [("write", value), ("read", value)]
    model = Model("once", [0], once)
    with (
        mock.patch.object(guessing, "CLASSES_MIN", 0),
        mock.patch.object(guessing, "_LEGAL_MIN", 1),
        mock.patch.object(
            guessing, "_some", lambda _random, members, count: members[1 : count + 1]
        ),
        mock.patch.object(searching, "_ASKED_MAX", 100),
    ):
        assert linearizable(in_turn(*done), model).valid is True
        unread = in_turn(("read", "first"), ("read", 0), *done[1:])
        assert linearizable(unread, model).valid is False

"""When locks, semaphores, leases and counters have a monitor, and what their models refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import checker
from checker import Model, ModelError
from checker._linearizable import ALGORITHMS
from tests.checker.drawing import drawn
from tests.checker.test_counters import COUNTER
from tests.checker.test_leases import LEASE
from tests.checker.test_locks import LOCK, REENTRANT, SEMAPHORE_OF_2

DRAWN = [
    (checker.lock(), LOCK),
    (checker.reentrant_lock(), REENTRANT),
    (checker.semaphore(2), SEMAPHORE_OF_2),
    (checker.lease(), LEASE),
    (checker.counter(), COUNTER),
]


def algorithm_for(drawing: str, model: Model) -> str | None:
    return checker.linearizable(drawn(drawing), model).algorithm


def test_the_monitor_is_picked_by_itself() -> None:
    names = ["lock", "lock", "semaphore", "lease", "counter"]
    for (model, table), name in zip(DRAWN, names, strict=True):
        _, drawing = next(iter(table.values()))
        assert algorithm_for(drawing, model) == ALGORITHMS[name]
        named = checker.linearizable(drawn(drawing), model, algorithm=name)
        assert named.algorithm == ALGORITHMS[name]


def test_what_meets_no_conditions_is_left_to_the_general_search() -> None:
    again = "0 |-acquire-... |-release-| |-acquire-|"
    assert algorithm_for(again, checker.lock()) == ALGORITHMS["jit"]
    assert checker.linearizable(drawn(again), "lock").valid is True, "it had acquired it"
    sizes = "0 |-acquire 2-| |-release-|"
    assert algorithm_for(sizes, checker.semaphore(2)) == ALGORITHMS["jit"]
    assert algorithm_for("0 |-add 1-| |-add 2-|", checker.counter()) == ALGORITHMS["jit"]


@pytest.mark.parametrize(
    ("model", "drawing", "told"),
    [
        ("lock", "0 |-lock-|", "no operation 'lock', only acquire and release"),
        ("lock", "0 |-acquire > false-|", "refused did not happen: record it as `fail`"),
        ("semaphore", "0 |-acquire 0-|", "permits are counted by an integer from 1"),
        ("lease", "0 |-acquire > abc-|", "a token is an integer"),
        ("lease", "0 |-use 1 > maybe-|", "a use answers true or false"),
        ("counter", "0 |-add abc-|", "what is added is an integer"),
        ("counter", "0 |-inc-|", "a counter has no operation 'inc', only add and read"),
    ],
)
def test_operations_that_do_not_fit_are_told(model: str, drawing: str, told: str) -> None:
    for chosen in (checker.MODELS[model](None), replace(checker.MODELS[model](None), native=None)):
        with pytest.raises(ModelError, match=told):
            checker.linearizable(drawn(drawing), chosen)


@pytest.mark.parametrize(
    ("model", "initial"),
    [("lock", 1), ("semaphore", -1), ("semaphore", "two"), ("lease", "x"), ("counter", 0.5)],
)
def test_initial_values_that_make_no_sense_are_told(model: str, initial: Any) -> None:
    with pytest.raises(ValueError, match=r"begins with|is empty or free at first"):
        checker.linearizable(drawn("0 |-acquire-|"), model, initial=initial)


def test_initial_values() -> None:
    assert checker.linearizable(drawn("0 |-read 7-|"), "counter", initial=7).valid is True
    assert checker.linearizable(drawn("0 |-use 7 > true-|"), "lease", initial=7).valid is True
    assert checker.linearizable(drawn("0 |-acquire > 7-|"), "lease", initial=7).valid is False
    assert checker.linearizable(drawn("0 |-acquire-|"), "semaphore", initial=0).valid is False

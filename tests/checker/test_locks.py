"""Locks, semaphores, leases and counters drawn by hand, each beside its nearest neighbour.

See `drawing` for how to read the drawings.  All is free at first, and counters hold 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import checker
from checker import Model, ModelError, verify
from checker._linearizable import ALGORITHMS
from tests.checker.drawing import drawn

LOCK = {
    "one after the other": (
        True,
        """
        0 |-acquire-|   |-release-|
        1                            |-acquire-|
    """,
    ),
    "not two at once": (
        False,
        """
        0 |-acquire-|               |-release-|
        1              |-acquire-|
    """,
    ),
    "an acquire that waits for the release": (
        True,
        """
        0 |-acquire-|               |-release-|
        1              |-----acquire-----|
    """,
    ),
    "nobody releases what is free": (False, "0 |-release-|"),
    "nor twice": (False, "0 |-acquire-| |-release-| |-release-|"),
    "it can be acquired again when it is free": (
        True,
        "0 |-acquire-| |-release-| |-acquire-|",
    ),
    "not by its holder": (False, "0 |-acquire-| |-acquire-|"),
    "nor released by another": (
        False,
        """
        0 |-acquire-|
        1              |-release-|
    """,
    ),
    "two that hold it for a moment each": (
        True,
        """
        0 |-acquire-|
        0           |-release-|
        1 |-acquire-|
        1           |-release-|
    """,
    ),
    "but not if one of them holds it longer": (
        False,
        """
        0 |-acquire-|  |-release-|
        1 |-acquire-|  |-release-|
    """,
    ),
    "a short hold fits before a long one": (
        True,
        """
        0 |-----acquire-----|        |-release-|
        1     |-acquire-| |-release-|
    """,
    ),
    "and not inside": (
        False,
        """
        0 |-acquire-|                                |-release-|
        1              |-acquire-|    |-release-|
    """,
    ),
    "a crashed acquire may never have happened": (
        True,
        """
        0 |-acquire-...
        1                 |-acquire-|
    """,
    ),
    "a crashed release may have happened": (
        True,
        """
        0 |-acquire-| |-release-...
        1                             |-acquire-|
    """,
    ),
    "but only after it was invoked": (
        False,
        """
        0 |-acquire-|              |-release-...
        1              |-acquire-|
    """,
    ),
    "and only once": (
        False,
        """
        0 |-acquire-| |-release-...
        1                           |-acquire-|
        2                                       |-acquire-|
    """,
    ),
    "a failed acquire did not happen": (
        True,
        """
        0 |-acquire-|
        1              |-acquire-x
    """,
    ),
}

REENTRANT = {
    "the holder may acquire it again": (True, "0 |-acquire-| |-acquire-|"),
    "another may not": (
        False,
        """
        0 |-acquire-|
        1             |-acquire-|
    """,
    ),
    "it is free after as many releases": (
        True,
        """
        0 |-acquire-| |-acquire-| |-release-| |-release-|
        1                                                   |-acquire-|
    """,
    ),
    "and not before": (
        False,
        """
        0 |-acquire-| |-acquire-| |-release-|              |-release-|
        1                                      |-acquire-|
    """,
    ),
    "nor after more": (False, "0 |-acquire-| |-release-| |-release-|"),
    "another waits for the last release": (
        True,
        """
        0 |-acquire-| |-acquire-| |-release-|              |-release-|
        1                                      |----acquire----|
    """,
    ),
    "nobody gets in between the two acquires": (
        False,
        """
        0 |-acquire-|                                 |-acquire-|
        1              |-acquire-|     |-release-|
    """,
    ),
    "unless it had been free there": (
        True,
        """
        0 |-acquire-| |-release-|                           |-acquire-|
        1                          |-acquire-| |-release-|
    """,
    ),
    "a crashed second acquire does not matter": (
        True,
        """
        0 |-acquire-| |-release-| |-acquire-...
        1                                       |-acquire-|
    """,
    ),
    "a crashed release may free it": (
        True,
        """
        0 |-acquire-| |-acquire-| |-release-| |-release-...
        1                                                   |-acquire-|
    """,
    ),
    "but not while it is held twice": (
        False,
        """
        0 |-acquire-| |-acquire-| |-release-...
        1                                       |-acquire-|
    """,
    ),
    "only the holder releases": (
        False,
        """
        0 |-acquire-| |-acquire-|
        1                          |-release-|
    """,
    ),
}

SEMAPHORE_OF_2 = {
    "two at once": (
        True,
        """
        0 |-acquire-|
        1             |-acquire-|
    """,
    ),
    "not three": (
        False,
        """
        0 |-acquire-|
        1             |-acquire-|
        2                         |-acquire-|
    """,
    ),
    "the third waits for somebody's release": (
        True,
        """
        0 |-acquire-|                |-release-|
        1             |-acquire-|
        2                         |---acquire---|
    """,
    ),
    "anybody may release": (
        True,
        """
        0 |-acquire-|
        1             |-release-|
    """,
    ),
    "but never more permits than there are": (False, "0 |-acquire-| |-release-| |-release-|"),
    "unless one more is acquired meanwhile": (
        True,
        """
        0 |-acquire-| |-release-| |--release--|
        1                          |-acquire-|
    """,
    ),
    "none is released at first": (False, "0 |-release-|"),
    "two permits in one": (
        False,
        """
        0 |-acquire 2-|
        1               |-acquire-|
    """,
    ),
    "and back": (
        True,
        """
        0 |-acquire 2-| |-release 2-|
        1                              |-acquire-|
    """,
    ),
    "not more than there are": (False, "0 |-acquire 3-|"),
    "permits may come back one by one": (True, "0 |-acquire 2-| |-release 1-| |-acquire-|"),
    "a crashed acquire may never have happened": (
        True,
        """
        0 |-acquire-...
        1               |-acquire-|
        2                           |-acquire-|
    """,
    ),
    "or have been what a release gives back": (
        True,
        """
        0 |-acquire-...
        1               |-release-|
    """,
    ),
    "once": (
        False,
        """
        0 |-acquire-...
        1               |-release-| |-release-|
    """,
    ),
    "a crashed release may make room": (
        True,
        """
        0 |-acquire 2-| |-release 2-...
        1                               |-acquire 2-|
    """,
    ),
}

LEASE = {
    "tokens grow": (True, "0 |-acquire > 1-| |-acquire > 5-|"),
    "and do not shrink": (False, "0 |-acquire > 5-| |-acquire > 1-|"),
    "unless the two are concurrent": (
        True,
        """
        0 |-acquire > 5-|
        1  |-acquire > 1-|
    """,
    ),
    "nor is one granted twice": (
        False,
        """
        0 |-acquire > 5-|
        1  |-acquire > 5-|
    """,
    ),
    "the newest token can be used": (True, "0 |-acquire > 1-| |-use 1 > true-|"),
    "one that is fenced off cannot": (
        False,
        """
        0 |-acquire > 1-|                   |-use 1 > true-|
        1                  |-acquire > 2-|
    """,
    ),
    "and is told so": (
        True,
        """
        0 |-acquire > 1-|                   |-use 1 > false-|
        1                  |-acquire > 2-|
    """,
    ),
    "but not before there is a newer one": (False, "0 |-acquire > 1-| |-use 1 > false-|"),
    "a use during the next acquire may go either way": (
        True,
        """
        0 |-acquire > 1-|  |-use 1 > false-|  |-use 1 > false-|
        1                |-acquire > 2-|
        2                 |-use 1 > true-|
    """,
    ),
    "but not back": (
        False,
        """
        0 |-acquire > 1-| |-use 1 > false-| |-use 1 > true-|
        1                  |------------acquire > 2-------------|
    """,
    ),
    "a token that nobody was granted": (False, "0 |-acquire > 1-| |-use 2 > true-|"),
    "may come from an acquire that crashed": (
        True,
        """
        0 |-acquire > 1-|              |-use 2 > true-|
        1                  |-acquire-...
    """,
    ),
    "which may also have fenced off the older one": (
        True,
        """
        0 |-acquire > 1-|                |-use 1 > false-|
        1                  |-acquire-...
    """,
    ),
    "if there was a number left for its token": (
        True,
        """
        0 |-acquire > 1-|                |-use 1 > false-|
        1                  |-acquire-...
        2                                                   |-acquire > 3-|
    """,
    ),
    "and if there was none, it cannot have": (
        False,
        """
        0 |-acquire > 1-|                |-use 1 > false-|
        1                  |-acquire-...
        2                                                   |-acquire > 2-|
    """,
    ),
    "a release changes nothing": (True, "0 |-acquire > 1-| |-release 1-| |-use 1 > true-|"),
    "so the next token is still greater": (
        False,
        "0 |-acquire > 1-| |-release 1-| |-acquire > 1-|",
    ),
}

COUNTER = {
    "what was added is there": (True, "0 |-add 1-| |-add 1-| |-read 2-|"),
    "a lost add": (False, "0 |-add 1-| |-add 1-| |-read 1-|"),
    "an add twice": (False, "0 |-add 1-| |-add 1-| |-read 3-|"),
    "an add that is still open may be missing": (
        True,
        """
        0 |-add 1-| |-read 1-|
        1           |---add 1---|
    """,
    ),
    "or not": (
        True,
        """
        0 |-add 1-| |-read 2-|
        1           |---add 1---|
    """,
    ),
    "but what was seen is there for good": (
        False,
        """
        0 |-----add 1-------------------|
        1  |-read 1-| |-read 0-|
    """,
    ),
    "reads that overlap may see it in either order": (
        True,
        """
        0 |-----add 1-------------------|
        1  |-read 1-|
        2     |-read 0-|
    """,
    ),
    "which add was seen first is open": (
        True,
        """
        0 |----------------add 1---------------|
        1     |-add 1-|    |-read 1-|
    """,
    ),
    "but an add that has returned was not the later one": (
        False,
        """
        0 |----------------add 1---------------|
        1     |-add 1-| |-add 1-| |-read 1-|
    """,
    ),
    "a crashed add may never come": (
        True,
        """
        0 |-add 1-...
        1              |-read 0-|
    """,
    ),
    "or come late": (
        True,
        """
        0 |-add 1-...
        1              |-read 0-| |-read 1-|
    """,
    ),
    "and does not go again": (
        False,
        """
        0 |-add 1-...
        1              |-read 1-| |-read 0-|
    """,
    ),
    "a failed add did not happen": (False, "0 |-add 1-x |-read 1-|"),
    "steps of another size": (True, "0 |-add 5-| |-add 5-| |-read 10-|"),
    "no number of them makes this": (
        False,
        """
        0 |-add 5-| |-read 7-|
        1           |-add 5-|
    """,
    ),
    "down as well": (True, "0 |-add -2-| |-read -2-|"),
    "different steps": (True, "0 |-add 2-| |-add 3-| |-add -1-| |-read 4-|"),
    "do not make just anything": (
        False,
        """
        0 |-add 2-|
        1 |-add 3-|
        2   |-read 4-|
    """,
    ),
    "but any of their sums": (
        True,
        """
        0 |-add 2-|
        1 |-add 3-|
        2   |-read 3-|
    """,
    ),
    "nothing was added": (False, "0 |-read 1-| |-add 0-|"),
}

DRAWN = [
    (checker.lock(), LOCK),
    (checker.reentrant_lock(), REENTRANT),
    (checker.semaphore(2), SEMAPHORE_OF_2),
    (checker.lease(), LEASE),
    (checker.counter(), COUNTER),
]


@pytest.mark.parametrize("way", ["by itself", "general search", "in Python"])
@pytest.mark.parametrize(
    ("model", "drawing", "valid"),
    [
        pytest.param(model, drawing, valid, id=f"{model.name}: {name}")
        for model, table in DRAWN
        for name, (valid, drawing) in table.items()
    ],
)
def test_drawn_histories(model: Model, drawing: str, valid: bool, way: str) -> None:
    history = drawn(drawing)
    chosen = replace(model, native=None) if way == "in Python" else model
    algorithm = "jit" if way == "general search" else "auto"
    verdict = checker.linearizable(history, chosen, algorithm=algorithm)
    assert verdict.valid is valid
    if valid:
        assert verify(history, model, verdict.certificates) is None
    else:
        assert verdict.counterexamples[0].sentence


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

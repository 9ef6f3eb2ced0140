"""What linearizable means, drawn by hand: each history, its verdict, and its nearest neighbour.

See `drawing` for how to read the drawings.  All registers hold 0 at first.
"""

from __future__ import annotations

import dataclasses

import pytest

import checker
from histories import Event, History
from tests.checker.drawing import drawn
from tests.checker.drawn_cases import WAYS, assert_judged, cases

REGISTER = {
    "a read sees the write before it": (
        True,
        """
        0 |-write 1-|
        1             |-read 1-|
    """,
    ),
    "a read after a write does not see what was before": (
        False,
        """
        0 |-write 1-|
        1             |-read 0-|
    """,
    ),
    "a read during a write may see the old value": (
        True,
        """
        0 |---write 1---|
        1    |-read 0-|
    """,
    ),
    "or the new one": (
        True,
        """
        0 |---write 1---|
        1    |-read 1-|
    """,
    ),
    "but once the new one was seen, the old one is gone": (
        False,
        """
        0 |----------write 1-------------|
        1    |-read 1-|
        2                |-read 0-|
    """,
    ),
    "unless the two reads overlap": (
        True,
        """
        0 |----------write 1-------------|
        1    |-read 1-|
        2       |-read 0-|
    """,
    ),
    "intervals are closed: operations that touch are concurrent": (
        True,
        """
        0 |-write 1-|
        1           |-read 0-|
    """,
    ),
    "one instant later they are not": (
        False,
        """
        0 |-write 1-|
        1            |-read 0-|
    """,
    ),
    "two writes in a row, and the first is read": (
        False,
        """
        0 |-write 1-| |-write 2-|
        1                         |-read 1-|
    """,
    ),
    "two writes at once end in either order": (
        True,
        """
        0 |-write 1-|
        1  |-write 2-|
        2              |-read 1-|
    """,
    ),
    "but in one order for everybody": (
        False,
        """
        0 |-write 1-|
        1  |-write 2-|
        2              |-read 1-|
        3                         |-read 2-|
    """,
    ),
    "nobody wrote that": (
        False,
        """
        0 |-write 1-|
        1             |-read 7-|
    """,
    ),
    "a write of the present value may be needed later": (
        True,
        """
        0 |------------write 0------------|
        1   |-write 1-|
        2                |-read 0-|
    """,
    ),
    "and if it has returned before, it is of no use": (
        False,
        """
        0 |-write 0-|
        1             |-write 1-|
        2                         |-read 0-|
    """,
    ),
}

CRASHED = {
    "a crashed write may never take effect": (
        True,
        """
        0 |-write 1-...
        1                |-read 0-|
    """,
    ),
    "or long afterwards": (
        True,
        """
        0 |-write 1-...
        1                |-read 0-| |-read 1-|
    """,
    ),
    "but only once": (
        False,
        """
        0 |-write 1-...
        1                |-read 1-| |-read 0-| |-read 1-|
    """,
    ),
    "two crashed writes take effect twice": (
        True,
        """
        0 |-write 1-...
        1  |-write 1-...
        2                 |-read 1-| |-write 0-| |-read 1-|
    """,
    ),
    "and not three times": (
        False,
        """
        0 |-write 1-...
        1  |-write 1-...
        2      |-read 1-| |-write 0-| |-read 1-| |-write 0-| |-read 1-|
    """,
    ),
    "not before it was invoked": (
        False,
        """
        0                 |-write 1-...
        1 |-read 1-|
    """,
    ),
    "a crashed read constrains nothing": (
        True,
        """
        0 |-read 7-...
        1               |-read 0-|
    """,
    ),
    "a failed write did not happen": (
        False,
        """
        0 |-write 1-x
        1              |-read 1-|
    """,
    ),
    "so the old value is still there": (
        True,
        """
        0 |-write 1-x
        1              |-read 0-|
    """,
    ),
}

CAS = {
    "it sets what it finds": (
        True,
        """
        0 |-cas 0 1-| |-read 1-|
    """,
    ),
    "it cannot have found what was not there": (
        False,
        """
        0 |-cas 1 2-|
    """,
    ),
    "two cannot both find the same value": (
        False,
        """
        0 |-cas 0 1-|
        1  |-cas 0 2-|
    """,
    ),
    "one after the other can, if it comes back": (
        True,
        """
        0 |--cas 0 1--|
        1  |---cas 0 2---|
        2   |--write 0----|
    """,
    ),
    "a mismatch is an observation": (
        True,
        """
        0 |-cas 1 2>false-|
    """,
    ),
    "which may be false": (
        False,
        """
        0 |-cas 0 2>false-|
    """,
    ),
    "unless another value was there for a moment": (
        True,
        """
        0 |---cas 0 2>false---|
        1   |-write 3-|
    """,
    ),
    "a failed one did not happen, whatever was there": (
        True,
        """
        0 |-cas 0 1-x
        1               |-read 0-|
    """,
    ),
    "a crashed one may have found its value": (
        True,
        """
        0 |-cas 0 1-...
        1                |-read 1-|
    """,
    ),
    "or cannot have, as it never was there": (
        False,
        """
        0 |-cas 5 1-...
        1                |-read 1-|
    """,
    ),
    "a crashed one may wait for its value": (
        True,
        """
        0 |-cas 5 1-...
        1                |-write 5-| |-read 1-|
    """,
    ),
    "crashed ones may depend on each other": (
        True,
        """
        0 |-cas 5 6-...
        1 |-write 5-...
        2                |-read 6-|
    """,
    ),
}

KV = {
    "a missing key reads as the empty string": (True, '0 |-get ""-|'),
    "which null says as well": (True, "0 |-get null-|"),
    "appends add up in order": (True, "0 |-append x-| |-append y-| |-get xy-|"),
    "and not in another": (False, "0 |-append x-| |-append y-| |-get yx-|"),
    "unless they overlap": (
        True,
        """
        0 |-append x-|
        1  |-append y-|
        2                |-get yx-|
    """,
    ),
    "a lost append": (False, "0 |-append x-| |-append y-| |-get y-|"),
    "a put forgets what was before": (True, "0 |-append x-| |-put y-| |-append z-| |-get yz-|"),
    "a duplicated append": (False, "0 |-append x-| |-get xx-|"),
    "a crashed append may come late": (
        True,
        """
        0 |-append x-...
        1                 |-append y-| |-get y-| |-get yx-|
    """,
    ),
    "but not twice": (
        False,
        """
        0 |-append x-...
        1                 |-get x-| |-append y-| |-get xyx-|
    """,
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("drawing", "valid"), cases(REGISTER) + cases(CRASHED))
def test_registers(drawing: str, valid: bool, way: str) -> None:
    assert_judged(drawing, valid, checker.register(0), way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("drawing", "valid"), cases(REGISTER) + cases(CRASHED) + cases(CAS))
def test_cas_registers(drawing: str, valid: bool, way: str) -> None:
    assert_judged(drawing, valid, checker.cas_register(0), way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("drawing", "valid"), cases(KV))
def test_strings(drawing: str, valid: bool, way: str) -> None:
    assert_judged(drawing, valid, checker.kv(), way)


def test_a_history_without_any_clock_is_judged_by_its_order() -> None:
    history = History.from_events(
        [
            Event(0, 7, 0, "invoke", "write", None, 1),
            Event(1, 7, 0, "ok", "write", None, 1),
            Event(2, 7, 1, "invoke", "read"),
            Event(3, 7, 1, "ok", "read", None, 0),
        ]
    )
    verdict = checker.linearizable(history, "register", initial=0)
    assert verdict.valid is False
    assert any("time stamps are equal" in note for note in verdict.notes)


def test_ties_are_mentioned() -> None:
    history = drawn(REGISTER["intervals are closed: operations that touch are concurrent"][1])
    assert "closed" in checker.linearizable(history, "register", initial=0).notes[0]


def test_true_is_not_one() -> None:
    history = drawn("0 |-write true-| |-read 1-|")
    for native in ("register", None):
        model = dataclasses.replace(checker.register(0), native=native)
        assert checker.linearizable(history, model).valid is False


def test_the_algorithm_is_named_and_can_be_chosen() -> None:
    distinct = drawn("0 |-write 1-| |-write 2-| |-read 2-|")
    assert checker.linearizable(distinct, "register").algorithm == "zones of distinct writes"
    general = checker.linearizable(distinct, "register", algorithm="jit")
    assert general.algorithm == "just-in-time linearization"
    repeated = drawn("0 |-write 1-| |-write 1-|")
    assert checker.linearizable(repeated, "register").algorithm == "just-in-time linearization"
    with pytest.raises(ValueError, match="do not meet the conditions of the algorithm zones"):
        checker.linearizable(repeated, "register", algorithm="zones")
    with pytest.raises(ValueError, match="try one of auto, jit, monitor, zones"):
        checker.linearizable(repeated, "register", algorithm="magic")


def test_an_operation_that_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(checker.ModelError, match="has no operation 'cas'; use cas-register"):
        checker.linearizable(drawn("0 |-cas 0 1-|"), "register")
    with pytest.raises(checker.ModelError, match=r"a cas is \[from, to\], but here it is 7"):
        checker.linearizable(drawn("0 |-cas 7-|"), "cas-register")
    with pytest.raises(checker.ModelError, match="kv holds strings"):
        checker.linearizable(drawn("0 |-append 7-|"), "kv")
    with pytest.raises(ValueError, match="try one of register, cas-register, kv"):
        checker.linearizable(drawn("0 |-read 0-|"), "regster")

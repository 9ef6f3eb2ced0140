"""What stacks promise, drawn by hand, each with its nearest neighbours.

See `drawing` for how to read the drawings.  ``> null`` is the answer that there was nothing.
All are empty at first, and no element comes twice unless the name says so.
"""

from __future__ import annotations

import pytest

from checker import ALGORITHMS, linearizable, stack
from tests.checker.drawing import drawn
from tests.checker.drawn_cases import WAYS, assert_judged, cases

STACK = {
    "last in, first out": (
        True,
        """
        0 |-push 1-| |-push 2-|
        1                       |-pop > 2-| |-pop > 1-|
    """,
    ),
    "not first in, first out": (
        False,
        """
        0 |-push 1-| |-push 2-|
        1                       |-pop > 1-| |-pop > 2-|
    """,
    ),
    "pushes at once lie in any order": (
        True,
        """
        0 |-push 1-|
        1  |-push 2-|
        2              |-pop > 1-| |-pop > 2-|
    """,
    ),
    "and pops at once take in any order": (
        True,
        """
        0 |-push 1-| |-push 2-|
        1                       |-pop > 1-|
        2                         |-pop > 2-|
    """,
    ),
    "what touches is at once": (
        True,
        """
        0 |-push 1-| |-push 2-|
        1                       |-pop > 1-|
        2                                 |-pop > 2-|
    """,
    ),
    "an instant later it is not": (
        False,
        """
        0 |-push 1-| |-push 2-|
        1                       |-pop > 1-|
        2                                  |-pop > 2-|
    """,
    ),
    "an element may be popped before its push returns": (
        True,
        """
        0 |------push 1------|
        1    |-pop > 1-|
    """,
    ),
    "so one that lies above nobody for long is in nobody's way": (
        True,
        """
        0 |-push 1-|                          |-pop > 1-|
        1             |------push 2------|
        2                |-pop > 2-|
    """,
    ),
    "nothing is popped that was not pushed": (
        False,
        """
        0 |-push 1-|
        1            |-pop > 7-|
    """,
    ),
    "nor twice": (
        False,
        """
        0 |-push 1-|
        1            |-pop > 1-|
        2                        |-pop > 1-|
    """,
    ),
    "what stays at the bottom is no trouble": (
        True,
        """
        0 |-push 1-| |-push 2-|
        1                       |-pop > 2-|
    """,
    ),
    "what stays on top is": (
        False,
        """
        0 |-push 1-| |-push 2-|
        1                       |-pop > 1-|
    """,
    ),
    "what stays beside it may lie below": (
        True,
        """
        0 |-push 1-|
        1        |-push 2-|
        2                   |-pop > 1-|
    """,
    ),
    "three that hang together need one at the bottom": (
        False,
        """
        0 |-push 1-|         |-pop > 1-|
        1           |-push 2-|           |-pop > 2-|
        2                     |-push 3-|             |-pop > 3-|
    """,
    ),
    "the one in the middle may be there but for an instant": (
        True,
        """
        0 |-push 1-|         |-pop > 1-|
        1           |------push 2------|
        2               |-pop > 2-|
        3                     |-----push 3-----|    |-pop > 3-|
    """,
    ),
    "a stack that was never pushed to is empty": (
        True,
        """
        0 |-pop > null-|
        1                |-push 1-|
    """,
    ),
    "it is not while an element is there": (
        False,
        """
        0 |-push 1-|                |-pop > 1-|
        1            |-pop > null-|
    """,
    ),
    "unless its pop has begun": (
        True,
        """
        0 |-push 1-|             |-pop > 1-|
        1            |-pop > null-|
    """,
    ),
    "a crashed push may never happen": (
        True,
        """
        0 |-push 1-...
        1              |-pop > null-|
    """,
    ),
    "or in time for a pop": (
        True,
        """
        0 |-push 1-...
        1              |-pop > null-| |-pop > 1-|
    """,
    ),
    "a crashed pop takes the one on top": (
        True,
        """
        0 |-push 1-| |-push 2-|
        1                       |-pop-...
        2                                 |-pop > 1-|
    """,
    ),
    "but only one": (
        False,
        """
        0 |-push 1-| |-push 2-| |-push 3-|
        1                                  |-pop-...
        2                                            |-pop > 1-|
    """,
    ),
    "and not before it begins": (
        False,
        """
        0 |-push 1-| |-push 2-|
        1                                   |-pop-...
        2                       |-pop > 1-|
    """,
    ),
    "nor from below": (
        False,
        """
        0 |-push 1-| |-push 2-|
        1                       |-pop-...
        2                                 |-pop > 2-| |-pop > 1-|
        3                                                         |-pop > 2-|
    """,
    ),
}


@pytest.mark.parametrize(("drawing", "valid"), cases(STACK))
def test_drawn(drawing: str, valid: bool) -> None:
    for way in WAYS:
        assert_judged(drawing, valid, stack(), way)


WITHOUT_REPETITION = {name: case for name, case in STACK.items() if "twice" not in name}
"""Where no element is put in twice, or taken twice."""


@pytest.mark.parametrize(("drawing", "valid"), cases(WITHOUT_REPETITION))
def test_drawn_without_repetition_the_monitor_decides(drawing: str, valid: bool) -> None:
    verdict = linearizable(drawn(drawing), "stack", algorithm="monitor")
    assert (verdict.valid, verdict.algorithm) == (valid, ALGORITHMS["stack"])

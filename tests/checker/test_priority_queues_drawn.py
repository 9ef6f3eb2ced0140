"""What priority queues promise, drawn by hand, each with its nearest neighbours.

See `drawing` for how to read the drawings.  ``> null`` is the answer that there was nothing.
All are empty at first, and no element comes twice unless the name says so.
"""

from __future__ import annotations

import pytest

from checker import ALGORITHMS, linearizable, priority_queue
from tests.checker.drawing import drawn
from tests.checker.drawn_cases import WAYS, assert_judged, cases

PRIORITY_QUEUE = {
    "the least comes first": (
        True,
        """
        0 |-insert 2-| |-insert 1-|
        1                           |-delete-min > 1-| |-delete-min > 2-|
    """,
    ),
    "whatever came first": (
        False,
        """
        0 |-insert 2-| |-insert 1-|
        1                           |-delete-min > 2-| |-delete-min > 1-|
    """,
    ),
    "before the lesser one is there, the greater one is the least": (
        True,
        """
        0 |-insert 2-|               |-insert 1-|
        1              |-delete-min > 2-|         |-delete-min > 1-|
    """,
    ),
    "no longer when it is": (
        False,
        """
        0 |-insert 2-| |-insert 1-|
        1                           |-delete-min > 2-|
    """,
    ),
    "the greater one may be left": (
        True,
        """
        0 |-insert 2-| |-insert 1-|
        1                           |-delete-min > 1-|
    """,
    ),
    "deletes at once take in any order": (
        True,
        """
        0 |-insert 2-| |-insert 1-|
        1                           |-delete-min > 2-|
        2                               |-delete-min > 1-|
    """,
    ),
    "a delete may wait until the lesser one is gone": (
        True,
        """
        0 |-insert 1-| |-insert 2-|             |-delete-min > 1-|
        1                           |------delete-min > 2------|
    """,
    ),
    "not longer than it is asked to": (
        False,
        """
        0 |-insert 1-| |-insert 2-|                              |-delete-min > 1-|
        1                           |------delete-min > 2------|
    """,
    ),
    "two lesser ones in turn leave no gap": (
        False,
        """
        0 |-insert 3-| |-insert 1-|                |-delete-min > 1-|
        1                           |-insert 2-|                      |-delete-min > 2-|
        2                             |-------delete-min > 3-------|
    """,
    ),
    "or they do": (
        True,
        """
        0 |-insert 3-| |-insert 1-|                |-delete-min > 1-|
        1                           |-------insert 2-------|          |-delete-min > 2-|
        2                             |-------delete-min > 3-------|
    """,
    ),
    "a delete may see an insert that has not returned": (
        True,
        """
        0 |----------insert 1----------|
        1       |-delete-min > 1-|
    """,
    ),
    "but none that has not begun": (
        False,
        """
        0                    |-insert 1-|
        1 |-delete-min > 1-|
    """,
    ),
    "nothing comes out that was not put in": (
        False,
        """
        0 |-insert 1-|
        1              |-delete-min > 0-|
    """,
    ),
    "nor twice": (
        False,
        """
        0 |-insert 1-|
        1              |-delete-min > 1-| |-delete-min > 1-|
    """,
    ),
    "unless it was put in twice": (
        True,
        """
        0 |-insert 1-| |-insert 1-|
        1              |-delete-min > 1-| |-delete-min > 1-|
    """,
    ),
    "numbers are compared, not texts": (
        True,
        """
        0 |-insert 10-| |-insert 9-| |-insert 9.5-|
        1                                           |-delete-min > 9-| |-delete-min > 9.5-|
    """,
    ),
    "ten is not less than nine": (
        False,
        """
        0 |-insert 10-| |-insert 9-|
        1                            |-delete-min > 10-|
    """,
    ),
    "while an element is there, it is not empty": (
        False,
        """
        0 |-insert 1-|                       |-delete-min > 1-|
        1              |-delete-min > null-|
    """,
    ),
    "unless its delete has begun": (
        True,
        """
        0 |-insert 1-|                    |-delete-min > 1-|
        1              |-delete-min > null-|
    """,
    ),
    "a crashed insert may never happen": (
        True,
        """
        0 |-insert 1-...
        1                |-delete-min > null-|
    """,
    ),
    "or late": (
        True,
        """
        0 |-insert 1-...
        1                |-delete-min > null-| |-delete-min > 1-|
    """,
    ),
    "a crashed delete takes the least": (
        True,
        """
        0 |-insert 1-| |-insert 2-|
        1                           |-delete-min-...
        2                                            |-delete-min > 2-|
    """,
    ),
    "not another": (
        False,
        """
        0 |-insert 1-| |-insert 2-|
        1                           |-delete-min-...
        2                              |-delete-min > 1-| |-delete-min > null-| |-delete-min > 2-|
    """,
    ),
    "and only one": (
        False,
        """
        0 |-insert 1-| |-insert 2-| |-insert 3-|
        1                                        |-delete-min-...
        2                                                         |-delete-min > 3-|
    """,
    ),
    "nor before it begins": (
        False,
        """
        0 |-insert 1-| |-insert 2-|
        1                                               |-delete-min-...
        2                           |-delete-min > 2-|
    """,
    ),
}


@pytest.mark.parametrize(("drawing", "valid"), cases(PRIORITY_QUEUE))
def test_drawn(drawing: str, valid: bool) -> None:
    for way in WAYS:
        assert_judged(drawing, valid, priority_queue(), way)


WITHOUT_REPETITION = {name: case for name, case in PRIORITY_QUEUE.items() if "twice" not in name}
"""Where no element is put in twice, or taken twice."""


@pytest.mark.parametrize(("drawing", "valid"), cases(WITHOUT_REPETITION))
def test_drawn_without_repetition_the_monitor_decides(drawing: str, valid: bool) -> None:
    verdict = linearizable(drawn(drawing), "priority-queue", algorithm="monitor")
    assert (verdict.valid, verdict.algorithm) == (valid, ALGORITHMS["priority-queue"])

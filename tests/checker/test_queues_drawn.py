"""What queues promise, drawn by hand, each with its nearest neighbours.

See `drawing` for how to read the drawings.  ``> null`` is the answer that there was nothing.
All are empty at first, and no element comes twice unless the name says so.
"""

from __future__ import annotations

import pytest

from checker import ALGORITHMS, linearizable, queue
from tests.checker.drawing import drawn
from tests.checker.drawn_cases import WAYS, assert_judged, cases

QUEUE = {
    "first in, first out": (
        True,
        """
        0 |-enqueue 1-| |-enqueue 2-|
        1                             |-dequeue > 1-| |-dequeue > 2-|
    """,
    ),
    "not last in, first out": (
        False,
        """
        0 |-enqueue 1-| |-enqueue 2-|
        1                             |-dequeue > 2-| |-dequeue > 1-|
    """,
    ),
    "elements that were enqueued at once come in any order": (
        True,
        """
        0 |-enqueue 1-|
        1   |-enqueue 2-|
        2                 |-dequeue > 2-| |-dequeue > 1-|
    """,
    ),
    "and dequeues at once take in any order": (
        True,
        """
        0 |-enqueue 1-| |-enqueue 2-|
        1                             |-dequeue > 2-|
        2                               |-dequeue > 1-|
    """,
    ),
    "enqueues that touch are at once": (
        True,
        """
        0 |-enqueue 1-|
        1             |-enqueue 2-|
        2                           |-dequeue > 2-| |-dequeue > 1-|
    """,
    ),
    "a dequeue may see an enqueue that has not returned": (
        True,
        """
        0 |--------enqueue 1--------|
        1     |-dequeue > 1-|
    """,
    ),
    "but none that has not begun": (
        False,
        """
        0                 |-enqueue 1-|
        1 |-dequeue > 1-|
    """,
    ),
    "nothing comes out that was not put in": (
        False,
        """
        0 |-enqueue 1-|
        1               |-dequeue > 7-|
    """,
    ),
    "nothing comes out twice": (
        False,
        """
        0 |-enqueue 1-|
        1               |-dequeue > 1-|
        2                               |-dequeue > 1-|
    """,
    ),
    "unless it was put in twice": (
        True,
        """
        0 |-enqueue 1-| |-enqueue 1-|
        1               |-dequeue > 1-|
        2                               |-dequeue > 1-|
    """,
    ),
    "an element that stays is no trouble to those before it": (
        True,
        """
        0 |-enqueue 1-| |-enqueue 2-|
        1                             |-dequeue > 1-|
    """,
    ),
    "but those behind it must wait": (
        False,
        """
        0 |-enqueue 1-| |-enqueue 2-|
        1                             |-dequeue > 2-|
    """,
    ),
    "before anything was enqueued, the queue is empty": (
        True,
        """
        0                    |-enqueue 1-|
        1 |-dequeue > null-|
    """,
    ),
    "while an element is there, it is not": (
        False,
        """
        0 |-enqueue 1-|                    |-dequeue > 1-|
        1               |-dequeue > null-|
    """,
    ),
    "unless the dequeue has begun": (
        True,
        """
        0 |-enqueue 1-|                 |-dequeue > 1-|
        1               |-dequeue > null-|
    """,
    ),
    "two elements in turn leave no gap": (
        False,
        """
        0 |-enqueue 1-|            |-dequeue > 1-|
        1             |-enqueue 2-|                |-dequeue > 2-|
        2               |------dequeue > null-----|
    """,
    ),
    "or they do": (
        True,
        """
        0 |-enqueue 1-|       |-dequeue > 1-|
        1                   |-----enqueue 2-----|    |-dequeue > 2-|
        2               |------dequeue > null-----|
    """,
    ),
    "a crashed enqueue may never happen": (
        True,
        """
        0 |-enqueue 1-...
        1                 |-dequeue > null-|
    """,
    ),
    "or late": (
        True,
        """
        0 |-enqueue 1-...
        1                 |-dequeue > null-| |-dequeue > 1-|
    """,
    ),
    "but once it was seen, it has happened": (
        False,
        """
        0 |-enqueue 1-...
        1                 |-enqueue 2-| |-dequeue > 2-| |-dequeue > 1-| |-dequeue > 1-|
    """,
    ),
    "a crashed dequeue explains an element that is missing": (
        True,
        """
        0 |-enqueue 1-| |-enqueue 2-|
        1                             |-dequeue-...
        2                                           |-dequeue > 2-|
    """,
    ),
    "but not if it began too late": (
        False,
        """
        0 |-enqueue 1-| |-enqueue 2-|
        1                                             |-dequeue-...
        2                             |-dequeue > 2-|
    """,
    ),
    "nor two elements": (
        False,
        """
        0 |-enqueue 1-| |-enqueue 2-| |-enqueue 3-|
        1                                           |-dequeue-...
        2                                                         |-dequeue > 3-|
    """,
    ),
    "two of them do": (
        True,
        """
        0 |-enqueue 1-| |-enqueue 2-| |-enqueue 3-|
        1                                           |-dequeue-...
        3               |-dequeue-...
        2                                                         |-dequeue > 3-|
    """,
    ),
    "a failed enqueue did not happen": (
        False,
        """
        0 |-enqueue 1-x
        1               |-dequeue > 1-|
    """,
    ),
}


@pytest.mark.parametrize(("drawing", "valid"), cases(QUEUE))
def test_drawn(drawing: str, valid: bool) -> None:
    for way in WAYS:
        assert_judged(drawing, valid, queue(), way)


WITHOUT_REPETITION = {name: case for name, case in QUEUE.items() if "twice" not in name}
"""Where no element is put in twice, or taken twice."""


@pytest.mark.parametrize(("drawing", "valid"), cases(WITHOUT_REPETITION))
def test_drawn_without_repetition_the_monitor_decides(drawing: str, valid: bool) -> None:
    verdict = linearizable(drawn(drawing), "queue", algorithm="monitor")
    assert (verdict.valid, verdict.algorithm) == (valid, ALGORITHMS["queue"])

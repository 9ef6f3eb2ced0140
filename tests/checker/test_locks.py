"""Locks and semaphores drawn by hand, each history beside its nearest neighbour.

See `drawing` for how to read the drawings.  All is free at first.
"""

from __future__ import annotations

import pytest

from checker import lock, reentrant_lock, semaphore
from tests.checker.drawn_cases import WAYS, assert_judged, cases

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


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("drawing", "valid"), cases(LOCK))
def test_locks(drawing: str, valid: bool, way: str) -> None:
    assert_judged(drawing, valid, lock(), way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("drawing", "valid"), cases(REENTRANT))
def test_reentrant_locks(drawing: str, valid: bool, way: str) -> None:
    assert_judged(drawing, valid, reentrant_lock(), way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("drawing", "valid"), cases(SEMAPHORE_OF_2))
def test_semaphores(drawing: str, valid: bool, way: str) -> None:
    assert_judged(drawing, valid, semaphore(2), way)

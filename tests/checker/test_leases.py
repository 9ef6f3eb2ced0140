"""Leases with fencing tokens drawn by hand, each history beside its nearest neighbour.

See `drawing` for how to read the drawings.  No token has been granted at first.
"""

from __future__ import annotations

import pytest

from checker import lease
from tests.checker.drawn_cases import WAYS, assert_judged, cases

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


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("drawing", "valid"), cases(LEASE))
def test_drawn_histories(drawing: str, valid: bool, way: str) -> None:
    assert_judged(drawing, valid, lease(), way)

"""Counters drawn by hand, each history beside its nearest neighbour.

See `drawing` for how to read the drawings.  Counters hold 0 at first.
"""

from __future__ import annotations

import pytest

from checker import counter
from tests.checker.drawn_cases import WAYS, assert_judged, cases

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


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("drawing", "valid"), cases(COUNTER))
def test_drawn_histories(drawing: str, valid: bool, way: str) -> None:
    assert_judged(drawing, valid, counter(), way)

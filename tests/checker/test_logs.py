"""What a log with offsets promises, drawn by hand.

``append a > [0,a]`` appends a and learns that it stands at offset 0; ``read [0,null] > [0,a]``
asks what stands there, ``read [1,null] > [1,null]`` finds nothing yet.  (The drawings write
values as JSON.)
"""

from __future__ import annotations

import pytest

from checker import ModelError, linearizable, log
from tests.checker.drawing import drawn
from tests.checker.drawn_cases import WAYS, assert_judged, cases

OFFSETS = {
    "what was appended is read at its offset": (
        True,
        """
        0 |-append 7 > [0,7]-|
        1                       |-read [0,null] > [0,7]-|
    """,
    ),
    "and nothing else is": (
        False,
        """
        0 |-append 7 > [0,7]-|
        1                       |-read [0,null] > [0,8]-|
    """,
    ),
    "once it has returned it is there": (
        False,
        """
        0 |-append 7 > [0,7]-|
        1                       |-read [0,null] > [0,null]-|
    """,
    ),
    "until then it may be missing": (
        True,
        """
        0 |-append 7 > [0,7]-|
        1                  |-read [0,null] > [0,null]-|
    """,
    ),
    "offsets follow each other": (
        True,
        """
        0 |-append 7 > [0,7]-| |-append 8 > [1,8]-|
    """,
    ),
    "without gaps": (
        False,
        """
        0 |-append 7 > [0,7]-| |-append 8 > [2,8]-|
    """,
    ),
    "and from 0": (
        False,
        """
        0 |-append 7 > [1,7]-|
    """,
    ),
    "in real time": (
        False,
        """
        0 |-append 7 > [1,7]-| |-append 8 > [0,8]-|
    """,
    ),
    "appends at the same time may come in either order": (
        True,
        """
        0 |-append 7 > [1,7]-|
        1   |-append 8 > [0,8]-|
    """,
    ),
    "no two appends have one offset": (
        False,
        """
        0 |-append 7 > [0,7]-|
        1   |-append 8 > [0,8]-|
    """,
    ),
    "what was seen stays": (
        False,
        """
        0 |----------append 7 > [0,7]------------------------------------------------|
        1    |-read [0,null] > [0,7]-| |-read [0,null] > [0,null]-|
    """,
    ),
    "what was not seen comes": (
        True,
        """
        0 |----------append 7 > [0,7]------------------------------------------------|
        1    |-read [0,null] > [0,null]-| |-read [0,null] > [0,7]-|
    """,
    ),
    "a later offset is not there before an earlier one": (
        False,
        """
        0 |----------append 7 > [0,7]------------------------------------------------|
        1 |----------append 8 > [1,8]------------------------------------------------|
        2    |-read [1,null] > [1,8]-| |-read [0,null] > [0,null]-|
    """,
    ),
    "an earlier one may be there alone": (
        True,
        """
        0 |----------append 7 > [0,7]------------------------------------------------|
        1 |----------append 8 > [1,8]------------------------------------------------|
        2    |-read [1,null] > [1,null]-| |-read [0,null] > [0,7]-|
    """,
    ),
    "nobody has appended that yet": (
        False,
        """
        0                               |-append 7 > [0,7]-|
        1 |-read [0,null] > [0,7]-|
    """,
    ),
}

UNKNOWN = {
    "a crashed append may have happened": (
        True,
        """
        0 |-append 7-...
        1                |-read [0,null] > [0,7]-|
    """,
    ),
    "or not": (
        True,
        """
        0 |-append 7-...
        1                |-read [0,null] > [0,null]-|
    """,
    ),
    "but only once": (
        False,
        """
        0 |-append 7-...
        1                |-read [0,null] > [0,7]-| |-read [1,null] > [1,7]-|
    """,
    ),
    "two crashed appends may fill two offsets": (
        True,
        """
        0 |-append 7-...
        2 |-append 7-...
        1                |-read [0,null] > [0,7]-| |-read [1,null] > [1,7]-|
    """,
    ),
    "a crashed append fills a gap": (
        True,
        """
        0 |-append 7 > [0,7]-| |-append 8-...
        1                                       |-append 9 > [2,9]-|
    """,
    ),
    "if it began in time": (
        False,
        """
        0 |-append 7 > [0,7]-|                       |-append 8-...
        1                       |-append 9 > [2,9]-|
    """,
    ),
    "an append that did not learn its offset is somewhere": (
        True,
        """
        0 |-append 7 > [null,7]-|
        1                          |-append 8 > [1,8]-|
    """,
    ),
    "where there is room": (
        False,
        """
        0 |-append 7 > [null,7]-|
        1                          |-append 8 > [0,8]-|
    """,
    ),
    "and if it overlaps it may come later": (
        True,
        """
        0 |-append 7 > [null,7]-|
        1                     |-append 8 > [0,8]-|
    """,
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("drawing", "valid"), cases(OFFSETS) + cases(UNKNOWN))
def test_drawn_histories(drawing: str, valid: bool, way: str) -> None:
    assert_judged(drawing, valid, log(), way)


def test_known_offsets_need_no_search() -> None:
    for valid, drawing in OFFSETS.values():
        verdict = linearizable(drawn(drawing), "log")
        if valid:
            assert verdict.algorithm == "one sweep by offset"


@pytest.mark.parametrize(
    ("drawing", "told"),
    [
        ("0 |-append null-|", "null cannot be appended"),
        ("0 |-append 1 > 7-|", "an append answers [offset, value], but here it is 7"),
        ("0 |-read 7 > [0,1]-|", "the value of a read is [offset, null], but here it is 7"),
        ("0 |-read [0,null] > [1,7]-|", "a read of offset 0 answers [0, value], but here"),
        ("0 |-dance 1-|", "a log has no operation 'dance'"),
    ],
)
@pytest.mark.parametrize("way", ["auto", "python"])
def test_what_is_no_log_is_refused(drawing: str, told: str, way: str) -> None:
    with pytest.raises(ModelError) as refused:
        assert_judged(drawing, True, log(), way)
    assert told in str(refused.value)

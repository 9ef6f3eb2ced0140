"""What a set promises, drawn by hand.

``add 1 > true`` was told that it changed the set, ``add 1 > false`` that 1 was there already,
``add 1`` neither.  ``read [1,2]`` sees the whole set.
"""

from __future__ import annotations

import pytest

from checker import ModelError, linearizable, set_model
from tests.checker.drawing import drawn
from tests.checker.drawn_cases import WAYS, assert_judged, cases

ELEMENTS = {
    "what was added is there": (
        True,
        """
        0 |-add 1-|
        1           |-contains 1 > true-|
    """,
    ),
    "and not missing": (
        False,
        """
        0 |-add 1-|
        1           |-contains 1 > false-|
    """,
    ),
    "unless it is removed at the same time": (
        True,
        """
        0 |-add 1-|
        1           |-contains 1 > false-|
        2             |-remove 1-|
    """,
    ),
    "only the first addition changes the set": (
        True,
        """
        0 |-add 1 > true-| |-add 1 > false-|
    """,
    ),
    "not the second": (
        False,
        """
        0 |-add 1 > true-| |-add 1 > true-|
    """,
    ),
    "if something was removed between them it does": (
        True,
        """
        0 |-add 1 > true-| |-add 1 > true-|
        1              |-remove 1 > true-|
    """,
    ),
    "what was never added cannot be removed": (
        False,
        """
        0 |-remove 1 > true-|
    """,
    ),
    "or only without effect": (
        True,
        """
        0 |-remove 1 > false-|
    """,
    ),
    "elements have nothing to do with each other": (
        True,
        """
        0 |-add 1 > true-| |-contains 2 > false-|
        1                  |-add 2 > true-|
    """,
    ),
    "of two removals at once one has the effect": (
        False,
        """
        0 |-add 1-| |-remove 1 > true-|
        1           |-remove 1 > true-|
    """,
    ),
    "the other finds nothing": (
        True,
        """
        0 |-add 1-| |-remove 1 > true-|
        1           |-remove 1 > false-|
    """,
    ),
    "what was seen to be gone stays so": (
        False,
        """
        0 |-add 1-| |-----------remove 1--------------------------------|
        1             |-contains 1 > false-| |-contains 1 > true-|
    """,
    ),
    "what was there may then be gone": (
        True,
        """
        0 |-add 1-| |-----------remove 1--------------------------------|
        1             |-contains 1 > true-| |-contains 1 > false-|
    """,
    ),
    "a crashed addition may be found": (
        True,
        """
        0 |-add 1-...
        1             |-contains 1 > false-| |-contains 1 > true-|
    """,
    ),
    "but does not go away": (
        False,
        """
        0 |-add 1-...
        1             |-contains 1 > true-| |-contains 1 > false-|
    """,
    ),
    "a crashed removal may explain that": (
        True,
        """
        0 |-add 1-...
        1             |-contains 1 > true-| |-contains 1 > false-|
        2 |-remove 1-...
    """,
    ),
}

READS = {
    "a read sees all that was added": (
        True,
        """
        0 |-add 1-| |-add 2-|
        1                     |-read [1,2]-|
    """,
    ),
    "and lacks nothing": (
        False,
        """
        0 |-add 1-| |-add 2-|
        1                     |-read [1]-|
    """,
    ),
    "what is added meanwhile it may lack": (
        True,
        """
        0 |-add 1-| |-add 2-|
        1                 |-read [1]-|
    """,
    ),
    "it sees nothing that nobody added": (
        False,
        """
        0 |-add 1-|
        1             |-read [1,2]-|
    """,
    ),
    "two reads cannot each see what the other lacks": (
        False,
        """
        0 |-----------add 1---------|
        1 |-----------add 2---------|
        2    |-read [1]-|
        3    |-read [2]-|
    """,
    ),
    "one may see more": (
        True,
        """
        0 |-----------add 1---------|
        1 |-----------add 2---------|
        2    |-read [1]-|
        3    |-read [1,2]-|
    """,
    ),
    "not less than one that had returned": (
        False,
        """
        0 |-----------add 1---------------------|
        1    |-read [1]-| |-read []-|
    """,
    ),
    "or one that was at the same time": (
        True,
        """
        0 |-----------add 1---------------------|
        1    |-read [1]-|
        2           |-read []-|
    """,
    ),
    "a long read sees additions in their order": (
        False,
        """
        0    |-add 1-| |-add 2-|
        1 |---------read [2]------------|
    """,
    ),
    "and may see the first alone": (
        True,
        """
        0    |-add 1-| |-add 2-|
        1 |---------read [1]------------|
    """,
    ),
    "an answer fits the reads": (
        False,
        """
        0 |-----------add 1 > true----------|
        1    |-read [1]-| |-add 1 > true-|
    """,
    ),
    "one that changed nothing came later": (
        True,
        """
        0 |-----------add 1 > true----------|
        1    |-read [1]-| |-add 1 > false-|
    """,
    ),
    "what is removed is no longer read": (
        True,
        """
        0 |-add 1-| |-remove 1-|
        1                        |-read []-|
    """,
    ),
    "once it has returned": (
        False,
        """
        0 |-add 1-| |-remove 1-|
        1                        |-read [1]-|
    """,
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("drawing", "valid"), cases(ELEMENTS) + cases(READS))
def test_drawn_histories(drawing: str, valid: bool, way: str) -> None:
    assert_judged(drawing, valid, set_model(), way)


@pytest.mark.parametrize(("drawing", "valid"), cases(ELEMENTS))
def test_elements_are_judged_one_by_one(drawing: str, valid: bool) -> None:
    verdict = linearizable(drawn(drawing), "set", algorithm="monitor")
    assert (verdict.valid, verdict.algorithm) == (valid, "element by element")


@pytest.mark.parametrize(
    ("drawing", "told"),
    [
        ("0 |-add null-|", "an element of a set is neither null nor a boolean"),
        ("0 |-add true-|", "an element of a set is neither null nor a boolean"),
        ("0 |-read 7-|", "a read of a set answers a list, but here it is 7"),
        ("0 |-contains 1 > 7-|", "contains answers true or false, but here it is 7"),
        ("0 |-dance 1-|", "a set has no operation 'dance'"),
    ],
)
@pytest.mark.parametrize("way", ["auto", "python"])
def test_what_is_no_set_is_refused(drawing: str, told: str, way: str) -> None:
    with pytest.raises(ModelError) as refused:
        assert_judged(drawing, True, set_model(), way)
    assert told in str(refused.value)

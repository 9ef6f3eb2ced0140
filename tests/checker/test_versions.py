"""What a register with versions promises, drawn by hand.

``write [null,a] > [2,a]`` asks to write a, and learns that this has the version 2;
``read [2,a]`` sees it.  ``[0,null]`` is there at first.
"""

from __future__ import annotations

import pytest

from checker import ModelError, linearizable, versioned_register
from tests.checker.drawing import drawn
from tests.checker.drawn_cases import WAYS, assert_judged, cases

VERSIONS = {
    "a read sees the newest version": (
        True,
        """
        0 |-write [null,1] > [1,1]-|
        1                             |-read [1,1]-|
    """,
    ),
    "and no older one": (
        False,
        """
        0 |-write [null,1] > [1,1]-|
        1                             |-read [0,null]-|
    """,
    ),
    "unless it began before the write had returned": (
        True,
        """
        0 |-write [null,1] > [1,1]-|
        1                         |-read [0,null]-|
    """,
    ),
    "versions may leave gaps, others are counted too": (
        True,
        """
        0 |-write [null,1] > [7,1]-| |-write [null,2] > [9,2]-|
        1                                                         |-read [9,2]-|
    """,
    ),
    "but they grow": (
        False,
        """
        0 |-write [null,1] > [9,1]-| |-write [null,2] > [7,2]-|
    """,
    ),
    "of writes at the same time any may be first": (
        True,
        """
        0 |-write [null,1] > [9,1]-|
        1  |-write [null,2] > [7,2]-|
    """,
    ),
    "their versions say which": (
        False,
        """
        0 |-write [null,1] > [9,1]-|
        1  |-write [null,2] > [7,2]-|
        2                               |-read [7,2]-|
    """,
    ),
    "the same value again is another version": (
        False,
        """
        0 |-write [null,1] > [1,1]-| |-write [null,1] > [2,1]-|
        1                                                         |-read [1,1]-|
    """,
    ),
    "which a read knows": (
        True,
        """
        0 |-write [null,1] > [1,1]-| |-write [null,1] > [2,1]-|
        1                                                         |-read [2,1]-|
    """,
    ),
    "no two writes have one version": (
        False,
        """
        0 |-write [null,1] > [1,1]-|
        1 |-write [null,2] > [1,2]-|
    """,
    ),
    "what was written at a version is read there": (
        False,
        """
        0 |-write [null,1] > [1,1]-|
        1                             |-read [1,2]-|
    """,
    ),
    "a read does not see what is not yet written": (
        False,
        """
        0                   |-write [null,1] > [1,1]-|
        1 |-read [1,1]-|
    """,
    ),
    "a read that lasts until then does": (
        True,
        """
        0                   |-write [null,1] > [1,1]-|
        1 |-----read [1,1]-----|
    """,
    ),
    "two reads cannot see versions in opposite orders": (
        False,
        """
        0 |-write [null,1] > [1,1]-|
        1     |-read [1,1]-|
        2                    |-read [0,null]-|
    """,
    ),
    "if they overlap they can": (
        True,
        """
        0 |-write [null,1] > [1,1]-|
        1     |-read [1,1]-|
        2         |-read [0,null]-|
    """,
    ),
}

UNKNOWN = {
    "the version of a crashed write is what a read says": (
        True,
        """
        0 |-write [null,1]-...
        1                      |-read [5,1]-|
    """,
    ),
    "from then on it is known": (
        False,
        """
        0 |-write [null,1]-...
        1                      |-read [5,1]-| |-read [6,1]-|
    """,
    ),
    "two crashed writes of one value have two": (
        True,
        """
        0 |-write [null,1]-...
        2 |-write [null,1]-...
        1                      |-read [5,1]-| |-read [6,1]-|
    """,
    ),
    "it may have happened, or not": (
        True,
        """
        0 |-write [null,1]-...
        1                      |-read [0,null]-| |-read [2,1]-|
    """,
    ),
    "but it does not happen and then not": (
        False,
        """
        0 |-write [null,1]-...
        1                      |-read [2,1]-| |-read [0,null]-|
    """,
    ),
    "a write that returned without its version has room in a gap": (
        True,
        """
        0 |-write [null,1] > [1,1]-| |-write [null,2] > [null,2]-| |-write [null,3] > [3,3]-|
    """,
    ),
    "if there is one": (
        False,
        """
        0 |-write [null,1] > [1,1]-| |-write [null,2] > [null,2]-| |-write [null,3] > [2,3]-|
    """,
    ),
    "a read may say the value alone": (
        True,
        """
        0 |-write [null,1] > [1,1]-| |-write [null,2] > [2,2]-|
        1                            |-read [null,1]-|
    """,
    ),
    "and is stale all the same": (
        False,
        """
        0 |-write [null,1] > [1,1]-| |-write [null,2] > [2,2]-|
        1                                                         |-read [null,1]-|
    """,
    ),
    "as is what follows one that was not": (
        False,
        """
        0 |-write [null,1] > [1,1]-| |-------write [null,2] > [2,2]----------------------|
        1                                |-read [null,2]-| |-read [1,1]-|
    """,
    ),
    "in the other order they are fine": (
        True,
        """
        0 |-write [null,1] > [1,1]-| |-------write [null,2] > [2,2]----------------------|
        1                                |-read [1,1]-| |-read [null,2]-|
    """,
    ),
}

CAS = {
    "a compare-and-set finds what was written before": (
        True,
        """
        0 |-write [null,1] > [1,1]-|
        1                             |-cas [null,[1,2]] > [2,[1,2]]-|
    """,
    ),
    "not what was written later": (
        False,
        """
        0 |-write [null,1] > [3,1]-|
        1 |-cas [null,[1,2]] > [2,[1,2]]-|
    """,
    ),
    "nothing was written between the two": (
        False,
        """
        0 |-write [null,1] > [1,1]-|
        1 |-cas [null,[1,2]] > [3,[1,2]]-|
        2 |-write [null,4] > [2,4]-|
    """,
    ),
    "one that failed found something else": (
        False,
        """
        0 |-write [null,1] > [1,1]-|
        1                             |-cas [null,[1,2]] > false-|
    """,
    ),
    "which may have been there a moment": (
        True,
        """
        0 |-write [null,1] > [1,1]-|
        1                             |-cas [null,[1,2]] > false-|
        2                               |-write [null,3] > [5,3]-|
    """,
    ),
    "a crashed one may have made what was read": (
        True,
        """
        0 |-write [null,1] > [1,1]-| |-cas [null,[1,2]]-...
        1                                                    |-read [4,2]-|
    """,
    ),
    "if it found what it asks for": (
        False,
        """
        0 |-write [null,7] > [1,7]-| |-cas [null,[1,2]]-...
        1                                                    |-read [4,2]-|
    """,
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("drawing", "valid"), cases(VERSIONS) + cases(UNKNOWN) + cases(CAS))
def test_drawn_histories(drawing: str, valid: bool, way: str) -> None:
    assert_judged(drawing, valid, versioned_register(), way)


@pytest.mark.parametrize(("drawing", "valid"), cases(VERSIONS))
def test_known_versions_need_no_search(drawing: str, valid: bool) -> None:
    verdict = linearizable(drawn(drawing), "versioned-register", algorithm="monitor")
    assert (verdict.valid, verdict.algorithm) == (valid, "one sweep by version")


def test_there_may_be_a_version_at_first() -> None:
    history = drawn('0 |-read [4,"a"]-|')
    assert linearizable(history, "versioned-register", initial=[4, "a"]).valid is True
    assert linearizable(history, "versioned-register").valid is False


@pytest.mark.parametrize(
    ("drawing", "told"),
    [
        ("0 |-write 1-|", "the value of a write is [null, value], but here it is 1"),
        ("0 |-read 1-|", "a read answers [version, value], but here it is 1"),
        ("0 |-read [-1,2]-|", "a read answers [version, value], but here it is [-1"),
        ("0 |-cas [null,1]-|", "the value of a cas is [null, [from, to]], but here it is [null"),
        ("0 |-write [null,1] > 3-|", "a write answers [version, value], but here it is 3"),
        ("0 |-dance 1-|", "a versioned register has no operation 'dance'"),
    ],
)
@pytest.mark.parametrize("way", ["auto", "python"])
def test_what_has_no_version_is_refused(drawing: str, told: str, way: str) -> None:
    model = versioned_register()
    with pytest.raises(ModelError) as refused:
        assert_judged(drawing, True, model, way)
    assert told in str(refused.value).replace("None", "null")


def test_an_initial_value_without_a_version_is_refused() -> None:
    with pytest.raises(ValueError, match="begins as"):
        versioned_register("a")

"""Sequential consistency, drawn by hand: what real time forbids, and processes do not see.

Drawings may name the key of an operation: ``write@x 1``.  All registers hold 0 at first.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

import checker
from checker import ModelError
from histories import Event, History
from tests.checker.drawing import drawn


def with_keys(drawing: str) -> History:
    """The history of a drawing in which operations name their key."""

    def named(event: Event) -> Event:
        f, _, key = event.f.partition("@")
        value = event.value
        if f == "read" and event.type == "invoke":
            value = None
        return msgspec.structs.replace(event, f=f, key=key or None, value=value)

    return History.from_events(named(event) for event in drawn(drawing))


DRAWN = {
    "a stale read, if its process has seen nothing newer": (
        True,
        """
        0 |-write@x 1-|
        1                 |-read@x >0-|
    """,
    ),
    "a process does not forget what it wrote itself": (
        False,
        """
        0 |-write@x 1-| |-read@x >0-|
    """,
    ),
    "nor what it read": (
        False,
        """
        0 |-write@x 1-|
        1                 |-read@x >1-| |-read@x >0-|
    """,
    ),
    "it may see the future, too": (
        True,
        """
        0                 |-write@x 1-|
        1 |-read@x >1-|
    """,
    ),
    "but not what nobody ever writes": (
        False,
        """
        0                 |-write@x 1-|
        1 |-read@x >2-|
    """,
    ),
    "Dekker: each of two processes writes one flag and does not see the other's": (
        False,
        """
        0 |-write@x 1-| |-read@y >0-|
        1 |-write@y 1-| |-read@x >0-|
    """,
    ),
    "one of them has to see it": (
        True,
        """
        0 |-write@x 1-| |-read@y >0-|
        1 |-write@y 1-| |-read@x >1-|
    """,
    ),
    "two readers see two writes in different orders (IRIW)": (
        False,
        """
        0 |-write@x 1-|
        1 |-write@y 1-|
        2                 |-read@x >1-| |-read@y >0-|
        3                 |-read@y >1-| |-read@x >0-|
    """,
    ),
    "they may see them late, in the same order": (
        True,
        """
        0 |-write@x 1-|
        1 |-write@y 1-|
        2                 |-read@x >1-| |-read@y >0-|
        3                 |-read@x >0-| |-read@y >0-|
    """,
    ),
    "what is caused by a write is not seen before it (message passing)": (
        False,
        """
        0 |-write@x 1-| |-write@y 1-|
        1                                 |-read@y >1-| |-read@x >0-|
    """,
    ),
    "the message may be late": (
        True,
        """
        0 |-write@x 1-| |-write@y 1-|
        1                                 |-read@y >0-| |-read@x >1-|
    """,
    ),
    "a third process passes it on": (
        False,
        """
        0 |-write@x 1-|
        1                 |-read@x >1-| |-write@y 1-|
        2                                                 |-read@y >1-| |-read@x >0-|
    """,
    ),
    "without seeing it there is nothing to pass on": (
        True,
        """
        0 |-write@x 1-|
        1                 |-read@x >0-| |-write@y 1-|
        2                                                 |-read@y >1-| |-read@x >0-|
    """,
    ),
    "two writes of one process are seen in its order": (
        False,
        """
        0 |-write@x 1-| |-write@x 2-|
        1                                 |-read@x >2-| |-read@x >1-|
    """,
    ),
    "those of two processes in any one order": (
        True,
        """
        0 |-write@x 1-|
        1                 |-write@x 2-|
        2                                 |-read@x >2-| |-read@x >1-|
    """,
    ),
    "in the same for everybody": (
        False,
        """
        0 |-write@x 1-|
        1                 |-write@x 2-|
        2                                 |-read@x >2-| |-read@x >1-|
        3                                 |-read@x >1-| |-read@x >2-|
    """,
    ),
    "a crashed write may never happen": (
        True,
        """
        0 |-write@x 1-...
        1                   |-read@x >0-|
    """,
    ),
    "or happen, once": (
        False,
        """
        0 |-write@x 1-...
        1                   |-read@x >1-| |-write@x 0-| |-read@x >1-|
    """,
    ),
    "it does not happen before what its process had done": (
        False,
        """
        0 |-read@y >1-| |-write@x 1-...
        1 |-read@x >1-| |-write@y 1-|
    """,
    ),
    "a failed write did not happen": (
        False,
        """
        0 |-write@x 1-x
        1                |-read@x >1-|
    """,
    ),
    "two compare-and-sets cannot both find the same value": (
        False,
        """
        0 |-cas@x 0 1-|
        1 |-cas@x 0 2-|
    """,
    ),
    "one that failed may have come before or after": (
        True,
        """
        0 |-cas@x 0 1-| |-read@x >1-|
        1                               |-cas@x 0 2>false-|
        2                               |-cas@x 1 2>false-|
    """,
    ),
}


@pytest.mark.parametrize(
    ("valid", "drawing"),
    [pytest.param(*case, id=told) for told, case in DRAWN.items()],
)
@pytest.mark.parametrize("way", ["native", "python"])
def test_drawn_histories(valid: bool, drawing: str, way: str) -> None:
    history = with_keys(drawing)
    model = checker.cas_register(0)
    if way == "python":
        model = checker.Model("in Python", 0, model.step, {"read"})
    verdict = checker.sequentially_consistent(history, model)
    assert verdict.valid is valid
    if valid:
        [certificate] = verdict.certificates
        assert checker.verify_sequential(history, model, certificate.order) is None
    else:
        [found] = verdict.counterexamples
        assert found.sentence.endswith(".")
        assert found.operation is not None
    assert "real time" in verdict.notes[0]


def test_what_is_linearizable_is_sequentially_consistent_without_a_search() -> None:
    history = with_keys("""
        0 |-write@x 1-| |-read@y >2-|
        1   |-write@y 2-|  |-read@x >1-|
    """)
    verdict = checker.sequentially_consistent(history, "register", initial=0)
    assert verdict.valid is True
    assert verdict.algorithm == "linearizations of all keys, merged"


def test_each_key_alone_is_fine_and_both_together_are_not() -> None:
    drawing = DRAWN["Dekker: each of two processes writes one flag and does not see the other's"][1]
    history = with_keys(drawing)
    for key in "xy":
        alone = History.from_events(event for event in history if event.key == key)
        assert checker.sequentially_consistent(alone, "register", initial=0).valid is True
    verdict = checker.sequentially_consistent(history, "register", initial=0)
    [found] = verdict.counterexamples
    assert found.sentence == (
        "No order of all operations keeps the order of each process: the farthest places 3 "
        'operations, then process 1 read 0 of key "x" (event 7) where the state is 1.'
    )
    assert found.details["placed"] == 3


def test_a_state_that_nobody_makes_is_told_at_once() -> None:
    history = with_keys("""
        0                 |-write@x 1-|
        1 |-read@x >2-|
    """)
    [found] = checker.sequentially_consistent(history, "register", initial=0).counterexamples
    assert found.sentence == (
        'Process 1 read 2 of key "x" (event 1), but no operation in the whole history leads to '
        "that state, so no order allows it."
    )


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ([1, 0, 4, 6], None),
        ([0, 4, 6], "event 4 is not in the order of its process"),
        ([1, 0, 4], "event 6 is not placed"),
        ([0, 1, 4, 6], "does not allow the operation of event 1"),
        ([4, 1, 0, 6], "event 4 is not in the order of its process"),
        ([1, 0, 4, 6, 6], "placed once"),
        ([1, 0, 4, 6, 2], "not an invocation"),
    ],
)
def test_the_verifier_accepts_an_order_and_refuses_others(
    order: list[int], told: str | None
) -> None:
    history = with_keys("""
        0 |-write@x 1-|                         |-read@x >1-|
        1    |-read@x >0-|  |-read@x >1-|
    """)
    assert [event.index for event in history if event.type == "invoke"] == [0, 1, 4, 6]
    array = np.array(order, dtype=np.uint32)
    refusal = checker.verify_sequential(history, checker.register(0), array)
    assert refusal == told or (told is not None and refusal is not None and told in refusal)


def test_operations_that_do_not_fit_are_told() -> None:
    with pytest.raises(ModelError, match="no operation"):
        checker.sequentially_consistent(with_keys("0 |-push@x 1-|"), "register")


def test_a_limit_in_time_leaves_it_unknown_and_says_how_far_it_was() -> None:
    lines = [
        f"{process} " + " ".join(f"|-write@x {value}-|" for value in (1, 2, 3, 1, 2, 3))
        for process in range(6)
    ]
    lines += ["6 |-read@x >1-| |-read@x >3-| |-read@x >2-| |-read@x >0-|"]
    verdict = checker.sequentially_consistent(
        with_keys("\n".join(lines)), "register", initial=0, time_limit_s=0.0
    )
    assert verdict.valid in ("unknown", False)
    if verdict.unknown is not None:
        assert verdict.unknown.cause == "time"

"""What queues, stacks and priority queues promise, drawn by hand, each with its neighbours.

See `drawing` for how to read the drawings.  ``> null`` is the answer that there was nothing.
All are empty at first, and no element comes twice unless the name says so.
"""

from __future__ import annotations

import dataclasses

import pytest

from checker import ALGORITHMS, MODELS, linearizable, verify
from checker._models import MONITORS
from tests.checker.drawing import drawn

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

ALL = {
    f"{model}: {name}": (model, *case)
    for model, cases in (("queue", QUEUE), ("stack", STACK), ("priority-queue", PRIORITY_QUEUE))
    for name, case in cases.items()
}


@pytest.mark.parametrize("case", ALL.values(), ids=ALL.keys())
def test_drawn(case: tuple[str, bool, str]) -> None:
    model, valid, drawing = case
    history = drawn(drawing)
    judged = linearizable(history, model)
    assert judged.valid is valid
    assert linearizable(history, model, algorithm="jit").valid is valid
    python = dataclasses.replace(MODELS[model](None), native=None)
    assert linearizable(history, python).valid is valid
    if valid:
        assert verify(history, MODELS[model](None), judged.certificates) is None


WITHOUT_REPETITION = {name: case for name, case in ALL.items() if "twice" not in name}
"""Where no element is put in twice, or taken twice."""


@pytest.mark.parametrize("case", WITHOUT_REPETITION.values(), ids=WITHOUT_REPETITION.keys())
def test_drawn_without_repetition_the_monitor_decides(case: tuple[str, bool, str]) -> None:
    model, valid, drawing = case
    verdict = linearizable(drawn(drawing), model, algorithm="monitor")
    assert (verdict.valid, verdict.algorithm) == (valid, ALGORITHMS[MONITORS[model]])


@pytest.mark.parametrize("model", ["queue", "stack", "priority-queue"])
def test_a_monitor_asked_for_by_name_says_where_it_is_unfit(model: str) -> None:
    cases = (case for case in ALL.values() if case[0] == model)
    history = drawn(next(drawing for _, _, drawing in cases))
    assert linearizable(history, model, algorithm=MONITORS[model]).valid is True
    repeated = drawn("0 |-push 1-| |-push 1-|")
    with pytest.raises(ValueError, match="do not meet the conditions"):
        linearizable(repeated, "stack", algorithm="monitor")


def test_null_cannot_be_put_in_and_only_numbers_have_priorities() -> None:
    for model, drawing, message in (
        ("queue", "0 |-enqueue null-|", "null"),
        ("stack", "0 |-push null-|", "null"),
        ("priority-queue", '0 |-insert "a"-|', "are numbers"),
        ("priority-queue", "0 |-insert true-|", "are numbers"),
        ("stack", "0 |-peek-|", "no operation"),
    ):
        with pytest.raises(ValueError, match=message):
            linearizable(drawn(drawing), model)
        python = dataclasses.replace(MODELS[model](None), native=None)
        with pytest.raises(ValueError, match=message):
            linearizable(drawn(drawing), python)

"""What a monitor or a model of queues, stacks and priority queues refuses, and in which words."""

from __future__ import annotations

import dataclasses

import pytest

from checker import MODELS, linearizable
from checker._models import MONITORS
from tests.checker.drawing import drawn

DRAWN = {
    "queue": "0 |-enqueue 1-| |-enqueue 2-| |-dequeue > 1-| |-dequeue > 2-|",
    "stack": "0 |-push 1-| |-push 2-| |-pop > 2-| |-pop > 1-|",
    "priority-queue": "0 |-insert 2-| |-insert 1-| |-delete-min > 1-| |-delete-min > 2-|",
}


@pytest.mark.parametrize("model", ["queue", "stack", "priority-queue"])
def test_a_monitor_asked_for_by_name_says_where_it_is_unfit(model: str) -> None:
    history = drawn(DRAWN[model])
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

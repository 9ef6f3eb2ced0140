"""Models of one's own: a function of state and call, and what momus makes of its mistakes."""

from __future__ import annotations

from typing import Any

import pytest

import checker
from checker import ILLEGAL, Call, Model
from checker._asking import Asking
from tests.checker.drawing import drawn


def counter_step(total: int, call: Call) -> Any:
    if call.f == "add":
        return total + call.argument
    return total if not call.completed or call.result == total else ILLEGAL


def test_a_model_of_ones_own_is_a_function() -> None:
    counter = Model("counter", initial=0, step=counter_step, read_only={"read"})
    valid = drawn("0 |-add 2-| |-add 3-| |-read 5-|")
    assert checker.linearizable(valid, counter).valid is True
    invalid = drawn("0 |-add 2-| |-add 3-| |-read 3-|")
    verdict = checker.linearizable(invalid, counter)
    assert verdict.valid is False
    assert verdict.model == "counter"
    assert verdict.counterexamples[0].states == (5,)


def test_states_need_not_be_hashable_nor_may_a_step_spoil_them() -> None:
    def step(queue: list[int], call: Call) -> Any:
        if call.f == "enqueue":
            queue.append(call.argument)
            return queue
        if not queue or (call.completed and queue[0] != call.result):
            return ILLEGAL
        return queue[1:]

    fifo = Model("fifo", initial=[], step=step)
    assert checker.linearizable(
        drawn("""
            0 |-enqueue 1-| |-enqueue 2-|
            1   |-enqueue 3-|            |-dequeue > 3-| |-dequeue > 1-| |-dequeue > 2-|
        """),
        fifo,
    ).valid is True  # fmt: skip
    assert checker.linearizable(
        drawn("0 |-enqueue 1-| |-enqueue 2-| |-dequeue > 2-|"), fifo
    ).valid is False  # fmt: skip


def test_a_false_claim_to_be_read_only_is_found_out() -> None:
    careless = Model("counter", initial=0, step=counter_step, read_only={"read", "add"})
    with pytest.raises(checker.ModelError, match="take it out of read_only"):
        checker.linearizable(drawn("0 |-add 2-|"), careless)


def test_what_a_model_raises_reaches_the_caller() -> None:
    def step(total: int, call: Call) -> Any:
        return total // 0 if call.f == "read" else ILLEGAL

    with pytest.raises(ZeroDivisionError, match="zero"):
        checker.linearizable(drawn("0 |-read 0-|"), Model("broken", 0, step))


def calls(*names: str) -> list[Call]:
    return [Call("add", int(name[1:]), None, True) if name[0] == "+" else
            Call("read", None, int(name), True) for name in names]  # fmt: skip


def test_what_never_changes_a_small_model_is_found_out() -> None:
    def modulo(total: int, call: Call) -> Any:
        return counter_step(total, call) % 5 if call.f == "add" else counter_step(total, call)

    asking = Asking(Model("clock", 0, modulo), calls("+1", "3", "+5", "+0"))
    assert asking.never_change(asked_max=100) == [False, True, True, True]
    assert asking.states == [0, 1, 2, 3, 4]


def test_a_model_with_too_many_states_is_taken_at_its_word() -> None:
    asking = Asking(Model("counter", 0, counter_step), calls("+1", "3"))
    assert asking.never_change(asked_max=100) is None
    assert asking(0, 0) == 1, "and it can still be asked"

"""What the engine makes of the answers of a model in Python, however it asks."""

from __future__ import annotations

from typing import Any

import pytest

import checker
from checker import ILLEGAL, Call, Model, ModelError
from checker._asking import Asking
from histories import Json
from tests.checker.drawing import drawn


def _step(state: Any, call: Call) -> Any:
    if call.f == "write":
        return call.argument
    same = type(state) is type(call.result) and state == call.result
    return state if same or not call.completed else ILLEGAL


@pytest.mark.parametrize("value", ["1", "true", "null", '"1"', "1180591620717411303424", "[1]"])
@pytest.mark.parametrize("seen", ["1", "true", "null", '"1"', "1180591620717411303424", "[1]"])
@pytest.mark.parametrize("time_limit_s", [None, 60.0])
def test_states_are_told_apart_by_value_and_type(
    value: str, seen: str, time_limit_s: float | None
) -> None:
    history = drawn(
        f"0 |-write 0-| |-write {value}-| |-write 0-| |-write {value}-| |-read {seen}-|"
    )
    model = Model("register in Python", 0, _step, {"read"})
    verdict = checker.linearizable(history, model, time_limit_s=time_limit_s)
    assert verdict.valid is (value == seen)


@pytest.mark.parametrize("after", [5, "five", None, (5,)])
def test_what_is_declared_read_only_and_changes_the_state_is_told(after: Json) -> None:
    def step(_state: Any, call: Call) -> Any:
        return call.argument if call.f == "write" else after

    lying = Model("liar", 0, step, {"read"})
    with pytest.raises(ModelError, match="take it out of read_only"):
        checker.linearizable(drawn("0 |-write 5-| |-write 1-| |-read 1-|"), lying)


def test_whether_everything_never_changes_is_given_up_as_soon_as_it_is_too_much() -> None:
    asked = []

    def step(_state: int, call: Call) -> int:
        asked.append(call)
        assert isinstance(call.argument, int)
        return call.argument

    calls = [Call("write", value, value, True) for value in range(100)]
    assert Asking(Model("register", 0, step), calls).never_change(1_000) is None
    assert len(asked) == 100, "after the first state it is clear that there are a hundred"

"""Which model a history means, when nobody says so."""

from __future__ import annotations

import pytest

from momus._exits import Refusal
from momus._guess import model_of


@pytest.mark.parametrize(
    ("operations", "model"),
    [
        ({"read", "write", "cas"}, "cas-register"),
        ({"cas"}, "cas-register"),
        ({"read", "write"}, "register"),
        ({"read"}, "register"),
        ({"get", "put", "append"}, "kv"),
        ({"get"}, "kv"),
        (set(), "register"),
        ({"add", "read"}, "set"),
        ({"add", "contains"}, "set"),
        ({"add", "remove"}, "set"),
    ],
)
def test_the_operations_give_the_model_away(operations: set[str], model: str) -> None:
    guess = model_of({}, operations)
    assert guess.model == model
    assert model in guess.why


@pytest.mark.parametrize("operations", [{"read"}, {"write", "read"}, {"read", "write", "cas"}])
def test_answers_with_a_number_are_versions(operations: set[str]) -> None:
    guess = model_of({}, operations, numbered=True)
    assert guess.model == "versioned-register"
    assert "[number, value]" in guess.why


def test_appends_that_answer_with_a_number_make_a_log() -> None:
    assert model_of({}, {"append", "read"}, numbered=True).model == "log"
    assert model_of({}, {"append", "read"}).model == "kv"


def test_what_the_run_says_of_itself_comes_first() -> None:
    assert model_of({"model": "cas-register"}, {"read"}).model == "cas-register"


@pytest.mark.parametrize("operations", [{"read", "dance"}, {"dance"}])
def test_operations_that_fit_no_model_are_not_guessed_at(operations: set[str]) -> None:
    with pytest.raises(Refusal, match="try --model"):
        model_of({}, operations)

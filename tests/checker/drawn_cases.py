"""Tables of drawn histories as tests: each is judged in three ways, which must agree."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import pytest

from checker import Model, linearizable, verify
from tests.checker.drawing import drawn

WAYS: Final = ("auto", "jit", "python")
"""The engine's choice, its general search, and the search of the model in Python."""


def cases(table: dict[str, tuple[bool, str]]) -> list[Any]:
    """Parameters ``(drawing, valid)``, named after what the history shows."""
    return [pytest.param(drawing, valid, id=name) for name, (valid, drawing) in table.items()]


def assert_judged(drawing: str, valid: bool, model: Model, way: str) -> None:
    """The verdict is `valid`, and comes with its evidence."""
    history = drawn(drawing)
    if way == "python":
        verdict = linearizable(history, dataclasses.replace(model, native=None))
    else:
        verdict = linearizable(history, model, algorithm=way)
    assert verdict.valid is valid
    if valid:
        assert verify(history, model, verdict.certificates) is None
    else:
        [counterexample] = verdict.counterexamples
        assert counterexample.operation is not None
        assert counterexample.sentence.endswith(".")

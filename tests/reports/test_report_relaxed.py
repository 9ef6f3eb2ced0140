"""What need not have happened for a violation, or not when it did, is marked in the drawing."""

from __future__ import annotations

import msgspec

import checker
import reports
from tests.checker.drawing import drawn


def terminal(drawing: str, model: str) -> str:
    history = drawn(drawing)
    [found] = checker.linearizable(history, model).counterexamples
    return reports.text(history, found, ascii=True)


def test_an_interval_that_might_be_longer_ends_in_a_round_bracket() -> None:
    picture = terminal(
        """
        0 |-acquire-|             |-release-|
        1             |-acquire-|
        """,
        "lock",
    )
    assert "[acquire ===)" in picture
    assert "(==) wrong even if this began" in picture


def test_an_operation_that_need_not_have_happened_ends_in_a_question_mark() -> None:
    history = drawn("0 |-write 1-| |-write 2-| |-read 1-|")
    [found] = checker.linearizable(history, "register").counterexamples
    relaxed = {"operations": [{"index": 0, "optional": True, "widened": []}]}
    picture = reports.text(
        history, msgspec.structs.replace(found, details={"core": relaxed}), ascii=True
    )
    assert picture.count("?") == 2, "the operation and the legend"
    assert "[==? wrong even if this did not happen" in picture

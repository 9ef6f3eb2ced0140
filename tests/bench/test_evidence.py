"""The histories on which checkers without a search are measured: they are valid."""

from __future__ import annotations

import msgspec
import pytest

from bench.evidence import HISTORIES
from checker.evidence import CHECKERS


@pytest.mark.parametrize("name", HISTORIES)
def test_each_is_valid_and_has_so_many_events(name: str) -> None:
    history = HISTORIES[name](1_500)
    assert 2_990 <= len(history) <= 3_000
    verdict = CHECKERS[name]().check(history)
    assert msgspec.json.encode(verdict), "a verdict is plain data"
    assert verdict.valid is True, (verdict.counterexamples, verdict.unknown)
    assert all(
        history.pairs[history.pairs[position]] == position for position in range(len(history))
    )

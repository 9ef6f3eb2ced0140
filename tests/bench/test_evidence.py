"""The histories on which checkers without a search are measured: they are valid."""

from __future__ import annotations

import msgspec
import pytest

from bench.evidence import checkers_of, everybody
from bench.evidence_histories import HISTORIES, mixed
from checker.evidence import CHECKERS
from checker.invariants import CHECKERS as INVARIANTS
from histories import History, canonical


def well_formed(history: History) -> bool:
    """Pairs point at each other, and no text stands in a table twice."""
    return all(
        history.pairs[place] == -1 or history.pairs[history.pairs[place]] == place
        for place in range(len(history))
    ) and len(set(history.values)) == len(history.values)


@pytest.mark.parametrize("row", HISTORIES)
def test_each_is_valid_and_has_so_many_events(row: str) -> None:
    history = HISTORIES[row](1_500)
    assert 2_990 <= len(history) <= 3_000
    for checker in checkers_of(row).values():
        verdict = checker.check(history)
        assert msgspec.json.encode(verdict), "a verdict is plain data"
        assert verdict.valid is True, (verdict.counterexamples, verdict.unknown)
    assert well_formed(history)
    assert all(canonical(history.value_of(n)) == text for n, text in enumerate(history.values))


def test_one_history_is_judged_by_everybody() -> None:
    checkers = everybody()
    assert checkers.keys() >= {*CHECKERS, *INVARIANTS, "lint"}
    history = mixed(15_000)
    assert 29_900 <= len(history) <= 30_000
    assert well_formed(history)
    for name, checker in checkers.items():
        verdict = checker.check(history)
        assert verdict.valid is True, (name, verdict.counterexamples, verdict.unknown)

"""What an invariant answers: each break of it, with the events that show it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from checker._verdict import Verdict
from checker.evidence._checker import (
    COUNTEREXAMPLES_MAX,
    SHOWN_MAX,
    counterexample,
    has_clock,
    vacuous,
    verdict,
)
from checker.invariants._rows import Row, rows_of
from histories import History


@dataclass(frozen=True)
class Break:
    """One break: a sentence, and the positions of the events that show it."""

    sentence: str
    positions: tuple[int, ...]


Found: TypeAlias = tuple[int, list[Break]]
"""How many rows were looked at, and the breaks."""


@dataclass(frozen=True)
class Invariant:
    """A checker of what nodes said; `look` counts what it judged and names the breaks.

    Unknown (vacuous) where it had nothing to look at.  `details` has ``observations`` (all
    rows), ``judged``, ``broken_count`` and ``broken``.
    """

    name: str
    look: Callable[[History, list[Row]], Found]
    needs: str = "observations"

    def called(self, name: str) -> Invariant:
        """The same under another name."""
        return Invariant(name, self.look, self.needs)

    def prepare(self, history: History) -> None:
        """Make the rows, which all invariants share; before processes are forked off."""
        rows_of(history)

    def check(self, history: History) -> Verdict:
        """Judge what nodes said."""
        began = time.perf_counter()
        rows = rows_of(history)
        judged, breaks = self.look(history, rows)
        unknown = None
        if not judged:
            unknown = vacuous(
                f"Among {len(rows):,} observations there is nothing that {self.name} is about.",
                f"It needs {self.needs}; see that nodes are observed, often enough.",
            )
        details: dict[str, Any] = {
            "observations": len(rows),
            "judged": judged,
            "broken_count": len(breaks),
            "broken": [each.sentence for each in breaks[:SHOWN_MAX]],
        }
        return verdict(
            self.name,
            began=began,
            operations=judged,
            counterexamples=[
                counterexample(history, each.sentence, each.positions)
                for each in breaks[:COUNTEREXAMPLES_MAX]
            ],
            unknown=unknown,
            details=details,
        )


def at(history: History, row: Row) -> str:
    """When a row held, in words: ``at 1.204 s``, or ``in event 12``."""
    if has_clock(history):
        return f"at {row.end / 1e9:,.3f} s"
    return f"in event {int(history.index[row.position])}"


def whose(names: Iterable[str], row: Row) -> str:
    """The group of a row in words: `` of shard s1, term 5``; empty for none."""
    said = ", ".join(f"{name} {row.get(name)}" for name in names)
    return f" of {said}" if said else ""

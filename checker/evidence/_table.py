"""The last read of a table into which values were inserted, and the order of its rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from checker._verdict import Counterexample, Verdict
from checker.evidence._checker import (
    SHOWN_MAX,
    Operations,
    counterexample,
    described,
    shown,
    vacuous,
    verdict,
)
from histories import FAIL, History, Json


@dataclass(frozen=True)
class Table:
    """What the read at position `last` shows of these adds; see `Monotonic`."""

    history: History
    adds: Operations
    last: int
    linearizable: bool

    def verdict(self, checker: str, began: float, judged: int) -> Verdict:
        """The verdict over the order and the fate of all rows."""
        history, adds = self.history, self.adds
        rows = [_row(row) for row in history.value_of(int(history.value[self.last]))]
        event_of: dict[int, int] = {}
        process_of: dict[int, int] = {}
        outcome: dict[int, int] = {}
        # What was certain wins over what was tried in vain, should a value be added twice.
        for rank in (FAIL, 3, 1):
            for place in np.flatnonzero(adds.outcome == rank).tolist():
                told = int(adds.told[place])
                value = history.value_of(int(history.value[told]))
                if value is None:
                    value = history.value_of(int(history.value[adds.invoked[place]]))
                element = _row(value)[0]
                event_of[element], outcome[element] = told, rank
                process_of[element] = int(history.process[told])
        times = Counter(value for value, _, _ in rows)
        acknowledged = [element for element, rank in outcome.items() if rank == 1]
        kinds: dict[str, list[Any]] = {
            "lost": [element for element in acknowledged if element not in times],
            "duplicates": [element for element, count in times.items() if count > 1],
            "revived": [element for element in times if outcome.get(element) == FAIL],
            "unexpected": [element for element in times if element not in outcome],
        }
        stamped = [row for row in rows if row[1] is not None]
        kinds["order-by-errors"] = [(a, b) for a, b in pairwise(stamped) if not a[1] < b[1]]
        kinds["value-reorders-per-process"] = self._reorders(rows, process_of)
        if self.linearizable:
            kinds["value-reorders"] = [(a, b) for a, b in pairwise(rows) if a[0] > b[0]]
        recovered = [element for element in times if outcome.get(element) == 3]
        details: dict[str, Any] = {
            "attempted": len(adds),
            "acknowledged": len(acknowledged),
            "seen": len(rows),
            "recovered_count": len(recovered),
        }
        found: list[Counterexample] = []
        for kind, elements in kinds.items():
            details[f"{kind}_count"] = len(elements)
            details[kind] = [
                [list(row) for row in element] if isinstance(element, tuple) else element
                for element in elements[:SHOWN_MAX]
            ]
            if elements:
                found.append(self._counterexample(kind, elements, event_of))
        nothing = None
        if not acknowledged:
            nothing = vacuous(
                "No add was acknowledged, so none can be lost or out of order.",
                "See why operations 'add' do not succeed.",
            )
        return verdict(
            checker,
            began=began,
            operations=judged,
            counterexamples=found,
            unknown=nothing,
            details=details,
        )

    def _reorders(self, rows: list[Any], process_of: dict[int, int]) -> list[Any]:
        latest: dict[Json, Any] = {}
        found = []
        for row in rows:
            process = row[2] if row[2] is not None else process_of.get(row[0])
            before = latest.get(process)
            if process is not None and before is not None and before[0] > row[0]:
                found.append((before, row))
            latest[process] = row
        return found

    def _counterexample(
        self, kind: str, elements: list[Any], event_of: dict[int, int]
    ) -> Counterexample:
        history, one = self.history, elements[0]
        read = f"process {int(history.process[self.last])} read the table"
        events = [self.last]
        if isinstance(one, tuple):
            what = {
                "order-by-errors": "timestamps do not grow",
                "value-reorders": "values do not grow with the timestamps",
                "value-reorders-per-process": "values of one process do not grow",
            }[kind]
            sentence = (
                f"When {read}, {what}: {shown(list(one[0]))} stands before {shown(list(one[1]))}"
            )
            events += [event_of[row[0]] for row in one if row[0] in event_of]
        else:
            event = event_of.get(one)
            events += [] if event is None else [event]
            added = "nobody added it" if event is None else described(history, event)
            what = {
                "lost": "is missing",
                "duplicates": "is there more than once",
                "revived": "is there, though its add failed",
                "unexpected": "is there",
            }[kind]
            sentence = f"When {read}, {one} {what}: {added}"
        return counterexample(history, f"{sentence}; {len(elements)} are like it.", events)


def _row(value: Json) -> tuple[int, Any, Json]:
    """Value, timestamp and process of a row, None where it has none."""
    row = value if isinstance(value, list) and value else [value]
    if type(row[0]) is not int:
        raise ValueError(
            "a row is [value, timestamp, process] with an integer as its value, but here it is "
            f"{shown(value)}"
        )
    return row[0], row[1] if len(row) > 1 else None, row[2] if len(row) > 2 else None

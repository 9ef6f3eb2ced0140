"""Are generated ids unique?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from checker._verdict import Counterexample, Verdict
from checker.evidence._checker import (
    COUNTEREXAMPLES_MAX,
    SHOWN_MAX,
    counterexample,
    described,
    operations,
    shown,
    vacuous,
    verdict,
)
from checker.evidence._elements import integers_of
from histories import History


@dataclass(frozen=True)
class UniqueIds:
    """Every id that ``generate`` answered is answered once.

    The answers are compared as JSON values: ``1`` and ``"1"`` are two ids.  What is in doubt
    or failed told nobody an id, so it counts as attempted only.  An ``ok`` with null told no
    id either; Jepsen would take two of these for a duplicate.
    """

    f: str = "generate"

    @property
    def name(self) -> str:
        return "unique-ids"

    def check(self, history: History) -> Verdict:
        """The verdict; `details` counts attempted, acknowledged and duplicated ids."""
        began = time.perf_counter()
        ops = operations(history, self.f)
        answered = ops.where(ops.ok)
        answered = answered.where(history.value[answered.completed] >= 0)
        code = history.value[answered.completed]
        times = np.bincount(code, minlength=len(history.values))
        duplicated = np.flatnonzero(times > 1)
        worst = duplicated[np.argsort(-times[duplicated], kind="stable")]
        repeated = times[code] > 1
        repeats, of = answered.completed[repeated], code[repeated]
        elements: list[dict[str, Any]] = []
        found: list[Counterexample] = []
        for one in worst[:SHOWN_MAX].tolist():
            events = repeats[of == one]
            elements.append(
                {
                    "element": history.value_of(one),
                    "times": len(events),
                    "at": history.time[events[:SHOWN_MAX]].tolist(),
                }
            )
            if len(found) < COUNTEREXAMPLES_MAX:
                sentence = (
                    f"The id {shown(history.value_of(one))} was generated {len(events)} times: "
                    f"{described(history, events[0])}, and {described(history, events[1])}."
                )
                found.append(counterexample(history, sentence, events))
        are, integers = integers_of(history.values)
        numbers = integers[code[are[code]]]
        details: dict[str, Any] = {
            "attempted": len(ops),
            "acknowledged": len(code),
            "distinct": int(np.count_nonzero(times)),
            "duplicated_count": len(duplicated),
            "duplicated": elements,
        }
        if len(numbers):
            details["range"] = [int(numbers.min()), int(numbers.max())]
        nothing = None
        if len(code) < 2:
            nothing = vacuous(
                f"{len(code)} ids were generated, so nothing shows whether they are unique.",
                f"See why operations {self.f!r} do not succeed.",
            )
        return verdict(
            self.name,
            began=began,
            operations=len(ops),
            counterexamples=found,
            unknown=nothing,
            details=details,
        )

"""Do values only grow, for each process and for all?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from checker._verdict import Counterexample, Verdict
from checker.evidence._before import Numbers, earlier_max, instants_of, numbered, settled_max
from checker.evidence._checker import (
    SHOWN_MAX,
    Mask,
    Operations,
    counterexample,
    described,
    operations,
    shown,
    vacuous,
    verdict,
)
from checker.evidence._elements import integers_of
from checker.evidence._numbers import ABSENT
from checker.evidence._table import Table
from histories import History

_ADDS: Final = ("add", "inc", "insert", "write")


@dataclass(frozen=True)
class Monotonic:
    """Values that grow by one insert after the other are told in that order.

    There are two forms.  *Counters*: ``read`` and ``inc`` answer an integer.  What a process is
    told never decreases, and what ``inc`` answers is greater than anything the process was told
    before (`per-process`).  With `linearizable` the same goes for all processes, between
    operations of which one ended before the other began (`global`).

    *Tables*: ``add`` of an integer, and ``read`` answers a list of rows in order of the
    database's timestamps, ``[value, timestamp, process]`` (of which the last one or two may be
    left out), or of bare values.  The last ``ok`` read is judged: are the timestamps strictly
    growing (`order-by-errors`), and the values (`value-reorders`, for all if `linearizable`;
    `value-reorders-per-process`), which are `lost`, `duplicates`, `revived` (of failed adds),
    `recovered` (of doubtful ones) or `unexpected`?  Jepsen knows no unexpected ones.
    """

    linearizable: bool = True

    @property
    def name(self) -> str:
        return "monotonic"

    def check(self, history: History) -> Verdict:
        """The verdict; raises `ValueError` where a read answers neither integer nor list."""
        began = time.perf_counter()
        reads = operations(history, "read")
        reads = reads.where(reads.ok)
        reads = reads.where(history.value[reads.completed] >= 0)
        if len(reads):
            last = int(reads.completed[np.argmax(reads.completed)])
            if history.values[int(history.value[last])].startswith(b"["):
                adds = operations(history, *_ADDS)
                return Table(history, adds, last, self.linearizable).verdict(
                    self.name, began, len(adds) + len(reads)
                )
        return self._counters(history, began)

    def _counters(self, history: History, began: float) -> Verdict:
        ops = operations(history, "read", *_ADDS)
        adds = np.isin(
            history.f[ops.invoked],
            [code for code, name in enumerate(history.f_names) if name in _ADDS],
        )
        value = _told(history, ops)
        answered = value != ABSENT
        grows = adds[answered]
        told, value = ops.where(answered), value[answered]
        found: list[Counterexample] = []
        details: dict[str, Any] = {
            "attempted": len(ops),
            "reads": int((~grows).sum()),
            "increments": int(grows.sum()),
        }
        process = numbered(history.process[told.invoked])
        order = np.lexsort((told.invoked, process))
        before = np.full(len(told), ABSENT, dtype=np.int64)
        before[order] = earlier_max(process[order], value[order])
        wrong = _decreased(value, before, grows)
        self._tell(history, told, value, before, wrong, "per-process", process, details, found)
        instants = instants_of(history)
        everyone = np.zeros(len(told), dtype=np.int64)
        before = settled_max(
            everyone, instants[told.completed], value, everyone, instants[told.invoked]
        )
        wrong = _decreased(value, before, grows)
        self._tell(history, told, value, before, wrong, "global", everyone, details, found)
        nothing = None
        if len(told) < 2:
            nothing = vacuous(
                f"{len(told)} values were told, which have no order.",
                "See why operations 'read' do not succeed.",
            )
        return verdict(
            self.name,
            began=began,
            operations=len(ops),
            counterexamples=found,
            unknown=nothing,
            details=details,
        )

    def _tell(
        self,
        history: History,
        told: Operations,
        value: Numbers,
        before: Numbers,
        wrong: Mask,
        kind: str,
        group: Numbers,
        details: dict[str, Any],
        found: list[Counterexample],
    ) -> None:
        places = np.flatnonzero(wrong)
        details[f"{kind}_count"] = len(places)
        details[kind] = [
            {
                "element": int(value[place]),
                "after": int(before[place]),
                "process": int(history.process[told.invoked[place]]),
                "at": int(history.time[told.completed[place]]),
            }
            for place in places[:SHOWN_MAX].tolist()
        ]
        if not len(places) or (kind == "global" and not self.linearizable):
            return
        one = int(places[0])
        earlier = (group == group[one]) & (value == before[one])
        witness = told.completed[earlier & (told.completed < told.invoked[one])]
        event = told.completed[one]
        whom = "by then" if kind == "global" else "to the same process"
        sentence = (
            f"Values went backwards: {described(history, event)} came after {before[one]} had been "
            f"told {whom}, in {described(history, witness[-1])}; {len(places)} are like it."
        )
        found.append(
            counterexample(
                history,
                sentence,
                (witness[-1], told.invoked[one], event),
                operation=int(told.invoked[one]),
            )
        )


def _decreased(value: Numbers, before: Numbers, grows: Mask) -> Mask:
    return np.asarray((before != ABSENT) & ((value < before) | (grows & (value == before))))


def _told(history: History, ops: Operations) -> Numbers:
    """The integers that were answered, `ABSENT` where there is none; shape `(n_ops,)`."""
    code = np.where(ops.ok, history.value[ops.completed], -1)
    are, integers = integers_of(history.values)
    value = np.full(len(ops), ABSENT, dtype=np.int64)
    some = code >= 0
    strange = np.flatnonzero(some & ~are[np.maximum(code, 0)])
    if len(strange):
        raise ValueError(
            "counters answer integers, and tables lists, but here it is "
            f"{shown(history.value_of(int(code[strange[0]])))}"
        )
    value[some] = integers[code[some]]
    return value

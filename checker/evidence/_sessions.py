"""The four session guarantees: what a process did and saw, it does not lose sight of."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from checker._verdict import Verdict
from checker.evidence._before import Numbers, earlier_max, numbered
from checker.evidence._checker import (
    SHOWN_MAX,
    Mask,
    counterexample,
    described,
    vacuous,
    verdict,
)
from checker.evidence._numbers import ABSENT
from checker.evidence._versions import Order, Registers
from histories import History


@dataclass(frozen=True)
class _Guarantee:
    """One guarantee, judged for each process and key; `order` is explained at `Registers`.

    Guarantees between keys are `Causal`'s.  A process that crashed and came back under another
    number has begun another session.
    """

    order: Order | None = None

    title: ClassVar[str]
    broken: ClassVar[str]
    earlier_writes: ClassVar[bool]
    """What a session remembers: its writes, or else its reads."""
    later_writes: ClassVar[bool]
    """What has to heed it: its later writes, or else its later reads."""

    @property
    def name(self) -> str:
        return self.title

    def check(self, history: History) -> Verdict:
        """The verdict; `details` counts how many operations had something to heed (`judged`).

        Raises `ValueError` where values are not of the form, or written twice in order of time.
        """
        began = time.perf_counter()
        registers = Registers.of(history, self.order)
        ops = registers.ops
        if self.later_writes and registers.order == "time":
            order, witness, judged, wrong = self._seen_by_readers(registers)
        else:
            order, witness, judged, wrong = self._told_to_itself(registers)
        rows = order[wrong]
        shown = np.sort(rows)[:SHOWN_MAX]
        name = self.name.replace("-", "_")
        details: dict[str, Any] = {
            "judged": int(judged.sum()),
            f"{name}_count": len(rows),
            name: [
                {
                    "process": int(history.process[ops.invoked[row]]),
                    "key": history.key_of(int(history.key[ops.invoked[row]])),
                    "value": history.value_of(int(history.value[ops.completed[row]])),
                    "at": int(history.time[ops.completed[row]]),
                }
                for row in shown.tolist()
            ],
        }
        found = []
        if len(rows):
            place = int(np.flatnonzero(wrong)[np.argmin(rows)])
            one, earlier = int(order[place]), self._earlier(registers, order, witness, place)
            sentence = (
                f"{self.broken}: {described(history, int(ops.completed[one]))} came after "
                f"{described(history, int(ops.completed[earlier]))}, which is of a newer version; "
                f"{len(rows)} are like it."
            )
            invoked = int(ops.invoked[one])
            found.append(
                counterexample(
                    history,
                    sentence,
                    (ops.invoked[earlier], ops.completed[earlier], invoked, ops.completed[one]),
                    operation=invoked,
                    key=history.key_of(int(history.key[invoked])),
                )
            )
        nothing = None
        if not judged.any():
            nothing = vacuous(
                "No process did anything to a key which it had to heed later.",
                "Let each process read and write the same keys several times.",
            )
        return verdict(
            self.name,
            began=began,
            operations=len(ops),
            counterexamples=found,
            unknown=nothing,
            details=details,
        )

    def _told_to_itself(self, registers: Registers) -> tuple[Numbers, Numbers, Mask, Mask]:
        """All operations by session, the version each has to heed, and which do and do not."""
        r = registers
        group = numbered(r.process, r.key)
        order = np.lexsort((r.ops.invoked, group))
        low = np.full(len(r.ops), ABSENT, dtype=np.int64)
        heeds = r.ops.ok & (r.version >= 0)
        remembered = heeds & (r.writes == self.earlier_writes)
        low[remembered] = r.low[r.version[remembered]]
        before = earlier_max(group[order], low[order])
        judged = (heeds & (r.writes == self.later_writes))[order] & (before != ABSENT)
        wrong = judged.copy()
        wrong[judged] = r.high[r.version[order[judged]]] < before[judged]
        return order, before, judged, wrong

    def _seen_by_readers(self, registers: Registers) -> tuple[Numbers, Numbers, Mask, Mask]:
        """As `_told_to_itself`, for writes that have no versions: in which order others saw them.

        A reader that saw the later one, and after it the one before, saw them in wrong order.
        """
        r = registers
        writer = np.full(len(r.low), -1, dtype=np.int64)
        written = np.flatnonzero(r.writes & (r.version >= 0))
        writer[r.version[written]] = written
        reads = r.read_rows()
        reads = reads[writer[r.version[reads]] >= 0]
        wrote = writer[r.version[reads]]
        if self.earlier_writes:
            group = numbered(r.process[reads], r.key[reads], r.process[wrote])
            order = np.lexsort((r.ops.invoked[reads], group))
            position = r.ops.invoked[wrote][order]
            before = earlier_max(group[order], position)
            judged = before != ABSENT
            return reads[order], before, judged, judged & (position < before)
        group = numbered(r.process[reads], r.key[reads])
        order = np.lexsort((r.ops.invoked[reads], group))
        reads, wrote, group = reads[order], wrote[order], group[order]
        follows = np.append(False, group[1:] == group[:-1]) if len(group) else group.astype(bool)
        last = np.append(np.int64(0), wrote[:-1])
        # Had the writer of what was seen before read what is seen now, before it wrote?
        span = len(r.low) + 1
        known = r.process[reads] * span + r.version[reads]
        distinct, which = np.unique(known, return_inverse=True)
        first = np.full(len(distinct), np.iinfo(np.int64).max, dtype=np.int64)
        np.minimum.at(first, which, r.ops.completed[reads])
        asked = r.process[last] * span + r.version[reads]
        place = np.minimum(np.searchsorted(distinct, asked), max(len(distinct) - 1, 0))
        wrong = follows & (wrote != last)
        if len(distinct):
            wrong &= (distinct[place] == asked) & (first[place] < r.ops.invoked[last])
        return reads, r.ops.invoked[last], follows, wrong

    def _earlier(self, registers: Registers, order: Numbers, witness: Numbers, place: int) -> int:
        """The operation that told the newer version before, in the same session."""
        r, one = registers, int(order[place])
        same = (r.process == r.process[one]) & (r.key == r.key[one]) & r.ops.ok & (r.version >= 0)
        rows = np.flatnonzero(same & (r.ops.completed < r.ops.invoked[one]))
        if self.later_writes and r.order == "time":
            at = int(np.searchsorted(r.ops.invoked, witness[place]))
            rows = rows[~r.writes[rows] & (r.version[rows] == r.version[at])]
        else:
            rows = rows[r.writes[rows] == self.earlier_writes]
            rows = rows[r.low[r.version[rows]] == witness[place]]
        return int(rows[-1])


class ReadYourWrites(_Guarantee):
    """A process that wrote to a key reads this version or a newer one; doubtful writes are none."""

    title = "read-your-writes"
    broken = "A process did not read its own write"
    earlier_writes, later_writes = True, False


class MonotonicReads(_Guarantee):
    """A process that read a version of a key reads no older one later."""

    title = "monotonic-reads"
    broken = "A process read an older version than before"
    earlier_writes, later_writes = False, False


class MonotonicWrites(_Guarantee):
    """The writes of a process to a key take effect in its order.

    Seen in the versions that writes were told.  In order of time, where they have none, it takes
    a reader that saw two writes of one process in the other order.
    """

    title = "monotonic-writes"
    broken = "Writes of one process took effect in another order"
    earlier_writes, later_writes = True, True


class WritesFollowReads(_Guarantee):
    """What a process writes to a key is newer than what it had read there.

    Seen in the versions that writes were told.  In order of time, where they have none, it takes
    a reader that saw a write, and in its next read the version which the writer had read before.
    """

    title = "writes-follow-reads"
    broken = "A write took effect before what its process had read"
    earlier_writes, later_writes = False, True

"""A history seen as operations: one row per thing a client tried.

Every picture in a report shows operations, not events, so the events are paired once,
in columns, and everything else here works on these rows.  Rows are in the order of
invocation.  Nothing is decoded until `Operations.describe` is asked for a single row,
which keeps a report about a million operations a matter of a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from histories import INVOKE, Event, History
from reports import _labels

Outcome: TypeAlias = Literal["ok", "fail", "info", "pending"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("ok", "fail", "info", "pending")
"""How an operation ended; `pending` never ended at all."""

OK: Final = OUTCOMES.index("ok")
FAIL: Final = OUTCOMES.index("fail")
INFO: Final = OUTCOMES.index("info")
PENDING: Final = OUTCOMES.index("pending")

Ints: TypeAlias = npt.NDArray[np.int64]
NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Operations:
    """Columns over the operations of the clients, each of length `n_operations`.

    `invoke` and `complete` are positions in `history` (-1: no completion), `start` and `end`
    times in ns (`NEVER` where there is no completion), `outcome` an index in `OUTCOMES`.
    """

    history: History = field(repr=False)
    invoke: Ints
    complete: Ints
    start: Ints
    end: Ints
    process: Ints
    f: Ints
    key: Ints
    outcome: Ints

    def __len__(self) -> int:
        return len(self.invoke)

    @property
    def crashed(self) -> npt.NDArray[np.bool_]:
        """Rows of which nobody knows whether they happened; they may act forever."""
        return self.outcome >= INFO

    @property
    def silent(self) -> npt.NDArray[np.bool_]:
        """Reads that never came back: they changed nothing and tell nothing."""
        reads = np.array([_labels.is_read(name) for name in self.history.f_names], dtype=np.bool_)
        given = self.history.value[self.invoke] >= 0
        return np.logical_and(self.crashed & ~given, reads[self.f])

    def row_of(self, index: int | None) -> int | None:
        """The row an event (invocation or completion, by its `index`) belongs to."""
        indices = self.history.index
        if index is None or not len(indices):
            return None
        event = int(np.searchsorted(indices, index))
        if event == len(indices) or indices[event] != index:
            return None
        for position in (event, int(self.history.pairs[event])):
            row = int(np.searchsorted(self.invoke, position))
            if row < len(self.invoke) and self.invoke[row] == position:
                return row
        return None

    def events(self, row: int) -> tuple[Event, Event | None]:
        """The invocation and, if there is one, the completion."""
        complete = int(self.complete[row])
        invocation = self.history[int(self.invoke[row])]
        return invocation, self.history[complete] if complete >= 0 else None

    def describe(self, row: int, limit: int = 32) -> str:
        """The operation in one breath."""
        invocation, completion = self.events(row)
        answer = completion.value if completion else None
        return _labels.operation(
            invocation.f, invocation.value, answer, self.outcome_of(row), limit
        )

    def reads(self, row: int) -> bool:
        """Whether the operation only looks, as far as its name can tell."""
        return _labels.is_read(self.history.f_names[int(self.f[row])])

    def outcome_of(self, row: int) -> Outcome:
        """How the operation ended."""
        return OUTCOMES[int(self.outcome[row])]


def operations(history: History) -> Operations:
    """Pair the events of the clients."""
    kind, process, time = history.type, history.process, history.time
    invoke = np.flatnonzero((kind == INVOKE) & (process >= 0)).astype(np.int64)
    complete = history.pairs[invoke]
    answered = complete >= 0
    # Rows without a completion read event 0; `answered` hides what they found there.
    safe = np.where(answered, complete, 0)
    return Operations(
        history=history,
        invoke=invoke,
        complete=complete,
        start=time[invoke],
        end=np.where(answered, time[safe], NEVER) if len(time) else np.empty(0, np.int64),
        process=process[invoke].astype(np.int64),
        f=history.f[invoke].astype(np.int64),
        key=history.key[invoke].astype(np.int64),
        outcome=np.where(answered, kind[safe].astype(np.int64) - 1, PENDING)
        if len(kind)
        else np.empty(0, np.int64),
    )


def has_clock(history: History) -> bool:
    """Whether times are times; a history without any counts its events instead."""
    return len(history) > 0 and not np.array_equal(history.time, history.index)

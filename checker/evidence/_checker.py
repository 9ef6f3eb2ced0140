"""What a checker without a search is, and what all of them share.

Such a checker looks at what clients were told, element by element, and needs no order that
explains it all.  It takes the columns of a `History` in one pass, counts the outcome of every
element, and answers with a `Verdict`: `details` has the counts and the troubled elements
themselves, and each kind of trouble has a `Counterexample` with the events that show it.

The words for outcomes are the same everywhere: *attempted* (somebody tried), *acknowledged*
(a client was told that it happened), *seen* (a client was told that it is there), *lost*
(acknowledged, and then gone), *recovered* (in doubt, and then seen), *duplicated*,
*unexpected* (seen, though nobody could have put it there), *stale* (missing in an answer that
should have had it, and seen later), *never_read*.

Something comes before something else only if it ended, by the clock, strictly before the
other began.  A history without a clock is ordered by its events.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from checker._verdict import Counterexample, Unknown, Verdict
from histories import INFO, INVOKE, OK, History, Json

SHOWN_MAX: Final = 100
"""So many troubled elements of each kind are told; the count tells how many there are."""

COUNTEREXAMPLES_MAX: Final = 10
EVENTS_MAX: Final = 12
"""So many events at most stand in a counterexample."""

QUANTILES: Final = (0.0, 0.5, 0.95, 0.99, 1.0)
NEVER: Final = np.iinfo(np.int64).max
"""The time of what has not happened by the end of the history."""

_VALUE_CHARACTERS_MAX: Final = 60

Positions = npt.NDArray[np.int64]
Times = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Checker(Protocol):
    """Maps a history to a verdict, by what its clients were told."""

    @property
    def name(self) -> str:
        """As users know it: ``set-full``, ``total-queue``, ``unique-ids``, ..."""
        ...

    def check(self, history: History) -> Verdict:
        """Judge it; raises `ValueError` where its operations are not of the expected form."""
        ...


@dataclass(frozen=True)
class Operations:
    """Operations of clients, in the order of their invocations; columns of shape `(n,)`.

    `invoked` and `completed` are positions in the history, `completed` -1 where there is no
    completion.  `outcome` is OK, FAIL or INFO, and INFO also for what never completed.
    `begin` and `end` are times by `clock_of`; only an `ok` has an end, for what is in doubt
    may happen at any time: its end is `NEVER`.
    """

    invoked: Positions
    completed: Positions
    outcome: npt.NDArray[np.uint8]
    begin: Times
    end: Times

    def __len__(self) -> int:
        return len(self.invoked)

    def where(self, chosen: Mask | Positions) -> Operations:
        """Some of them."""
        return Operations(
            self.invoked[chosen],
            self.completed[chosen],
            self.outcome[chosen],
            self.begin[chosen],
            self.end[chosen],
        )

    @property
    def ok(self) -> Mask:
        """Which certainly happened, shape `(n,)`."""
        return np.asarray(self.outcome == OK)

    @property
    def doubtful(self) -> Mask:
        """Which may have happened or not, shape `(n,)`."""
        return np.asarray(self.outcome == INFO)

    @property
    def told(self) -> Positions:
        """The events that tell most of them: completions, else invocations, shape `(n,)`."""
        return np.where(self.completed >= 0, self.completed, self.invoked)


def operations(history: History, *names: str) -> Operations:
    """The operations of clients with one of these names; all of them if none is given."""
    chosen = (history.process >= 0) & (history.type == INVOKE)
    if names:
        chosen &= named(history, *names)[history.f]
    invoked = np.flatnonzero(chosen)
    completed = history.pairs[invoked]
    outcome = np.where(completed >= 0, history.type[completed], INFO).astype(np.uint8)
    clock = clock_of(history)
    end = np.where(outcome == OK, clock[completed], NEVER)
    return Operations(invoked, completed, outcome, clock[invoked], end)


def named(history: History, *names: str) -> Mask:
    """Which codes of the column `f` stand for one of these names, shape `(n_names,)`."""
    return np.array([name in names for name in history.f_names], dtype=bool)


def clients_with_other_operations(history: History, *names: str) -> list[str]:
    """The names of what clients did besides these."""
    codes = np.unique(history.f[history.process >= 0])
    return sorted({history.f_names[code] for code in codes} - set(names))


def has_clock(history: History) -> bool:
    """Whether times are times; a history without any counts its events instead."""
    times = history.time
    if not len(times) or times[0] == times[-1]:
        return False
    return not np.array_equal(times, history.index)


def clock_of(history: History) -> Times:
    """What orders the events, shape `(n_events,)`: their times in ns, or else their numbers."""
    times = history.time
    if len(times) and times[0] == times[-1]:
        return history.index
    return times


def moment(history: History, position: int) -> str:
    """When an event took place, in words: ``at 1.204 s``, or ``in event 12``."""
    if has_clock(history):
        return f"at {history.time[position] / 1e9:,.3f} s"
    return f"in event {int(history.index[position])}"


def described(history: History, position: int) -> str:
    """An event in words: ``add 5 by process 3 (ok at 1.204 s)``."""
    event = history[position]
    value = "" if event.value is None else f" {shown(event.value)}"
    word = "invoked" if event.type == "invoke" else event.type
    return f"{event.f}{value} by process {event.process} ({word} {moment(history, position)})"


def shown(value: Json) -> str:
    """A value as JSON, of bounded length."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > _VALUE_CHARACTERS_MAX:
        text = f"{text[: _VALUE_CHARACTERS_MAX - 3]}..."
    return text


def counterexample(
    history: History,
    sentence: str,
    positions: Iterable[int],
    *,
    operation: int | None = None,
    key: Json = None,
    details: Mapping[str, Any] | None = None,
) -> Counterexample:
    """A counterexample of the events at these positions (negative ones mean none).

    `operation` is the position of the invocation at fault; `key` is set by what judges keys.
    """
    chosen = sorted({int(position) for position in positions if position >= 0})[:EVENTS_MAX]
    return Counterexample(
        sentence,
        key,
        None if operation is None else int(history.index[operation]),
        tuple(history[position] for position in chosen),
        details=dict(details or {}),
    )


def quantiles_ms(latencies_ns: npt.NDArray[Any]) -> dict[str, float]:
    """Latencies (ns, any shape) at `QUANTILES`, in milliseconds; empty if there are none."""
    if not latencies_ns.size:
        return {}
    ordered = np.sort(latencies_ns, axis=None)
    last = len(ordered) - 1
    ranks = [min(last, int(len(ordered) * q)) for q in QUANTILES]
    return {
        f"{q:g}": round(float(ordered[rank]) / 1e6, 6)
        for q, rank in zip(QUANTILES, ranks, strict=True)
    }


def vacuous(sentence: str, remedy: str) -> Unknown:
    """There is nothing to judge."""
    return Unknown("vacuous", sentence, remedy)


def verdict(
    checker: str,
    *,
    began: float,
    operations: int,
    counterexamples: Sequence[Counterexample] = (),
    unknown: Unknown | None = None,
    details: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> Verdict:
    """The verdict: invalid if there is a counterexample, else unknown if told why, else valid.

    `began` is the `time.perf_counter` at which the checker began; `operations` how many
    operations of clients were judged.
    """
    invalid = bool(counterexamples)
    return Verdict(
        valid=False if invalid else ("unknown" if unknown is not None else True),
        checker=checker,
        operations=operations,
        seconds=time.perf_counter() - began,
        counterexamples=tuple(counterexamples[:COUNTEREXAMPLES_MAX]),
        unknown=None if invalid else unknown,
        details=dict(details or {}),
        notes=tuple(notes),
    )

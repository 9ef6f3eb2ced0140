"""How old is what reads tell, and is it too old?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from checker._verdict import Counterexample, Verdict
from checker.evidence._before import Numbers, settled_max
from checker.evidence._checker import (
    QUANTILES,
    SHOWN_MAX,
    Mask,
    clock_of,
    counterexample,
    described,
    has_clock,
    quantiles_ms,
    vacuous,
    verdict,
)
from checker.evidence._versions import LATER, Order, Registers
from histories import History


@dataclass(frozen=True)
class BoundedStaleness:
    """Reads are at most so many versions, and so many milliseconds, behind.

    A read is stale if somebody had been told of a newer version of its key before the read
    began: by an acknowledged write, or by another read.  Its staleness in time runs from that
    moment to the beginning of the read, its staleness in versions counts the versions, known
    from the history, that are newer and had been there.  Both are lower bounds of the truth.

    `versions_max` and `ms_max` are the bounds, None for none: with neither, staleness is only
    measured, and the verdict is valid.  `order` is how versions are ordered (see `Registers`).
    """

    versions_max: int | None = None
    ms_max: float | None = None
    order: Order | None = None

    @property
    def name(self) -> str:
        return "bounded-staleness"

    def check(self, history: History) -> Verdict:
        """The verdict; raises `ValueError` where values are not of the form, or written twice."""
        began = time.perf_counter()
        registers = Registers.of(history, self.order)
        reads = registers.read_rows()
        since, behind = staleness(registers, reads)
        clock = clock_of(history)
        stale = np.flatnonzero(behind > 0)
        lag_ns = np.zeros(len(reads), dtype=np.int64)
        first = registers.ops.completed[since[stale]]
        lag_ns[stale] = registers.ops.begin[reads[stale]] - clock[first]
        timed = has_clock(history)
        too_many = behind > (LATER if self.versions_max is None else self.versions_max)
        too_long = np.zeros(len(reads), dtype=bool)
        if self.ms_max is not None and timed:
            too_long = lag_ns > self.ms_max * 1e6
        details: dict[str, Any] = {
            "reads": len(reads),
            "stale_count": len(stale),
            "staleness_versions": _quantiles(behind),
            "staleness_ms": quantiles_ms(lag_ns) if timed else {},
        }
        found: list[Counterexample] = []
        for kind, wrong, by in (("versions", too_many, behind), ("ms", too_long, lag_ns)):
            places = np.flatnonzero(wrong)
            details[f"too_stale_{kind}_count"] = len(places)
            if not len(places):
                continue
            worst = places[np.argsort(-by[places], kind="stable")][:SHOWN_MAX]
            details[f"too_stale_{kind}"] = [
                {
                    "at": int(history.time[registers.ops.completed[reads[place]]]),
                    "versions": int(behind[place]),
                    "ms": lag_ns[place] / 1e6 if timed else None,
                }
                for place in worst.tolist()
            ]
            one = int(worst[0])
            read, teller = reads[one], since[one]
            event = int(registers.ops.completed[read])
            told = int(registers.ops.completed[teller])
            lag = f", and {lag_ns[one] / 1e6:,.3f} ms" if timed else ""
            bound = f"{self.versions_max} versions" if kind == "versions" else f"{self.ms_max} ms"
            sentence = (
                f"A read is staler than {bound}: {described(history, event)} was "
                f"{behind[one]} versions{lag} behind {described(history, told)}; "
                f"{len(places)} are like it."
            )
            invoked = int(registers.ops.invoked[read])
            found.append(
                counterexample(
                    history,
                    sentence,
                    (told, invoked, event),
                    operation=invoked,
                    key=history.key_of(int(history.key[invoked])),
                )
            )
        nothing = None
        if not len(reads) or not (registers.writes & (registers.version >= 0)).any():
            nothing = vacuous(
                "No read succeeded after a write, so nobody could be behind.",
                "See why operations 'read' and 'write' do not succeed.",
            )
        elif self.ms_max is not None and not timed:
            nothing = vacuous(
                "The history has no clock, so staleness in milliseconds is not known.",
                "Record times, or bound the staleness in versions.",
            )
        return verdict(
            self.name,
            began=began,
            operations=len(registers.ops),
            counterexamples=found,
            unknown=nothing,
            details=details,
        )


def staleness(registers: Registers, reads: Numbers) -> tuple[Numbers, Numbers]:
    """Of each read: who first told of a newer version, and by how many versions it is behind.

    Both have the shape of `reads`, -1 and 0 where nobody told of a newer one before it began.
    """
    since = np.full(len(reads), -1, dtype=np.int64)
    behind = np.zeros(len(reads), dtype=np.int64)
    if not len(reads):
        return since, behind
    # By key and then by age; from the newest back, who was the first to tell?
    order = np.lexsort((registers.low, registers.of_key))
    of_key, settled = registers.of_key[order], registers.settled[order]
    names, low = np.unique(registers.low, return_inverse=True)
    span = len(names) + 1
    where = of_key * span + low[order]
    read_key = registers.key[reads]
    high = np.searchsorted(names, registers.high[registers.version[reads]], side="right")
    place = np.searchsorted(where, read_key * span + high, side="left")
    ends = np.searchsorted(of_key, np.arange(int(of_key.max()) + 1), side="right")[of_key]
    best = _first_from(ends, settled)
    there = place < len(where)
    there[there] = of_key[place[there]] == read_key[there]
    first = best[np.minimum(place, len(best) - 1)]
    there &= settled[first] < registers.began[reads]
    since[there] = registers.told_by[order[first[there]]]
    # How many versions were settled by then, less those that are no newer: exact where versions
    # are settled in their order, and else too few.
    span = int(max(registers.began.max(), settled[settled < LATER].max(initial=0))) + 1
    told = settled < LATER
    times = np.sort(of_key[told] * span + settled[told])
    known = np.searchsorted(times, read_key * span + registers.began[reads], side="left")
    older = np.searchsorted(times, read_key * span, side="left")
    no_newer = place - np.searchsorted(of_key, read_key, side="left")
    behind[there] = np.maximum(1, (known - older - no_newer)[there])
    if registers.order != "time":
        behind[there] = _newest(registers, order, reads, place, there)
    return since, behind


def _newest(
    registers: Registers,
    order: Numbers,
    reads: Numbers,
    place: Numbers,
    there: Mask,
) -> Numbers:
    """How many versions are newer than each stale read's, up to the newest that was told of.

    Those between them were there, too, though perhaps nobody was told of them yet.
    """
    told = registers.settled[order] < LATER
    newest = settled_max(
        registers.of_key[order][told],
        registers.settled[order][told],
        np.flatnonzero(told),
        registers.key[reads[there]],
        registers.began[reads[there]],
    )
    return np.asarray(newest - place[there] + 1)


def _first_from(ends: Numbers, settled: Numbers) -> Numbers:
    """For each row, which of those from it to the end of its key was settled first."""
    # A running minimum from behind; keys are kept apart by adding what no instant reaches.
    told = settled < LATER
    most = int(settled[told].max(initial=0)) + 2
    capped = np.where(told, settled, most - 1)
    key = np.cumsum(np.append(np.int64(0), np.diff(ends) != 0))
    shifted = (capped + key * most)[::-1]
    running = np.minimum.accumulate(shifted)
    new = np.append(True, running[1:] < running[:-1])
    rows = np.arange(len(ends))[::-1]
    return np.asarray(rows[np.maximum.accumulate(np.where(new, np.arange(len(ends)), 0))][::-1])


def _quantiles(counts: Numbers) -> dict[str, int]:
    if not len(counts):
        return {}
    ordered = np.sort(counts)
    last = len(ordered) - 1
    return {f"{q:g}": int(ordered[min(last, int(len(ordered) * q))]) for q in QUANTILES}

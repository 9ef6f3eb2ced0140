"""A checker of one object lifted over keys: each key is an object of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from checker._verdict import Counterexample, Unknown, Verdict, merge_valid
from checker.evidence._checker import COUNTEREXAMPLES_MAX, Checker, Mask, shown, vacuous
from checker.evidence._clearing import Clears
from checker.evidence._compose import safely
from histories import History, Json, Texts

PARTS_MAX: Final = 100
"""So many keys that are not valid have a part of their own."""


@dataclass(frozen=True)
class Keyed:
    """Judges the operations of each key by themselves; make one with `keyed`.

    Every key sees the clients' events of that key only, so nemesis and observers are nobody's.
    The verdict is invalid if that of any key is, else unknown if that of any key is.
    `details` holds the sums of the numbers that the keys tell, and how many keys there are;
    keys that are not valid are parts, by the JSON text of the key.

    A checker that can clear many keys at once (`Clears`) does so first, unless `quick` is false,
    and only the other keys are judged by themselves.
    """

    checker: Checker
    quick: bool = True

    @property
    def name(self) -> str:
        return self.checker.name

    def check(self, history: History) -> Verdict:
        """The verdict over all keys."""
        began = time.perf_counter()
        verdicts: list[Any] = []
        parts: dict[str, Verdict] = {}
        found: list[Counterexample] = []
        unknown: Unknown | None = None
        operations = 0
        totals: dict[str, Any] = {}
        clean = np.zeros(len(history.keys) + 1, dtype=bool)
        if self.quick and isinstance(self.checker, Clears):
            cleared = self.checker.cleared(history)
            if cleared is not None and cleared.keys.any():
                clean = cleared.keys
                verdicts += [True] * int(clean.sum())
                operations, totals = cleared.operations, dict(cleared.totals)
        for key, mine in by_key(history, clean):
            part = safely(self.checker, mine)
            verdicts.append(part.valid)
            operations += part.operations
            for name, value in part.details.items():
                if type(value) is int and name.endswith("_max"):
                    totals[name] = max(totals.get(name, value), value)
                elif type(value) is int:
                    totals[name] = totals.get(name, 0) + value
            if part.valid is True:
                continue
            if len(parts) < PARTS_MAX:
                parts[shown(key)] = part
            found += [
                msgspec.structs.replace(each, key=key)
                for each in part.counterexamples[: COUNTEREXAMPLES_MAX - len(found)]
            ]
            if unknown is None and part.unknown is not None:
                sentence = f"Key {shown(key)}: {part.unknown.sentence}"
                unknown = msgspec.structs.replace(part.unknown, sentence=sentence)
        valid = merge_valid(verdicts)
        if not verdicts:
            valid = "unknown"
            unknown = vacuous("No client did anything.", "See why the run has no operations.")
        return Verdict(
            valid=valid,
            checker=self.name,
            operations=operations,
            seconds=time.perf_counter() - began,
            counterexamples=tuple(found),
            unknown=unknown if valid == "unknown" else None,
            details={
                "keys": len(verdicts),
                "invalid_keys": verdicts.count(False),
                "unknown_keys": verdicts.count("unknown"),
                **totals,
            },
            parts=parts,
        )


def keyed(checker: Checker) -> Keyed:
    """`checker` for each key by itself; see `Keyed`."""
    return Keyed(checker)


def has_keys(history: History) -> bool:
    """Whether an operation of a client has a key."""
    return bool(((history.process >= 0) & (history.key >= 0)).any())


def by_key(history: History, without: Mask | None = None) -> Iterator[tuple[Json, History]]:
    """The clients' events of each key, in the order in which the keys are first met.

    `without` says which codes of keys are left out (its last place is for no key).  All slices are
    cut from one copy of the columns, sorted by key, and each has a table of its own values only, so
    this (and what checkers do with the slices) takes linear time however many keys there are.
    """
    kept = history.process >= 0
    if without is not None:
        kept &= ~without[history.key]
    chosen = np.flatnonzero(kept)
    order = chosen[np.argsort(history.key[chosen], kind="stable")]
    key = history.key[order]
    starts = np.flatnonzero(np.diff(key, prepend=np.int32(-2)))
    stops = np.append(starts[1:], len(key))
    # Where each event stands in the slice of its key.
    place = np.full(len(history) + 1, -1, dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(starts, stops - starts)
    partner = history.pairs[order]
    same = (partner >= 0) & (history.key[partner] == key)
    columns = {
        name: getattr(history, name)[order]
        for name in ("index", "time", "process", "type", "f", "key", "error", "node")
    }
    columns["pairs"] = np.where(same, place[partner], -1)
    columns["value"], tables = _own_values(history, order, starts, stops)
    for n in np.argsort(order[starts], kind="stable").tolist():
        start, stop = int(starts[n]), int(stops[n])
        mine = {name: column[start:stop] for name, column in columns.items()}
        yield history.key_of(int(key[start])), replace(history, **mine, values=tables.table(n))


@dataclass(frozen=True)
class _Tables:
    """The values of all slices, end to end; those of slice `n` begin at `first[n]`."""

    offsets: npt.NDArray[np.int64]
    data: memoryview
    first: npt.NDArray[np.int64]

    def table(self, n: int) -> Texts:
        """Those of one slice."""
        offsets = self.offsets[self.first[n] : self.first[n + 1] + 1]
        begin, end = int(offsets[0]), int(offsets[-1])
        return Texts((offsets - begin).data, self.data[begin:end])


def _own_values(
    history: History,
    order: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int32], _Tables]:
    """The codes of values in tables of the values of each slice only, and these tables."""
    code = history.value[order].astype(np.int64)
    width = len(history.values) + 1
    both = np.repeat(np.arange(len(starts)), stops - starts) * width + code
    some = np.flatnonzero(code >= 0)
    distinct, which = np.unique(both[some], return_inverse=True)
    first = np.searchsorted(distinct, np.arange(len(starts) + 1) * width)
    own = np.full(len(code), -1, dtype=np.int32)
    own[some] = which - first[both[some] // width]
    texts = Texts.of_arrow(history.values.to_arrow().take(pa.array(distinct % width)))
    return own, _Tables(texts.offsets, texts.data, first)

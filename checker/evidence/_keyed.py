"""A checker of one object lifted over keys: each key is an object of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from checker._verdict import Counterexample, Unknown, Verdict, merge_valid
from checker.evidence._checker import COUNTEREXAMPLES_MAX, Checker, shown, vacuous
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
    """

    checker: Checker

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
        for key, mine in by_key(history):
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


def by_key(history: History) -> Iterator[tuple[Json, History]]:
    """The clients' events of each key, in the order in which the keys are first met.

    All slices are cut from one copy of the columns, sorted by key, and each has a table of its
    own values only, so this (and what checkers do with the slices) takes linear time however
    many keys there are.
    """
    chosen = np.flatnonzero(history.process >= 0)
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
        for name in ("index", "time", "process", "type", "f", "key", "value", "error", "node")
    }
    columns["pairs"] = np.where(same, place[partner], -1)
    for n in np.argsort(order[starts], kind="stable").tolist():
        start, stop = int(starts[n]), int(stops[n])
        mine = {name: column[start:stop] for name, column in columns.items()}
        mine["value"], values = _own_values(mine["value"], history.values)
        yield history.key_of(int(key[start])), replace(history, **mine, values=values)


def _own_values(codes: npt.NDArray[np.int32], values: Texts) -> tuple[npt.NDArray[np.int32], Texts]:
    """The codes in a table of just these values, and the table."""
    distinct, number = np.unique(codes, return_inverse=True)
    nulls = int(len(distinct) > 0 and distinct[0] < 0)
    texts = [values[code] for code in distinct[nulls:].tolist()]
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    return (number - nulls).astype(np.int32), Texts(offsets.tobytes(), b"".join(texts))

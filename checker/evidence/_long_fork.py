"""Do all readers see the same order of writes to different keys?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from checker._verdict import Counterexample, Unknown, Verdict
from checker.evidence._checker import (
    COUNTEREXAMPLES_MAX,
    SHOWN_MAX,
    counterexample,
    described,
    operations,
    vacuous,
    verdict,
)
from checker.evidence._long_fork_shapes import cleared, written_once
from histories import FAIL, History, Json, canonical

_PAIRS_MAX = 100_000


@dataclass(frozen=True)
class LongFork:
    """No two reads of the same keys each see a write that the other one misses.

    Transactions (``txn``, ``read`` or ``write``) are ``[["w", key, value]]``, each key written
    once, and ``[["r", key, value], ...]``, null where nothing was read.  All reads of one group of
    keys must then fit into one order, each seeing at least what the one before saw; two reads
    that do not are a *fork*, which parallel snapshot isolation allows and snapshot isolation
    forbids.  Reads of keys that differ are not compared (Jepsen refuses groups of another size).

    A look at columns clears most groups of suspicion; `quick` false does without.
    """

    quick: bool = True

    @property
    def name(self) -> str:
        return "long-fork"

    def check(self, history: History) -> Verdict:
        """The verdict; raises `ValueError` where transactions have another form."""
        began = time.perf_counter()
        ops = operations(history, "txn", "read", "write")
        reads: dict[tuple[bytes, ...], dict[int, tuple[int, tuple[bytes, ...]]]] = {}
        twice = _written_twice(history, ops.where(ops.outcome != FAIL).invoked, self.quick)
        texts: dict[Json, bytes] = {}
        done = ops.where(ops.ok)
        codes, first = np.unique(history.value[done.completed], return_index=True)
        proof = cleared(history, codes.astype(np.int64)) if self.quick else None
        if proof is not None:
            codes, first = codes[proof.suspects], first[proof.suspects]
        read_count = 0
        differing: Unknown | None = twice
        states: dict[tuple[bytes, ...], dict[bytes, bytes]] = {}
        for code, row in zip(codes.tolist(), first.tolist(), strict=True):
            steps = history.value_of(code)
            if not _is_transaction(steps):
                raise ValueError(
                    'a transaction is [["w", key, value]] or [["r", key, value], ...], but here '
                    f"it is {described(history, int(done.completed[row]))}"
                )
            if steps[0][0] == "w":
                continue
            seen = sorted((_text(texts, key), _text(texts, value)) for _, key, value in steps)
            keys = tuple(key for key, _ in seen)
            group = reads.setdefault(keys, {})
            values = states.setdefault(keys, {})
            mask = 0
            for place, (key, value) in enumerate(seen):
                if value != b"null":
                    mask |= 1 << place
                    if values.setdefault(key, value) != value and differing is None:
                        differing = Unknown(
                            "harness",
                            f"Key {key.decode()} was read with two values.",
                            "Write every key once.",
                        )
            read_count += 1
            group.setdefault(mask, (int(done.completed[row]), keys))
        forks: list[tuple[int, int]] = []
        count = 0
        for group in reads.values():
            masks = sorted(group, key=lambda mask: (mask.bit_count(), mask))
            if all(not a & ~b for a, b in pairwise(masks)):
                continue
            for number, (a, b) in enumerate(combinations(masks, 2)):
                if number == _PAIRS_MAX:
                    break
                if a & ~b and b & ~a:
                    count += 1
                    if len(forks) < SHOWN_MAX:
                        forks.append((group[a][0], group[b][0]))
        found: list[Counterexample] = []
        for one, other in forks[:COUNTEREXAMPLES_MAX]:
            sentence = (
                f"Two reads see writes in opposite orders: {described(history, one)}, and "
                f"{described(history, other)}; there are {count} such pairs."
            )
            found.append(counterexample(history, sentence, (one, other)))
        groups, anything = len(reads), any(mask for group in reads.values() for mask in group)
        if proof is not None:
            read_count, groups, anything = proof.reads, proof.groups, proof.seen
        details: dict[str, Any] = {
            "reads": read_count,
            "groups": groups,
            "forks_count": count,
            "forks": [
                [history.value_of(int(history.value[event])) for event in pair] for pair in forks
            ],
        }
        nothing = None
        if not anything:
            nothing = vacuous(
                "No read saw a write, so there is no order of writes.",
                "See why operations 'txn' do not succeed.",
            )
        return verdict(
            self.name,
            began=began,
            operations=len(ops),
            counterexamples=() if differing is not None else found,
            unknown=differing or nothing,
            details=details,
        )


def _text(texts: dict[Json, bytes], value: Json) -> bytes:
    """The canonical text of a key or value; that of an integer is made once."""
    if type(value) is not int:
        return canonical(value)
    if value not in texts:
        texts[value] = canonical(value)
    return texts[value]


def _is_transaction(steps: Json) -> bool:
    if not isinstance(steps, list) or not steps:
        return False
    if not all(isinstance(step, list) and len(step) == 3 for step in steps):
        return False
    return all(step[0] == "r" for step in steps) or (len(steps) == 1 and steps[0][0] == "w")


def _written_twice(history: History, invoked: np.ndarray[Any, Any], quick: bool) -> Unknown | None:
    keys: set[bytes] = set()
    codes, times = np.unique(history.value[invoked], return_counts=True)
    if quick and written_once(history, codes, times):
        return None
    for code, count in zip(codes.tolist(), times.tolist(), strict=True):
        steps = history.value_of(code)
        if _is_transaction(steps) and steps[0][0] == "w":
            key = canonical(steps[0][1])
            if key in keys or count > 1:
                return Unknown(
                    "harness",
                    f"Key {key.decode()} was written more than once, so reads do not tell which "
                    "write they saw.",
                    "Write every key once.",
                )
            keys.add(key)
    return None

"""Is nothing read that is older than what, by cause and effect, came before the read?"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from checker._verdict import Counterexample, Verdict
from checker.evidence._before import Numbers
from checker.evidence._bounded_staleness import staleness
from checker.evidence._checker import (
    COUNTEREXAMPLES_MAX,
    EVENTS_MAX,
    SHOWN_MAX,
    counterexample,
    described,
    vacuous,
    verdict,
)
from checker.evidence._versions import Order, Registers
from histories import FAIL, History, Json, canonical

_KEYS_AT_ONCE: Final = 16
_VISITED_MAX: Final = 200_000
_NOTHING: Final = -(2**62)


@dataclass(frozen=True)
class Causal:
    """Causal consistency of registers, across keys and processes.

    An operation comes causally before another one if the same process did it earlier, or if it
    wrote what the other one read, or by several such steps.  No read may see a version of a key
    if a newer version of it came causally before the read (`causal-order`), nor a value that
    nobody wrote, whose write failed or had not begun (`unexpected`).  `order` says how versions
    are ordered (see `Registers`).

    Jepsen's causal register is one key written in five steps; here are any keys and operations.

    What comes causally before a read ended before it, so only a read that is stale can be wrong.
    Finding the stale ones is a matter of sorting; only if there are any, causes are followed, in
    one pass in Python for each 16 keys that have some.
    """

    order: Order | None = None

    @property
    def name(self) -> str:
        return "causal"

    def check(self, history: History) -> Verdict:
        """The verdict; raises `ValueError` as `Registers.of` does."""
        began = time.perf_counter()
        registers = Registers.of(history, self.order)
        ops, reads = registers.ops, registers.read_rows()
        writer, unexpected = _writers(registers, reads)
        since, _ = staleness(registers, reads)
        stale = reads[since >= 0]
        wrong: dict[int, int] = {}
        keys = np.unique(registers.key[stale])
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            wrong |= _overtaken(registers, writer, keys[start : start + _KEYS_AT_ONCE])
        found: list[Counterexample] = []
        for row in sorted(wrong)[: COUNTEREXAMPLES_MAX - 1]:
            found.append(_told(registers, writer, row, wrong[row], len(wrong)))
        if len(unexpected):
            row = int(unexpected[0])
            sentence = (
                f"A read saw what nobody had written: {described(history, ops.completed[row])}; "
                f"{len(unexpected)} are like it."
            )
            events = [ops.invoked[row], ops.completed[row]]
            write = writer[registers.version[row]]
            if write >= 0:
                events += [ops.invoked[write], ops.completed[write]]
            found.append(counterexample(history, sentence, events, operation=int(ops.invoked[row])))
        details: dict[str, Any] = {"reads": len(reads), "stale_count": len(stale)}
        for kind, rows in (("causal-order", sorted(wrong)), ("unexpected", unexpected.tolist())):
            details[f"{kind}_count"] = len(rows)
            details[kind] = [
                {
                    "key": history.key_of(int(history.key[ops.invoked[row]])),
                    "value": history.value_of(int(history.value[ops.completed[row]])),
                    "process": int(history.process[ops.invoked[row]]),
                    "at": int(history.time[ops.completed[row]]),
                }
                for row in rows[:SHOWN_MAX]
            ]
        nothing = None
        if not len(reads) or not (writer >= 0).any():
            nothing = vacuous(
                "No read saw a write, so there are no causes and no effects.",
                "See why operations 'read' and 'write' do not succeed.",
            )
        return verdict(
            self.name,
            began=began,
            operations=len(ops),
            counterexamples=found,
            unknown=nothing,
            details=details,
        )


def _writers(registers: Registers, reads: Numbers) -> tuple[Numbers, Numbers]:
    """Who wrote each version (-1: unknown, or there from the beginning), and unexpected reads."""
    r, history = registers, registers.history
    writer = np.full(len(r.low), -1, dtype=np.int64)
    written = np.flatnonzero(r.writes & (r.version >= 0))
    writer[r.version[written]] = written
    orphans = np.unique(r.version[reads][writer[r.version[reads]] < 0])
    thin: list[int] = []
    if len(orphans) and r.order != "time":
        # Versions that no write was told: whose doubtful write has this value?
        attempts: dict[tuple[int, bytes], int] = {}
        unlearnt = np.flatnonzero(r.writes & (r.version < 0) & (r.ops.outcome != FAIL))
        for row in unlearnt.tolist():
            asked = history.value_of(int(history.value[r.ops.invoked[row]]))
            attempts.setdefault((int(r.key[row]), canonical(_content(r, row, asked))), row)
    for version in orphans.tolist():
        teller = int(r.told_by[version])
        answer = history.value_of(int(history.value[r.ops.completed[teller]]))
        if answer is None or (r.order == "versions" and answer[1] is None):
            continue
        if r.order != "time":
            content = canonical(answer[1] if r.order == "versions" else answer)
            writer[version] = attempts.get((int(r.key[teller]), content), -1)
        if writer[version] < 0:
            thin.append(version)
    bad = np.zeros(len(r.low), dtype=bool)
    bad[thin] = True
    wrote = writer[r.version[reads]]
    early = (wrote >= 0) & (r.ops.invoked[wrote] > r.ops.completed[reads])
    return writer, reads[bad[r.version[reads]] | early]


def _content(registers: Registers, row: int, asked: Json) -> Json:
    if registers.order == "versions" and isinstance(asked, list) and len(asked) == 2:
        asked = asked[1]
        cas = registers.history.f_names[registers.history.f[registers.ops.invoked[row]]] == "cas"
        if cas and isinstance(asked, list) and len(asked) == 2:
            return asked[1]
    return asked


def _overtaken(registers: Registers, writer: Numbers, keys: Numbers) -> dict[int, int]:
    """The reads of these keys before which a newer version came, and the `low` of that one.

    What each process knows is the newest version of each key in its causal past; a write passes
    on what its process knew when it began.
    """
    r = registers
    column = np.full(int(r.key.max()) + 1, -1, dtype=np.int64)
    column[keys] = np.arange(len(keys))
    known = np.full((int(r.process.max()) + 1, len(keys)), _NOTHING, dtype=np.int64)
    of_write = np.flatnonzero(r.writes & (r.ops.outcome != FAIL))
    number = np.full(len(r.ops), -1, dtype=np.int64)
    number[of_write] = np.arange(len(of_write))
    passed = np.full((len(of_write), len(keys)), _NOTHING, dtype=np.int64)
    ends = np.flatnonzero(r.ops.ok & (r.version >= 0))
    at = np.concatenate((r.ops.invoked[of_write], r.ops.completed[ends]))
    which = np.concatenate((of_write, ends))
    begins = np.arange(len(at)) < len(of_write)
    order = np.argsort(at)
    version = np.maximum(r.version, 0)
    rows = zip(
        which[order].tolist(),
        begins[order].tolist(),
        r.process[which[order]].tolist(),
        column[r.key[which[order]]].tolist(),
        r.writes[which[order]].tolist(),
        r.low[version[which[order]]].tolist(),
        r.high[version[which[order]]].tolist(),
        number[writer[version[which[order]]]].tolist(),
        strict=True,
    )
    unwritten = set(np.flatnonzero(writer[version] < 0).tolist())
    wrong: dict[int, int] = {}
    for row, beginning, process, place, writes, low, high, source in rows:
        knows = known[process]
        if beginning:
            passed[number[row]] = knows
            continue
        if not writes:
            if place >= 0 and knows[place] > high:
                wrong[row] = int(knows[place])
            if row not in unwritten:
                np.maximum(knows, passed[source], out=knows)
        if place >= 0 and knows[place] < low:
            knows[place] = low
    return wrong


def _told(registers: Registers, writer: Numbers, row: int, low: int, count: int) -> Counterexample:
    """A counterexample with the causes that lead from the newer version to the read."""
    r, ops, history = registers, registers.ops, registers.history
    newer = np.flatnonzero((r.of_key == r.key[row]) & (r.low == low))
    chain = _causes(registers, writer, row, {int(version) for version in newer})
    first = chain[0]
    sentence = (
        f"A read saw an older version than came causally before it: "
        f"{described(history, int(ops.completed[row]))} came after "
        f"{described(history, int(ops.told[first]))}, by {len(chain) - 1} steps; "
        f"{count} are like it."
    )
    events = [int(ops.told[one]) for one in chain]
    if len(events) > EVENTS_MAX:
        events = events[: EVENTS_MAX // 2] + events[-EVENTS_MAX // 2 :]
    invoked = int(ops.invoked[row])
    return counterexample(
        history,
        sentence,
        events,
        operation=invoked,
        key=history.key_of(int(history.key[invoked])),
    )


def _causes(registers: Registers, writer: Numbers, row: int, goals: set[int]) -> list[int]:
    """A shortest chain of operations from one that told of a goal to this read."""
    r = registers
    after: dict[int, int] = {row: -1}
    waiting = deque([row])
    mine: dict[int, Numbers] = {}
    while waiting and len(after) < _VISITED_MAX:
        one = waiting.popleft()
        if one != row and int(r.version[one]) in goals:
            chain = [one]
            while after[chain[-1]] >= 0:
                chain.append(after[chain[-1]])
            return chain
        process = int(r.process[one])
        if process not in mine:
            mine[process] = np.flatnonzero((r.process == process) & r.ops.ok)
        place = int(np.searchsorted(mine[process], one)) - 1
        causes = [int(mine[process][place])] if place >= 0 else []
        if not r.writes[one] and r.version[one] >= 0 and writer[r.version[one]] >= 0 and one != row:
            causes.append(int(writer[r.version[one]]))
        for cause in causes:
            if cause not in after:
                after[cause] = one
                waiting.append(cause)
    return [int(registers.told_by[min(goals)]), row]

"""Do watches keep what they promise: ordered, unique, reliable, resumable, with bookmarks?"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from checker._verdict import Verdict
from checker.evidence._before import Numbers
from checker.evidence._checker import (
    SHOWN_MAX,
    Operations,
    counterexample,
    described,
    operations,
    shown,
    vacuous,
    verdict,
)
from checker.evidence._watch_shapes import cleared, content_of, is_revision
from histories import FAIL, OK, History, Json, canonical

_SENTENCES: Final = {
    "ordered": "A watch told an older event after a newer one, or one before its beginning",
    "unique": "A watch told an event twice",
    "reliable": "A watch left out an event between others",
    "resumable": "A watch that was resumed left out an event",
    "bookmark": "A watch left out an event that its bookmark covers",
    "diverged": "Watches and writes disagree about an event",
    "unexpected": "A watch told an event that nobody wrote",
}

Where = tuple[int, bytes]
"""Revision and key of an event."""


@dataclass(frozen=True)
class Watch:
    """What etcd promises of watches, over events with revisions.

    ``write`` (or ``put``, ``delete``, ``cas``) under a key answers ``[revision, value]``.
    ``watch`` answers ``{"from": revision, "events": [...], "revision": revision}``: the first
    revision that was asked for (null: from now), what was told, in order, and up to where the
    watch was complete when it ended (null or left out: up to its last event).  An event is
    ``[revision, key, value]``, with null for a deletion; a bookmark (progress notification) is
    ``[revision]``.  A watch under a key tells the events of this key, one without key all.  What
    an ``info`` watch answered counts as well, for it was told before the watch broke.

    An event is known if a write was told its revision, or some watch told it.  A watch resumes
    the one before of its process if it asks from behind the last revision of that.  Jepsen
    compares whole logs of values; revisions tell which promise was broken.

    A watch that was ended since what it asked for had been compacted says so: ``"compacted":
    revision``, with ``events`` or without.  It need not have told what is older than that, and the
    next watch goes on from there.

    A look at columns clears most keys of suspicion; `quick` false does without.
    """

    quick: bool = True

    @property
    def name(self) -> str:
        return "watch"

    def check(self, history: History) -> Verdict:
        """The verdict; raises `ValueError` where watches or writes have another form."""
        began = time.perf_counter()
        watches = operations(history, "watch", "final-watch")
        watches = watches.where((watches.outcome != FAIL) & (watches.completed >= 0))
        writes = operations(history, "write", "put", "delete", "cas")
        proof = cleared(history, watches, writes) if self.quick else None
        count, judged = len(watches), len(watches) + len(writes)
        written = len(writes) > 0
        if proof is not None:
            watches = _of_keys(history, watches, proof.suspects)
            writes = _of_keys(history, writes, proof.suspects)
        told = _Told(history, watches, writes, written)
        events, known = told.count, len(told.known)
        if proof is not None:
            events, known = proof.events, proof.known
        troubles: dict[str, list[tuple[int, Where, int]]] = {kind: [] for kind in _SENTENCES}
        reached: dict[tuple[int, int], int] = {}
        for row in range(len(watches)):
            told.judge(row, troubles, reached)
        details: dict[str, Any] = {
            "watches": count,
            "events": events,
            "known": known,
        }
        found = []
        for kind, breaches in troubles.items():
            details[f"{kind}_count"] = len(breaches)
            details[kind] = [
                {
                    "revision": where[0],
                    "key": _decoded(history, where[1]),
                    "process": int(history.process[watches.invoked[row]]),
                    "at": int(history.time[watches.completed[row]]),
                }
                for row, where, _ in breaches[:SHOWN_MAX]
            ]
            if breaches:
                row, where, other = breaches[0]
                event = int(watches.completed[row])
                shows = f", {described(history, other)}" if other >= 0 else ""
                sentence = (
                    f"{_SENTENCES[kind]}: revision {where[0]} of key {where[1].decode()}{shows}; "
                    f"the watch was {described(history, event)}; {len(breaches)} are like it."
                )
                found.append(
                    counterexample(
                        history,
                        sentence,
                        (other, watches.invoked[row], event),
                        operation=int(watches.invoked[row]),
                    )
                )
        nothing = None
        if not events:
            nothing = vacuous(
                "No watch told an event, so there is nothing that could be out of order.",
                "See why operations 'watch' do not succeed, and whether anybody writes.",
            )
        return verdict(
            self.name,
            began=began,
            operations=judged,
            counterexamples=found,
            unknown=nothing,
            details=details,
        )


class _Told:
    """All that is known of events, and one watch after the other judged by it."""

    def __init__(
        self, history: History, watches: Operations, writes: Operations, written: bool
    ) -> None:
        self.history, self.watches = history, watches
        self.count = 0
        self.known: dict[Where, tuple[bytes, int]] = {}
        self.contested: set[Where] = set()
        self.attempts: set[tuple[bytes, bytes]] = set()
        self.written = written
        self.logs: list[_Answer] = []
        self.keys = [canonical(history.key_of(int(code))) for code in history.key[watches.invoked]]
        for row, event in enumerate(writes.told.tolist()):
            self._write(writes, row, event)
        for event in watches.completed.tolist():
            self.logs.append(_Answer.of(history.value_of(int(history.value[event]))))
            for item in self.logs[-1].events:
                if len(item) == 3:
                    where, value = (item[0], canonical(item[1])), canonical(item[2])
                    if self.known.setdefault(where, (value, event))[0] != value:
                        self.contested.add(where)
                    self.count += 1
        self.revisions: dict[bytes | None, list[Where]] = {None: sorted(self.known)}
        for where in self.revisions[None]:
            self.revisions.setdefault(where[1], []).append(where)

    def _write(self, writes: Operations, row: int, event: int) -> None:
        history = self.history
        key = canonical(history.key_of(int(history.key[writes.invoked[row]])))
        value = history.value_of(int(history.value[event]))
        if writes.outcome[row] == FAIL:
            return
        pair = isinstance(value, list) and len(value) == 2
        if pair and type(value[0]) is int and writes.outcome[row] == OK:
            self.known[(value[0], key)] = (canonical(value[1]), event)
            return
        # Its revision is not known, so an event with its value may be its.
        content = content_of(history.f_names[history.f[event]], value)
        self.attempts.add((key, canonical(content)))

    def judge(
        self,
        row: int,
        troubles: dict[str, list[tuple[int, Where, int]]],
        reached: dict[tuple[int, int], int],
    ) -> None:
        """Add what is wrong with the watch in this row, as (row, event, another position)."""
        answer = self.logs[row]
        begin, events, end, compacted = answer.begin, answer.events, answer.end, answer.compacted
        invoked = int(self.watches.invoked[row])
        session = (int(self.history.process[invoked]), int(self.history.key[invoked]))
        resumed = begin is not None and begin - 1 == reached.get(session)
        first = last = bookmark = -1
        seen: set[Where] = set()
        for item in events:
            if len(item) == 1:
                bookmark = max(bookmark, item[0])
                continue
            where, value = (item[0], canonical(item[1])), canonical(item[2])
            known, other = self.known[where]
            if where in seen:
                troubles["unique"].append((row, where, -1))
            elif item[0] <= bookmark and item[0] >= last:
                troubles["bookmark"].append((row, where, -1))
            elif item[0] < last or (begin is not None and item[0] < begin):
                troubles["ordered"].append((row, where, -1))
            if where in self.contested and known != value:
                troubles["diverged"].append((row, where, other))
            elif (
                self.written
                and other == self.watches.completed[row]
                and ((where[1], value) not in self.attempts)
            ):
                troubles["unexpected"].append((row, where, -1))
            seen.add(where)
            first = item[0] if first < 0 else first
            last = max(last, item[0])
        complete = max(bookmark, -1 if end is None else end)
        start = begin if begin is not None else first
        key = None if self.keys[row] == b"null" else self.keys[row]
        expected = self.revisions.get(key, [])
        lower = bisect_left(expected, (start, b""))
        upper = bisect_right(expected, (max(last, complete), b"\xff"))
        if start >= 0:
            for where in expected[lower:upper]:
                if where not in seen and where[0] >= compacted:
                    before = where[0] < first or first < 0
                    kind = "bookmark" if where[0] > last else "reliable"
                    kind = "resumable" if resumed and before else kind
                    troubles[kind].append((row, where, self.known[where][1]))
        upto = max(last, complete, compacted - 1)
        if upto >= 0:
            reached[session] = upto


@dataclass(frozen=True)
class _Answer:
    """From where, what, and up to where a watch told; what is older than `compacted` is gone."""

    begin: int | None
    events: list[Json]
    end: int | None
    compacted: int

    @staticmethod
    def of(value: Json) -> _Answer:
        if value is None:
            return _Answer(None, [], None, -1)
        if isinstance(value, dict):
            compacted = value.get("compacted")
            events = value.get("events", None if compacted is None else [])
            bounds = value.get("from"), value.get("revision"), compacted
            if (
                isinstance(events, list)
                and all(is_revision(bound) for bound in bounds)
                and all(_is_event(item) for item in events)
            ):
                return _Answer(bounds[0], events, bounds[1], -1 if compacted is None else compacted)
        raise ValueError(
            'a watch answers {"from": revision, "events": [[revision, key, value], ...]}, but here '
            f"it is {shown(value)}"
        )


def _is_event(item: Json) -> bool:
    return isinstance(item, list) and len(item) in (1, 3) and type(item[0]) is int


def _of_keys(history: History, ops: Operations, codes: Numbers) -> Operations:
    """The operations under keys with these codes."""
    return ops.where(np.isin(history.key[ops.invoked], codes))


def _decoded(history: History, key: bytes) -> Json:
    code = history.keys.code_of(key)
    return key.decode() if code is None else history.key_of(code)

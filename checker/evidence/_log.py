"""A log with partitions, as Kafka keeps them: what was lost, doubled, skipped, out of order?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from checker._verdict import Counterexample, Verdict
from checker.evidence._before import Numbers, instants_of, numbered, settled_max
from checker.evidence._checker import (
    SHOWN_MAX,
    Mask,
    counterexample,
    described,
    operations,
    shown,
    vacuous,
    verdict,
)
from checker.evidence._log_records import Records, Told
from checker.evidence._numbers import ABSENT
from histories import History

_SENTENCES: Final = {
    "lost-write": "An acknowledged record was never seen, though later ones were",
    "truncated": "An acknowledged record is gone from its offset",
    "duplicate": "One record stands at several offsets",
    "inconsistent-offsets": "Readers disagree about the record at an offset",
    "gap": "There is no record at an offset before the last one",
    "poll-skip": "A consumer skipped records",
    "poll-nonmonotonic": "A consumer went back",
    "send-nonmonotonic": "A producer was told offsets that do not grow",
    "aborted-read": "A record was seen whose sending failed",
    "unexpected": "A record was seen that nobody sent",
    "crc-mismatch": "A record came with a wrong checksum",
}


@dataclass(frozen=True)
class Log:
    """Records under keys (partitions) have one offset each, and are seen once and in order.

    Producers: ``send`` of ``[["send", key, value]]`` answers ``[["send", key, [offset, value]]]``,
    or ``append`` of a value under the operation's key answers ``[offset, value]``.  Consumers:
    ``poll`` answers ``[["poll", {key: [[offset, value], ...]}]]``, or ``{key: [...]}``, or
    the list under the operation's key.  ``txn`` mixes steps of both.  After ``assign`` or
    ``subscribe`` a process may go on anywhere.  ``read`` of ``[offset, null]`` looks up one
    offset, as in the model `log`.  Values are distinct for each key.  A record may have a third
    element, false where its checksum was wrong, or a third and a fourth: both checksums.

    ``commit`` of ``[group, offset]`` and ``committed``, which answers it, are offsets of consumer
    groups under keys: they never go back (`group-regressed`).

    With `dense` every offset has a record (`gap`); Kafka's have holes, where transactions end.
    Stricter than Jepsen: records are also `truncated` by lookups, or where readers see something
    else at the offset, and `unexpected` if nobody sent them.  Unlike Jepsen, no cycles between
    transactions are looked for.
    """

    dense: bool = False

    @property
    def name(self) -> str:
        return "log"

    def check(self, history: History) -> Verdict:
        """The verdict; raises `ValueError` where operations have none of the forms."""
        began = time.perf_counter()
        log = Told.of(history)
        seen = _joined(log.polled, log.looked_up)
        kinds: dict[str, Records] = {
            **_fates(log, seen),
            "duplicate": _several(seen, log.sent, by_offset=False),
            "inconsistent-offsets": _several(seen, None, by_offset=True),
            **_order_of_polls(log),
            "send-nonmonotonic": _sends_back(log),
            "crc-mismatch": log.damaged,
        }
        if self.dense:
            kinds["gap"] = _gaps(_joined(seen, log.sent))
        details: dict[str, Any] = {
            "attempted": len(log.sent) + len(log.tried) + len(log.failed),
            "acknowledged": len(log.sent),
            "seen": len(seen),
            "never_read_count": int((~_among(log.sent, seen)).sum()),
            "recovered_count": int(_among(log.tried, seen).sum()),
        }
        found: list[Counterexample] = []
        for kind, records in kinds.items():
            details[f"{kind}_count"] = len(records)
            details[kind] = [_told(log, records, n) for n in range(min(SHOWN_MAX, len(records)))]
            if len(records):
                found.append(_counterexample(log, kind, records, seen))
        regressed, groups = _regressed(history)
        details["group-regressed_count"] = groups
        found += regressed
        nothing = None
        if not len(log.sent) or not len(seen) + len(log.empty):
            what = "read" if len(log.sent) else "acknowledged"
            nothing = vacuous(
                f"No record was {what}, so none can be lost or out of order.",
                "See why operations 'send' and 'poll' do not succeed.",
            )
        return verdict(
            self.name,
            began=began,
            operations=len(log.ops),
            counterexamples=found,
            unknown=nothing,
            details=details,
        )


def _joined(*parts: Records) -> Records:
    return Records(
        *(
            np.concatenate([getattr(part, column) for part in parts])
            for column in ("op", "key", "offset", "value")
        )
    )


def _named(*parts: Records) -> list[Numbers]:
    """Numbers of the records by key and value, the same in all parts."""
    joined = _joined(*parts)
    number = numbered(joined.key, np.unique(joined.value, return_inverse=True)[1])
    return np.split(number, np.cumsum([len(part) for part in parts])[:-1])


def _placed(*parts: Records) -> list[Numbers]:
    """Numbers of the records by key and offset, the same in all parts."""
    joined = _joined(*parts)
    number = numbered(joined.key, np.unique(joined.offset, return_inverse=True)[1])
    return np.split(number, np.cumsum([len(part) for part in parts])[:-1])


def _among(records: Records, others: Records) -> Mask:
    """Which records (by key and value) are also among the others."""
    one, other = _named(records, others)
    return np.isin(one, other)


def _fates(log: Told, seen: Records) -> dict[str, Records]:
    """What became of what was sent, and where what was seen came from."""
    sent = log.sent.where(log.sent.offset != ABSENT)
    there = _among(sent, seen)
    at, others, empty = _placed(sent, seen, log.empty)
    overwritten = ~there & np.isin(at, others)
    instants = instants_of(log.history)
    when = settled_max(
        np.append(at, np.int64(-1))[:-1],
        instants[log.ops.completed[sent.op]],
        sent.op,
        empty,
        instants[log.ops.invoked[log.empty.op]],
    )
    gone = np.isin(sent.op, when[when != ABSENT]) & np.isin(at, empty[when != ABSENT])
    truncated = overwritten | gone
    last = np.full(int(max(sent.key.max(initial=0), log.polled.key.max(initial=0))) + 1, -1)
    np.maximum.at(last, log.polled.key, log.polled.offset)
    lost = ~there & ~truncated & (sent.offset <= last[sent.key])
    source = _among(seen, _joined(log.sent, log.tried))
    failed = _among(seen, log.failed)
    return {
        "lost-write": sent.where(lost),
        "truncated": sent.where(truncated),
        "aborted-read": _once(seen.where(~source & failed)),
        "unexpected": _once(seen.where(~source & ~failed)),
    }


def _once(records: Records) -> Records:
    """Each of these records once, the first."""
    [number] = _named(records)
    return records.where(np.sort(np.unique(number, return_index=True)[1]))


def _several(seen: Records, sent: Records | None, *, by_offset: bool) -> Records:
    """The records that stand at several offsets; or the offsets that have several records."""
    if sent is not None:
        seen = _joined(seen, sent.where(sent.offset != ABSENT))
    [value], [place] = _named(seen), _placed(seen)
    one, other = (place, value) if by_offset else (value, place)
    _, first = np.unique(numbered(one, other), return_index=True)
    times = np.bincount(one[first], minlength=1)
    bad = np.flatnonzero(times > 1)
    rows = np.flatnonzero(np.isin(one, bad))
    return seen.where(rows[np.sort(np.unique(one[rows], return_index=True)[1])])


def _order_of_polls(log: Told) -> dict[str, Records]:
    history, polled = log.history, log.polled
    process = history.process[log.ops.invoked[polled.op]].astype(np.int64)
    moves = operations(history, "assign", "subscribe")
    moves = moves.where(moves.outcome != 2)
    # After so many changes of its assignment the process polled.
    span = len(history) + 1
    changes = np.sort(history.process[moves.invoked].astype(np.int64) * span + moves.told)
    since = np.searchsorted(changes, process * span + log.ops.invoked[polled.op])
    group = numbered(process, since, polled.key)
    order = np.lexsort((np.arange(len(polled)), group))
    group, polled = group[order], polled.where(order)
    known = _joined(polled, log.looked_up, log.sent)
    known = known.where(known.offset != ABSENT)
    [place] = _placed(known)
    rank = np.unique(place, return_inverse=True)[1][: len(polled)]
    follows = np.append(False, group[1:] == group[:-1]) if len(group) else group.astype(bool)
    step = np.diff(rank, prepend=0)
    return {
        "poll-skip": polled.where(follows & (step > 1)),
        "poll-nonmonotonic": polled.where(follows & (step < 1)),
    }


def _sends_back(log: Told) -> Records:
    sent = log.sent.where(log.sent.offset != ABSENT)
    process = log.history.process[log.ops.invoked[sent.op]]
    group = numbered(process, sent.key)
    order = np.lexsort((np.arange(len(sent)), group))
    group, sent = group[order], sent.where(order)
    follows = np.append(False, group[1:] == group[:-1]) if len(group) else group.astype(bool)
    return sent.where(follows & (np.diff(sent.offset, prepend=0) < 1))


def _gaps(known: Records) -> Records:
    """For each hole between known offsets (or before the first), the record behind it."""
    known = known.where(known.offset != ABSENT)
    order = np.lexsort((known.offset, known.key))
    known = known.where(order)
    new = np.append(True, known.key[1:] != known.key[:-1]) if len(known) else known.key > 0
    before = np.where(new, -1, np.append(np.int64(-1), known.offset[:-1])[: len(known)])
    return known.where(known.offset - before > 1)


def _event(log: Told, op: np.int64) -> int:
    """The event that tells most of an operation."""
    completed = int(log.ops.completed[op])
    return completed if completed >= 0 else int(log.ops.invoked[op])


def _told(log: Told, records: Records, n: int) -> dict[str, Any]:
    event = _event(log, records.op[n])
    offset = int(records.offset[n])
    return {
        "key": log.keys[int(records.key[n])],
        "offset": None if offset == ABSENT else offset,
        "element": log.values.value_of(int(records.value[n])),
        "process": int(log.history.process[event]),
        "at": int(log.history.time[event]),
    }


def _counterexample(log: Told, kind: str, records: Records, seen: Records) -> Counterexample:
    one = _told(log, records, 0)
    event = _event(log, records.op[0])
    everything = _joined(seen, log.sent, log.empty)
    same_key = everything.key == records.key[0]
    same = same_key & (
        (everything.value == records.value[0]) | (everything.offset == records.offset[0])
    )
    shows = everything.op[same]
    if kind == "lost-write":
        later = everything.op[same_key & (everything.offset > records.offset[0])]
        shows = np.append(shows, later[:1])
    if kind.startswith(("poll", "send")):
        process = log.history.process[log.ops.invoked[everything.op]]
        mine = same_key & (process == one["process"]) & (everything.op < records.op[0])
        shows = np.append(np.unique(everything.op[mine])[-1:], records.op[0])
    events = [event, *(_event(log, op) for op in shows[:10])]
    sentence = (
        f"{_SENTENCES[kind]}: {shown(one['element'])} at offset {one['offset']} of key "
        f"{shown(one['key'])}, {described(log.history, event)}; {len(records)} are like it."
    )
    return counterexample(
        log.history,
        sentence,
        events,
        operation=int(log.ops.invoked[records.op[0]]),
        key=one["key"],
    )


def _regressed(history: History) -> tuple[list[Counterexample], int]:
    """Answers of ``committed`` that are behind what the group had committed before."""
    ops = operations(history, "commit", "committed")
    ops = ops.where(ops.ok)
    pairs = [history.value_of(int(code)) for code in history.value[ops.completed]]
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"offsets of groups are [group, offset], not {shown(pair)}")
    names: dict[str, int] = {}
    group = np.array([names.setdefault(shown(pair[0]), len(names)) for pair in pairs], np.int64)
    offset = np.array([ABSENT if pair[1] is None else pair[1] for pair in pairs], np.int64)
    group = numbered(group, history.key[ops.invoked])
    instants = instants_of(history)
    before = settled_max(group, instants[ops.completed], offset, group, instants[ops.invoked])
    asks = np.isin(
        history.f[ops.invoked],
        [code for code, name in enumerate(history.f_names) if name == "committed"],
    )
    wrong = np.flatnonzero(asks & (before != ABSENT) & (offset < before))
    if not len(wrong):
        return [], 0
    one = int(wrong[0])
    earlier = np.flatnonzero((group == group[one]) & (offset == before[one]))
    events = (ops.completed[earlier[0]], ops.invoked[one], ops.completed[one])
    sentence = (
        f"A consumer group's offset went back: {described(history, int(events[2]))} came after "
        f"{described(history, int(events[0]))}; {len(wrong)} are like it."
    )
    return [counterexample(history, sentence, events, operation=int(events[1]))], len(wrong)

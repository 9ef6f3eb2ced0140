"""Is a set that only grows linearizable?

Clients ``add`` elements and ``read`` the whole set.  Since nothing is ever removed, the
reads of a linearizable history form a chain under inclusion, and that chain fixes the
order of everything else: an element comes after the last read without it and in front of
the first read with it.  So there is one candidate for the order, up to what may be swapped
freely, and it is enough to see whether it respects real time.  Sorting dominates the cost.

Before that two plainer questions are asked of each read, because their answers read
better: is something missing that had been acknowledged before it began (lost, or the read
is stale), and is something there that nobody can have added.

The order is found in full for a valid history and is its certificate.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

import msgspec
import numpy as np

from checker._certificate import _instants
from checker._model import ModelError
from checker._verdict import Counterexample, Linearization, Unknown, Verdict
from histories import History, Json

ALGORITHM: Final = "chain of reads"
SHOWN_MAX: Final = 8
_OK, _FAIL = 1, 2


@dataclass(frozen=True)
class _Add:
    """An addition that may have happened; `ends` is infinite if nobody knows whether it did."""

    event: int
    began: float
    ends: float


@dataclass(frozen=True)
class _Read:
    """A completed read, and the canonical texts of the elements in it."""

    event: int
    began: float
    ends: float
    elements: frozenset[bytes]


def grow_only_set(history: History) -> Verdict:
    """Judge whether each key of `history` is a linearizable set, of ``add`` and ``read``.

    Unknown (vacuous) if no read succeeded: then nothing shows what became of the set.
    Raises `ModelError` where an operation is neither.
    """
    started = time.perf_counter()
    instants = _instants(history)
    invoked = np.flatnonzero((history.type == 0) & (history.process >= 0))
    counterexamples: list[Counterexample] = []
    certificates: list[Linearization] = []
    unread: list[Json] = []
    for code in np.unique(history.key[invoked]):
        key = history.key_of(int(code))
        adds, reads = _operations(history, instants, invoked[history.key[invoked] == code])
        if not reads:
            unread.append(key)
            continue
        found = _judged(history, key, adds, reads)
        if isinstance(found, Counterexample):
            counterexamples.append(found)
        else:
            certificates.append(found)
    unknown = not counterexamples and (unread or not certificates)
    return Verdict(
        valid=False if counterexamples else "unknown" if unknown else True,
        checker="set",
        model="grow-only set",
        algorithm=ALGORITHM,
        operations=len(invoked),
        seconds=time.perf_counter() - started,
        counterexamples=tuple(counterexamples),
        unknown=_nothing_read() if unknown else None,
        certificates=tuple(certificates),
    )


def _nothing_read() -> Unknown:
    return Unknown(
        "vacuous",
        "No read of the set succeeded, so nothing shows what became of the additions.",
        "Read the set at the end, once the system has recovered.",
    )


def _operations(
    history: History, instants: np.ndarray[tuple[int], np.dtype[np.int64]], invoked: Sequence[int]
) -> tuple[dict[bytes, list[_Add]], list[_Read]]:
    """The additions that may have happened, by element, and the completed reads."""
    adds: dict[bytes, list[_Add]] = {}
    reads: list[_Read] = []
    for event in map(int, invoked):
        f, partner = history.f_names[history.f[event]], int(history.pairs[event])
        outcome = int(history.type[partner]) if partner >= 0 else None
        began = float(instants[event])
        ends = float(instants[partner]) if outcome == _OK else math.inf
        if f == "add" and outcome != _FAIL:
            element = _text(history.value_of(int(history.value[event])))
            adds.setdefault(element, []).append(_Add(event, began, ends))
        elif f == "read" and outcome == _OK:
            value = history.value_of(int(history.value[partner]))
            if not isinstance(value, list):
                raise ModelError(f"event {partner}: a read of a set gives a list, not {value!r}")
            reads.append(_Read(event, began, ends, frozenset(map(_text, value))))
        elif f not in ("add", "read"):
            raise ModelError(f"event {event}: a set has no operation {f!r}, only add and read")
    return adds, reads


def _judged(
    history: History, key: Json, adds: dict[bytes, list[_Add]], reads: list[_Read]
) -> Counterexample | Linearization:
    for read in sorted(reads, key=lambda read: read.ends):
        found = _made_up(history, key, adds, read) or _missing(history, key, adds, read)
        if found is not None:
            return found
    chain = sorted(reads, key=lambda read: (len(read.elements), read.began))
    for smaller, larger in pairwise(chain):
        if not smaller.elements <= larger.elements:
            return _incomparable(history, key, smaller, larger)
    return _placed(history, key, adds, chain)


def _missing(
    history: History, key: Json, adds: dict[bytes, list[_Add]], read: _Read
) -> Counterexample | None:
    """Elements acknowledged before the read began that are not in it."""
    missing = [
        add
        for element, added in adds.items()
        if element not in read.elements
        for add in added
        if add.ends < read.began
    ]
    if not missing:
        return None
    first = missing[0]
    told = history[first.event]
    more = f" (and {len(missing) - 1} others)" if len(missing) > 1 else ""
    return _counterexample(
        history,
        key,
        read,
        f"Process {history[read.event].process} read the set{_of(key)} without "
        f"{_shown(told.value)}{more}, though process {told.process} had been told before that "
        f"it was added (event {history.index[history.pairs[first.event]]}).",
        [add.event for add in missing],
        {"missing": [history[add.event].value for add in missing[:SHOWN_MAX]]},
        len(missing),
    )


def _made_up(
    history: History, key: Json, adds: dict[bytes, list[_Add]], read: _Read
) -> Counterexample | None:
    """Elements in the read that nobody can have added by then."""
    strange = sorted(
        element
        for element in read.elements
        if not any(add.began <= read.ends for add in adds.get(element, ()))
    )
    if not strange:
        return None
    more = f" (and {len(strange) - 1} others)" if len(strange) > 1 else ""
    return _counterexample(
        history,
        key,
        read,
        f"Process {history[read.event].process} read {_shown(msgspec.json.decode(strange[0]))}"
        f"{more} in the set{_of(key)}, though nobody had begun to add it, "
        "or was told that the addition failed.",
        [],
        {"unexpected": [msgspec.json.decode(element) for element in strange[:SHOWN_MAX]]},
        len(strange),
    )


def _incomparable(history: History, key: Json, one: _Read, other: _Read) -> Counterexample:
    only_one = msgspec.json.decode(min(one.elements - other.elements))
    only_other = msgspec.json.decode(min(other.elements - one.elements))
    first, second = history[one.event].process, history[other.event].process
    return _counterexample(
        history,
        key,
        other,
        f"Process {first} read the set{_of(key)} with {_shown(only_one)} and without "
        f"{_shown(only_other)}, and process {second} the other way round, "
        "so neither read can have come first.",
        [one.event],
        {},
        0,
    )


def _placed(
    history: History, key: Json, adds: dict[bytes, list[_Add]], chain: list[_Read]
) -> Counterexample | Linearization:
    """The one candidate for the order, unless it contradicts real time.

    `latest` is the latest beginning so far: whatever comes next must not have ended before.
    """
    order: list[int] = []
    latest, latest_event = -math.inf, -1
    idle: list[tuple[float, int]] = []
    for step in _candidate(adds, chain):
        if step.ends < latest:
            return _backwards(history, key, step.event, latest_event)
        while idle and idle[0][0] < step.began:
            order.append(heapq.heappop(idle)[1])
        if step.began > latest:
            latest, latest_event = step.began, step.event
        order.append(step.event)
        for add in step.idle:
            heapq.heappush(idle, (add.ends, add.event))
    order += [event for ends, event in sorted(idle) if ends < math.inf]
    return Linearization(key, np.array(order, dtype=np.uint32))


def _backwards(history: History, key: Json, event: int, latest: int) -> Counterexample:
    early, late = history[event], history[latest]
    return Counterexample(
        sentence=(
            f"The {early.f} of process {early.process} (event {early.index}){_of(key)} had "
            f"returned before process {late.process} began its {late.f} (event {late.index}), "
            "but the reads put them the other way round."
        ),
        key=key,
        operation=int(history.index[event]),
        operations=tuple(history[i] for i in sorted({event, latest})),
    )


@dataclass(frozen=True)
class _Step:
    """The next operation of the candidate; `idle` are additions that now change nothing."""

    event: int
    began: float
    ends: float
    idle: Sequence[_Add] = ()


def _candidate(adds: dict[bytes, list[_Add]], chain: list[_Read]) -> Iterator[_Step]:
    """The operations in the order that the reads ask for; those of one rank by beginning.

    Of several additions of one element the first to begin puts it there, before any of
    them has ended; the others change nothing.  Elements never read come last, and crashed
    additions of such elements not at all.
    """
    seen: set[bytes] = set()
    for elements, reads in groupby(chain, key=lambda read: read.elements):
        yield from _by_beginning(_appearance(adds[element]) for element in elements - seen)
        seen |= elements
        yield from _by_beginning(_Step(read.event, read.began, read.ends) for read in reads)
    unread = (_appearance(each) for element, each in adds.items() if element not in seen)
    yield from _by_beginning(step for step in unread if step.ends < math.inf)


def _appearance(adds: list[_Add]) -> _Step:
    first, *idle = sorted(adds, key=lambda add: add.began)
    return _Step(first.event, first.began, min(add.ends for add in adds), idle)


def _by_beginning(steps: Iterable[_Step]) -> list[_Step]:
    return sorted(steps, key=lambda step: step.began)


def _counterexample(
    history: History,
    key: Json,
    read: _Read,
    sentence: str,
    others: Sequence[int],
    details: dict[str, Json],
    count: int,
) -> Counterexample:
    events = [read.event, int(history.pairs[read.event])]
    for other in others[:SHOWN_MAX]:
        events += [each for each in (other, int(history.pairs[other])) if each >= 0]
    return Counterexample(
        sentence=sentence,
        key=key,
        operation=int(history.index[read.event]),
        operations=tuple(history[event] for event in sorted(set(events))),
        details={**details, "count": count},
    )


def _text(value: Json) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def _of(key: Json) -> str:
    return "" if key is None else f" of key {_shown(key)}"


def _shown(value: Json) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."

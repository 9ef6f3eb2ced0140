"""Why a set that only grows is not linearizable, in the words of those who read it.

The engine has found that no order explains the operations of a key.  Where these are
additions and reads of the whole set, plainer questions are asked first, because their
answers read better: is something missing that had been acknowledged before a read began
(lost, or the read is stale), and is something there that nobody can have added.  Then: are
there two reads each of which has what the other lacks.  At last the one candidate for the
order, along the chain of reads, is compared with real time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

import msgspec
import numpy as np

from checker._certificate import _instants
from checker._verdict import Counterexample
from histories import History, Json

SHOWN_MAX: Final = 8

OPERATIONS_MAX: Final = 20_000
COMPARISONS_MAX: Final = 300_000
"""Of a key with more operations, or more pairs of a read and an element, the general sentence
has to do; this one would take long."""

_OK, _FAIL = 1, 2


def in_terms_of_reads(history: History, found: Counterexample) -> Counterexample:
    """The counterexample of a key in plainer words, where it has only additions and reads."""
    code = -1 if found.key is None else history.keys.code_of(_text(found.key))
    assert code is not None, "the key of a counterexample is one of its history"
    mine = (history.type == 0) & (history.process >= 0) & (history.key == code)
    invoked = np.flatnonzero(mine).tolist()
    if len(invoked) > OPERATIONS_MAX:
        return found
    operations = _operations(history, invoked)
    if operations is None or len(operations[0]) * len(operations[1]) > COMPARISONS_MAX:
        return found
    told = _told(history, found.key, *operations)
    if told is None:
        return found
    details = {**found.details, **told.details}
    return msgspec.structs.replace(
        found, sentence=told.sentence, operations=told.operations, details=details
    )


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


def _operations(
    history: History, invoked: Sequence[int]
) -> tuple[dict[bytes, list[_Add]], list[_Read]] | None:
    """The additions that may have happened, by element, and the completed reads.

    None where there is anything else, or an addition was told whether it changed the set.
    """
    instants = _instants(history)
    adds: dict[bytes, list[_Add]] = {}
    reads: list[_Read] = []
    for event in invoked:
        f, partner = history.f_names[history.f[event]], int(history.pairs[event])
        outcome = int(history.type[partner]) if partner >= 0 else None
        began = float(instants[event])
        ends = float(instants[partner]) if outcome == _OK else math.inf
        answer = history.value_of(int(history.value[partner])) if outcome == _OK else None
        if f not in ("add", "read") or (f == "add" and isinstance(answer, bool)):
            return None
        if f == "add" and outcome != _FAIL:
            element = _text(history.value_of(int(history.value[event])))
            adds.setdefault(element, []).append(_Add(event, began, ends))
        elif f == "read" and outcome == _OK:
            assert isinstance(answer, list), "the engine has refused anything else"
            reads.append(_Read(event, began, ends, frozenset(map(_text, answer))))
    return adds, reads


def _told(
    history: History, key: Json, adds: dict[bytes, list[_Add]], reads: list[_Read]
) -> Counterexample | None:
    for read in sorted(reads, key=lambda read: read.ends):
        found = _made_up(history, key, adds, read) or _missing(history, key, adds, read)
        if found is not None:
            return found
    chain = sorted(reads, key=lambda read: (len(read.elements), read.began))
    for smaller, larger in pairwise(chain):
        if not smaller.elements <= larger.elements:
            return _incomparable(history, key, smaller, larger)
    return _out_of_order(history, key, adds, chain)


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


def _out_of_order(
    history: History, key: Json, adds: dict[bytes, list[_Add]], chain: list[_Read]
) -> Counterexample | None:
    """What in the one candidate for the order contradicts real time.

    `latest` is the latest beginning so far: whatever comes next must not have ended before.
    """
    latest, latest_event = -math.inf, -1
    for step in _candidate(adds, chain):
        if step.ends < latest:
            return _backwards(history, key, step.event, latest_event)
        if step.began > latest:
            latest, latest_event = step.began, step.event
    return None


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
    """The next operation of the candidate."""

    event: int
    began: float
    ends: float


def _candidate(adds: dict[bytes, list[_Add]], chain: list[_Read]) -> Iterator[_Step]:
    """The operations in the order that the reads ask for; those of one rank by beginning.

    Of several additions of one element the first to begin puts it there, before any of
    them has ended.  Elements never read come last, and crashed
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
    first = min(adds, key=lambda add: add.began)
    return _Step(first.event, first.began, min(add.ends for add in adds))


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

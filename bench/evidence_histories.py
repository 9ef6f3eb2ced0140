"""A valid history for every checker without a search, with some operations in doubt.

Each is a function of how many operations it shall have, and deterministic.  What a read tells is
what was there when it began, so nobody is behind, and no fast way out for quiet histories is
taken by accident: clients overlap, keys are many, what is in doubt is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.columns import (
    CLIENTS,
    NEVER_TOLD,
    Ints,
    formed,
    history_of,
    interned,
    joined,
    lists,
    numbers,
    spelt,
    texts_of,
    together,
    with_events,
    with_faults,
)
from histories import OBSERVER, OK, History

_DOUBTFUL: Final = 0.001
_KEYS: Final = 1_000
_PARTITIONS: Final = 100
_ACCOUNTS: Final = 8
_NODES: Final = 5
_FAULTS: Final = 10
_LONG_FORK_READS: Final = 8
_OF_A_COUNTER: Final = 100

Mask = npt.NDArray[np.bool_]


def _random(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def _doubtful(count: int) -> Mask:
    return _random().random(count) < _DOUBTFUL


def _set(operations: int) -> History:
    """Additions, and five reads of everything so far."""
    element = np.arange(operations)
    told = np.where(_doubtful(operations), NEVER_TOLD, element)
    f = np.zeros(operations, dtype=np.int64)
    asked = element.copy()
    reads: list[str] = []
    for at in np.linspace(operations / 5, operations - 1, 5).astype(int).tolist():
        f[at], asked[at], told[at] = 1, -1, operations + len(reads)
        seen = np.flatnonzero(f[: at - CLIENTS + 1] == 0)
        reads.append(f"[{','.join(map(str, seen.tolist()))}]")
    values = joined(numbers(operations), texts_of(reads))
    return history_of(["add", "read"], f, asked, told, values)


def _queue(operations: int) -> History:
    """Enqueues and dequeues in turns, the element put in long before; null at the end."""
    half = operations // 2
    lag = CLIENTS
    f = np.arange(2 * half) % 2
    element = np.arange(2 * half) // 2
    out = np.where(element >= lag, element - lag, -1)
    asked = np.where(f == 0, element, -1)
    told = np.where(f == 0, np.where(_doubtful(2 * half), NEVER_TOLD, element), out)
    last = slice(2 * half - 4 * lag, None)
    f[last], asked[last], told[last] = 1, -1, -1
    left = np.arange(element[2 * half - 4 * lag] - lag, element[2 * half - 4 * lag])
    told[2 * half - 4 * lag :][: len(left)] = left
    return history_of(["enqueue", "dequeue"], f, asked, told, numbers(half))


def _delivery(operations: int) -> History:
    """Enqueue, dequeue and ack of each message, far enough apart."""
    third = operations // 3
    f = np.arange(3 * third) % 3
    message = np.arange(3 * third) // 3
    late = message - f * CLIENTS
    # At both ends a dequeue finds nothing instead.
    nothing = (late < 0) | (late >= third - 2 * CLIENTS)
    f = np.where(nothing, 1, f)
    code = np.where(nothing, -1, late)
    asked = np.where(f == 1, -1, code)
    told = np.where((f == 2) & _doubtful(3 * third), NEVER_TOLD, code)
    return history_of(["enqueue", "dequeue", "ack"], f, asked, told, numbers(third))


def _unique_ids(operations: int) -> History:
    ids = np.arange(operations)
    told = np.where(_doubtful(operations), NEVER_TOLD, ids)
    f = np.zeros(operations, dtype=np.int64)
    return history_of(["generate"], f, np.full(operations, -1), told, numbers(operations))


def _counter(operations: int) -> History:
    """Increments by one, and a read after each that saw all that were over."""
    f = np.arange(operations) % 2
    total = np.maximum((np.arange(operations) - CLIENTS) // 2, 0)
    asked = np.where(f == 0, 1, -1)
    told = np.where(f == 0, np.where(_doubtful(operations), NEVER_TOLD, 1), total + 1)
    return history_of(["add", "read"], f, asked, told, numbers(operations + 2), nodes=_NODES)


def _faulty(operations: int) -> History:
    """The same with kills of nodes, for those who look at windows."""
    return with_faults(_counter(operations - 2 * _FAULTS), _FAULTS)


def _keyed_counter(operations: int) -> History:
    """Counters under keys, one after the other, with a hundred operations each."""
    number = np.arange(operations)
    key, own = number // _OF_A_COUNTER, number % _OF_A_COUNTER
    f = number % 2
    total = np.maximum((own - CLIENTS) // 2, 0)
    asked = np.where(f == 0, 1, -1)
    told = np.where(f == 0, np.where(_doubtful(operations), NEVER_TOLD, 1), total + 1)
    return history_of(["add", "read"], f, asked, told, numbers(_OF_A_COUNTER), key)


def _lock_set(operations: int) -> History:
    """Each client has a lock of its own for a while, then the next one."""
    number = np.arange(operations)
    turn = number // CLIENTS
    f = turn % 2
    lock = number % CLIENTS + CLIENTS * (turn // 100)
    none = np.full(operations, -1)
    return history_of(["acquire", "release"], f, none, none, texts_of([]), key=lock)


def _last_before(key: Ints, writes: Mask) -> Ints:
    """For each operation, the last write to its key that was over when it began, or -1."""
    count = len(key)
    written = np.flatnonzero(writes)
    order = np.argsort(key[written], kind="stable")
    place = (key[written] * (count + CLIENTS))[order] + written[order]
    at = np.arange(count) - CLIENTS
    found = np.searchsorted(place, key * (count + CLIENTS) + at, side="right") - 1
    last = written[order[np.maximum(found, 0)]]
    return np.where((found >= 0) & (key[last] == key), last, -1)


def _registers(operations: int) -> History:
    """Writes and reads of a thousand keys, whose versions are numbered all over, as in etcd."""
    key = _random(2).integers(0, _KEYS, operations)
    writes = _random(3).random(operations) < 0.5
    number = np.cumsum(writes) - 1
    total = int(writes.sum())
    last = _last_before(key, writes)
    seen = np.where(last >= 0, total + number[last], -1)
    asked = np.where(writes, number, -1)
    told = np.where(writes, total + number, seen)
    told = np.where(writes & _doubtful(operations), NEVER_TOLD, told)
    each = np.arange(total)
    values = joined(
        texts_of(formed("[null,{}]", spelt(each))),
        texts_of(formed("[{},{}]", spelt(each + 1), spelt(each))),
    )
    return history_of(["read", "write"], writes.astype(np.int64), asked, told, values, key)


def _plain_registers(operations: int) -> History:
    """The same without versions: values are distinct, and time orders them."""
    key = _random(2).integers(0, _KEYS, operations)
    writes = _random(3).random(operations) < 0.5
    number = np.cumsum(writes) - 1
    last = _last_before(key, writes)
    asked = np.where(writes, number, -1)
    told = np.where(writes, number, np.where(last >= 0, number[last], -1))
    told = np.where(writes & _doubtful(operations), NEVER_TOLD, told)
    values = texts_of(formed('"v{}"', spelt(np.arange(int(writes.sum())))))
    return history_of(["read", "write"], writes.astype(np.int64), asked, told, values, key)


def _bank(operations: int) -> History:
    """Transfers, and reads of eight accounts in pairs that have 200 together."""
    half = operations // 2
    f = np.arange(2 * half) % 2
    kept = _random().integers(0, 101, (half, _ACCOUNTS // 2))
    columns = [spelt(balance) for one in kept.T for balance in (one, 200 - one)]
    form = ",".join(f'"{account}":{{}}' for account in range(_ACCOUNTS))
    code, read = interned(formed("{" + form + "}", *columns))
    amounts = np.arange(1, 6)
    moved = texts_of([f'{{"amount":{n},"from":"{n}","to":"0"}}' for n in amounts.tolist()])
    move = _random(2).integers(0, len(amounts), half)
    asked, told = np.full(2 * half, -1), np.full(2 * half, -1)
    asked[0::2], told[0::2] = move, np.where(_doubtful(half), NEVER_TOLD, move)
    told[1::2] = len(moved) + code
    return history_of(["transfer", "read"], f, asked, told, joined(moved, read))


def _monotonic(operations: int) -> History:
    """Increments that tell what they made of it, and reads of the last that was over."""
    number = np.arange(operations)
    f = number % 2
    last = np.maximum(number - CLIENTS, 0) & ~1
    told = np.where(f == 0, np.where(_doubtful(operations), NEVER_TOLD, number), last)
    return history_of(["inc", "read"], f, np.full(operations, -1), told, numbers(operations))


def _partitioned(operations: int) -> tuple[Mask, Ints, Ints, Ints]:
    """Appends to partitions and, one in four, looks at them, each by one client only.

    Which are looks, the partition, the number of the append in it, and of a look how many
    appends to the partition were over when it began.
    """
    number = np.arange(operations)
    looks = number // CLIENTS % 4 == 3
    some = _random(2).integers(0, _PARTITIONS // CLIENTS, operations)
    key = _random(3).integers(0, _PARTITIONS, operations)
    key[looks] = (number % CLIENTS + CLIENTS * some)[looks]
    order = np.argsort(key, kind="stable")
    appends = (~looks)[order]
    so_far = np.cumsum(appends) - appends
    first = np.searchsorted(key[order], np.arange(_PARTITIONS))
    offset = np.empty(operations, dtype=np.int64)
    offset[order] = so_far - np.append(so_far, 0)[first][key[order]]
    last = _last_before(key, ~looks)
    over = np.where(last >= 0, offset[np.maximum(last, 0)] + 1, 0)
    return looks, key, offset, over


def _batches(looks: Mask, key: Ints, over: Ints) -> tuple[Ints, Ints, Ints]:
    """What each look tells that the one before did not: since which append, up to which.

    The third is, for all told ones in turn, the operation that appended it.
    """
    look = np.flatnonzero(looks)
    order = look[np.argsort(key[look], kind="stable")]
    new = np.diff(key[order], prepend=-1) != 0
    since = np.where(new, 0, np.append(0, over[order][:-1]))
    upto = over[order]
    append = np.flatnonzero(~looks)
    by_key = append[np.argsort(key[append], kind="stable")]
    first = np.searchsorted(key[by_key], np.arange(_PARTITIONS))
    back = np.argsort(order)
    since, upto = since[back], upto[back]
    counts = upto - since
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    place = np.arange(int(counts.sum())) - starts + np.repeat(since + first[key[look]], counts)
    return since, upto, by_key[place]


def _log(operations: int) -> History:
    """Appends, and polls of all that came since the last one."""
    polls, key, offset, over = _partitioned(operations)
    since, upto, record = _batches(polls, key, over)
    pairs = formed("[{},{}]", spelt(offset), spelt(np.arange(operations)))
    batch, batches = interned(lists(pairs.take(pa.array(record)), upto - since))
    asked = np.where(polls, -1, np.arange(operations))
    told = np.where(_doubtful(operations), NEVER_TOLD, operations + np.arange(operations))
    told[polls] = 2 * operations + batch
    values = joined(joined(numbers(operations), texts_of(pairs)), batches)
    return history_of(["append", "poll"], polls.astype(np.int64), asked, told, values, key)


def _kafka(operations: int) -> History:
    """The same as transactions with one step, as Jepsen's workload writes them."""
    polls, key, offset, over = _partitioned(operations)
    since, upto, record = _batches(polls, key, over)
    each = spelt(np.arange(operations))
    pairs = formed("[{},{}]", spelt(offset), each)
    some = lists(pairs.take(pa.array(record)), upto - since)
    looked = spelt(key[polls])
    batch, batches = interned(formed('[["poll",{"{}":{}}]]', looked, some))
    sends = formed('[["send",{},{}]]', spelt(key), each)
    sent = formed('[["send",{},{}]]', spelt(key), pairs)
    values = joined(joined(texts_of(sends), texts_of(sent)), batches)
    values = joined(values, texts_of(['[["poll"]]']))
    asked = np.where(polls, len(values) - 1, np.arange(operations))
    told = np.where(_doubtful(operations), NEVER_TOLD, operations + np.arange(operations))
    told[polls] = 2 * operations + batch
    return history_of(["send", "poll"], polls.astype(np.int64), asked, told, values)


def _watch(operations: int) -> History:
    """Writes with revisions, and watches of a key, each resumed where the last one ended."""
    looks, key, _, over = _partitioned(operations)
    since, upto, write = _batches(looks, key, over)
    revision: Ints = np.cumsum(~looks, dtype=np.int64)
    each = spelt(np.arange(operations))
    name = formed('"k{}"', spelt(np.arange(_PARTITIONS)))
    told_of = formed("[{},{},{}]", spelt(revision), name.take(pa.array(key)), each)
    events = lists(told_of.take(pa.array(write)), upto - since)
    # From behind the last event that the watch before it told.
    look, count = np.flatnonzero(looks), upto - since
    last = np.zeros(len(look), dtype=np.int64)
    ends = np.cumsum(count)
    last[count > 0] = revision[write[ends[count > 0] - 1]]
    order = np.argsort(key[look], kind="stable")
    group = key[look][order]
    running = np.maximum.accumulate(group * (operations + 1) + last[order])
    before = np.append(0, running[:-1])
    before = np.where(before // (operations + 1) == group, before % (operations + 1), 0)
    begin = np.empty(len(look), dtype=np.int64)
    begin[order] = before + 1
    form = '{"events":{},"from":{},"revision":null}'
    code, answers = interned(formed(form, events, spelt(begin)))
    asks = texts_of(formed("[null,{}]", each))
    told_writes = texts_of(formed("[{},{}]", spelt(revision), each))
    values = joined(joined(asks, told_writes), answers)
    asked = np.where(looks, -1, np.arange(operations))
    told = np.where(_doubtful(operations), NEVER_TOLD, operations + np.arange(operations))
    told[looks] = 2 * operations + code
    f = looks.astype(np.int64)
    return history_of(["write", "watch"], f, asked, told, values, key, texts_of(name))


def _long_fork(operations: int) -> History:
    """Two writes and eight reads of each pair of keys, which see first none, then one, then all.

    Half of the reads name the keys in the other order.
    """
    size = 2 + _LONG_FORK_READS
    groups = operations // size
    first, second = spelt(2 * np.arange(groups)), spelt(2 * np.arange(groups) + 1)
    kinds = [formed('[["w",{},1]]', first), formed('[["w",{},1]]', second)]
    for one, other in (("null", "null"), ("1", "null"), ("1", "1")):
        kinds.append(formed(f'[["r",{{}},{one}],["r",{{}},{other}]]', first, second))
        kinds.append(formed(f'[["r",{{}},{other}],["r",{{}},{one}]]', second, first))
    values = texts_of(pa.concat_arrays(kinds))
    group = np.repeat(np.arange(groups), size)
    # By place in the group, which of the eight texts is asked, and which told.
    asked = np.array([0, 1] + [2, 3] * 4)
    told = np.array([0, 1, 2, 3, 2, 5, 4, 7, 6, 7])
    asked, told = (group + groups * np.tile(each, groups) for each in (asked, told))
    writes = np.tile(np.arange(size) < 2, groups)
    told = np.where(writes & _doubtful(len(told)), NEVER_TOLD, told)
    f = np.zeros(len(told), dtype=np.int64)
    return history_of(["txn"], f, asked, told, values)


def observed(operations: int, share: float = 0.5, *, timed: bool = True) -> History:
    """Writes that a primary accepts, and what five nodes say: `share` of all events is that.

    With `timed` nodes were asked half a microsecond before they answered.
    """
    looks = int(2 * operations * share)
    number = np.arange(operations - looks // 2)
    told = np.where(_doubtful(len(number)), NEVER_TOLD, number)
    f = np.zeros(len(number), dtype=np.int64)
    history = history_of(["write"], f, number, told, numbers(len(number)), nodes=1)
    history = replace(history, node_names=[f"n{node + 1}" for node in range(_NODES)])
    place = (np.arange(looks) * len(history)) // max(looks, 1)
    turn, node = np.arange(looks) // _NODES, np.arange(looks) % _NODES
    names = pa.array(history.node_names).take(pa.array(node))
    roles = pa.array(["primary"] + ["replica"] * (_NODES - 1)).take(pa.array(node))
    step = spelt(turn // 4)
    form = (
        '{"applied":{},"asked":{},"event":"replay","hash":{},"hash_compacted":0,'
        '"hash_revision":{},"log_node":"{}","offset":{},"revision":{},'
        '"role":"{}","state":"ACTIVE","term":{},"trimmed":{},"uploaded":{}}'
    )
    asked = spelt((place + np.arange(looks)) * 1_000 - 500) if timed else pa.nulls(looks)
    asked = asked.cast(pa.string()).fill_null("null")
    term, offset = spelt(turn // 100), spelt(turn)
    columns = (step, asked, step, step, names, offset, step, roles, term, step, step)
    said = formed(form, *columns)
    kind = np.full(looks, OK)
    return with_events(history, place, OBSERVER, kind, ["observe"] * looks, said, node)


def _seldom_observed(operations: int) -> History:
    """One event in a hundred is what a node says."""
    return observed(operations, 0.01)


def mixed(operations: int) -> History:
    """Clients of every kind at work at the same time, in equal parts, and nodes that are killed.

    Operations are called after the kind: ``bank.read``.  See `Lens`.
    """
    share = operations // (len(_MIXED) + 2)
    parts = {name: make(share) for name, make in _MIXED.items()}
    parts["counter"] = _faulty(share)
    parts["observed"] = observed(share, 0.3, timed=False)
    return together(parts)


HISTORIES: Final[dict[str, Callable[[int], History]]] = {
    "set": _set,
    "set-full": _set,
    "queue": _queue,
    "total-queue": _queue,
    "delivery": _delivery,
    "unique-ids": _unique_ids,
    "counter": _counter,
    "keyed counter": _keyed_counter,
    "lock-set": _lock_set,
    "bank": _bank,
    "monotonic": _monotonic,
    "bounded-staleness": _registers,
    "bounded-staleness by time": _plain_registers,
    "causal": _registers,
    "causal by time": _plain_registers,
    "read-your-writes": _registers,
    "monotonic-reads": _registers,
    "monotonic-writes": _registers,
    "writes-follow-reads": _registers,
    "writes-follow-reads by time": _plain_registers,
    "log": _log,
    "log of transactions": _kafka,
    "long-fork": _long_fork,
    "watch": _watch,
    "availability": _faulty,
    "vacuity": _faulty,
    "invariants": observed,
    "invariants, seldom observed": _seldom_observed,
    "lint": _registers,
    "lint of a set": _set,
    "lint of a queue": _queue,
}
"""By the name of the checker; behind it, what is special about the history."""

_MIXED: Final = {
    "set": _set,
    "queue": _queue,
    "delivery": _delivery,
    "ids": _unique_ids,
    "locks": _lock_set,
    "bank": _bank,
    "monotonic": _monotonic,
    "registers": _registers,
    "plain": _plain_registers,
    "log": _log,
    "kafka": _kafka,
    "fork": _long_fork,
    "watch": _watch,
}

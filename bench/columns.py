"""Histories made as columns in memory: no events, no files, ten million rows in seconds.

`history_of` lays operations out in time; `together` puts several histories into one, each with
its own names of operations, values and keys; `with_faults` adds what a nemesis would record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from histories import INFO, INVOKE, NEMESIS, OK, History, Texts

Ints = npt.NDArray[np.int64]

CLIENTS: Final = 20
NEVER_TOLD: Final = -2
"""The answer of an operation that stays in doubt."""

_STEP_NS: Final = 1_000


def history_of(
    f_names: list[str],
    f: Ints,
    asked: Ints,
    told: Ints,
    values: Texts,
    key: Ints | None = None,
    key_texts: Texts | None = None,
    nodes: int = 0,
) -> History:
    """Clients in turns, one operation after the other each, with overlaps between clients.

    `f` is the name of each operation, `asked` and `told` the codes of its argument and answer,
    all of shape `(n_operations,)`.  An answer of -2 is one that never came (info).  Client `n`
    works on node `n % nodes`, if there are any.
    """
    count = len(f)
    number: Ints = np.arange(count)
    # Each operation begins one step after the one before, and lasts as long as all clients.
    begin, end = number * 2, number * 2 + 2 * CLIENTS - 1
    order = np.argsort(np.concatenate((begin, end)), kind="stable")
    operation = order % max(count, 1)
    completes = order >= count
    doubtful = told[operation] == NEVER_TOLD
    place = np.empty(2 * count, dtype=np.int64)
    place[order] = np.arange(2 * count)
    codes = np.where(completes & ~doubtful, told[operation], asked[operation])
    none = np.full(2 * count, -1, dtype=np.int32)
    # Who leaves an operation in doubt goes on under another number.
    process: Ints = number % CLIENTS
    if (told == NEVER_TOLD).any():
        retired = np.zeros(count, dtype=np.int64)
        for client in range(CLIENTS):
            mine = told[client::CLIENTS] == NEVER_TOLD
            retired[client::CLIENTS] = np.cumsum(mine) - mine
        process = process + retired * CLIENTS
    at_node = none if not nodes else (number % CLIENTS % nodes)[operation].astype(np.int32)
    if key_texts is None:
        key_texts = numbers(0 if key is None else int(key.max()) + 1)
    return History(
        index=np.arange(2 * count),
        time=np.arange(2 * count) * _STEP_NS,
        process=process[operation].astype(np.int32),
        type=np.where(completes, np.where(doubtful, INFO, OK), INVOKE).astype(np.uint8),
        f=f[operation].astype(np.int32),
        key=none if key is None else key[operation].astype(np.int32),
        value=codes.astype(np.int32),
        error=none,
        node=at_node,
        pairs=place[np.where(completes, operation, operation + count)],
        process_names=[],
        f_names=f_names,
        node_names=[f"n{node + 1}" for node in range(nodes)],
        keys=key_texts,
        values=values,
        errors=Texts(bytes(8), b""),
        meta={},
    )


def with_events(
    history: History,
    place: Ints,
    process: str,
    kind: Ints,
    f: Sequence[str],
    said: pa.Array,
    node: Ints | None = None,
) -> History:
    """The history with events of a named process before the events at `place` (growing).

    `kind`, `f`, `said` (JSON, null for nothing) and `node` have the shape of `place`.
    """
    count = len(place)
    f_names = [*history.f_names, *dict.fromkeys(f)]
    number = {name: code for code, name in reversed(list(enumerate(f_names)))}
    heard = said.is_valid().to_numpy(zero_copy_only=False)
    code, values = interned(said.drop_null())
    told = np.full(count, -1)
    told[heard] = len(history.values) + code
    moved = np.arange(len(history)) + np.searchsorted(place, np.arange(len(history)), side="right")
    added = place + np.arange(count)
    none = np.full(count, -1)
    pairs = np.full(len(history) + count, -1, dtype=np.int64)
    there = history.pairs >= 0
    pairs[moved[there]] = moved[history.pairs[there]]
    # Whoever has a name does one thing at a time, so a completion follows its invocation.
    done = np.flatnonzero(kind != INVOKE)
    done = done[(done > 0) & (kind[done - 1] == INVOKE)]
    pairs[added[done]], pairs[added[done - 1]] = added[done - 1], added[done]
    columns: dict[str, tuple[Any, Any]] = {
        "process": (history.process, none - len(history.process_names)),
        "type": (history.type, kind),
        "f": (history.f, np.array([number[name] for name in f], dtype=np.int64)),
        "key": (history.key, none),
        "value": (history.value, told),
        "error": (history.error, none),
        "node": (history.node, none if node is None else node),
    }
    merged: dict[str, Any] = {}
    for name, (old, new) in columns.items():
        column = np.empty(len(history) + count, dtype=old.dtype)
        column[moved], column[added] = old, new
        merged[name] = column
    total = len(history) + count
    return replace(
        history,
        index=np.arange(total),
        time=np.arange(total) * _STEP_NS,
        pairs=pairs,
        process_names=[*history.process_names, process],
        f_names=f_names,
        values=joined(history.values, values),
        **merged,
    )


def with_faults(history: History, faults: int) -> History:
    """The history with so many kills, each of which is in force for half of its share."""
    edges = (np.arange(1, 2 * faults + 1) * len(history)) // (2 * faults + 1)
    place = np.repeat(edges, 2)
    kind = np.tile([INVOKE, OK], 2 * faults)
    f = [word for _ in range(faults) for word in ("start-kill",) * 2 + ("stop-kill",) * 2]
    return with_events(history, place, NEMESIS, kind, f, pa.nulls(len(place), pa.string()))


def together(histories: Mapping[str, History]) -> History:
    """All of them in one history, event by event in turns.

    Operations are called after their history: ``bank.read``.  Each history keeps its own keys and
    values; a process works in one of them only.
    """
    parts = list(histories.items())
    moment = np.concatenate([(np.arange(len(one)) + 0.5) / len(one) for _, one in parts])
    order = np.argsort(moment, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    columns: dict[str, list[Any]] = {}
    f_names: list[str] = []
    process_names: list[str] = []
    values: list[pa.Array] = []
    keys: list[pa.Array] = []
    events = clients = 0
    for name, one in parts:
        shift = {
            "f": len(f_names),
            "value": sum(map(len, values)),
            "key": sum(map(len, keys)),
            "pairs": events,
            "type": 0,
            "node": 0,
            "error": 0,
        }
        for column, by in shift.items():
            old = getattr(one, column)
            columns.setdefault(column, []).append(np.where(old >= 0, old + by, -1) if by else old)
        named = one.process < 0
        process = one.process.astype(np.int64)
        process[named] -= len(process_names)
        process[~named] += clients
        columns.setdefault("process", []).append(process)
        clients = int(process.max()) + 1
        events += len(one)
        process_names += one.process_names
        f_names += [f"{name}.{f}" for f in one.f_names]
        values.append(one.values.to_arrow())
        keys.append(one.keys.to_arrow())
    pairs = np.concatenate(columns.pop("pairs"))
    pairs = np.where(pairs >= 0, place[pairs], -1)[order]
    tables: dict[str, Any] = {}
    for column, tables_of in (("value", values), ("key", keys)):
        # Equal texts of several parts are one text.
        number, tables[f"{column}s"] = interned(pa.concat_arrays(tables_of))
        columns[column] = [np.append(number, -1)[np.concatenate(columns[column])]]
    types: dict[str, Any] = {"type": np.uint8}
    merged: dict[str, Any] = {
        column: np.concatenate(each)[order].astype(types.get(column, np.int32))
        for column, each in columns.items()
    }
    return replace(
        parts[0][1],
        index=np.arange(events),
        time=np.arange(events) * _STEP_NS,
        pairs=pairs,
        process_names=process_names,
        f_names=f_names,
        node_names=max((one.node_names for _, one in parts), key=len),
        **tables,
        **merged,
    )


def texts_of(texts: Any) -> Texts:
    """These texts, given as a list or as an Arrow array."""
    return Texts.of_arrow(texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string()))


def joined(one: Texts, other: Texts) -> Texts:
    """Both tables, one behind the other."""
    if not len(one):
        return other
    return texts_of(pa.concat_arrays([one.to_arrow(), other.to_arrow()]))


def numbers(count: int) -> Texts:
    """The texts of the integers below `count`."""
    return texts_of(spelt(np.arange(count)))


def spelt(integers: Ints) -> pa.Array:
    """Integers as JSON."""
    return pa.array(integers).cast(pa.string())


def formed(form: str, *columns: pa.Array) -> pa.Array:
    """A text for each row: `form` with the columns in place of its ``{}``."""
    pieces = form.split("{}")
    parts: list[Any] = [pa.scalar(pieces[0])]
    for piece, column in zip(pieces[1:], columns, strict=True):
        parts += [column, pa.scalar(piece)]
    return pc.binary_join_element_wise(*parts, "")


def lists(texts: pa.Array, counts: Ints) -> pa.Array:
    """JSON lists of consecutive texts, so many in each."""
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts))).astype(np.int32)
    parts = pa.ListArray.from_arrays(pa.array(offsets), texts)
    return formed("[{}]", pc.binary_join(parts, ","))


def interned(texts: pa.Array) -> tuple[Ints, Texts]:
    """A code for each of these texts, and the table of distinct ones."""
    found = pc.dictionary_encode(texts)
    return found.indices.to_numpy().astype(np.int64), texts_of(found.dictionary)

"""Histories as Arrow tables, both ways, without copying a column.

Texts are dictionary columns: `f`, `node` and `process_name` hold plain strings; `key`,
`value` and `error` hold canonical JSON, null where there is none.  `process` is a client's
number, or null for a process that has a name.  `pair` is the row of the partner event.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from histories._json import canonical
from histories._texts import Texts

if TYPE_CHECKING:
    from histories._history import History

MANY_TEXTS: Final = 1 << 16
"""Beyond so many distinct texts a dictionary column is slow to read back; see `with_codes`."""

META_KEY: Final = b"momus.meta"
Codes = npt.NDArray[np.int32]
Column = Callable[[str], pa.ChunkedArray]


def table_of(history: History) -> pa.Table:
    """The columns `index` to `node` in the order of the file format, then `pair`."""
    from histories._history import TYPES

    named = -1 - history.process
    columns: dict[str, Any] = {
        "index": pa.array(history.index),
        "time": pa.array(history.time),
        "process": pa.array(history.process, mask=history.process < 0),
        "process_name": _strings(np.maximum(named, -1), history.process_names),
        "type": _strings(history.type.astype(np.int32), TYPES),
        "f": _strings(history.f, history.f_names),
        "key": _dictionary(history.key, history.keys.to_arrow()),
        "value": _dictionary(history.value, history.values.to_arrow()),
        "error": _dictionary(history.error, history.errors.to_arrow()),
        "node": _strings(history.node, history.node_names),
        "pair": pa.array(history.pairs, mask=history.pairs < 0),
    }
    return pa.table(columns).replace_schema_metadata({META_KEY: canonical(history.meta)})


def with_codes(table: pa.Table) -> pa.Table:
    """Adds to each text column with many distinct texts what makes it fast to read.

    Rebuilding a dictionary of millions means hashing them all.  So `value_code` holds the
    numbers of the texts, in order of first appearance, and `value_first` the text where it
    appears first; `value` itself stays, for other readers.
    """
    for name in ("key", "value", "error"):
        codes, texts = _loaded(table.column(name))
        if len(texts) > MANY_TEXTS:
            renumbered, first = _first_appearances(codes, len(texts))
            firsts = np.full(len(codes), -1, dtype=np.int32)
            firsts[first] = codes[first]
            taken = texts.take(pa.array(firsts, mask=firsts < 0))
            table = table.append_column(f"{name}_code", pa.array(renumbered))
            table = table.append_column(f"{name}_first", taken)
    return table


def _first_appearances(codes: Codes, count: int) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Codes by order of first appearance, and the row where each appears first."""
    rows = np.flatnonzero(codes >= 0)
    first = np.full(count, -1, dtype=np.int64)
    # Of equal positions numpy keeps the last assignment: the first row.
    first[codes[rows[::-1]]] = rows[::-1]
    used = np.flatnonzero(first >= 0)
    used = used[np.argsort(first[used])]
    rank = np.full(count + 1, -1, dtype=np.int32)
    rank[used] = np.arange(len(used), dtype=np.int32)
    return rank[codes], first[used]


def columns_of(count: int, names: Sequence[str], column: Column) -> dict[str, Any]:
    """The keyword arguments of `History`, save its meta data, in the columns of `table_of`.

    `column` delivers one of the columns `names`, each of `count` rows.  It is called for one
    after the other, by as many threads as there are processors: so memory holds few columns
    twice, and the pages of one serve the next.
    """
    from histories._history import TYPES

    wanted = [name for name in names if f"{name}_code" not in names and name != "index"]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        loaded = dict(
            zip(wanted, pool.map(lambda name: _loaded(column(name)), wanted), strict=True)
        )
    columns: dict[str, Any] = {
        "index": np.arange(count, dtype=np.int64),
        "time": loaded["time"][0],
        "pairs": loaded["pair"][0],
    }
    for name, plural in (("key", "keys"), ("value", "values"), ("error", "errors")):
        if name in loaded:
            columns[name], texts = loaded[name]
        else:
            columns[name], texts = loaded[f"{name}_code"][0], loaded[f"{name}_first"][1]
        columns[plural] = Texts.of_arrow(texts)
    for name, plural in (("f", "f_names"), ("node", "node_names")):
        columns[name], texts = loaded[name]
        columns[plural] = texts.to_pylist()
    kinds, words = loaded["type"]
    columns["type"] = np.array([TYPES.index(word) for word in words.to_pylist()], np.uint8)[kinds]
    named, names_of = loaded["process_name"]
    process = loaded["process"][0]
    columns["process"] = np.where(named >= 0, -1 - named, process) if len(names_of) else process
    columns["process_names"] = names_of.to_pylist()
    return columns


def _loaded(column: pa.ChunkedArray) -> tuple[npt.NDArray[Any], pa.Array]:
    """Numbers with -1 for null; the codes and texts of a dictionary; the texts of strings."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
        texts = column.chunk(0).dictionary if column.num_chunks else pa.array([], pa.string())
        return _numbers([chunk.indices for chunk in column.chunks], np.int32), texts
    if pa.types.is_integer(column.type):
        return _numbers(column.chunks, column.type.to_pandas_dtype()), None
    return np.empty(0), pa.concat_arrays([pa.array([], column.type), *column.drop_null().chunks])


def _numbers(chunks: Sequence[pa.Array], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    numbers = np.empty(sum(len(chunk) for chunk in chunks), dtype=kind)
    start = 0
    for chunk in chunks:
        filled = chunk.fill_null(-1) if chunk.null_count else chunk
        numbers[start : start + len(chunk)] = filled.to_numpy()
        start += len(chunk)
    return numbers


def _dictionary(codes: Codes, texts: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), texts)


def _strings(codes: Codes, texts: Sequence[str]) -> pa.DictionaryArray:
    return _dictionary(codes, pa.array(list(texts), type=pa.string()))

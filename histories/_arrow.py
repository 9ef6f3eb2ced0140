"""Histories as Arrow tables, both ways, without copying a column.

Texts are dictionary columns: `f`, `node` and `process_name` hold plain strings; `key`,
`value` and `error` hold canonical JSON, null where there is none.  `process` is a client's
number, or null for a process that has a name.  `pair` is the row of the partner event.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        codes, texts = _codes(table, name)
        if len(texts) > MANY_TEXTS:
            renumbered, first = _first_appearances(codes, len(texts))
            firsts = np.full(len(codes), -1, dtype=np.int32)
            firsts[first] = codes[first]
            taken = texts.take(pa.array(firsts, mask=firsts < 0))
            table = table.append_column(f"{name}_code", pa.array(renumbered))
            table = table.append_column(f"{name}_first", taken)
    return table


def read_columns(names: Sequence[str]) -> list[str]:
    """Those columns of a file that `columns_of_table` needs."""
    return [name for name in names if f"{name}_code" not in names]


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


def columns_of_table(table: pa.Table) -> dict[str, Any]:
    """The keyword arguments of `History`, save its meta data, in a table of `table_of`."""
    from histories._history import TYPES

    table = table.unify_dictionaries()
    columns: dict[str, Any] = {}
    for name, plural in (("key", "keys"), ("value", "values"), ("error", "errors")):
        if f"{name}_code" in table.column_names:
            columns[name] = _numbers(table, f"{name}_code")
            columns[plural] = Texts.of_arrow(_whole(table, f"{name}_first").drop_null())
            continue
        codes, texts = _codes(table, name)
        columns[name], columns[plural] = codes, Texts.of_arrow(texts)
    for name, plural in (("f", "f_names"), ("node", "node_names")):
        codes, texts = _codes(table, name)
        columns[name], columns[plural] = codes, texts.to_pylist()
    kinds, words = _codes(table, "type")
    as_type = np.array([TYPES.index(word) for word in words.to_pylist()], dtype=np.uint8)
    columns["type"] = as_type[kinds]
    named, names = _codes(table, "process_name")
    process = _numbers(table, "process").astype(np.int32)
    columns["process"] = np.where(named >= 0, -1 - named, process)
    columns["process_names"] = names.to_pylist()
    columns["time"] = _numbers(table, "time")
    columns["pairs"] = _numbers(table, "pair")
    columns["index"] = np.arange(len(table), dtype=np.int64)
    return columns


def _dictionary(codes: Codes, texts: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), texts)


def _strings(codes: Codes, texts: Sequence[str]) -> pa.DictionaryArray:
    return _dictionary(codes, pa.array(list(texts), type=pa.string()))


def _whole(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks() if column.num_chunks else pa.array([], type=column.type)


def _codes(table: pa.Table, name: str) -> tuple[Codes, pa.Array]:
    column = _whole(table, name)
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int32, copy=False), column.dictionary


def _numbers(table: pa.Table, name: str) -> npt.NDArray[Any]:
    column = _whole(table, name)
    numbers: npt.NDArray[Any] = column.fill_null(-1).to_numpy(zero_copy_only=False)
    return numbers

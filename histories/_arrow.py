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


def columns_of_table(table: pa.Table) -> dict[str, Any]:
    """The keyword arguments of `History`, save its meta data, in a table of `table_of`."""
    from histories._history import TYPES

    table = table.unify_dictionaries().combine_chunks()
    columns: dict[str, Any] = {}
    for name, plural in (("key", "keys"), ("value", "values"), ("error", "errors")):
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


def _numbers(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    column = _whole(table, name)
    numbers: npt.NDArray[np.int64] = column.fill_null(-1).to_numpy(zero_copy_only=False)
    return numbers

"""Histories as Arrow tables, both ways, without copying a column.

Texts are dictionary columns: `f`, `node` and `process_name` hold plain strings; `key`,
`value` and `error` hold canonical JSON, null where there is none.  `process` is a client's
number, or null for a process that has a name.  `pair` is the row of the partner event.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from histories._json import canonical
from histories._texts import Texts

if TYPE_CHECKING:
    from histories._history import History

MANY_TEXTS: Final = 1 << 16
"""Beyond so many distinct texts a dictionary column is slow to read back; see `with_codes`."""

META_KEY: Final = b"momus.meta"
Codes = npt.NDArray[np.int32]
Numbers = npt.NDArray[Any]
Column = Callable[[str], Iterable[pa.Array]]


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
        codes, texts = _codes(len(table), table.column(name).chunks, np.int32)
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

    `column` delivers one of the columns `names`, each of `count` rows, piece by piece.  Most
    of the time of reading is first use of memory, so a piece is put where it belongs before
    the next is decoded, and its memory serves again.  One thread for each processor.
    """
    wanted = [name for name in names if f"{name}_code" not in names and name != "index"]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        index = pool.submit(np.arange, count, dtype=np.int64)
        futures = {name: pool.submit(_loaded, name, count, column(name)) for name in wanted}
        loaded = {name: future.result() for name, future in futures.items()}
    columns: dict[str, Any] = {
        "index": index.result(),
        "time": loaded["time"][0],
        "type": loaded["type"][0],
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
    named, names_of = loaded["process_name"]
    process = loaded["process"][0]
    columns["process"] = np.where(named >= 0, -1 - named, process) if len(names_of) else process
    columns["process_names"] = names_of.to_pylist()
    return columns


def _loaded(name: str, count: int, pieces: Iterable[pa.Array]) -> tuple[Numbers, pa.Array]:
    """Numbers with -1 for null; the codes and texts of a dictionary; the texts of strings."""
    if name.endswith("_first"):
        texts = [piece.drop_null() for piece in pieces]
        return np.empty(0), pa.concat_arrays(texts or [pa.array([], pa.string())])
    if name in ("time", "pair"):
        return _numbers(count, pieces, np.int64), None
    if name == "process" or name.endswith("_code"):
        return _numbers(count, pieces, np.int32), None
    if name != "type":
        return _codes(count, pieces, np.int32)
    from histories._history import TYPES

    kinds, words = _codes(count, pieces, np.uint8, TYPES)
    if kinds.max(initial=0) >= len(TYPES):
        raise KeyError("an event of no known type")
    return kinds, words


def _numbers(count: int, pieces: Iterable[pa.Array], kind: npt.DTypeLike) -> Numbers:
    numbers = np.empty(count, dtype=kind)
    start = 0
    for piece in pieces:
        filled = piece.fill_null(-1) if piece.null_count else piece
        numbers[start : start + len(piece)] = filled.to_numpy()
        start += len(piece)
    return numbers


def _codes(
    count: int, pieces: Iterable[pa.Array], kind: npt.DTypeLike, known: Sequence[str] = ()
) -> tuple[Numbers, pa.Array]:
    """Codes into one table of texts, which begins with `known`; each piece has its own.

    Null is -1, in whatever way `kind` holds that.
    """
    codes = np.empty(count, dtype=kind)
    texts = pa.array(list(known), pa.string())
    start = 0
    for piece in pieces:
        own = piece.dictionary
        texts = texts.cast(own.type)
        if not own.equals(texts.slice(0, len(own))):
            new = own.filter(pc.is_null(pc.index_in(own, texts)))
            texts = pa.concat_arrays([texts, new])
            places = pc.index_in(own, texts)
            piece = pa.DictionaryArray.from_arrays(places.take(piece.indices), texts)
        indices = piece.indices.fill_null(-1) if piece.null_count else piece.indices
        codes[start : start + len(piece)] = indices.to_numpy()
        start += len(piece)
    return codes, texts


def _dictionary(codes: Codes, texts: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), texts)


def _strings(codes: Codes, texts: Sequence[str]) -> pa.DictionaryArray:
    return _dictionary(codes, pa.array(list(texts), type=pa.string()))

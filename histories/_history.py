"""A history in columns.

A `History` is what a test saw, as numbers: one numpy column per field, one row per event.
`f`, `key`, `value`, `error` and `node` are codes into tables of distinct canonical JSON
texts, so ten million events are a few hundred megabytes and equal values are equal numbers.
`pairs` joins each invocation with its completion.

Histories are immutable.  A slice (`for_key`, `between`, `clients`, `of_process`) shares the
tables of the whole and remembers the `index` of each event in it; its `pairs` are positions
in the slice.  Times of an operation form a closed interval.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from histories._event import Event, EventType, Json, Op, Process
from histories._flaws import HistoryError
from histories._json import canonical
from histories._texts import Texts

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    import pyarrow as pa

INVOKE: Final = 0
OK: Final = 1
FAIL: Final = 2
INFO: Final = 3
TYPES: Final[tuple[EventType, ...]] = ("invoke", "ok", "fail", "info")

_CHUNK_EVENTS: Final = 65_536


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """Columns of shape `(n_events,)`; -1 is null in a column of codes, "none" in `pairs`.

    `time` is in nanoseconds.  `process` is a client's number, or `-1 - p` for the process
    called `process_names[p]`.  `type` is INVOKE, OK, FAIL or INFO.  `index` is the position
    in the whole history.  `keys`, `values` and `errors` are tables of canonical JSON.
    """

    index: npt.NDArray[np.int64]
    time: npt.NDArray[np.int64]
    process: npt.NDArray[np.int32]
    type: npt.NDArray[np.uint8]
    f: npt.NDArray[np.int32]
    key: npt.NDArray[np.int32]
    value: npt.NDArray[np.int32]
    error: npt.NDArray[np.int32]
    node: npt.NDArray[np.int32]
    pairs: npt.NDArray[np.int64]
    process_names: list[str]
    f_names: list[str]
    node_names: list[str]
    keys: Texts
    values: Texts
    errors: Texts
    meta: dict[str, Json]
    source: str | None = None
    torn: bool = False
    """The recording was killed: events behind the last checksum were dropped."""
    lines: npt.NDArray[np.int64] | None = None
    """Source lines as runs `(first index, line - index)`, shape `(n_runs, 2)`."""

    def __post_init__(self) -> None:
        for column in self.__dict__.values():
            if isinstance(column, np.ndarray):
                column.flags.writeable = False

    @staticmethod
    def from_events(events: Iterable[Event], meta: Mapping[str, Json] | None = None) -> History:
        """The history of these events, which must be in order; raises `HistoryError`."""
        from histories._reading import of_events

        return of_events(events, meta or {})

    @staticmethod
    def from_ops(ops: Iterable[Op], meta: Mapping[str, Json] | None = None) -> History:
        """A history written by hand: each `Op` is one event, and its place is its time.

        Every operation needs a process; times count only where all have one.
        """
        listed = list(ops)
        timed = all(op.time is not None for op in listed)
        return History.from_events(
            (_event_of(position, op, timed) for position, op in enumerate(listed)), meta
        )

    @staticmethod
    def read(path: str | os.PathLike[str], *, format: str | None = None) -> History:
        """Read a file, a run folder, or standard input (`-`); raises `HistoryError`.

        `format` is one of "jsonl", "parquet", "edn", "porcupine-log" and "porcupine-kv";
        by default it is guessed from the name, and if that says nothing, from the content.
        """
        from histories._reading import read

        return read(path, format)

    def __len__(self) -> int:
        return len(self.time)

    def __repr__(self) -> str:
        return f"<History of {len(self)} events from {self.source or 'memory'}>"

    def __getitem__(self, position: int) -> Event:
        count = len(self)
        if not -count <= position < count:
            raise IndexError(f"no event {position} in a history of {count}")
        process, node = self.process.item(position), self.node.item(position)
        return Event(
            self.index.item(position),
            self.time.item(position),
            self.process_of(process),
            TYPES[self.type.item(position)],
            self.f_names[self.f.item(position)],
            self.keys.decoded(self.key.item(position)),
            self.values.decoded(self.value.item(position)),
            self.errors.decoded(self.error.item(position)),
            self.node_names[node] if node >= 0 else None,
        )

    def __iter__(self) -> Iterator[Event]:
        for start in range(0, len(self), _CHUNK_EVENTS):
            yield from self._events(slice(start, start + _CHUNK_EVENTS))

    def at(self, positions: Sequence[int]) -> list[Event]:
        """The events at these positions, in a fraction of the time of one by one."""
        return list(self._events(np.asarray(positions, dtype=np.int64)))

    def _events(self, where: slice | npt.NDArray[np.int64]) -> Iterator[Event]:
        rows = zip(
            self.index[where].tolist(),
            self.time[where].tolist(),
            self.process[where].tolist(),
            self.type[where].tolist(),
            self.f[where].tolist(),
            self.key[where].tolist(),
            self.value[where].tolist(),
            self.error[where].tolist(),
            self.node[where].tolist(),
            strict=True,
        )
        key_of, value_of, error_of = self.keys.decoded, self.values.decoded, self.errors.decoded
        names, f_names, nodes = self.process_names, self.f_names, self.node_names
        for index, time, process, kind, f, key, value, error, node in rows:
            yield Event(
                index,
                time,
                process if process >= 0 else names[-1 - process],
                TYPES[kind],
                f_names[f],
                key_of(key),
                value_of(value),
                error_of(error),
                nodes[node] if node >= 0 else None,
            )

    def value_of(self, code: int) -> Json:
        """The value behind a code of the `value` column.  Shared: do not modify."""
        return self.values.decoded(code)

    def key_of(self, code: int) -> Json:
        """The key behind a code of the `key` column.  Shared: do not modify."""
        return self.keys.decoded(code)

    def error_of(self, code: int) -> Json:
        """The error behind a code of the `error` column.  Shared: do not modify."""
        return self.errors.decoded(code)

    def process_of(self, code: int) -> Process:
        """The process behind a number of the `process` column."""
        return code if code >= 0 else self.process_names[-1 - code]

    def line(self, position: int) -> int | None:
        """The line of the source file that event `position` stands on."""
        if self.lines is None or not len(self.lines):
            return None
        index = int(self.index[position])
        run = int(np.searchsorted(self.lines[:, 0], index, side="right")) - 1
        return index + int(self.lines[run, 1])

    def for_key(self, key: Json) -> History:
        """The events of one key."""
        code: int | None = -1
        if key is not None:
            code = self.keys.code_of(canonical(key))
        return self._where(self.key == (-2 if code is None else code))

    def between(self, start: int, stop: int) -> History:
        """The events from `start` to `stop` (ns), both included."""
        return self._where((self.time >= start) & (self.time <= stop))

    def clients(self) -> History:
        """The events of clients, without the nemesis and other named processes."""
        return self._where(self.process >= 0)

    def of_process(self, process: Process) -> History:
        """The events of one process, by number or by name."""
        if isinstance(process, str):
            known = self.process_names
            code = -1 - known.index(process) if process in known else -1 - len(known)
        else:
            code = process if process >= 0 else -1 - len(self.process_names)
        return self._where(self.process == code)

    def _where(self, chosen: npt.NDArray[np.bool_]) -> History:
        position = np.flatnonzero(chosen)
        moved = np.full(len(self) + 1, -1, dtype=np.int64)
        moved[position] = np.arange(len(position))
        return replace(
            self,
            index=self.index[position],
            time=self.time[position],
            process=self.process[position],
            type=self.type[position],
            f=self.f[position],
            key=self.key[position],
            value=self.value[position],
            error=self.error[position],
            node=self.node[position],
            # The partner -1 (none) stays -1: it picks the extra last place of `moved`.
            pairs=moved[self.pairs[position]],
        )

    def to_arrow(self) -> pa.Table:
        """An Arrow table; texts are dictionaries, values their canonical JSON."""
        from histories._arrow import table_of

        return table_of(self)

    def to_pandas(self) -> pd.DataFrame:
        """A data frame of events, values decoded, with the column `pair`."""
        from histories._frames import frame_of

        return frame_of(self)

    def to_networkx(self) -> nx.DiGraph[int]:
        """The real-time order of operations, for small histories; see `graph_of`."""
        from histories._frames import graph_of

        return graph_of(self)

    def write_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write a self-verifying Parquet file, atomically."""
        from histories._parquet import write

        write(self, path)

    def write_jsonl(self, path: str | os.PathLike[str]) -> None:
        """Write momus JSONL with a header and a checksum, atomically."""
        from histories._jsonl import write

        write(self, path)


def _event_of(position: int, op: Op, timed: bool) -> Event:
    if op.process is None:
        raise HistoryError(f"event {position} ({op.f}) has no process; say who did it")
    time = op.time if timed and op.time is not None else position
    return Event(position, time, op.process, op.type, op.f, op.key, op.value, op.error, op.node)


def columns_of(native: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of `History` in what the native readers return."""
    codes = {
        name: np.frombuffer(native[name], dtype=np.int32)
        for name in ("process", "f", "key", "value", "error", "node")
    }
    tables = {name: Texts(*native[name]) for name in ("keys", "values", "errors")}
    names = {
        name: [str(Texts(*native[name]).decoded(code)) for code in range(count)]
        for name in ("process_names", "f_names", "node_names")
        for count in (len(native[name][0]) // 8 - 1,)
    }
    time = np.frombuffer(native["time"], dtype=np.int64)
    return {
        "index": np.arange(len(time), dtype=np.int64),
        "time": time,
        "type": np.frombuffer(native["type"], dtype=np.uint8),
        "pairs": np.frombuffer(native["pairs"], dtype=np.int64),
        "lines": np.frombuffer(native["lines"], dtype=np.int64).reshape(-1, 2),
        "torn": bool(native.get("torn", False)),
        **codes,
        **tables,
        **names,
    }

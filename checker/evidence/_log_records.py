"""The records of a log, as producers were told of them and as consumers saw them.

Whatever form the operations have, what remains is a column for each of: operation, key
(partition), offset, and value (see `Values`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from checker.evidence._before import Numbers
from checker.evidence._checker import Operations, named, operations, shown
from checker.evidence._log_shapes import LOOKUP, SENDS, is_step, taken_by_shape
from checker.evidence._numbers import ABSENT, bytes_of, firsts_of, integers_at
from histories import FAIL, OK, History, Json, Values, canonical

POLLS: Final = ("poll", LOOKUP, "txn")


@dataclass(frozen=True)
class Records:
    """Columns of shape `(n_records,)`; `op` is the row of the operation in `Told.ops`.

    `offset` is `ABSENT` where it is not known.
    """

    op: Numbers
    key: Numbers
    offset: Numbers
    value: Numbers

    def where(self, chosen: npt.NDArray[Any]) -> Records:
        return Records(self.op[chosen], self.key[chosen], self.offset[chosen], self.value[chosen])

    def __len__(self) -> int:
        return len(self.op)


@dataclass(frozen=True)
class Told:
    """What a history says of a log; `keys` are the partitions by number.

    `sent` are records of `ok` sends, `tried` of doubtful ones, `failed` of failed ones; `polled`
    what consumers were given in turn, `looked_up` what was found at an offset that was asked for,
    and `empty` the offsets asked for where nothing was.  `damaged` are polled records whose
    checksum was wrong.
    """

    history: History
    ops: Operations
    values: Values
    keys: list[Json]
    sent: Records
    tried: Records
    failed: Records
    polled: Records
    looked_up: Records
    empty: Records
    damaged: Records

    @staticmethod
    def of(history: History, *, quick: bool = True) -> Told:
        """Raises `ValueError` where operations have none of the forms.

        Not `quick` takes operations one by one that do not answer a mere pair.
        """
        return _Reader(history, quick).log()


class _Reader:
    def __init__(self, history: History, quick: bool) -> None:
        self.history, self.quick = history, quick
        self.ops = operations(history, *SENDS, *POLLS)
        self.values = Values()
        self.keys: dict[bytes, int] = {}
        self.key_values: list[Json] = []
        kinds = ("sent", "tried", "failed", "polled", "looked_up", "empty", "damaged")
        self.found: dict[str, list[tuple[int, int, int, int]]] = {kind: [] for kind in kinds}

    def log(self) -> Told:
        history, ops = self.history, self.ops
        code = history.value[ops.told].astype(np.int64)
        own = history.key[ops.invoked]
        own_key = np.full(len(history.keys) + 1, -1, dtype=np.int64)
        for one in np.unique(own).tolist():
            own_key[one] = self.key(history.key_of(one))
        sends = named(history, *SENDS)[history.f[ops.invoked]]
        lookups = named(history, LOOKUP)[history.f[ops.invoked]]
        fast = self._pairs(code, sends, sends | lookups)
        columns = {kind: [np.empty((0, 4), dtype=np.int64)] for kind in self.found}
        rows = np.flatnonzero(fast[0])
        quick = np.column_stack((rows, own_key[own[rows]], fast[1][rows], fast[2][rows]))
        nothing = fast[2][rows] == ABSENT
        columns["sent"].append(quick[sends[rows]])
        columns["looked_up"].append(quick[~sends[rows] & ~nothing])
        columns["empty"].append(quick[~sends[rows] & nothing])
        rest = np.flatnonzero(~fast[0])
        own_keys = own_key[own]
        if self.quick:
            shaped = taken_by_shape(history, ops, rest, own_keys, self.key, self.values.number)
            for kind, tables in shaped.found.items():
                columns[kind] += tables
            rest = rest[~shaped.done]
        names = np.array(history.f_names)
        for row in rest.tolist():
            value = history.value_of(int(code[row]))
            f = str(names[history.f[ops.invoked[row]]])
            self._take(row, f, value, int(own_keys[row]))
        for kind, records in self.found.items():
            columns[kind].append(np.array(records, dtype=np.int64).reshape(-1, 4))
        found = {}
        for kind, parts in columns.items():
            table = np.concatenate(parts)
            table = table[np.argsort(table[:, 0], kind="stable")]
            found[kind] = Records(table[:, 0], table[:, 1], table[:, 2], table[:, 3])
        return Told(history, ops, self.values, self.key_values, **found)

    def key(self, value: Json) -> int:
        # Keys of JSON objects are texts, so 5 and "5" are one partition.
        text = canonical(value if isinstance(value, str) or value is None else shown(value))
        if text not in self.keys:
            self.keys[text] = len(self.key_values)
            self.key_values.append(value)
        return self.keys[text]

    def _pairs(
        self, code: Numbers, sends: npt.NDArray[Any], may: npt.NDArray[Any]
    ) -> tuple[Any, Numbers, Numbers]:
        """Which of these `ok` operations answer `[offset, integer or null]`, undecoded."""
        texts = self.history.values
        data = bytes_of(texts)
        may = may & self.ops.ok & (code >= 0)
        distinct, which = np.unique(code[may], return_inverse=True)
        fits, offset, end = firsts_of(texts, distinct)
        fits &= data[end] == ord(",")
        start = np.minimum(end + 1, len(data) - 1)
        whole, value, stop = integers_at(data, start)
        null = data[start] == ord("n")
        value[null], stop[null] = ABSENT, stop[null] + 4
        fits &= (whole | null) & (stop == texts.offsets[distinct + 1] - 1)
        chosen = np.zeros(len(code), dtype=bool)
        both = np.full((2, len(code)), ABSENT, dtype=np.int64)
        chosen[may] = fits[which]
        both[0, may], both[1, may] = offset[which], value[which]
        # Appending null is none of it, and reading needs an offset.
        chosen &= np.where(sends, both[1] != ABSENT, both[0] != ABSENT)
        return chosen, both[0], both[1]

    def _take(self, row: int, f: str, value: Json, own: int) -> None:
        outcome = "sent" if self.ops.outcome[row] == OK else "tried"
        if self.ops.outcome[row] == FAIL:
            outcome = "failed"
        if isinstance(value, list) and value and all(is_step(step) for step in value):
            for step in value:
                if step[0] == "send":
                    self._send(row, outcome, self.key(step[1]), step[2])
                elif len(step) > 1 and outcome == "sent":
                    self._poll(row, step[1], own)
        elif f in SENDS:
            self._send(row, outcome, own, value)
        elif outcome == "sent" and value is not None:
            pair = isinstance(value, list) and len(value) == 2
            if f == LOOKUP and pair and type(value[0]) is int:
                kind = "empty" if value[1] is None else "looked_up"
                number = ABSENT if value[1] is None else self.values.number(value[1])
                self.found[kind].append((row, own, value[0], number))
            else:
                self._poll(row, value, own)

    def _send(self, row: int, outcome: str, key: int, value: Json) -> None:
        offset = ABSENT
        if (
            isinstance(value, list)
            and len(value) == 2
            and (value[0] is None or type(value[0]) is int)
        ):
            offset = ABSENT if value[0] is None else value[0]
            value = value[1]
        self.found[outcome].append((row, key, offset, self.values.number(value)))

    def _poll(self, row: int, value: Json, own: int) -> None:
        batches = value.items() if isinstance(value, dict) else [(None, value)]
        for key, records in batches:
            number = own if key is None else self.key(key)
            for record in records if isinstance(records, list) else [records]:
                if not isinstance(record, list) or len(record) < 2 or type(record[0]) is not int:
                    raise ValueError(
                        "a poll answers {key: [[offset, value], ...]}, but here it is "
                        f"{shown(value)}"
                    )
                found = (row, number, record[0], self.values.number(record[1]))
                self.found["polled"].append(found)
                if record[2:] and (record[2] is False or len(set(record[2:4])) > 1):
                    self.found["damaged"].append(found)

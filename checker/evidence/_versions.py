"""Registers under keys, what was read of them, and which of their versions came before which.

Every distinct value that a register is known to have had is a *version* with a row here.  There
are three ways to know their order:

- ``"versions"``: values are ``[version, value]``, as `versioned-register` has them;
- ``"values"``: values are integers, and each write writes a greater one than is there;
- ``"time"``: values are anything, and none is written twice to a key.  A version is older than
  another if it certainly took effect before the other was begun to be written, as in a store
  whose writes are linearizable.  Versions written at the same time have no order.

In each case a version has an interval `[low, high]`, and is older than another one if its `high`
is less than the other's `low`; with versions both are the same number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from checker.evidence._before import Numbers, instants_of, numbered
from checker.evidence._checker import Mask, Operations, operations, shown
from checker.evidence._elements import integers_of
from checker.evidence._numbers import ABSENT, firsts_of
from histories import History

Order: TypeAlias = Literal["versions", "values", "time"]

WRITES: Final = ("write", "put", "cas", "inc")
LATER: Final = np.iinfo(np.int64).max
_INITIAL: Final = -1
"""The interval of what was there before any write."""


class WrittenTwice(ValueError):
    """The same value was written twice to a key, so reads do not tell which write they saw."""


@dataclass(frozen=True)
class Registers:
    """Operations and versions.

    Of operations, shape `(n_ops,)`: `ops`, `writes`, `key` (numbered from 0), `process`
    (likewise), `began` and `ended` (as `instants_of` numbers them), and `version`, the row of the
    version that was read or written, -1 if unknown.  Only `ok` operations tell versions, but in
    the order of time also a doubtful write knows its own.

    Of versions, shape `(n_versions,)`: `low`, `high`, `settled` (the first instant at which a
    client had been told of it, `LATER` if nobody was), `of_key`, and `told_by`, the operation
    that told it then, -1 for none.
    """

    history: History
    order: Order
    ops: Operations
    writes: Mask
    key: Numbers
    process: Numbers
    began: Numbers
    ended: Numbers
    version: Numbers
    low: Numbers
    high: Numbers
    settled: Numbers
    of_key: Numbers
    told_by: Numbers

    @staticmethod
    def of(history: History, order: Order | None = None) -> Registers:
        """The registers of a history; by default `order` is guessed from the first answers.

        Raises `ValueError` where values are not of that form, `WrittenTwice` if one is.
        """
        ops = operations(history, "read", *WRITES)
        if order is None:
            order = _guessed(history, ops)
        writes = np.asarray(
            ~np.isin(
                history.f[ops.invoked],
                [code for code, name in enumerate(history.f_names) if name == "read"],
            )
        )
        code = np.where(ops.ok, history.value[ops.completed], -1)
        known = ops.ok.copy()
        if order == "time":
            if {"cas", "inc"} & {
                history.f_names[code] for code in np.unique(history.f[ops.invoked])
            }:
                raise ValueError(
                    "what a cas or inc wrote is known only where values have versions; "
                    'try order="versions" or "values"'
                )
            asked = history.value[ops.invoked]
            code = np.where(writes, asked, code)
            known |= writes & ops.doubtful
        # An answer false is a cas that did not happen.
        number, known = _numbers(history, order, code, known, writes)
        key = numbered(history.key[ops.invoked])
        instants = instants_of(history)
        began = instants[ops.invoked]
        ended = np.where(ops.ok, instants[ops.completed], LATER)
        rows = np.flatnonzero(known)
        both = numbered(key[rows], number[rows])
        _, first, which = np.unique(both, return_index=True, return_inverse=True)
        version = np.full(len(ops), -1, dtype=np.int64)
        version[rows] = which
        of_key, value = key[rows[first]], number[rows[first]]
        settled = np.full(len(first), LATER, dtype=np.int64)
        np.minimum.at(settled, which, ended[rows])
        told_by = np.full(len(first), -1, dtype=np.int64)
        tells = ended[rows] == settled[which]
        tells &= ops.ok[rows]
        told_by[which[tells]] = rows[tells]
        low, high = value, value
        if order == "time":
            low, high = _intervals(history, writes[rows], which, began[rows], settled, value)
        return Registers(
            history,
            order,
            ops,
            writes,
            key,
            numbered(history.process[ops.invoked]),
            began,
            ended,
            version,
            low,
            high,
            settled,
            of_key,
            told_by,
        )

    def read_rows(self) -> Numbers:
        """The operations that read a version."""
        return np.flatnonzero(~self.writes & self.ops.ok & (self.version >= 0))

    def newer(self, key: int, high: int, before: int) -> int:
        """An operation that told a newer version than `high` before that instant; -1 if none."""
        rows = np.flatnonzero((self.of_key == key) & (self.low > high) & (self.settled < before))
        return int(self.told_by[rows[np.argmin(self.settled[rows])]]) if len(rows) else -1


def _guessed(history: History, ops: Operations) -> Order:
    for code in history.value[ops.completed[ops.ok]][:1000].tolist():
        value = history.value_of(code)
        if value is None or isinstance(value, bool):
            continue
        pair = isinstance(value, list) and len(value) == 2
        return "versions" if pair and (value[0] is None or type(value[0]) is int) else "time"
    return "time"


def _numbers(
    history: History, order: Order, code: npt.NDArray[Any], known: Mask, writes: Mask
) -> tuple[Numbers, Mask]:
    """The number of the version in each of these values, and where there is one."""
    values = history.values
    if order == "time":
        return np.where(code < 0, _INITIAL, code).astype(np.int64), known & (~writes | (code >= 0))
    number = np.full(len(code), _INITIAL, dtype=np.int64)
    some = np.flatnonzero(known & (code >= 0))
    known = known & (~writes | (code >= 0))
    if not len(some):
        return number, known
    distinct, which = np.unique(code[some], return_inverse=True)
    if order == "versions":
        fits, first, _ = firsts_of(values, distinct)
    else:
        are, integers = integers_of(values)
        fits, first = are[distinct], integers[distinct]
    texts = [values[item] for item in distinct[~fits][:10].tolist()]
    refused = [text for text in texts if text not in (b"true", b"false")]
    if refused or (~fits).sum() > 2:
        form = "[version, value]" if order == "versions" else "an integer"
        told = refused[0][:60].decode() if refused else "of another form"
        raise ValueError(
            f"with order={order!r} a register answers {form}, but here it is {told}; "
            "try another order"
        )
    number[some] = first[which]
    known[some[~fits[which] | (first[which] == ABSENT)]] = False
    return number, known


def _intervals(
    history: History,
    writes: Mask,
    which: Numbers,
    began: Numbers,
    settled: Numbers,
    value: Numbers,
) -> tuple[Numbers, Numbers]:
    """Between which instants each version took effect."""
    low = np.full(len(settled), LATER, dtype=np.int64)
    times = np.bincount(which[writes], minlength=len(settled))
    if (times > 1).any():
        twice = int(value[np.argmax(times > 1)])
        raise WrittenTwice(
            f"the value {shown(history.value_of(twice))} was written {int(times.max())} times to "
            "one key, so a read of it does not tell which write it saw; write distinct values"
        )
    low[which[writes]] = began[writes]
    # Of what nobody is known to have written, only null has a place: before everything.
    initial = (value == _INITIAL) & (times == 0)
    # What was read before anybody began to write it took effect no earlier than that.
    high = np.where(times > 0, np.maximum(settled, low), settled)
    low[initial], high[initial] = _INITIAL, _INITIAL
    unwritten = (times == 0) & ~initial
    low[unwritten], high[unwritten] = _INITIAL, LATER
    return low, high

"""A log with offsets, as a topic's partition is one.

Offsets are dense, from 0.  ``append`` of a value answers ``[offset, value]``, with a null
offset where it was not learnt; an append that crashed has the next offset if it happened,
and nobody knows which.  ``read`` of ``[offset, null]`` answers ``[offset, value]``, or
``[offset, null]`` where there is nothing yet.
"""

from __future__ import annotations

from typing import TypeAlias

from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from checker._registers import same
from checker._versions import is_number
from histories import Json

Entries: TypeAlias = tuple[Json, ...]
"""What was appended, by offset."""


def _step(state: Entries, call: Call) -> Entries | Illegal:
    if call.f == "append":
        return _append(state, call)
    if call.f != "read":
        raise ModelError(f"a log has no operation {call.f!r}, only append and read")
    return _read(state, call)


def _append(state: Entries, call: Call) -> Entries | Illegal:
    if call.argument is None:
        raise ModelError("null cannot be appended: a read answers [offset, null] where nothing is")
    if call.completed and call.result is not None:
        shape = "an append answers [offset, value]"
        offset, _ = _pair(call.result, shape)
        if offset is not None and offset != len(state):
            return ILLEGAL
    return (*state, call.argument)


def _read(state: Entries, call: Call) -> Entries | Illegal:
    shape = "the value of a read is [offset, null]"
    offset, _ = _pair(call.argument, shape)
    if offset is None:
        raise ModelError(f"{shape}, but here it is {call.argument!r}")
    if not call.completed:
        return state
    shape = f"a read of offset {offset} answers [{offset}, value]"
    at, value = _pair(call.result, shape)
    if at != offset:
        raise ModelError(f"{shape}, but here it is {call.result!r}")
    if value is None:
        return state if len(state) <= offset else ILLEGAL
    return state if offset < len(state) and same(state[offset], value) else ILLEGAL


def _pair(value: Json, shape: str) -> tuple[int | None, Json]:
    """The offset, if there is one, and the value."""
    if not isinstance(value, list) or len(value) != 2:
        raise ModelError(f"{shape}, but here it is {value!r}")
    offset, rest = value
    if offset is not None and not is_number(offset):
        raise ModelError(f"{shape}, but here it is {value!r}")
    return offset, rest


def log() -> Model:
    """A log, empty at first: ``append`` of a value, ``read`` of an offset."""
    return Model("log", (), _step, frozenset({"read"}), native="log")

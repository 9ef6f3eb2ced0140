"""What a search has found of one key, as plain data.

The engine's `Answer` speaks of states by text or, for models in Python, by number.  A
`Found` holds the states themselves, and can be packed into bytes: for the pipe from a
process of its own, and for a progress file.  Nothing but plain data is ever packed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np

from checker._nondeterministic import Possible, members
from engine._native import Answer, Suspended
from histories import Json

Decode: TypeAlias = Callable[[str], Json]
"""A state of the model, from the engine's text of it."""

Order: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint32]]

_PLAIN = "="
"""Begins the text of a state that is JSON although the model is written in Python."""


@dataclass(frozen=True)
class Found:
    """The answer for one key; the fields are those of the engine's `Answer`.

    `states` are the states of the `configurations` by their texts; `visited` is how many
    configurations the searches of a key that is open have visited in all.
    """

    verdict: Literal["valid", "invalid", "unknown"]
    algorithm: str
    exhausted: str | None = None
    order: Order = field(default_factory=lambda: np.empty(0, np.uint32))
    stuck: int | None = None
    concurrent: Sequence[int] = ()
    writer: int | None = None
    position: int = 0
    configurations: Sequence[tuple[str, list[int], list[tuple[int, int]]]] = ()
    configurations_total: int = 0
    excerpt: bool = False
    states: dict[str, Json] = field(default_factory=dict)
    reached: int | None = None
    suspended: Suspended | None = None

    @property
    def valid(self) -> bool | Literal["unknown"]:
        return "unknown" if self.verdict == "unknown" else self.verdict == "valid"

    @property
    def visited(self) -> int:
        return self.suspended.visited if self.suspended is not None else 0


def found_of(answer: Answer, decode: Decode) -> Found:
    """The engine's answer with the states in it; of a valid one there is only the order."""
    if answer.verdict == "valid":
        return Found("valid", answer.algorithm, order=answer.order)
    configurations = answer.configurations
    return Found(
        answer.verdict,
        answer.algorithm,
        answer.exhausted,
        answer.order,
        answer.stuck,
        answer.concurrent,
        answer.writer,
        answer.position,
        configurations,
        answer.configurations_total,
        answer.excerpt,
        {text: decode(text) for text, _, _ in configurations},
        answer.reached,
        answer.suspended,
    )


def numbered(states: Sequence[Any]) -> Decode:
    """For a model in Python: the states by number, or as an earlier call told them."""

    def decode(text: str) -> Json:
        return _read(text[1:]) if text.startswith(_PLAIN) else states[int(text)]

    return decode


def without_numbers(suspended: Suspended | None, states: Sequence[Any]) -> Suspended | None:
    """The same search, which tells states of a model in Python by value: numbers are new
    in each call."""
    if suspended is None:
        return None
    texts = [
        text if text.startswith(_PLAIN) else _PLAIN + _written(states[int(text)])
        for text in suspended.states
    ]
    return Suspended.from_bytes(suspended.to_bytes(), texts)


def _written(state: Any) -> str:
    """The state as JSON, as the list of the states it may be; what JSON does not know is told
    by its `repr`."""
    states = list(members(state))
    try:
        plain = msgspec.to_builtins(states, str_keys=True, enc_hook=repr)
        return msgspec.json.encode(plain).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return msgspec.json.encode([repr(state) for state in states]).decode()


def _read(text: str) -> Any:
    states = msgspec.json.decode(text, type=list)
    return states[0] if len(states) == 1 else Possible(states)


class _Packed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    verdict: Literal["valid", "invalid", "unknown"]
    algorithm: str
    exhausted: str | None
    order: bytes
    stuck: int | None
    concurrent: list[int]
    writer: int | None
    position: int
    configurations: list[tuple[str, list[int], list[tuple[int, int]]]]
    configurations_total: int
    excerpt: bool
    states: dict[str, str]
    reached: int | None
    search: bytes | None
    search_states: list[str]


_decoder = msgspec.msgpack.Decoder(_Packed)


def packed(found: Found) -> bytes:
    """As bytes, for `unpacked`."""
    suspended = found.suspended
    return msgspec.msgpack.encode(
        _Packed(
            found.verdict,
            found.algorithm,
            found.exhausted,
            found.order.astype("<u4").tobytes(),
            found.stuck,
            list(found.concurrent),
            found.writer,
            found.position,
            list(found.configurations),
            found.configurations_total,
            found.excerpt,
            {text: _written(state) for text, state in found.states.items()},
            found.reached,
            suspended.to_bytes() if suspended is not None else None,
            suspended.states if suspended is not None else [],
        )
    )


def unpacked(data: bytes) -> Found:
    """What was packed.  Raises `ValueError` where it is anything else."""
    read = _decoder.decode(data)
    suspended = None
    if read.search is not None:
        suspended = Suspended.from_bytes(read.search, read.search_states)
    return Found(
        read.verdict,
        read.algorithm,
        read.exhausted,
        np.frombuffer(read.order, dtype="<u4").astype(np.uint32, copy=False),
        read.stuck,
        read.concurrent,
        read.writer,
        read.position,
        read.configurations,
        read.configurations_total,
        read.excerpt,
        {text: _read(state) for text, state in read.states.items()},
        read.reached,
        suspended,
    )

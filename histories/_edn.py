"""Histories as Jepsen's EDN: one map a line.

The reader is `engine/src/reading/jepsen.rs`; what is written here comes back from it as it
was, save what `losses` names.  Operations and processes are keywords where their names can
be, strings elsewhere; values are written from their canonical JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from histories._event import Json

if TYPE_CHECKING:
    from histories._history import History
    from histories._texts import Texts

_KEYWORD: Final = re.compile(r"[A-Za-z*!_?][A-Za-z0-9*!_?.+-]*\Z")
_TYPES: Final = (":invoke", ":ok", ":fail", ":info")
_WORD_MAX: Final = 1 << 63
"""From here on Clojure wants an N behind an integer."""


def lines(history: History) -> Iterator[str]:
    """The events, a map each."""
    spell = Spelling(history)
    timed = not np.array_equal(history.time, np.arange(len(history)))
    rows = zip(
        history.time.tolist(),
        history.type.tolist(),
        history.process.tolist(),
        history.f.tolist(),
        history.key.tolist(),
        history.value.tolist(),
        history.error.tolist(),
        history.node.tolist(),
        strict=True,
    )
    for index, (time, kind, process, f, key, value, error, node) in enumerate(rows):
        parts = [f"{{:index {index}"]
        if timed:
            parts.append(f":time {time}")
        parts.append(f":type {_TYPES[kind]}, :process {spell.process(process)}, :f {spell.f[f]}")
        if key >= 0:
            parts.append(f":key {spell.key[key]}")
        parts.append(f":value {spell.value[value]}")
        if error >= 0:
            parts.append(f":error {spell.error[error]}")
        if node >= 0:
            parts.append(f":node {spell.node[node]}")
        yield ", ".join(parts) + "}"


def losses(history: History) -> list[str]:
    """What EDN cannot hold, of what is there."""
    lost = lost_header(history, {})
    if not np.array_equal(history.time, np.arange(len(history))):
        tied = int((np.diff(history.time) <= 0).sum())
        if tied:
            lost.append(
                f"that {tied} events happened at the same time as the one before (they are put "
                "1 ns after it)"
            )
    return lost


def lost_header(history: History, implied: dict[str, Json]) -> list[str]:
    """What a form without a header loses, if it does not imply just that."""
    lost = []
    if history.meta and history.meta != implied:
        lost.append(f"the header ({', '.join(sorted(history.meta))})")
    if history.torn:
        lost.append("that the recording was cut off")
    return lost


class Spelling:
    """The texts of a history in EDN, each spelled when it is first needed."""

    def __init__(self, history: History) -> None:
        self.f = [_name(name) for name in history.f_names]
        self.node = [_string(name) for name in history.node_names]
        self.key = _Spelled(history.keys)
        self.value = _Spelled(history.values)
        self.error = _Spelled(history.errors)
        self._names = [_name(name) for name in history.process_names]

    def process(self, code: int) -> str:
        """A client's number, or a name."""
        return str(code) if code >= 0 else self._names[-1 - code]


class _Spelled(dict[int, str]):
    """Texts by code."""

    def __init__(self, texts: Texts | Sequence[bytes]) -> None:
        super().__init__({-1: "nil"})
        self._texts = texts

    def __missing__(self, code: int) -> str:
        spelled = self[code] = _edn(json.loads(self._texts[code]))
        return spelled


def _name(name: str) -> str:
    return f":{name}" if _KEYWORD.match(name) else _string(name)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _edn(value: Json) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return f"{value}N" if not -_WORD_MAX <= value < _WORD_MAX else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return f"[{' '.join(map(_edn, value))}]"
    members = (f"{_string(name)} {_edn(member)}" for name, member in value.items())
    return f"{{{', '.join(members)}}}"

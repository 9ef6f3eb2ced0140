"""Histories as Porcupine keeps them: `jepsen.util` logs of a register, key-value lines.

The reader of the log is `engine/src/reading/porcupine.rs`: there `:fail :cas` means that the
value did not compare, a compare-and-set that failed otherwise needs an error, and an error
stands where the value was.  Key-value lines are EDN with five fields and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from histories._edn import Spelling, lost_header
from histories._event import Json
from histories._flaws import HistoryError
from histories._history import FAIL, INFO, INVOKE, OK

if TYPE_CHECKING:
    from histories._history import History

LOG_IMPLIES: Final[dict[str, Json]] = {"model": "cas-register", "initial": None}
KV_IMPLIES: Final[dict[str, Json]] = {"model": "kv", "initial": ""}
_TYPES: Final = (":invoke", ":ok", ":fail", ":info")
_KV_NAMES: Final = ("get", "put", "append")


def log_lines(history: History) -> Iterator[str]:
    """One event a line."""
    spell = Spelling(history)
    for position in range(len(history)):
        process = spell.process(int(history.process[position]))
        kind, told, _ = _told(history, spell, position)
        f = spell.f[history.f[position]]
        yield f"INFO  jepsen.util - {process}\t{_TYPES[kind]}\t{f}\t{told}"


def log_losses(history: History) -> list[str]:
    """What the log cannot hold, of what is there."""
    lost = lost_header(history, LOG_IMPLIES)
    lost += _lost_columns(history, ("key", "node"))
    spell = Spelling(history)
    counts = Counter(_told(history, spell, position)[2] for position in range(len(history)))
    return lost + [f"{what} of {count} events" for what, count in counts.items() if what]


def _told(history: History, spell: Spelling, position: int) -> tuple[int, str, str | None]:
    """The type and the value or error as the log has them, and what of it is lost."""
    kind, value = int(history.type[position]), int(history.value[position])
    error = history.error_of(int(history.error[position]))
    is_cas = history.f_names[history.f[position]] == "cas"
    partner = int(history.pairs[position])
    invoked = int(history.value[partner]) if partner >= 0 else -1
    client = history.process[position] >= 0
    lost_error = "the error" if error is not None else None
    if kind == OK and is_cas and history.value_of(value) is False:
        return FAIL, spell.value[invoked], lost_error
    if not client or kind not in (FAIL, INFO):
        if kind == FAIL and is_cas:
            return INFO, spell.value[value], "the type"
        return kind, spell.value[value], lost_error
    lost_value = "the value" if value != invoked else None
    if error is None:
        if kind == FAIL and is_cas:
            return kind, ":failed", lost_value or "that there was no error"
        return kind, spell.value[value], None
    if isinstance(error, str) and error.isprintable() and error == error.strip():
        return kind, f":{error}", lost_value
    return kind, f":{spell.error[int(history.error[position])]}", lost_value or "the error"


def kv_lines(history: History) -> Iterator[str]:
    """One event of a client a line; raises `HistoryError` where it is no get, put or append."""
    spell = Spelling(history)
    for position in np.flatnonzero(history.process >= 0).tolist():
        name = history.f_names[history.f[position]]
        if name not in _KV_NAMES:
            raise HistoryError(
                f"event {position} is a {name!r}, and Porcupine's key-value form knows only "
                f"{', '.join(_KV_NAMES)}; try another format, like edn"
            )
        key, value = int(history.key[position]), int(history.value[position])
        of_key = history.key_of(key)
        # Porcupine wants a string here.
        text = spell.key[key] if isinstance(of_key, str) else f'"{_quoted(history, key)}"'
        yield (
            f"{{:process {history.process[position]}, :type {_TYPES[history.type[position]]}, "
            f":f :{name}, :key {text}, :value {spell.value[value]}}}"
        )


def kv_losses(history: History) -> list[str]:
    """What key-value lines cannot hold, of what is there."""
    lost = lost_header(history, KV_IMPLIES)
    named = int((history.process < 0).sum())
    if named:
        lost.append(f"{named} events of processes that are not clients")
    mine = history.clients() if named else history
    lost += _lost_columns(mine, ("error", "node"))
    keys = [history.key_of(int(code)) for code in np.unique(mine.key)]
    others = sum(not isinstance(key, str) for key in keys)
    if others:
        lost.append(f"the type of {others} keys (they become strings)")
    return lost


def _lost_columns(history: History, names: tuple[str, ...]) -> list[str]:
    lost = []
    if not np.array_equal(history.time, np.arange(len(history))):
        lost.append("the times")
    columns = {"key": history.key, "error": history.error, "node": history.node}
    for name in names:
        count = int((columns[name] >= 0).sum())
        if count:
            lost.append(f"the {name} of {count} events")
    return lost


def _quoted(history: History, key: int) -> str:
    text = history.keys[key].decode() if key >= 0 else "null"
    return text.replace("\\", "\\\\").replace('"', '\\"')


assert INVOKE == 0, "the order of _TYPES is that of the numbers"

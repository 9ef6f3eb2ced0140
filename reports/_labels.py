"""Values as short, visible text.

Whatever a client wrote into a database may end up in a report: markup, control
characters, marks that turn the direction of writing, a hundred megabytes.  Escaping for
HTML, SVG and XML is the business of whoever writes those; here every value becomes one
short line in which nothing is invisible.  Work is bounded by the length asked for, not by
the size of the value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

from histories import Json

ELLIPSIS: Final = "…"
_DEPTH_MAX: Final = 40
_INTEGER_BITS_MAX: Final = 4_000  # str() of a much larger integer is refused by Python
_PLAIN_WORD: Final = re.compile(r"[^\W\d][\w./:@-]*", re.UNICODE)
_NOT_NAMES: Final = frozenset({"null", "true", "false", "NaN", "Infinity"})


def visible(text: str, *, keep: str = "") -> str:
    """The text with everything unprintable escaped (`keep` lists exceptions)."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _escaped(char) for char in text)


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, the last of them an ellipsis if something was cut."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + ELLIPSIS


def short(value: Json, limit: int = 48) -> str:
    """A JSON value as one visible line of at most `limit` characters."""
    text = ""
    for piece in _pieces(value, limit, 0):
        text += piece
        if len(text) > limit:
            break
    return clip(text, limit)


def name(value: Json, limit: int = 48) -> str:
    """A key, a process or another name: like `short`, plain words without their quotes."""
    if isinstance(value, str) and value not in _NOT_NAMES and _PLAIN_WORD.fullmatch(value[:999]):
        return clip(visible(value[:999]), limit)
    return short(value, limit)


def prose(text: str, limit: int = 2_000) -> str:
    """A sentence for people: line breaks stay, the rest is made visible."""
    return clip(visible(text[: limit + 1], keep="\n"), limit)


def cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(_char_cells(char) for char in text)


def count(number: int, noun: str = "", plural: str = "") -> str:
    """``1,234 operations``: a number a person can read, with its noun if there is one."""
    if not noun:
        return f"{number:,}"
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(time_ns: int | float) -> str:
    """``3.2 ms``: three digits and the unit that fits."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if time_ns >= size:
            scaled = time_ns / size
            if unit == "s" and scaled >= 120:
                minutes, seconds = divmod(round(scaled), 60)
                return f"{minutes:,} min {seconds} s" if seconds else f"{minutes:,} min"
            return f"{scaled:.3g} {unit}" if scaled < 999.5 else f"{scaled:.0f} {unit}"
    return f"{time_ns:.0f} ns"


def moment(time_ns: int, step_ns: int) -> str:
    """A point in time in seconds, exact enough to tell points `step_ns` apart."""
    digits = 0
    while digits < 9 and 10 ** (9 - digits) > step_ns:
        digits += 1
    return f"{time_ns / 1e9:,.{digits}f} s"


def operation(f: str, given: Json, answer: Json, outcome: str, limit: int = 32) -> str:
    """An operation in one breath: ``write 3``, ``read → 3``, ``cas 1⇒2 → false``, ``write 4 ?``."""
    verb = clip(visible(f[:200]), max(limit // 2, 8))
    if f == "cas" and isinstance(given, list) and len(given) == 2:
        verb = f"{verb} {short(given[0], limit // 3)}⇒{short(given[1], limit // 3)}"
    elif given is not None:
        verb = f"{verb} {short(given, limit)}"
    if outcome in ("info", "pending"):
        return clip(verb, limit - 2) + " ?"
    observes = given is None and is_read(f)
    if outcome == "ok" and (observes or (answer not in (None, True) and not _same(answer, given))):
        result = f" → {short(answer, max(limit - len(verb) - 3, limit // 2))}"
        return clip(clip(verb, limit - min(len(result), limit // 2)) + result, limit)
    return clip(verb, limit)


def is_read(f: str) -> bool:
    """Whether operations of this name only look, as far as a name can tell."""
    return f.startswith(("read", "get"))


def _same(a: Json, b: Json) -> bool:
    """Equal as JSON: 1 is not true."""
    return type(a) is type(b) and bool(a == b)


def _pieces(value: Json, limit: int, depth: int) -> Iterator[str]:
    """The JSON text of a value, piece by piece, so that a reader may stop early."""
    if depth > _DEPTH_MAX:
        yield ELLIPSIS
    elif value is None or isinstance(value, bool):
        yield "null" if value is None else str(value).lower()
    elif isinstance(value, int):
        bits = value.bit_length()
        yield str(value) if bits <= _INTEGER_BITS_MAX else f"<integer of {bits:,} bits>"
    elif isinstance(value, str):
        quoted = value[: limit + 1].replace("\\", "\\\\").replace('"', '\\"')
        yield '"' + visible(quoted) + '"'
    elif isinstance(value, list | tuple):
        yield "["
        for position, item in enumerate(value):
            yield ", " if position else ""
            yield from _pieces(item, limit, depth + 1)
        yield "]"
    elif isinstance(value, Mapping):
        yield "{"
        for position, (key, item) in enumerate(value.items()):
            yield ", " if position else ""
            yield from _pieces(str(key), limit, depth + 1)
            yield ": "
            yield from _pieces(item, limit, depth + 1)
        yield "}"
    else:
        yield visible(repr(value)[: limit + 1])


def _escaped(char: str) -> str:
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    code = ord(char)
    return known.get(char) or (f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")


def _char_cells(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1

"""JSON as histories know it: what may be a value, and the one canonical text of each.

Only JSON's own types are values.  NaN, infinities and dictionaries with other keys than
strings are refused when they are recorded, because no reader could give them back.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from engine import _native
from histories._event import Json

NESTING_MAX: Final = 100
VALUE_BYTES_MAX: Final = 16 << 20
NUMBER_DIGITS_MAX: Final = 1000
_INTEGER_MAX: Final = 10**NUMBER_DIGITS_MAX

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode


def refuse_strangers(value: Json, depth: int = 0) -> None:
    """Raise TypeError or ValueError unless `value` is a JSON value that a reader accepts."""
    if depth > NESTING_MAX:
        raise ValueError(f"a value nested deeper than {NESTING_MAX} levels")
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if not -_INTEGER_MAX < value < _INTEGER_MAX:
            raise ValueError(f"an integer of more than {NUMBER_DIGITS_MAX} digits")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a JSON value; use None or a string")
    elif isinstance(value, list | tuple):
        for item in value:
            refuse_strangers(item, depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise TypeError(f"the key {name!r} of a dict is not a string")
            refuse_strangers(item, depth + 1)
    else:
        raise TypeError(
            f"{value!r} is a {type(value).__name__}, not a JSON value; "
            "use None, bool, int, float, str, list or dict"
        )


def canonical(value: Json) -> bytes:
    """The canonical JSON text of a value: equal values have equal texts, and `1.0` is `1`."""
    refuse_strangers(value)
    return _native.canonical_json(encode(value))

"""JSON as histories know it: what may be a value, and the one canonical text of each.

Only JSON's own types are values.  NaN, infinities and dictionaries with other keys than
strings are refused when they are recorded, because no reader could give them back.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from engine import _native
from histories._event import Json

NESTING_MAX: Final = 100
VALUE_BYTES_MAX: Final = 16 << 20
ATOMS: Final[frozenset[type[Any]]] = frozenset({type(None), bool, int, str})
"""Types that need no second look."""

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode


def refuse_strangers(value: Json, depth: int = 0) -> None:
    """Raise TypeError or ValueError where the encoder would write something else than `value`."""
    kind = value.__class__
    if kind in ATOMS:
        return
    if depth > NESTING_MAX:
        raise ValueError(f"a value nested deeper than {NESTING_MAX} levels")
    if kind is list or kind is tuple:
        for item in value:
            if item.__class__ not in ATOMS:
                refuse_strangers(item, depth + 1)
    elif kind is float:
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a JSON value; use None or a string")
    elif kind is dict:
        for name, item in value.items():
            if name.__class__ is not str:
                raise TypeError(f"the key {name!r} of a dict is not a string")
            refuse_strangers(item, depth + 1)
    else:
        raise TypeError(
            f"{value!r} is a {kind.__name__}, not a JSON value; "
            "use None, bool, int, float, str, list or dict"
        )


def canonical(value: Json) -> bytes:
    """The canonical JSON text of a value: equal values have equal texts, and `1.0` is `1`."""
    refuse_strangers(value)
    return _native.canonical_json(encode(value))

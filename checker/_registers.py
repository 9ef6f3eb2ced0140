"""The models of the house: a register, one with compare-and-set, and a string store.

Each is written out in Python, as the definition, and has a native twin in the engine,
which the tests hold against it.  A `key` in the events always means that each key is an
object of its own, so these are models of one key.
"""

from __future__ import annotations

import msgspec

from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from histories import Json

_READS = frozenset({"read", "get", "r"})
_WRITES = frozenset({"write", "put", "w"})


def same(a: Json, b: Json) -> bool:
    """Equality as JSON has it: Python thinks that ``True == 1``, a database does not."""
    if type(a) is type(b) and isinstance(a, int | str):
        return bool(a == b)
    return bool(a == b) and _text(a) == _text(b)


def _text(value: Json) -> bytes:
    return msgspec.json.encode(_whole(value), order="deterministic")


def _whole(value: Json) -> Json:
    """The value with its whole floats as integers, as histories hold them."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(element) for element in value]
    if isinstance(value, dict):
        return {name: _whole(element) for name, element in value.items()}
    return value


def _register_step(state: Json, call: Call) -> Json | Illegal:
    if call.f in _READS:
        return state if not call.completed or same(call.result, state) else ILLEGAL
    if call.f in _WRITES:
        return call.argument
    raise ModelError(f"a register has no operation {call.f!r}, only read and write")


def _cas_register_step(state: Json, call: Call) -> Json | Illegal:
    if call.f != "cas":
        return _register_step(state, call)
    if not isinstance(call.argument, list) or len(call.argument) != 2:
        raise ModelError(f"the value of a cas is [from, to], but here it is {call.argument!r}")
    expected, new = call.argument
    matches = same(state, expected)
    if call.completed and call.result is False:
        return ILLEGAL if matches else state
    return new if matches else ILLEGAL


def _kv_step(state: str, call: Call) -> str | Illegal:
    if call.f in _READS:
        return state if not call.completed or (call.result or "") == state else ILLEGAL
    if call.f in _WRITES:
        return call.argument or ""
    if call.f == "append":
        return state + (call.argument or "")
    raise ModelError(f"the model kv has no operation {call.f!r}, only get, put, append")


def register(initial: Json = None) -> Model:
    """A register: a read answers the last value written, or `initial`."""
    return Model("register", initial, _register_step, _READS, native="register")


def cas_register(initial: Json = None) -> Model:
    """A register with compare-and-set.

    `cas` of ``[from, to]`` sets `to` where the register holds `from`.  Completed with the
    value ``false`` it is an observation: the register did **not** hold `from`.
    """
    return Model("cas-register", initial, _cas_register_step, _READS, native="cas-register")


def kv(initial: str | None = "") -> Model:
    """A string with get, put and append; a missing key reads as the empty string."""
    return Model("kv", initial or "", _kv_step, _READS, native="kv")

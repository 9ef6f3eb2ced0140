"""A counter as a model: ``add`` of an integer, and ``read`` of the sum."""

from __future__ import annotations

from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from histories import Json


def _counter_step(total: int, call: Call) -> int | Illegal:
    if call.f == "add":
        return total + _integer(call.argument, "what is added")
    if call.f != "read":
        raise ModelError(f"a counter has no operation {call.f!r}, only add and read")
    if not call.completed or _integer(call.result, "what a counter holds") == total:
        return total
    return ILLEGAL


def _integer(value: Json, what: str) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ModelError(f"{what} is an integer of at most 64 bits, not {value!r}")
    return value


def counter(initial: Json = None) -> Model:
    """A counter that holds `initial` (default: 0) at first.

    Raises `ValueError` where `initial` is not an integer.
    """
    start = 0 if initial is None else initial
    if type(start) is not int:
        raise ValueError(f"a counter begins with an integer, not {start!r}")
    return Model("counter", start, _counter_step, frozenset({"read"}), native="counter")

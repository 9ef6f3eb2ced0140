"""A compare-and-set register as a user would write it, to time beside the engine's own."""

from __future__ import annotations

from checker import ILLEGAL, Call, Illegal, Model
from histories import Json


def _step(state: Json, call: Call) -> Json | Illegal:
    if call.f == "read":
        return state if not call.completed or call.result == state else ILLEGAL
    if call.f == "write":
        return call.argument
    expected, new = call.argument
    if call.completed and call.result is False:
        return state if state != expected else ILLEGAL
    return new if state == expected else ILLEGAL


def python_register(initial: Json, *, told: bool) -> Model:
    """The register in Python; `told` is whether the engine is told that reads only read."""
    return Model("a register in Python", initial, _step, {"read"} if told else frozenset())

"""A set as a model: elements are added and removed, and looked for, and all of it is read.

``add`` and ``remove`` may be told whether they changed the set: completed with true they
did, with false they did not; with anything else nobody knows.  ``contains`` answers true or
false, ``read`` the list of all elements.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from histories import Json, canonical

Elements: TypeAlias = tuple[Json, ...]
"""What is in the set, in the order of the canonical texts."""

READ_ONLY: Final = frozenset({"read", "contains"})
_ON_ELEMENTS: Final = ("add", "remove", "contains")


def _sorted(elements: list[Json]) -> Elements:
    by_text = {canonical(element): element for element in elements}
    return tuple(by_text[text] for text in sorted(by_text))


def _step(state: Elements, call: Call) -> Elements | Illegal:
    if call.f == "read":
        return _read(state, call)
    if call.f not in _ON_ELEMENTS:
        raise ModelError(f"a set has no operation {call.f!r}, only add, remove, contains and read")
    if call.argument is None or isinstance(call.argument, bool):
        raise ModelError(
            f"an element of a set is neither null nor a boolean, but here it is {call.argument!r}"
        )
    text = canonical(call.argument)
    rest = tuple(element for element in state if canonical(element) != text)
    present = len(rest) < len(state)
    if call.f == "contains":
        return _contains(state, call, present)
    wanted = call.f == "add"
    changes = present != wanted
    if call.completed and isinstance(call.result, bool) and call.result is not changes:
        return ILLEGAL
    if not changes:
        return state
    return _sorted([*rest, call.argument]) if wanted else rest


def _contains(state: Elements, call: Call, present: bool) -> Elements | Illegal:
    if not call.completed:
        return state
    if not isinstance(call.result, bool):
        raise ModelError(f"contains answers true or false, but here it is {call.result!r}")
    return state if call.result is present else ILLEGAL


def _read(state: Elements, call: Call) -> Elements | Illegal:
    if not call.completed:
        return state
    if not isinstance(call.result, list):
        raise ModelError(f"a read of a set answers a list, but here it is {call.result!r}")
    same = [canonical(element) for element in _sorted(call.result)] == [
        canonical(element) for element in state
    ]
    return state if same else ILLEGAL


def set_model() -> Model:
    """A set, empty at first: ``add``, ``remove``, ``contains`` and ``read`` of the whole."""
    return Model("set", (), _step, READ_ONLY, native="set")

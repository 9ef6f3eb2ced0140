"""When two states of a model in Python are the same: value and type are equal.

Python thinks that ``True == 1 == 1.0``, a model may not.  States may be of any shape, also
lists and dicts, which have no hash of their own.
"""

from __future__ import annotations

from typing import Any


def frozen(state: Any) -> Any:
    """A hashable stand-in, equal iff value and type are (``True`` is not ``1``)."""
    if isinstance(state, list | tuple):
        return (type(state), tuple(frozen(element) for element in state))
    if isinstance(state, dict):
        items = frozenset((frozen(name), frozen(value)) for name, value in state.items())
        return (dict, items)
    if isinstance(state, set | frozenset):
        return (frozenset, frozenset(frozen(element) for element in state))
    return (type(state), state)

"""A register that numbers its values, as etcd numbers the revisions of a key.

Values are ``[version, value]``.  Each write has a version greater than the one before; by
how much is nobody's business, since other keys may be counted as well.  A null version in
an answer was not learnt, and a write that crashed has a version that nobody knows.

So a state is sometimes every state that such a write may have made: the value, and the
least version it may have.  A read that saw the version makes it exact.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from checker._registers import same
from histories import Json

OR_LATER: Final = "or later"
"""Marks the version of a state as the least that it may have."""

Versioned: TypeAlias = tuple[int, Json] | tuple[int, Json, str]
"""``(version, value)``, or ``(version, value, OR_LATER)``."""

NUMBER_MAX: Final = 2**62
"""Versions and offsets are less than this."""


def is_number(number: Json) -> bool:
    """Whether it can be a version, or an offset."""
    return type(number) is int and 0 <= number < NUMBER_MAX


def _pair(value: Json, shape: str) -> tuple[int | None, Json]:
    """The version, if there is one, and the value."""
    if not isinstance(value, list) or len(value) != 2:
        raise ModelError(f"{shape}, but here it is {value!r}")
    version, rest = value
    if version is not None and not is_number(version):
        raise ModelError(f"{shape}, but here it is {value!r}")
    return version, rest


def _step(state: Versioned, call: Call) -> Versioned | Illegal:
    if call.f == "read":
        return _read(state, call)
    if call.f not in ("write", "cas"):
        raise ModelError(
            f"a versioned register has no operation {call.f!r}, only read, write and cas"
        )
    if call.f == "write":
        _, new = _pair(call.argument, "the value of a write is [null, value]")
    else:
        shape = "the value of a cas is [null, [from, to]]"
        _, change = _pair(call.argument, shape)
        if not isinstance(change, list) or len(change) != 2:
            raise ModelError(f"{shape}, but here it is {call.argument!r}")
        expected, new = change
        matches = same(state[1], expected)
        if call.completed and call.result is False:
            return ILLEGAL if matches else state
        if not matches:
            return ILLEGAL
    version = _learnt(call)
    if version is None:
        return (state[0] + 1, new, OR_LATER)
    # Some version that the state may have is less than this one iff the least one is.
    return (version, new) if state[0] < version else ILLEGAL


def _read(state: Versioned, call: Call) -> Versioned | Illegal:
    if not call.completed:
        return state
    version, value = _pair(call.result, "a read answers [version, value]")
    if not same(state[1], value):
        return ILLEGAL
    if version is None:
        return state
    possible = state[0] <= version if OR_LATER in state[2:] else state[0] == version
    return (version, value) if possible else ILLEGAL


def _learnt(call: Call) -> int | None:
    """The version that a write was told, if it was."""
    if not call.completed or call.result is None or (call.f == "cas" and call.result is True):
        return None
    return _pair(call.result, f"a {call.f} answers [version, value]")[0]


def versioned_register(initial: Json = None) -> Model:
    """A register with versions: ``read``, ``write`` and ``cas`` of ``[version, value]``.

    `initial` is a version and a value, by default ``[0, null]``: nothing is there yet.
    Raises `ValueError` where it is not of that form.
    """
    if initial is None:
        initial = [0, None]
    if not isinstance(initial, list | tuple) or len(initial) != 2 or not is_number(initial[0]):
        raise ValueError(f"a versioned register begins as [version, value], not as {initial!r}")
    return Model("versioned-register", tuple(initial), _step, native="versioned-register")

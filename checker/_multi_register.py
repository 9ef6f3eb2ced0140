"""Several registers that are read and written together, as small transactions.

All of them are one object: with ``key`` in the events, each key has several registers of its
own.  A register that was never written holds null.  In a ``txn`` the steps see what the ones
before them wrote.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from checker._registers import same
from histories import Json, canonical

Registers: TypeAlias = dict[str, Json]
"""The values other than null, by register."""


def _named(register: Json) -> str:
    """Names in JSON objects are strings, so register 1 of a `txn` is "1" of a `read`."""
    return register if isinstance(register, str) else canonical(register).decode()


def _with(state: Registers, register: Json, value: Json) -> Registers:
    rest = {name: held for name, held in state.items() if name != _named(register)}
    return rest if value is None else {**rest, _named(register): value}


def _object(call: Call, value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ModelError(
            f"the value of a {call.f} is an object of registers and their values, "
            f"but here it is {value!r}"
        )
    return value


def _steps(value: Json) -> list[Any]:
    steps = value if isinstance(value, list) else [None]
    if not all(isinstance(s, list) and len(s) == 3 and s[0] in ("r", "w") for s in steps):
        raise ModelError(
            f'the value of a txn is a list of ["r", register, value] and ["w", register, value], '
            f"but here it is {value!r}"
        )
    return steps


def _transaction(state: Registers, call: Call) -> Registers | Illegal:
    answered = call.completed and isinstance(call.result, list)
    for kind, register, value in _steps(call.result if answered else call.argument):
        if kind == "w":
            state = _with(state, register, value)
        elif answered and not same(value, state.get(_named(register))):
            return ILLEGAL
    return state


def _step(state: Registers, call: Call) -> Registers | Illegal:
    if call.f == "read":
        if not call.completed:
            return state
        seen = _object(call, call.result).items()
        return state if all(same(value, state.get(name)) for name, value in seen) else ILLEGAL
    if call.f == "write":
        for name, value in _object(call, call.argument).items():
            state = _with(state, name, value)
        return state
    if call.f == "txn":
        return _transaction(state, call)
    raise ModelError(f"a multi-register has no operation {call.f!r}, only read, write and txn")


def multi_register(initial: dict[str, Json] | None = None) -> Model:
    """Registers by name, all null at first unless `initial` says what they hold.

    ``read`` and ``write`` of ``{register: value}`` take effect on all of them at once; a
    ``txn`` is a list of ``["r", register, value]`` and ``["w", register, value]``, in order.
    Raises `ValueError` where `initial` is no object.
    """
    if not isinstance(initial, dict | None):
        raise ValueError(
            f"registers begin as an object of names and values, not as {initial!r}; "
            'try {"x": 0, "y": 0}'
        )
    held = {name: value for name, value in (initial or {}).items() if value is not None}
    return Model("multi-register", held, _step, {"read"})

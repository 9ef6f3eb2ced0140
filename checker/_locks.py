"""Locks as models: who may hold what, and when.

What a lock refused certainly did not happen, and is recorded as ``fail``.  An acquire that
crashed may hold for ever, since nobody knows that it did.
"""

from __future__ import annotations

from typing import TypeAlias

from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from histories import Json

Hold: TypeAlias = tuple[int | None, int]
"""Who holds a reentrant lock, and how many times it has to release."""

Permits: TypeAlias = tuple[int, int]
"""How many permits are free, and how many there are."""

Newest: TypeAlias = tuple[int | None, bool]
"""The newest token of a lease, and true; or the least that it can be, and false, where nobody
knows it.  None is below all numbers: no token was granted."""


def _acquires(call: Call, thing: str) -> bool:
    """Whether it is an acquire or a release."""
    if call.f not in ("acquire", "release"):
        raise ModelError(f"a {thing} has no operation {call.f!r}, only acquire and release")
    if call.completed and call.result is False:
        raise ModelError(f"what a {thing} refused did not happen: record it as `fail`")
    return call.f == "acquire"


def _lock_step(holder: int | None, call: Call) -> int | Illegal | None:
    if _acquires(call, "lock"):
        return call.process if holder is None else ILLEGAL
    return None if holder == call.process else ILLEGAL


def _reentrant_lock_step(state: tuple[int, int] | None, call: Call) -> Hold | Illegal | None:
    holder, depth = state or (call.process, 0)
    acquires = _acquires(call, "lock")
    if holder != call.process or (depth == 0 and not acquires):
        return ILLEGAL
    depth += 1 if acquires else -1
    return (holder, depth) if depth else None


def _semaphore_step(state: Permits, call: Call) -> Permits | Illegal:
    free, permits = state
    acquires = _acquires(call, "semaphore")
    count = 1 if call.argument is None else call.argument
    if type(count) is not int or count < 1:
        raise ModelError(f"permits are counted by an integer from 1, or null for 1, not {count!r}")
    free += -count if acquires else count
    return (free, permits) if 0 <= free <= permits else ILLEGAL


def _lease_step(state: Newest, call: Call) -> Newest | Illegal:
    least, known = state
    if call.f == "acquire":
        if not call.completed:
            return (None if least is None else least + 1, False)
        token = _token(call.result)
        # If the newest is not known, it may be `least`, and thus below this one.
        return (token, True) if least is None or token > least else ILLEGAL
    if call.f not in ("use", "release"):
        raise ModelError(f"a lease has no operation {call.f!r}, only acquire, use and release")
    if call.f == "release" or not call.completed:
        return state
    token = _token(call.argument)
    if call.result is True:
        if known:
            return state if token == least else ILLEGAL
        return (token, True) if least is None or token >= least else ILLEGAL
    if call.result is not False:
        raise ModelError(f"a use answers true or false, not {call.result!r}")
    if known:
        return state if least is not None and token < least else ILLEGAL
    return (token + 1 if least is None else max(least, token + 1), False)


def _token(value: Json) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ModelError(f"a token is an integer of at most 64 bits, not {value!r}")
    return value


def lock() -> Model:
    """A lock, free at first: ``acquire``, and ``release`` by the process that holds it."""
    return Model("lock", None, _lock_step, native="lock", by_process=True)


def reentrant_lock() -> Model:
    """A lock that its holder may acquire again; it is free after as many releases."""
    name = "reentrant-lock"
    return Model(name, None, _reentrant_lock_step, native=name, by_process=True)


def semaphore(permits: Json = None) -> Model:
    """A semaphore: ``acquire`` and ``release`` of some permits (null: 1), by anybody.

    All `permits` (default: 1) are free at first, and there are never more.  Raises
    `ValueError` where `permits` is not an integer from 0.
    """
    count = 1 if permits is None else permits
    if type(count) is not int or count < 0:
        raise ValueError(f"a semaphore begins with a number of permits, not {count!r}")
    return Model("semaphore", (count, count), _semaphore_step, native="semaphore")


def lease(token: Json = None) -> Model:
    """A lease with fencing tokens, which are integers; `token` is the newest one at first.

    ``acquire`` answers a token greater than all granted before it.  ``use`` of a token is
    answered true if it is the newest, false if there is a newer one.  ``release`` changes
    nothing, since a lease may run out at any time.  Raises `ValueError` where `token` is
    neither an integer nor None.
    """
    if token is not None and type(token) is not int:
        raise ValueError(f"a lease begins with a token or none, not {token!r}")
    return Model("lease", (token, True), _lease_step, frozenset({"release"}), native="lease")

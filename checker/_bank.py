"""A bank: money moves between accounts, and none of them is ever overdrawn.

A completed ``transfer`` with the value false is an observation: there was not enough money.
Since the accounts are one object, a read that saw half of a transfer fits no order.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from checker._registers import same
from histories import Json

Balances: TypeAlias = dict[str, Any]
"""What each account holds; the accounts are always the same."""


def _transfer(state: Balances, call: Call) -> Balances | Illegal:
    match call.argument:
        case {"from": str(giver), "to": str(taker), "amount": int() | float() as amount} if (
            not isinstance(amount, bool) and amount >= 0
        ):
            pass
        case _:
            raise ModelError(
                'the value of a transfer is {"from": account, "to": account, "amount": n} with '
                f"n at least 0, but here it is {call.argument!r}"
            )
    for account in (giver, taker):
        if account not in state:
            raise ModelError(f"there is no account {account!r}, only {', '.join(sorted(state))}")
    enough = state[giver] >= amount
    if call.completed and call.result is False:
        return ILLEGAL if enough else state
    if not enough:
        return ILLEGAL if call.completed else state
    after = {**state, giver: state[giver] - amount}
    return {**after, taker: after[taker] + amount}


def _read(state: Balances, call: Call) -> Balances | Illegal:
    if not call.completed:
        return state
    if not isinstance(call.result, dict):
        raise ModelError(f"a bank answers a read with all balances, but here {call.result!r}")
    some = call.argument if isinstance(call.argument, dict | list) and call.argument else state
    known = call.result.keys() == set(some) and call.result.keys() <= state.keys()
    return state if known and all(same(n, state[a]) for a, n in call.result.items()) else ILLEGAL


def _step(state: Balances, call: Call) -> Balances | Illegal:
    if call.f == "read":
        return _read(state, call)
    if call.f == "transfer":
        return _transfer(state, call)
    raise ModelError(f"a bank has no operation {call.f!r}, only transfer and read")


def bank(initial: Json) -> Model:
    """Accounts with the balances in `initial`, ``{account: balance}``, none below 0.

    ``transfer`` of ``{"from": ..., "to": ..., "amount": n}``; ``read`` answers all balances,
    or those of the accounts that it names.  Raises `ValueError` where `initial` is something
    else.
    """
    if not isinstance(initial, dict) or not all(
        isinstance(n, int | float) and not isinstance(n, bool) and n >= 0 for n in initial.values()
    ):
        raise ValueError(
            f"a bank begins with the balance of each account, none below 0, not with {initial!r}; "
            'try {"a": 10, "b": 10}'
        )
    return Model("bank", initial, _step, {"read"})

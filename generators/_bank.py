"""The `bank` workload: money moves between a handful of accounts, and is never more or less."""

from __future__ import annotations

from generators._choice import mix
from generators._context import Context
from generators._pacing import delay
from generators._shaping import repeat, until_ok
from generators._threads import clients, each_thread
from generators._workload import Workload
from histories import Op


def bank(*, accounts: int = 8, balance: int = 10, most: int = 5) -> Workload:
    """``transfer`` of 1 to `most` from one account to another, and a ``read`` of all as often.

    Every one of the `accounts` has the same `balance` at first; the client is told
    (``accounts``), since it opens them.
    """
    if accounts < 2 or balance < 0 or most < 1:
        raise ValueError("a bank has two accounts or more, none below 0, and moves at least 1")
    names = [f"a{number}" for number in range(accounts)]

    def transfer(ctx: Context) -> Op:
        draw = ctx.random.random
        giver = int(draw() * accounts)
        taker = (giver + 1 + int(draw() * (accounts - 1))) % accounts
        amount = 1 + int(draw() * most)
        return Op("transfer", {"from": names[giver], "to": names[taker], "amount": amount})

    read = Op("read")
    return Workload(
        name="bank",
        generator=clients(mix(transfer, repeat(read))),
        final=clients(each_thread(until_ok(delay(0.5, repeat(read, 20))))),
        checkers=(f"bank:total={accounts * balance}",),
        client={"accounts": dict.fromkeys(names, balance)},
        meta={"accounts": accounts, "balance": balance, "most": most},
    )

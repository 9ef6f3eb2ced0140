"""The `register` workload: reads, writes and compare-and-sets of many registers.

Each register is a key of its own.  A key is worked on by one group of threads and retired
after a number of operations, because the cost of judging a history grows with its length
and, steeply, with the operations in it that nobody knows the end of.  Keys are retired at
slightly different times, so the groups do not all begin afresh at once.

Half of the threads of a group only read, so that reads go on while writes are stuck: a
stale read is the commonest thing there is to find.  The others do a third of each.

With values ``0 .. values - 1`` a compare-and-set succeeds often, but a read says little
about *which* write it saw.  With ``distinct=True`` every write of a key writes a value of
its own, and a compare-and-set expects one that was lately seen: less of it succeeds, but
each read names its write, and such histories are quicker to judge.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import count

import msgspec

from generators._choice import mix
from generators._context import Context
from generators._keys import concurrent_keys
from generators._protocol import PENDING, Emitted, Generator, filled
from generators._shaping import limit, repeat
from generators._threads import process_limit, reserve
from generators._workload import Workload
from histories import Event, Json, Op

READ = Op("read")


def register(
    keys: Iterable[Json] | None = None,
    ops_per_key: int = 200,
    values: int = 5,
    *,
    threads_per_key: int = 4,
    processes_per_key: int | None = 20,
    distinct: bool = False,
    seed: int = 0,
) -> Workload:
    """Reads, writes and CAS (``read``, ``write``, ``cas`` with value ``[from, to]``).

    `keys` may be endless, and is if not given: "r0", "r1", ...  Each is retired after
    roughly `ops_per_key` operations (90 to 100 % of it, drawn by `seed` and the key), or
    when its threads have gone through `processes_per_key` processes.
    """
    if ops_per_key < 1 or values < 1 or threads_per_key < 1:
        raise ValueError("ops_per_key, values and threads_per_key must all be at least 1")

    changes = DistinctWrites(1, None) if distinct else _changes(values)
    everything = mix(repeat(READ), changes, weights=[1, 2])
    readers = threads_per_key // 2

    def one(key: Json) -> Generator | None:
        load = reserve(readers, repeat(READ), everything) if readers else everything
        share = random.Random(f"{seed}/{key!r}").uniform(0.9, 1.0)
        load = limit(max(1, round(ops_per_key * share)), load)
        return load if processes_per_key is None else process_limit(processes_per_key, load)

    return Workload(
        name="register",
        generator=concurrent_keys(
            threads_per_key, (f"r{i}" for i in count()) if keys is None else keys, one
        ),
        model="cas-register",
        initial=None,
        meta={
            "ops_per_key": ops_per_key,
            "values": values,
            "threads_per_key": threads_per_key,
            "processes_per_key": processes_per_key,
            "distinct": distinct,
            "seed": seed,
        },
    )


def _changes(values: int) -> Generator | None:
    def write(ctx: Context) -> Op:
        return Op("write", int(ctx.random.random() * values))

    def cas(ctx: Context) -> Op:
        draw = ctx.random.random
        return Op("cas", [int(draw() * values), int(draw() * values)])

    return mix(write, cas)


class DistinctWrites(msgspec.Struct, frozen=True):
    """Writes and CAS of values never used before; `seen` is a value that was read lately."""

    fresh: int
    seen: Json

    def op(self, ctx: Context) -> Emitted:
        if self.seen is None or ctx.random.random() < 0.5:
            template = Op("write", self.fresh)
        else:
            template = Op("cas", [self.seen, self.fresh])
        op = filled(template, ctx)
        return (op, self) if op is PENDING else (op, DistinctWrites(self.fresh + 1, self.seen))

    def update(self, ctx: Context, event: Event) -> Generator:  # noqa: ARG002
        if event.f == "read" and event.type == "ok" and event.value not in (None, self.seen):
            return DistinctWrites(self.fresh, event.value)
        return self

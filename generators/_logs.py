"""The `log` and `watch` workloads: what is written in order, is it told in order, and all of it?"""

from __future__ import annotations

import msgspec

from generators._choice import mix
from generators._context import Context
from generators._pacing import delay
from generators._protocol import PENDING, Emitted, Generator, Liftable, filled
from generators._shaping import repeat, until_ok
from generators._threads import clients, each_thread, reserve
from generators._workload import Workload
from histories import Event, Op

_TRIES = 20
_PAUSE_S = 0.5


def log_workload(*, logs: int = 3) -> Workload:
    """``append`` of distinct values to `logs` logs, which are keys, and as many polls of them.

    At last every thread polls each log.
    """
    if logs < 1:
        raise ValueError(f"there is at least one log, not {logs}")
    keys = [f"p{number}" for number in range(logs)]

    def poll(ctx: Context) -> Op:
        return Op("poll", None, keys[int(ctx.random.random() * logs)])

    last: list[Liftable] = [
        until_ok(delay(_PAUSE_S, repeat(Op("poll", None, key), _TRIES))) for key in keys
    ]
    return Workload(
        name="log",
        generator=clients(mix(Distinct("append", tuple(keys), 0), poll)),
        final=clients(each_thread(last)),
        checkers=("log:dense=true",),
        meta={"logs": logs},
    )


def watch(*, keys: int = 5, watchers: int = 2) -> Workload:
    """``write`` of distinct values to some keys, while so many threads ``watch`` all of them.

    At last every thread is to be told all that was written (``final-watch``).
    """
    if keys < 1 or watchers < 1:
        raise ValueError("there is at least one key, and at least one watcher")
    names = tuple(f"k{number}" for number in range(keys))
    writes = Distinct("write", names, 0)
    final = until_ok(delay(_PAUSE_S, repeat(Op("final-watch"), _TRIES)))
    return Workload(
        name="watch",
        generator=clients(reserve(watchers, repeat(Op("watch")), writes)),
        final=clients(each_thread(final)),
        checkers=("watch",),
        meta={"keys": keys, "watchers": watchers},
    )


class Distinct(msgspec.Struct, frozen=True):
    """`f` of a number never used before, under any of the keys."""

    f: str
    keys: tuple[str, ...]
    fresh: int

    def op(self, ctx: Context) -> Emitted:
        key = self.keys[int(ctx.random.random() * len(self.keys))]
        op = filled(Op(self.f, self.fresh, key), ctx)
        return (op, self) if op is PENDING else (op, Distinct(self.f, self.keys, self.fresh + 1))

    def update(self, ctx: Context, event: Event) -> Generator:  # noqa: ARG002
        return self

"""The `set` workload: is everything that was acknowledged still there in the end?

Clients add numbers to one set, each number once.  After the cluster has been mended, every
thread reads the whole set.  An addition that was acknowledged and is missing was lost; one
that nobody asked for, or that failed for certain and is there, was made up.
"""

from __future__ import annotations

import msgspec

from generators._context import Context
from generators._pacing import delay
from generators._protocol import PENDING, Emitted, Generator, filled
from generators._shaping import repeat, until_ok
from generators._threads import clients, each_thread
from generators._workload import Workload
from histories import Event, Op


def set_workload(*, read_tries: int = 20, read_pause_s: float = 0.5) -> Workload:
    """Unique adds (``add`` with a number), and at last a ``read`` by every thread.

    A thread whose final read does not succeed tries again, `read_tries` times in all, at
    least `read_pause_s` apart.
    """
    return Workload(
        name="set",
        generator=clients(Adds(0)),
        final=clients(each_thread(until_ok(delay(read_pause_s, repeat(Op("read"), read_tries))))),
        checker="set",
        meta={"read_tries": read_tries, "read_pause_s": read_pause_s},
    )


class Adds(msgspec.Struct, frozen=True):
    """``add`` of `fresh`, then of the number after it, for ever."""

    fresh: int

    def op(self, ctx: Context) -> Emitted:
        op = filled(Op("add", self.fresh), ctx)
        return (op, self) if op is PENDING else (op, Adds(self.fresh + 1))

    def update(self, ctx: Context, event: Event) -> Generator:  # noqa: ARG002
        return self

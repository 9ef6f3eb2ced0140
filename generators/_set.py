"""The `set` workload: is everything that was acknowledged still there in the end?

Clients add numbers to one set, each number once, and read the whole set now and then, if they
are to.  After the cluster has been mended, every thread reads it.  An addition that was
acknowledged and is missing was lost; one that nobody asked for, or that failed for certain and
is there, was made up.
"""

from __future__ import annotations

import msgspec

from generators._choice import mix
from generators._context import Context
from generators._pacing import delay
from generators._protocol import PENDING, Emitted, Generator, filled
from generators._shaping import repeat, until_ok
from generators._threads import clients, each_thread
from generators._workload import Workload
from histories import Event, Op


def set_workload(
    *, reads: float = 0.0, read_tries: int = 20, read_pause_s: float = 0.5
) -> Workload:
    """Unique adds (``add`` with a number), and at last a ``read`` by every thread.

    `reads` is the share of reads before.  A thread whose final read does not succeed tries
    again, `read_tries` times in all, at least `read_pause_s` apart.
    """
    if not 0 <= reads < 1:
        raise ValueError(f"the share of reads is from 0 to below 1, not {reads:g}")
    adds = Adds(0)
    load = mix(adds, repeat(Op("read")), weights=[1 - reads, reads]) if reads else adds
    return Workload(
        name="set",
        generator=clients(load),
        final=clients(each_thread(until_ok(delay(read_pause_s, repeat(Op("read"), read_tries))))),
        model="set",
        checkers=("set-full",),
        meta={"reads": reads, "read_tries": read_tries, "read_pause_s": read_pause_s},
    )


class Adds(msgspec.Struct, frozen=True):
    """``add`` of `fresh`, then of the number after it, for ever."""

    fresh: int

    def op(self, ctx: Context) -> Emitted:
        op = filled(Op("add", self.fresh), ctx)
        return (op, self) if op is PENDING else (op, Adds(self.fresh + 1))

    def update(self, ctx: Context, event: Event) -> Generator:  # noqa: ARG002
        return self

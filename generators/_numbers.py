"""The `unique-ids` and `counter` workloads: is a number given once, is a sum what was added?"""

from __future__ import annotations

from generators._choice import mix
from generators._context import Context
from generators._pacing import delay
from generators._shaping import repeat, until_ok
from generators._threads import clients, each_thread
from generators._workload import Workload
from histories import Op

_READ_TRIES = 20
_READ_PAUSE_S = 0.5


def unique_ids() -> Workload:
    """``generate``, again and again; each answers an id that nobody was given before."""
    return Workload(
        name="unique-ids",
        generator=clients(repeat(Op("generate"))),
        checkers=("unique-ids",),
    )


def counter(*, most: int = 5) -> Workload:
    """``add`` of 1 to `most` to one counter, and as many reads; at last a read by every thread."""
    if most < 1:
        raise ValueError(f"at least 1 is added, not {most}")

    def add(ctx: Context) -> Op:
        return Op("add", 1 + int(ctx.random.random() * most))

    read = Op("read")
    last = until_ok(delay(_READ_PAUSE_S, repeat(read, _READ_TRIES)))
    return Workload(
        name="counter",
        generator=clients(mix(add, repeat(read))),
        final=clients(each_thread(last)),
        model="counter",
        initial=0,
        checkers=("counter",),
        meta={"most": most},
    )

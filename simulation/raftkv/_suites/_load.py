"""What clients do: reads, writes and compare-and-sets of a few keys, for as long as it lasts.

Every write writes a value of its own, so each read names the write that it saw, and what an
early write has put there is asked for until the end.  Half of the threads only read, so that reads
go on where writes are stuck.
"""

from __future__ import annotations

from typing import Final

import msgspec

from generators import PENDING, Context, Generator, Liftable, phases, sleep, stagger, time_limit
from generators._protocol import Emitted, filled
from histories import Event, Json, Op

READS: Final = 0.1
WRITES: Final = 0.6
BURST_VALUES: Final = 10_000
FINAL_VALUES_FROM: Final = 1_000_000
"""Values written after the last healing, so that they differ from those before."""


class Registers(msgspec.Struct, frozen=True):
    """The keys ``k0``, ``k1``, ...; `seen` are the values lately seen in them.

    `fresh` is the next value; with `bytes_each` it stands in front of so many bytes.
    """

    keys: int
    fresh: int = 1
    bytes_each: int = 0
    seen: tuple[Json, ...] = ()

    def op(self, ctx: Context) -> Emitted:
        random = ctx.random.random
        key, kind = int(random() * self.keys), random()
        read = filled(Op("read", None, f"k{key}"), ctx)
        if read is PENDING or isinstance(read.process, str):
            return PENDING, self
        assert read.process is not None
        reader = read.process % ctx.concurrency < ctx.concurrency // 2
        op, fresh = read, self.fresh
        seen = self.seen[key] if self.seen else None
        if kind >= READS and not reader:
            written: Json = fresh if not self.bytes_each else f"{fresh}.".ljust(self.bytes_each)
            cas = seen is not None and kind >= READS + WRITES
            value = [seen, written] if cas else written
            f = "cas" if cas else "write"
            op, fresh = Op(f, value, read.key, process=read.process, time=read.time), fresh + 1
        return op, msgspec.structs.replace(self, fresh=fresh)

    def update(self, ctx: Context, event: Event) -> Generator:  # noqa: ARG002
        if event.type != "ok" or event.f not in ("read", "write") or event.value is None:
            return self
        seen = list(self.seen or [None] * self.keys)
        seen[int(str(event.key)[1:])] = event.value
        return msgspec.structs.replace(self, seen=tuple(seen))


def bursts(keys: int, times: int, on_s: float, off_s: float) -> Liftable:
    """So many times operations for `on_s`, and then none for `off_s`."""
    loads = (Registers(keys, fresh=1 + number * BURST_VALUES) for number in range(times))
    return phases(*(part for load in loads for part in (time_limit(on_s, load), sleep(off_s))))


def afterwards(keys: int, seconds: float, rate_hz: float, bytes_each: int = 0) -> Liftable:
    """More of the same once all is healed, and then a look at every key."""
    load = Registers(keys, FINAL_VALUES_FROM, bytes_each)
    return phases(
        time_limit(seconds, stagger(1 / rate_hz, load)),
        [Op("read", None, f"k{number}") for number in range(keys)],
    )

"""The `lock` workload: does a lock ever have two holders?

Each thread asks for one of a few locks until it gets one, holds it until its next operation,
and gives it back.
"""

from __future__ import annotations

import msgspec

from generators._context import Context
from generators._protocol import PENDING, Emitted, Generator, filled
from generators._threads import clients, each_thread
from generators._workload import Workload
from histories import Event, Op


def lock(*, locks: int = 3, lease_s: float | None = None) -> Workload:
    """``acquire`` and ``release`` of `locks` locks, which are keys.

    `lease_s` is how long a lock that was acquired is certainly held if it is not released
    (None: for ever).
    """
    if locks < 1:
        raise ValueError(f"there is at least one lock, not {locks}")
    lease = "" if lease_s is None else f":lease_s={lease_s:g}"
    return Workload(
        name="lock",
        generator=clients(each_thread(Holder(locks, None))),
        checkers=(f"lock-set{lease}",),
        meta={"locks": locks, "lease_s": lease_s},
    )


class Holder(msgspec.Struct, frozen=True):
    """One thread's next wish: to release the lock that it `holds`, else to acquire any."""

    locks: int
    holds: str | None

    def op(self, ctx: Context) -> Emitted:
        key = self.holds or f"l{int(ctx.random.random() * self.locks)}"
        op = filled(Op("release" if self.holds else "acquire", None, key), ctx)
        return (op, self) if op is PENDING else (op, Holder(self.locks, None))

    def update(self, ctx: Context, event: Event) -> Generator:  # noqa: ARG002
        got = (event.f, event.type) in (("acquire", "ok"), ("release", "fail"))
        if got and isinstance(event.key, str):
            return Holder(self.locks, event.key)
        return self

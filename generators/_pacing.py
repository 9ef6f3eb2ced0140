"""Combinators about time: how fast operations come, and when they end.

Rates are those of the whole generator, not of each thread: ``stagger(0.1, gen)`` is ten
operations a second however many workers there are.

A timer of the operating system is often late by a millisecond, and a busy machine by more.
`stagger` and `delay` keep to their schedule all the same: what came late is not repeated,
but the next operation is due when it would have been.  Only when they have fallen behind
by more than `CATCH_UP_NS_MAX` (all clients were stuck, say) do they begin a new schedule,
because a storm of belated operations is not the load that was asked for.
"""

from __future__ import annotations

from typing import Final

from generators._context import Context
from generators._lifting import lift
from generators._protocol import (
    LOG,
    PENDING,
    SLEEP,
    Emitted,
    Generator,
    Liftable,
    Wrapper,
    at_time,
    nanoseconds,
)
from histories import Event, Op

CATCH_UP_NS_MAX: Final = 10_000_000


class Paced(Wrapper, frozen=True):
    interval_ns: int
    jitter: bool
    due_ns: int | None

    def op(self, ctx: Context) -> Emitted:
        if not ctx.free:
            return PENDING, self
        emitted = self.gen.op(ctx)
        if emitted is None:
            return None
        op, gen = emitted
        if op is PENDING:
            if gen is None or gen is self.gen:
                return op, gen and self
            return op, Paced(gen, self.interval_ns, self.jitter, self.due_ns)
        time = op.time
        assert time is not None, "operations leave their generator with a time"
        due = self.due_ns
        if due is None or time - due > CATCH_UP_NS_MAX:
            due = time
        elif due > time:
            op = at_time(op, due)
        if gen is None:
            return op, None
        if self.jitter:
            due += int(ctx.random.random() * 2 * self.interval_ns)
        else:
            due += self.interval_ns
        return op, Paced(gen, self.interval_ns, self.jitter, due)

    def update(self, ctx: Context, event: Event) -> Generator:
        gen = self.gen.update(ctx, event)
        if gen is self.gen:
            return self
        return Paced(gen, self.interval_ns, self.jitter, self.due_ns)


def stagger(interval_s: float, gen: Liftable) -> Generator | None:
    """Operations of `gen` at random intervals, uniform in 0 to twice `interval_s`.

    On average one every `interval_s` seconds, over all threads together.
    """
    return _paced(interval_s, True, gen)


def delay(interval_s: float, gen: Liftable) -> Generator | None:
    """Operations of `gen` at intervals of `interval_s` seconds, over all threads together."""
    return _paced(interval_s, False, gen)


def _paced(interval_s: float, jitter: bool, gen: Liftable) -> Generator | None:
    if interval_s < 0:
        raise ValueError(f"an interval cannot be negative: {interval_s} s")
    lifted_gen = lift(gen)
    if lifted_gen is None:
        return None
    return Paced(lifted_gen, nanoseconds(interval_s), jitter, None)


class TimeLimited(Wrapper, frozen=True):
    limit_ns: int
    end_ns: int | None

    def op(self, ctx: Context) -> Emitted:
        end = self.end_ns
        if end is not None and ctx.time >= end:
            return None
        emitted = self.gen.op(ctx)
        if emitted is None:
            return None
        op, gen = emitted
        if op is not PENDING:
            assert op.time is not None, "operations leave their generator with a time"
            if end is None:
                end = op.time + self.limit_ns
            if op.time >= end:
                # What is offered comes too late (a fault, say), but whoever is busy now may be
                # free, and have something to do, before the end.
                busy = ctx.free != ctx.threads
                return (PENDING, TimeLimited(self.gen, self.limit_ns, end)) if busy else None
        return op, None if gen is None else TimeLimited(gen, self.limit_ns, end)

    def update(self, ctx: Context, event: Event) -> Generator:
        gen = self.gen.update(ctx, event)
        return self if gen is self.gen else TimeLimited(gen, self.limit_ns, self.end_ns)


def time_limit(seconds: float, gen: Liftable) -> Generator | None:
    """Operations of `gen` for `seconds` seconds from the first of them.

    Operations that are under way at the end are left to complete.
    """
    lifted_gen = lift(gen)
    if lifted_gen is None or seconds <= 0:
        return None
    return TimeLimited(lifted_gen, nanoseconds(seconds), None)


def sleep(seconds: float) -> Generator:
    """One worker does nothing for `seconds` seconds; nothing is recorded.

    Only the worker that gets it sleeps: in ``nemesis([sleep(5), fault])`` the nemesis does.
    """
    return _instruction(SLEEP, seconds)


def log(message: str) -> Generator:
    """Write `message` to the log of the run, once; nothing is recorded."""
    return _instruction(LOG, message)


def _instruction(f: str, value: float | str) -> Generator:
    gen = lift(Op(f=f, value=value, type="info"))
    assert gen is not None
    return gen

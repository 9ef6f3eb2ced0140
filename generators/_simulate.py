"""What a generator would do: a run without clients, threads or clocks.

`simulate` plays a generator in virtual time.  How an operation ends, and how long it
takes, is decided by a function; the answer is the list of events that a runner would have
recorded.  It is how generators are tested, and how one looks at a schedule before use.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final, TypeAlias

from generators._context import Context, opening_context
from generators._lifting import lift
from generators._protocol import (
    PENDING,
    SLEEP,
    GeneratorError,
    Liftable,
    at_time,
    nanoseconds,
)
from generators._validation import Validated
from histories import Event, Op

Complete: TypeAlias = Callable[[Context, Op], Op]
"""How an operation ends: the completion, with its time (the invocation's if None)."""

LATENCY_NS: Final = 10


def perfect(ctx: Context, op: Op) -> Op:  # noqa: ARG001
    """Every operation is ok, after `LATENCY_NS`."""
    return _later(op.ok(op.value))


def crashing(ctx: Context, op: Op) -> Op:  # noqa: ARG001
    """No operation is ever heard of again: all end in info, after `LATENCY_NS`."""
    return _later(op.info("crashed"))


def instant(ctx: Context, op: Op) -> Op:  # noqa: ARG001
    """Every operation is ok, and takes no time."""
    return op.ok(op.value)


def _later(op: Op) -> Op:
    assert op.time is not None
    return at_time(op, op.time + LATENCY_NS)


def simulate(
    gen: Liftable,
    complete: Complete = perfect,
    *,
    concurrency: int = 2,
    nemesis: bool = True,
    seed: int = 0,
    operations_max: int = 100_000,
) -> list[Event]:
    """The events of a run of `gen` whose operations end as `complete` says.

    Times are virtual nanoseconds and may be equal.  Raises `GeneratorError` when the
    generator breaks its contract, waits for ever (PENDING with nothing under way), or has
    not ended after `operations_max` operations.
    """
    play = _Simulation(opening_context(concurrency, seed=seed, nemesis=nemesis), complete)
    lifted = lift(gen)
    play.gen = None if lifted is None else Validated(lifted)
    while play.step():
        if play.asked > operations_max:
            raise GeneratorError(
                f"the generator has not ended after {operations_max} operations; "
                "wrap it in limit() or time_limit()"
            )
    return play.events


class _Simulation:
    """Invariant: a thread is free in `ctx` unless its completion is in `flying`."""

    def __init__(self, ctx: Context, complete: Complete) -> None:
        self.ctx = ctx
        self.complete = complete
        self.gen: Validated | None = None
        self.events: list[Event] = []
        self.flying: list[tuple[int, int, int, Op]] = []  # time, order, thread, completion
        self.asked = 0

    def step(self) -> bool:
        """Invoke one operation or complete one; False when there is nothing left to do."""
        gen, ctx = self.gen, self.ctx
        emitted = None if gen is None else gen.op(ctx)
        if emitted is None:
            self.gen = None
            if self.flying:
                self._land()
                return True
            return False
        op, following = emitted
        if op is PENDING:
            if not self.flying:
                raise GeneratorError(f"the generator waits, but nothing is under way: {gen!r}")
            self._land()
            return True
        assert op.time is not None
        if self.flying and op.time > self.flying[0][0]:
            self._land()  # something happens before; ask again then
            return True
        self.gen = following  # type: ignore[assignment]
        self._launch(op, op.time)
        return True

    def _launch(self, op: Op, time: int) -> None:
        self.asked += 1
        assert op.process is not None
        thread = self.ctx.thread_of(op.process)
        self.ctx = self.ctx.busy(time, thread)
        if op.type == "info":
            completion = at_time(op, time + (nanoseconds(op.value) if op.f == SLEEP else 0))
        else:
            self._record(op)
            completion = self.complete(self.ctx, op)
        lands = time if completion.time is None else max(time, completion.time)
        heapq.heappush(self.flying, (lands, self.asked, thread, completion))

    def _land(self) -> None:
        time, _, thread, completion = heapq.heappop(self.flying)
        time = max(time, self.ctx.time)
        process = self.ctx.processes[thread]
        following = process
        told = completion.type != "info" or completion.f not in (SLEEP, "log")
        if told and completion.type == "info" and isinstance(process, int):
            following = process + self.ctx.concurrency
        self.ctx = self.ctx.freed(time, thread, following)
        if told:
            self._record(at_time(completion, time))

    def _record(self, op: Op) -> None:
        assert op.process is not None
        assert op.time is not None
        event = Event(
            len(self.events),
            op.time,
            op.process,
            op.type,
            op.f,
            op.key,
            op.value,
            op.error,
            op.node,
        )
        self.events.append(event)
        if self.gen is not None:
            self.gen = self.gen.update(self.ctx, event)  # type: ignore[assignment]

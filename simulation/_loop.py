"""The event loop in virtual time: nobody waits, the clock jumps to whatever comes next.

It is asyncio's own loop without what makes it wait: no selector, sockets, signals, processes or
threads.  When nothing is ready the clock moves to the next timer.  A world in which everybody
waits for nothing is a mistake, and raises `Deadlock`.

A run is deterministic as long as what runs in it is: callbacks that are due at the same time run
in the order in which they were asked for.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
from asyncio.events import Handle, TimerHandle
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple, cast
from weakref import WeakSet

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TICK_S: Final = 1e-9
"""The least that a timer waits, unless it waits for nothing.

Without it, somebody who waits for the difference of two times could wait for a rounding error,
over and over at the same instant.
"""

STEPS_MAX: Final = 1_000_000
"""So many at one instant are no accident any more."""
_ROUNDS: Final = 64
_COLLECT_AFTER: Final = 50_000


class Deadlock(RuntimeError):
    """Everybody waits, and nothing is ever going to happen."""


class Standstill(RuntimeError):
    """Somebody is so busy that time does not go on."""


class Due(Protocol):
    """Something that happens at its time: a `Handle`, or less than one where many are needed."""

    _cancelled: bool

    def _run(self) -> object: ...


class VirtualLoop(asyncio.BaseEventLoop):
    """asyncio in virtual time, which begins at 0 s.

    Invariant: `_due` holds everything that is to happen later, with its time and number;
    cancelled timers may be in it.  The time never goes back.
    """

    _ready: deque[Handle]
    _stopping: bool
    _asyncgens: WeakSet[AsyncGenerator[Any, Any]]

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._asked = 0
        self._steps_here = 0
        self._due: list[tuple[float, int, Due]] = []

    def time(self) -> float:
        """Virtual seconds."""
        return self._now_s

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> Handle:
        """See asyncio."""
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> TimerHandle:
        """See asyncio; what is due at the same time runs in the order it was asked for."""
        timer = TimerHandle(when, callback, args, self, context)
        self.happen_at(when, cast(Due, timer))
        return timer

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> TimerHandle:
        """See asyncio."""
        if 0 < delay < TICK_S:
            delay = TICK_S
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def happen_at(self, when: float, due: Due) -> None:
        """What timers and messages are made of: `due._run()` at `when`."""
        self._asked = asked = self._asked + 1
        heapq.heappush(self._due, (when, asked, due))

    def happen_soon(self, due: Due) -> None:
        """`due._run()` now, after all that is ready."""
        self._ready.append(cast(Handle, due))

    def reschedule(self, when: Callable[[Due], float | None]) -> None:
        """Move what is due to another time, where `when` gives one; for clocks that change pace."""
        moved = [
            (each if (new := when(each[2])) is None else (new, *each[1:])) for each in self._due
        ]
        self._due[:] = moved
        heapq.heapify(self._due)

    def run_in_executor(
        self,
        executor: Any,  # noqa: ARG002
        func: Callable[[*Ts], T],  # noqa: ARG002
        *args: *Ts,  # noqa: ARG002
    ) -> asyncio.Future[T]:
        """Refused: threads have their own idea of time."""
        raise RuntimeError("there are no threads in virtual time")

    # What asyncio asks of a loop.  These names are private there, but every loop has them.

    def _run_once(self) -> None:
        ready, due, pop = self._ready, self._due, heapq.heappop
        for _ in range(_ROUNDS):  # asyncio asks again, but asking takes time, too
            if not ready:
                while due and due[0][2]._cancelled:
                    pop(due)
                if not due:
                    raise Deadlock("everybody waits, and nothing is ever going to happen")
                if due[0][0] > self._now_s:
                    self._now_s = due[0][0]
                    self._steps_here = 0
            now_s = self._now_s
            while due and due[0][0] <= now_s:
                ready.append(cast(Handle, pop(due)[2]))
            self._steps_here += len(ready)
            if self._steps_here > STEPS_MAX:
                self._stand_still()
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()
            if self._stopping:
                return

    def _stand_still(self) -> None:
        self._steps_here = 0  # so that tasks can be ended
        raise Standstill(
            f"more than {STEPS_MAX} steps at {self._now_s:.6f} s, and time does not go on: "
            f"somebody goes round without waiting for anything; next is {self._ready[0]!r}"
        )

    def _asyncgen_finalizer_hook(self, agen: AsyncGenerator[Any, Any]) -> None:
        """An abandoned generator is closed by whoever abandoned it: in a node, inside its door."""
        self._asyncgens.discard(agen)
        where = asyncio._get_running_loop()
        if where is not None and not where.is_closed():
            where.call_soon(where.create_task, agen.aclose())

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """It stays in the heap until its time comes: most timers are not cancelled."""

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody has to be woken."""

    def _process_events(self, event_list: object) -> None:
        """There are none."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """What `main` answers, run in virtual time; leaves no task behind."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner, _patient_collector():
        return runner.run(main)


@contextmanager
def _patient_collector() -> Iterator[None]:
    """Python looks for garbage less often: a run makes much that lives on, and few cycles."""
    usual = gc.get_threshold()
    gc.set_threshold(max(_COLLECT_AFTER, usual[0]) if usual[0] else 0, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)

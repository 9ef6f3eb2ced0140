"""The door of a process: the event loop that its tasks have, through which everything comes.

Messages, timers, ends of waits and every single step of a task pass it.  Open, it lets them in
at once.  Shut, because the process is paused, it keeps them, in their order, while time goes
on.  With a slow processor it lets them in one by one, each taking its time.  Once the process is
gone nothing passes it any more: no step of a task, so nothing that a dead process does has an
effect.

Inside, asyncio's own `sleep`, `timeout`, events and queues work as ever, by the clock of the
machine: for as long as something is let in, the door is the running loop.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio.events import Handle, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple, cast

from simulation._clocks import MachineClock
from simulation._loop import TICK_S, Due, VirtualLoop

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

STEP_BYTES: Final = 256
TASK_BYTES: Final = 4096
_BURIALS_MAX: Final = 10

_log = logging.getLogger("momus.simulation")


class Died(BaseException):
    """The process is no more; nothing after this happens in it."""


class Process(Protocol):
    """Whose door it is."""

    def failed(self, error: BaseException) -> None:
        """Something inside raised, and nobody caught it."""
        ...

    def grown(self, size: int) -> None:
        """It holds so many bytes now, more than before."""
        ...


class Door(asyncio.AbstractEventLoop):
    """See above.  `paused` and `step_s` are set by `pause`, `resume` and `slow`.

    Invariant: `_straight` is whether what comes is let in at once; if not, it goes to the end
    of `_waiting`, and `_turning` says whether somebody will come for its first.
    """

    def __init__(self, outer: VirtualLoop, clock: MachineClock, process: Process) -> None:
        self.outer = outer
        self.gone = False
        self.paused = False
        self.step_s = 0.0
        self.tasks: dict[asyncio.Task[Any], bool] = {}
        self._clock = clock
        self._process = process
        self._inside = False
        self._straight = True
        self._turning = False
        self._waiting: deque[tuple[Due, int]] = deque()
        self._waiting_bytes = 0

    # -- what the machine does with it ---------------------------------------------------

    @property
    def held_bytes(self) -> int:
        """Memory that the world can count: what waits at the door, and tasks."""
        return self._waiting_bytes + TASK_BYTES * len(self.tasks)

    def pause(self) -> None:
        """Let nothing in until `resume`."""
        self.paused, self._straight = True, False

    def resume(self) -> None:
        """Let in what has been waiting, at once and in its order."""
        if self.paused:
            self.paused = False
            self._turn_soon()

    def slow(self, step_s: float) -> None:
        """From now on everything that is let in takes this long; 0 for no time at all."""
        self.step_s, self._straight = step_s, False
        self._turn_soon()

    def close(self) -> None:
        """Let nothing in any more.  The tasks inside end where they stand."""
        self.gone, self._straight = True, False
        self._waiting.clear()
        if self._inside:
            self.outer.call_soon(self._bury)
        else:
            self._bury()

    def enter(self, callback: Callable[..., object], *args: Any) -> None:
        """Call back inside: now, later or never."""
        if self._straight:
            self._let_in(callback, *args)
        else:
            self._keep(cast(Due, Handle(callback, args, self)), 0)

    def hear(self, receive: Callable[[str, bytes], object], sender: str, message: bytes) -> None:
        """As `enter`, for messages."""
        if self._straight:
            self._let_in(receive, sender, message)
        else:
            self._keep(cast(Due, Handle(receive, (sender, message), self)), len(message))

    def after(self, delay_s: float) -> asyncio.Future[None]:
        """A wait for something outside that takes this long by nobody's clock: a device."""
        end: asyncio.Future[None] = self.create_future()
        self.outer.call_later(delay_s, self.enter, settle, end, None)
        return end

    # -- what asyncio asks of a loop -----------------------------------------------------

    def time(self) -> float:
        """The monotonic clock of the machine."""
        return self._clock.monotonic(self.outer._now_s)

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Handle:
        """See asyncio."""
        step = _Step(callback, args, self, context)
        if not self.gone:
            self.outer._ready.append(step)
        return step

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> TimerHandle:
        """See asyncio; by the clock of the machine."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> TimerHandle:
        """See asyncio; by the clock of the machine."""
        timer = _Timer(when, callback, args, self, context)
        if not self.gone:
            now_s = self.outer._now_s
            moment_s = self._clock.moment(when)
            least_s = now_s + TICK_S if when > self._clock.monotonic(now_s) else now_s
            self.outer.happen_at(max(moment_s, least_s), cast(Due, timer))
        return timer

    def moment_of(self, due: Due) -> float | None:
        """When this is due by the clock as it runs now; None if it is no timer of this door."""
        if isinstance(due, _Timer) and due.door is self:
            return max(self._clock.moment(due.when()), self.outer._now_s)
        return None

    def create_future(self) -> asyncio.Future[Any]:
        """See asyncio."""
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
        spawned: bool = False,
    ) -> asyncio.Task[T]:
        """See asyncio; an error that a `spawned` one raises is the end of the process."""
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        if self.gone:
            _end(task)
        else:
            self.tasks[task] = spawned
            task.add_done_callback(self._done)
            self._process.grown(self.held_bytes)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Errors that nobody asked for; those of spawned tasks have been seen to already."""
        if not self.gone:
            _log.warning("in a simulated process: %s", context)

    def get_debug(self) -> bool:
        """See asyncio."""
        return False

    def is_running(self) -> bool:
        """See asyncio."""
        return not self.gone

    def is_closed(self) -> bool:
        """See asyncio."""
        return self.gone

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """It stays where it is until its time comes."""

    # -- inside --------------------------------------------------------------------------

    def _let_in(self, callback: Callable[..., object], *args: Any) -> None:
        _set_running_loop(self)
        self._inside = True
        try:
            callback(*args)
        except Died:
            pass
        except Exception as error:
            self._process.failed(error)
        finally:
            self._inside = False
            _set_running_loop(self.outer)

    def _keep(self, due: Due, size: int) -> None:
        if self.gone:
            return
        self._waiting.append((due, size + STEP_BYTES))
        self._waiting_bytes += size + STEP_BYTES
        self._process.grown(self.held_bytes)
        self._turn_soon()

    def _turn_soon(self) -> None:
        if not (self._turning or self.paused or self.gone):
            self._turning = True
            self.outer.call_soon(self._turn)

    def _turn(self) -> None:
        """Let in the next that waits; without a slow processor all of them."""
        self._turning = False
        while self._waiting and not (self.paused or self.gone or self._turning):
            due, size = self._waiting.popleft()
            self._waiting_bytes -= size
            if due._cancelled:
                continue
            step = cast(Handle, due)
            self._let_in(step._context.run, step._callback, *step._args)  # type: ignore[attr-defined]
            if self.step_s and not self.gone:
                self._turning = True
                self.outer.call_later(self.step_s, self._turn)
        if not (self._waiting or self.paused or self.gone or self._turning or self.step_s):
            self._straight = True

    def _done(self, task: asyncio.Task[Any]) -> None:
        spawned = self.tasks.pop(task, False)
        if spawned and not task.cancelled():
            error = task.exception()
            if error is not None and not isinstance(error, Died):
                self._process.failed(error)

    def _bury(self) -> None:
        tasks = list(self.tasks)
        self.tasks.clear()
        running = asyncio._get_running_loop()
        _set_running_loop(self)
        try:
            for task in tasks:
                _end(task)
        finally:
            _set_running_loop(running)


def _pass(step: Any) -> None:
    """A callback comes to its door.  This is `Door._let_in` written out: most of all time."""
    door = step._loop
    if not door._straight:
        door._keep(step, 0)
        return
    _set_running_loop(door)
    door._inside = True
    try:
        step._context.run(step._callback, *step._args)
    except Died:
        pass
    except Exception as error:
        door._process.failed(error)
    finally:
        door._inside = False
        _set_running_loop(door.outer)


class _Step(Handle):
    """A callback that passes the door before it runs."""

    __slots__ = ()
    _run = _pass


class _Timer(TimerHandle):
    """A timer that passes the door before it runs."""

    __slots__ = ()

    _run = _pass

    @property
    def door(self) -> object:
        return self._loop  # type: ignore[attr-defined]


def settle(future: asyncio.Future[T], value: T) -> None:
    """Answer whoever waits, if somebody still does."""
    if not future.done():
        future.set_result(value)


def refuse(future: asyncio.Future[Any], error: BaseException) -> None:
    """Raise it where somebody waits, if somebody still does."""
    if not future.done():
        future.set_exception(error)


def _end(task: asyncio.Task[Any]) -> None:
    """End a task where it stands.

    Its coroutine is closed rather than cancelled: nothing shall come after.  What it does while
    it is closed comes to nothing; one that waits again meanwhile is closed again.
    """
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    coroutine = task.get_coro()
    for _ in range(_BURIALS_MAX):
        try:
            coroutine.close()
        except RuntimeError:
            continue
        except (Exception, Died, asyncio.CancelledError):
            return
        return


_set_running_loop = asyncio._set_running_loop

"""A model in Python under a limit runs in a process of its own, which can be killed.

No limit holds inside a `step` that never returns, or that asks for more memory than there is.
So the search is forked off, closures and all (nothing has to be pickled), and sends what it
finds through a pipe, key by key, as plain data.  The parent listens until the end or the
deadline, then kills what is left.  What was heard before counts.

Memory is limited by the kernel (RLIMIT_DATA), counted from what the process had when it
began, so that a model that eats memory meets a `MemoryError` of its own.

Which call hangs is known from a page that both processes share: the child writes the numbers
of the state and the call there before it asks.  The state itself is told by the child, if it
still can: shortly before the deadline an alarm makes it say what it is doing.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import resource
import select
import signal
import struct
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn

import msgspec

from checker._asking import Asking
from checker._core import Core
from checker._core_packed import packed_core, unpacked_core
from checker._cores import CORES_MAX, cores
from checker._found import Found, packed, unpacked
from checker._limits import Limits
from checker._model import Model
from checker._searching import calls_of, declared, explored, search_in_python
from engine._native import Operations
from histories import History

_GRACE: Final = 0.05
_GRACE_MIN_S: Final = 0.02
"""The child ends by itself when the time is over; after this share of it more, it is killed."""

_ALARM: Final = 0.85
"""After this share of the time the child tells what it is doing."""

_EASY_STEPS: Final = 20_000
"""A key that is decided within so many configurations is easy."""

_POLL_S: Final = 0.5
_STACK_BYTES: Final = 2 << 20
_SLACK_BYTES: Final = 4 << 20
_TEXT_MAX: Final = 200
_PR_SET_PDEATHSIG: Final = 1
_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True)
class Stop:
    """Why the process ended before it had told everything."""

    cause: Literal["time", "memory", "harness"]
    sentence: str
    remedy: str


@dataclass
class Heard:
    """What came out of the process: of each key by number, and the cores by invocation.

    `read_only` is what was found out of the model's calls, if it was asked for.
    """

    found: dict[int, Found] = field(default_factory=dict)
    cores: dict[int, Core] = field(default_factory=dict)
    read_only: list[bool] | None = None
    stop: Stop | None = None


def runs_apart(model: Model, *limits: float | None) -> bool:
    """Whether the search has to have a process of its own."""
    limited = any(limit is not None for limit in limits)
    return model.native is None and limited and hasattr(os, "fork")


def search_apart(
    history: History,
    operations: Operations,
    model: Model,
    limits: Limits,
    failed: Sequence[int] | None,
    read_only: Sequence[bool] | None = None,
) -> Heard:
    """What a search in a process of its own finds within the limits.

    It looks for cores, too, also for the operations invoked at the events `failed`; not if
    that is None.  `read_only` is what an earlier call has found out: where its searches go
    on, the same has to be taken for granted.

    Raises what the model raises; an exception of a class that is defined inside a function
    cannot be made again, and is a `RuntimeError` that names it.
    """
    calls = calls_of(history, operations)
    began = time.perf_counter()
    marks = mmap.mmap(-1, mmap.PAGESIZE)
    ours, theirs = os.pipe()
    try:
        pid, blocked = _forked()
        if pid == 0:
            os.close(ours)
            child = _Child(theirs, marks)
            child.run(history, operations, model, limits.since(began), failed, read_only)
        ear = _Ear(pid, ours, Heard())
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(theirs)
            theirs = -1
            ended = ear.listen(_deadline(limits, began))
        finally:
            status, most = _reaped(pid)
        if ear.raised is not None:
            raise ear.raised
        if ended != "end":
            at = _Doing(calls, marks, ear.doing)
            ear.heard.stop = _stop(model, limits, at, ended, status, most)
        return ear.heard
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)
        marks.close()


def _forked() -> tuple[int, set[int]]:
    """`os.fork`, with nothing left to be printed twice; and the signals blocked before.

    An interrupt during the fork would be lost, so it stays blocked until the caller is ready
    to hear of it.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    with warnings.catch_warnings():
        # Other threads may hold locks that nobody in the child will open.  The child runs
        # the search and the model, which takes none of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork(), {int(number) for number in before}


def _deadline(limits: Limits, began: float) -> float | None:
    if limits.seconds is None:
        return None
    return began + limits.seconds + max(_GRACE * limits.seconds, _GRACE_MIN_S)


def _reaped(pid: int) -> tuple[int, int]:
    """Ends the process, if it has not; its status, and the most bytes it ever held."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    return status, usage.ru_maxrss * 1024


# --- the parent ------------------------------------------------------------------------------


@dataclass
class _Ear:
    """The parent's end of the pipe."""

    pid: int
    pipe: int
    heard: Heard
    raised: BaseException | None = None
    doing: tuple[str, int, int] | None = None

    def listen(self, deadline: float | None) -> Literal["end", "late", "died", "memory"]:
        """Takes in what is sent, until the child is done, late or dead."""
        buffer = bytearray()
        while True:
            wait = _POLL_S
            if deadline is not None:
                wait = min(wait, deadline - time.perf_counter())
                if wait <= 0:
                    return "late"
            ready, _, _ = select.select([self.pipe], [], [], wait)
            if not ready:
                continue
            data = os.read(self.pipe, 1 << 20)
            if not data:
                return "died"
            buffer += data
            for kind, *rest in _messages(buffer):
                if kind in ("end", "memory"):
                    return "end" if kind == "end" else "memory"
                self._take(kind, rest)

    def _take(self, kind: str, rest: list[Any]) -> None:
        if kind == "found":
            self.heard.found[rest[0]] = unpacked(rest[1])
        elif kind == "core":
            self.heard.cores[rest[0]] = unpacked_core(rest[1])
        elif kind == "read_only":
            self.heard.read_only = rest[0]
        elif kind == "doing":
            self.doing = (rest[0], rest[1], rest[2])
        elif kind == "raised":
            self.raised = _exception(*rest)


def _messages(buffer: bytearray) -> Iterator[list[Any]]:
    """Takes the whole messages out of the buffer."""
    while len(buffer) >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(buffer)
        if len(buffer) < _LENGTH.size + length:
            return
        message = bytes(buffer[_LENGTH.size : _LENGTH.size + length])
        del buffer[: _LENGTH.size + length]
        yield msgspec.msgpack.decode(message)


def _exception(module: str, name: str, message: str, told: str) -> BaseException:
    """The exception that was raised in the child, of the same class where it has a name."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, Exception):
        error = found.__new__(found)
        error.args = (message,)
    else:
        error = RuntimeError(f"{name}: {message}")
    error.add_note(f"In the process of the model:\n{told}")
    return error


@dataclass(frozen=True)
class _Doing:
    """What the model was doing at last."""

    calls: list[Any]
    marks: mmap.mmap
    told: tuple[str, int, int] | None

    def __str__(self) -> str:
        asked, state, klass = struct.unpack_from("<qqq", self.marks)
        if not asked or not 0 <= klass < len(self.calls):
            return "before its first call"
        call = self.calls[klass]
        answer = f" -> {call.result!r}" if call.completed else " (crashed)"
        shown = f"{call.f} {call.argument!r}{answer}"
        if self.told is not None and self.told[1:] == (state, klass):
            shown += f" in state {self.told[0]}"
        return f"in its call {_cut(shown)}"


def _stop(model: Model, limits: Limits, at: _Doing, ended: str, status: int, most: int) -> Stop:
    of_model = f"the model {model.name}"
    if ended == "late":
        return Stop(
            "time",
            f"The time limit of {round(limits.seconds or 0, 2):g} s ran out while {of_model} was "
            f"{at}, which did not return; its process was killed",
            "See why `step` takes so long for this call, or give it more time (--time-limit).",
        )
    allowed = limits.bytes or 0
    aborted = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT
    if ended == "memory" or (aborted and allowed and most > 0.8 * allowed):
        return Stop(
            "memory",
            f"The memory limit of {allowed / 1e6:,.0f} MB was reached by {of_model} {at}",
            "Give it more memory (--memory-limit), or a model with smaller states.",
        )
    how = f"ended with code {os.waitstatus_to_exitcode(status)}"
    if os.WIFSIGNALED(status):
        how = f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return Stop(
        "harness",
        f"The process of {of_model} {how} {at}",
        "Try that call of `step` by itself; without limits the model runs in this process.",
    )


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}..."


# --- the child -------------------------------------------------------------------------------


class _Watched(Asking):
    """Leaves a mark before it asks the model."""

    def __init__(self, model: Model, calls: Any, marks: mmap.mmap) -> None:
        self.marks = memoryview(marks).cast("q")
        super().__init__(model, calls)

    @property
    def direct(self) -> None:
        """Nothing: each question leaves a mark."""

    def _ask(self, state: int, klass: int) -> int:
        marks = self.marks
        marks[1], marks[2], marks[0] = state, klass, 1
        return super()._ask(state, klass)


class _Child:
    """The forked process; it never returns into the caller's code."""

    def __init__(self, pipe: int, marks: mmap.mmap) -> None:
        self.pipe, self.marks = pipe, marks
        self.lock = threading.Lock()

    def run(
        self,
        history: History,
        operations: Operations,
        model: Model,
        limits: Limits,
        failed: Sequence[int] | None,
        read_only: Sequence[bool] | None,
    ) -> NoReturn:
        """Searches, tells what it finds, and ends the process."""
        try:
            _dies_with_its_parent()
            _limit_memory(limits)
            asking = _Watched(model, calls_of(history, operations), self.marks)
            self._listen_for_the_alarm(asking, limits)
            if limits.seconds is not None:
                # What was found has to be told before the time is over.
                limits = limits._replace(seconds=limits.seconds * (1 - _GRACE / 2))
            self._work(history, operations, asking, limits, failed, read_only)
            self.send("end")
        except MemoryError:
            self.send("memory")
        except BaseException as error:
            told = "".join(traceback.format_exception(error))
            kind = type(error)
            message = str(error.args[0]) if len(error.args) == 1 else str(error)
            self.send("raised", kind.__module__, kind.__qualname__, message, told)
            self.send("end")
        finally:
            os._exit(0)

    def _work(
        self,
        history: History,
        operations: Operations,
        asking: Asking,
        limits: Limits,
        failed: Sequence[int] | None,
        read_only: Sequence[bool] | None,
    ) -> None:
        stuck = list(failed or ())

        def hear(number: int, found: Found) -> None:
            if found.verdict == "invalid" and found.stuck is not None:
                stuck.append(found.stuck)
            self.send("found", number, packed(found))

        began = time.perf_counter()
        if read_only is None:
            limits = self._easy_ones(operations, asking, limits, hear).since(began)
        if limits.only is None or limits.only:
            if read_only is None:
                read_only = explored(operations, asking, limits)
                self.send("read_only", read_only)
            search_in_python(operations, asking, read_only, limits.since(began), hear)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        if failed is not None:
            chosen = sorted(stuck)[:CORES_MAX]
            found = cores(history, asking.model, chosen, limits.since(began))
            for event, core in zip(chosen, found, strict=True):
                if core is not None:
                    self.send("core", event, packed_core(core))

    def _easy_ones(
        self,
        operations: Operations,
        asking: Asking,
        limits: Limits,
        hear: Callable[[int, Found], None],
    ) -> Limits:
        """Decides what is soon decided; answers the limits for the rest.

        To find out what changes no state, the model is asked about states that may never be
        met, and it might hang there.  Most histories can do without.
        """
        only = limits.only if limits.only is not None else range(len(operations.keys))
        rest: list[int] = []

        def hear_decided(number: int, found: Found) -> None:
            if found.verdict == "unknown":
                rest.append(number)
            else:
                hear(number, found)

        few = limits._replace(only=only, earlier=(), steps=_EASY_STEPS)
        search_in_python(operations, asking, declared(asking), few, hear_decided)
        known = dict(zip(only, limits.earlier, strict=False))
        rest.sort()
        return limits._replace(only=rest, earlier=[known.get(number) for number in rest])

    def send(self, *message: Any) -> None:
        """One message, whole."""
        data = msgspec.msgpack.encode(message)
        with self.lock:
            self._write(_LENGTH.pack(len(data)) + data)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.pipe, view) :]

    def _listen_for_the_alarm(self, asking: _Watched, limits: Limits) -> None:
        """Shortly before the time is over, tells what the model is doing."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if limits.seconds is None:
            return

        def tell(_number: int, _frame: Any) -> None:
            state, klass = asking.marks[1], asking.marks[2]
            text = _cut(repr(asking.states[state]))
            data = msgspec.msgpack.encode(("doing", text, state, klass))
            # The alarm may strike in the middle of a message.
            if self.lock.acquire(blocking=False):
                try:
                    self._write(_LENGTH.pack(len(data)) + data)
                finally:
                    self.lock.release()

        signal.signal(signal.SIGALRM, tell)
        signal.setitimer(signal.ITIMER_REAL, max(_ALARM * limits.seconds, 1e-3))


def _dies_with_its_parent() -> None:
    """If the parent is killed, so is the child: Linux only, elsewhere it ends by its limits."""
    with contextlib.suppress(Exception):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _limit_memory(limits: Limits) -> None:
    """So many bytes more than now, and the stacks of the threads to come."""
    if limits.bytes is None:
        return
    with contextlib.suppress(OSError, ValueError):
        most = _data_bytes() + limits.bytes + (limits.jobs + 1) * _STACK_BYTES + _SLACK_BYTES
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _data_bytes() -> int:
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    raise OSError("the system does not say how much memory is used")

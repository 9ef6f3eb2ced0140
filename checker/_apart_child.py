"""The process of a model in Python: it searches under the limits, and tells what it finds."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

import msgspec

from checker._apart_ear import LENGTH, cut
from checker._asking import Asking
from checker._core_packed import packed_core
from checker._cores import CORES_MAX, cores
from checker._found import Found, packed
from checker._limits import Limits
from checker._model import Model
from checker._searching import calls_of, declared, explored, search_in_python
from engine._native import Operations
from histories import History

GRACE: Final = 0.05
"""The child ends by itself when the time is over; after this share of it more, it is killed."""

_ALARM: Final = 0.85
"""After this share of the time the child tells what it is doing."""

_EASY_STEPS: Final = 20_000
"""A key that is decided within so many configurations is easy."""

_STACK_BYTES: Final = 2 << 20
_SLACK_BYTES: Final = 4 << 20
_PR_SET_PDEATHSIG: Final = 1


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


class Child:
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
            dies_with_its_parent()
            limit_memory(limits.bytes, limits.jobs)
            asking = _Watched(model, calls_of(history, operations), self.marks)
            self._listen_for_the_alarm(asking, limits)
            if limits.seconds is not None:
                # What was found has to be told before the time is over.
                limits = limits._replace(seconds=limits.seconds * (1 - GRACE / 2))
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
            self._write(LENGTH.pack(len(data)) + data)

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
            text = cut(repr(asking.states[state]))
            data = msgspec.msgpack.encode(("doing", text, state, klass))
            # The alarm may strike in the middle of a message.
            if self.lock.acquire(blocking=False):
                try:
                    self._write(LENGTH.pack(len(data)) + data)
                finally:
                    self.lock.release()

        signal.signal(signal.SIGALRM, tell)
        signal.setitimer(signal.ITIMER_REAL, max(_ALARM * limits.seconds, 1e-3))


def dies_with_its_parent() -> None:
    """If the parent is killed, so is the child: Linux only, elsewhere it ends by its limits."""
    with contextlib.suppress(Exception):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def limit_memory(more_bytes: int | None, threads: int = 0) -> None:
    """So many bytes more than now, and the stacks of the threads to come."""
    if more_bytes is None:
        return
    with contextlib.suppress(OSError, ValueError):
        most = _data_bytes() + more_bytes + (threads + 1) * _STACK_BYTES + _SLACK_BYTES
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

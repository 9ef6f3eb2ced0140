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
import mmap
import os
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Final

from checker._apart_child import GRACE, Child
from checker._apart_ear import Doing, Ear, Heard, stop_of
from checker._limits import Limits
from checker._model import Model
from checker._searching import calls_of
from engine._native import Operations
from histories import History

_GRACE_MIN_S: Final = 0.02


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
        pid, blocked = forked()
        if pid == 0:
            os.close(ours)
            child = Child(theirs, marks)
            child.run(history, operations, model, limits.since(began), failed, read_only)
        ear = Ear(pid, ours, Heard())
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(theirs)
            theirs = -1
            ended = ear.listen(_deadline(limits, began))
        finally:
            status, most = reaped(pid)
        if ear.raised is not None:
            raise ear.raised
        if ended != "end":
            at = Doing(calls, marks, ear.doing)
            ear.heard.stop = stop_of(model, limits, at, ended, status, most)
        return ear.heard
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)
        marks.close()


def forked() -> tuple[int, set[int]]:
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
    return began + limits.seconds + max(GRACE * limits.seconds, _GRACE_MIN_S)


def reaped(pid: int) -> tuple[int, int]:
    """Ends the process, if it has not; its status, and the most bytes it ever held."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    return status, usage.ru_maxrss * 1024

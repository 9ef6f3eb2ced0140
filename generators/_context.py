"""What a generator may know when it is asked for the next operation.

A `Context` is an immutable picture of the run: what time it is, which workers are free,
which process each worker is at the moment, and the one seeded source of randomness.

Workers are *threads* in Jepsen's sense: thread ``0 .. concurrency - 1`` are client
workers, and the last one, ``concurrency``, is the nemesis.  A thread lives as long as the
run; a *process* is one incarnation of it and is retired by an ``info``, after which the
thread goes on under ``process + concurrency``.  So a process tells its thread by a modulo.

Sets of threads are bit masks in Python integers.  That makes a context cheap enough to be
built three times per operation, and makes restricting one to a group of threads a single
``&``; it is the reason combinators can be pure values and still be fast.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from histories import NEMESIS, Json, Process

Thread: TypeAlias = int | str
"""A client worker is a number, the nemesis worker is called "nemesis"."""

_TRIES_BEFORE_COUNTING: Final = 4


class Context(msgspec.Struct, frozen=True):
    """The run as a generator sees it.

    `time` is in ns since the run began; `free` and `threads` are bit masks of the free and
    of all visible threads; `processes` maps a thread number to its present process;
    `random` is the seeded source every random choice must come from; `concurrency` counts
    the client workers of the whole run, however few of them are visible here; `meta` is
    what the test wants its generators to know (its name, its nodes).
    """

    time: int
    free: int
    threads: int
    processes: tuple[Process, ...]
    random: random_module.Random
    concurrency: int
    meta: Mapping[str, Json] = {}

    def restrict(self, threads: int) -> Context:
        """This context for a group of threads: nobody else is visible in it."""
        return Context(
            self.time,
            self.free & threads,
            self.threads & threads,
            self.processes,
            self.random,
            self.concurrency,
            self.meta,
        )

    def busy(self, time: int, thread: int) -> Context:
        """This context at `time`, with `thread` at work."""
        return Context(
            time,
            self.free & ~(1 << thread),
            self.threads,
            self.processes,
            self.random,
            self.concurrency,
            self.meta,
        )

    def freed(self, time: int, thread: int, process: Process) -> Context:
        """This context at `time`, with `thread` free again and now called `process`."""
        processes = self.processes
        if processes[thread] != process:
            processes = (*processes[:thread], process, *processes[thread + 1 :])
        return Context(
            time,
            self.free | 1 << thread,
            self.threads,
            processes,
            self.random,
            self.concurrency,
            self.meta,
        )

    def at(self, time: int) -> Context:
        """This context at another `time`."""
        return Context(
            time,
            self.free,
            self.threads,
            self.processes,
            self.random,
            self.concurrency,
            self.meta,
        )

    def thread_of(self, process: Process) -> int:
        """The number of the thread that `process` is, or was, an incarnation of."""
        return process % self.concurrency if isinstance(process, int) else self.concurrency

    def some_free_thread(self) -> int:
        """One of the free threads, each equally likely; there must be one.

        Fairness matters: a client that always gets the next operation leaves the nodes of
        the others idle.
        """
        free = self.free
        draw = self.random.random
        thread = int(draw() * free.bit_length())
        if free >> thread & 1:  # nearly always, when nearly all are free
            return thread
        lowest = (free & -free).bit_length() - 1
        span = free.bit_length() - lowest
        for _ in range(_TRIES_BEFORE_COUNTING):
            thread = lowest + int(draw() * span)
            if free >> thread & 1:
                return thread
        for _ in range(int(draw() * free.bit_count())):
            free &= free - 1
        return (free & -free).bit_length() - 1

    def name_of(self, thread: int) -> Thread:
        """How people call thread number `thread`."""
        return NEMESIS if thread == self.concurrency else thread


def numbers(mask: int) -> Iterator[int]:
    """The thread numbers in a mask, ascending."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def opening_context(
    concurrency: int,
    *,
    seed: int = 0,
    nemesis: bool = True,
    meta: Mapping[str, Json] | None = None,
) -> Context:
    """The context in which a run begins: time 0, everybody free."""
    if concurrency < 1:
        raise ValueError(f"a run needs at least one client worker, not {concurrency}")
    threads = (1 << concurrency) - 1
    if nemesis:
        threads |= 1 << concurrency
    return Context(
        time=0,
        free=threads,
        threads=threads,
        processes=(*range(concurrency), NEMESIS),
        random=random_module.Random(seed),
        concurrency=concurrency,
        meta={} if meta is None else meta,
    )

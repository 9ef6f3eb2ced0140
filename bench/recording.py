"""How many operations a second does the runner record?

A client that answers at once, ten workers, a mix of reads, writes and CAS, staggered so
closely that it never waits: what is left is the price of momus itself.  Each operation is
two events, on disk within 200 ms.  For comparison the same
without a file, and a bare loop that only records.

    python -m bench.recording [--operations N] [--rounds N]
    python -m bench.recording --json    the first row alone, on one core: the median
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

import generators as gen
from generators import Context, EventRecorder, Test, play
from histories import Event, EventType, Json, Op, Process, Recorder


class Immediate:
    """A client that does nothing and says it is done."""

    definite: tuple[type[BaseException], ...] = ()

    async def open(self, node: str) -> Immediate:  # noqa: ARG002
        """See `generators.Client`."""
        return Immediate()

    async def setup(self) -> None:
        """See `generators.Client`."""

    async def invoke(self, op: Op) -> Op:
        """Answer at once."""
        return op.ok(op.value)

    async def teardown(self) -> None:
        """See `generators.Client`."""

    async def close(self) -> None:
        """See `generators.Client`."""


class Waiting(Immediate):
    """A client that lets others go first, as a real one does."""

    async def open(self, node: str) -> Waiting:  # noqa: ARG002
        """See `generators.Client`."""
        return Waiting()

    async def invoke(self, op: Op) -> Op:
        """Answer after one turn of the event loop."""
        await asyncio.sleep(0)
        return op.ok(op.value)


class Memory:
    """A recorder that keeps events in memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(
        self,
        time: int,
        process: Process,
        type: EventType,
        f: str,
        key: Json = None,
        value: Json = None,
        error: Json = None,
        node: str | None = None,
    ) -> Event:
        """See `generators.EventRecorder`."""
        event = Event(len(self.events), time, process, type, f, key, value, error, node)
        self.events.append(event)
        return event


def load(operations: int) -> gen.Generator | None:
    """Reads, writes and CAS over five values, as fast as they are answered."""

    def write(ctx: Context) -> Op:
        return Op("write", int(ctx.random.random() * 5), "x")

    def cas(ctx: Context) -> Op:
        draw = ctx.random.random
        return Op("cas", [int(draw() * 5), int(draw() * 5)], "x")

    mixed = gen.mix(gen.repeat(Op("read", None, "x")), write, cas)
    return gen.limit(operations, gen.stagger(1e-6, mixed))


class Speed(NamedTuple):
    """What a run achieved: `per_cpu_s` is what counts where other programs run, too."""

    per_s: float
    per_cpu_s: float
    lag_s: float = 0.0


def timed(operations: int, work: Callable[[], float]) -> Speed:
    """How fast `work` does so many operations; it answers with the recorder's lag."""
    began, cpu = time.perf_counter(), time.process_time()
    lag_s = work()
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return Speed(operations / seconds, operations / cpu_s, lag_s)


def played(client: Immediate, operations: int, recorder: EventRecorder) -> None:
    """One run, which must succeed."""
    test = Test("recording", ("n1", "n2", "n3"), client, load(operations), concurrency=10)
    outcome = asyncio.run(play(test, recorder))
    assert outcome.error is None, outcome.error
    assert outcome.ok == operations, outcome


def in_memory(operations: int) -> float:
    """A run without a file."""
    played(Immediate(), operations, Memory())
    return 0.0


def to_disk(client: Immediate, operations: int) -> float:
    """A run with the real recorder, until everything is on disk; the longest lag."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Recorder(Path(folder) / "history.jsonl", {"name": "recording"}) as recorder,
        Lag(recorder) as lag,
    ):
        played(client, operations, recorder)
        recorder.flush()
    return lag.longest_s


def bare(operations: int) -> float:
    """Only recording: two events per turn of a loop."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Recorder(Path(folder) / "history.jsonl", {}) as recorder,
        Lag(recorder) as lag,
    ):
        for i in range(operations):
            recorder.record(2 * i, i % 10, "invoke", "write", "x", i % 5, None, "n1")
            recorder.record(2 * i + 1, i % 10, "ok", "write", "x", i % 5, None, "n1")
        recorder.flush()
    return lag.longest_s


class Lag:
    """Watches how long what has been recorded takes to be on disk."""

    def __init__(self, recorder: Recorder) -> None:
        self.longest_s = 0.0
        self._recorder = recorder
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        waiting: deque[tuple[float, int]] = deque()
        while not self._done.wait(0.01) or waiting:
            now, durable = time.perf_counter(), self._recorder.durable
            while waiting and waiting[0][1] <= durable:
                self.longest_s = max(self.longest_s, now - waiting.popleft()[0])
            if not self._done.is_set():
                waiting.append((now, len(self._recorder)))


def on_one_core(operations: int, rounds: int) -> dict[str, float]:
    """Medians of `to_disk`: by the clock, and by the work of all threads, which share a core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    runs = [timed(operations, lambda: to_disk(Immediate(), operations)) for _ in range(rounds)]
    return {
        "operations_per_second": statistics.median(run.per_s for run in runs),
        "operations_per_cpu_second": statistics.median(run.per_cpu_s for run in runs),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    n: int = options.operations
    if options.json:
        print(json.dumps(on_one_core(n, options.rounds)))
        return
    rows: dict[str, Callable[[], float]] = {
        "runner and recorder": lambda: to_disk(Immediate(), n),
        "runner and recorder, client waits": lambda: to_disk(Waiting(), n),
        "runner, in memory": lambda: in_memory(n),
        "recorder alone": lambda: bare(n),
    }
    print(f"{n} operations, best of {options.rounds}; the lag is the longest to the disk")
    print(f"{'':<36}{'per second':>12}{'per CPU second':>16}{'lag':>9}")
    for name, work in rows.items():
        rounds = [timed(n, work) for _ in range(options.rounds)]
        per_s, per_cpu_s = max(r.per_s for r in rounds), max(r.per_cpu_s for r in rounds)
        lag_ms = min(r.lag_s for r in rounds) * 1000
        print(f"{name:<36}{per_s:>12,.0f}{per_cpu_s:>16,.0f}{lag_ms:>6.0f} ms")


if __name__ == "__main__":
    main()

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
import time
from collections.abc import Callable
from pathlib import Path

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


def played(client: Immediate, operations: int, recorder: EventRecorder) -> float:
    """Operations per second of one run."""
    test = Test("recording", ("n1", "n2", "n3"), client, load(operations), concurrency=10)
    began = time.perf_counter()
    outcome = asyncio.run(play(test, recorder))
    seconds = time.perf_counter() - began
    assert outcome.error is None, outcome.error
    assert outcome.ok == operations, outcome
    return operations / seconds


def to_disk(client: Immediate, operations: int) -> float:
    """As `played`, with the real recorder, until everything is on disk."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with Recorder(Path(folder) / "history.jsonl", {"name": "recording"}) as recorder:
            played(client, operations, recorder)
        return operations / (time.perf_counter() - began)


def on_one_core(operations: int, rounds: int) -> dict[str, float]:
    """Medians of `to_disk`: by the clock, and by the work of all threads, which share a core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    by_clock, by_work = [], []
    for _ in range(rounds):
        worked = time.process_time()
        by_clock.append(to_disk(Immediate(), operations))
        by_work.append(operations / (time.process_time() - worked))
    return {
        "operations_per_second": statistics.median(by_clock),
        "operations_per_cpu_second": statistics.median(by_work),
    }


def bare(operations: int) -> float:
    """Only recording: two events per turn of a loop."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with Recorder(Path(folder) / "history.jsonl", {}) as recorder:
            for i in range(operations):
                recorder.record(2 * i, i % 10, "invoke", "write", "x", i % 5, None, "n1")
                recorder.record(2 * i + 1, i % 10, "ok", "write", "x", i % 5, None, "n1")
        return operations / (time.perf_counter() - began)


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
        "runner, in memory": lambda: played(Immediate(), n, Memory()),
        "recorder alone": lambda: bare(n),
    }
    print(f"{n} operations, best of {options.rounds}")
    for name, measure in rows.items():
        best = max(measure() for _ in range(options.rounds))
        print(f"{name:<36} {best:>10,.0f} operations/s")


if __name__ == "__main__":
    main()

"""What a call may cost, and what it is to go on from."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from engine._native import Answer, Suspended


class Limits(NamedTuple):
    """What a search may cost: wall seconds, bytes of search tables, threads.

    `steps` is how many configurations each key's search may visit: unlike time, the same
    each time.  `only` chooses the keys, by number; `earlier` says of each where its search
    was left; `tell` hears the number and the answer of each as soon as there is one.
    """

    seconds: float | None
    bytes: int | None
    jobs: int
    steps: int | None = None
    only: Sequence[int] | None = None
    earlier: Sequence[Suspended | None] = ()
    tell: Callable[[int, Answer], None] | None = None

    def since(self, started: float) -> Limits:
        """What is left of the time, of a call that began at this `time.perf_counter`."""
        if self.seconds is None:
            return self
        return self._replace(seconds=max(self.seconds - (time.perf_counter() - started), 0.0))


def limits_of(
    time_limit_s: float | None,
    memory_limit_bytes: int | None,
    jobs: int | None,
    steps: int | None,
) -> Limits:
    """The limits a user asked for.  Raises `ValueError` where they make no sense."""
    if (jobs is not None and jobs < 1) or (time_limit_s is not None and time_limit_s < 0):
        raise ValueError("jobs is at least 1 and time_limit_s at least 0")
    if steps is not None and steps < 1:
        raise ValueError("step_limit is at least 1")
    return Limits(
        time_limit_s,
        memory_limit_bytes if memory_limit_bytes is not None else _free_memory_bytes(),
        jobs if jobs is not None else len(os.sched_getaffinity(0)),
        steps,
    )


@functools.lru_cache(maxsize=1)
def _free_memory_bytes() -> int | None:
    """Half of the memory that was free at first; None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 // 2
    except OSError:
        pass
    return None

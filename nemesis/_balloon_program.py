"""The program that holds memory, so that there is less of it for everybody else.

It takes memory in steps and leaves at least `floor` bytes available, whatever was ordered.
Where the kernel runs out of memory, this is the process that it kills first.  It
ends when it is told to, when its time is up, and when its pid file is not its own any more, which
is the case when its host's directory has been removed.

Request: ``{"size": bytes, "floor": bytes, "seconds": number, "pid_file": path}``.
"""

import json
import mmap
import os
import sys
import time

_MIB = 1 << 20
_STEP = 16 * _MIB
_POLL_S = 0.5


def available() -> int:
    """The bytes of memory that could be had without swapping."""
    with open("/proc/meminfo") as file:
        sizes = dict(line.split()[:2] for line in file)
    return int(sizes["MemAvailable:"]) * 1024


def is_wanted(pid_file: str) -> bool:
    """Does the pid file still name us?"""
    try:
        with open(pid_file) as file:
            return file.read().split()[:1] == [str(os.getpid())]
    except OSError:
        return False


def hold(size: int, floor: int, seconds: float, pid_file: str) -> None:
    """Take memory and hold it until the end."""
    end = time.monotonic() + seconds
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    # Random bytes, which compress to nothing smaller; a page of zeros is hardly memory.
    block, held, taken = os.urandom(_STEP), [], 0
    while taken < size and available() - _STEP > floor and is_wanted(pid_file):
        step = min(_STEP, size - taken)
        held.append(mmap.mmap(-1, step))
        held[-1].write(block[:step])
        taken += step
    print("holding %d of %d bytes" % (taken, size), flush=True)  # noqa: UP031
    while time.monotonic() < end and is_wanted(pid_file):
        time.sleep(_POLL_S)


if __name__ == "__main__":
    hold(**json.loads(sys.argv[1]))

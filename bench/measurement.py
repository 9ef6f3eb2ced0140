"""One check by momus, timed and weighed in a process of its own.

    python -m bench.measurement --model cas-register --initial 0 FILE...

For each file: read it (not timed), then check it, and print one JSON line of the same
shape as the Go program beside this one prints for Porcupine: verdict, seconds of the check
alone, the resident memory before it (`loaded_bytes`) and at most during it
(`peak_bytes`; the kernel's high-water mark, put back to the present just before the
check).  A repetition reads the file anew, so nothing remembered from the one before helps.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import checker
from bench.models import python_register
from histories import History, Json

PYTHON: Final[dict[str, Callable[[Json], checker.Model]]] = {
    "python": lambda initial: python_register(initial, told=True),
    "python-untold": lambda initial: python_register(initial, told=False),
}
_VERDICTS: Final = {True: "valid", False: "invalid", "unknown": "unknown"}


def resident_bytes(field: str) -> int:
    """`VmRSS` (now) or `VmHWM` (at most) of this process; 0 where there is no /proc."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def settle() -> None:
    """Give back what reading left behind, then let the high-water mark start anew."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError):
        return  # another libc or kernel: the mark then includes reading


def measure(
    path: Path, model: str, initial: Json, repeat: int, time_limit_s: float, core: bool
) -> dict[str, Any]:
    """Check one file `repeat` times; the times are medians, the memory is that of the first."""
    seconds, processor, read = [], [], []
    for turn in range(repeat):
        began = time.perf_counter()
        history = History.read(str(path))
        read.append(time.perf_counter() - began)
        reading = resident_bytes("VmHWM")
        settle()
        loaded = resident_bytes("VmRSS")
        began, worked = time.perf_counter(), time.process_time()
        verdict = checker.linearizable(
            history,
            PYTHON[model](initial) if model in PYTHON else model,
            initial=None if model in PYTHON else initial,
            # With a limit a model in Python gets a process of its own, which is another matter.
            time_limit_s=None if model in PYTHON else time_limit_s,
            core=core,
        )
        seconds.append(time.perf_counter() - began)
        processor.append(time.process_time() - worked)
        if turn == 0:
            memory = {
                "read_peak_bytes": reading,
                "loaded_bytes": loaded,
                "peak_bytes": resident_bytes("VmHWM"),
            }
        del history
    return {
        "file": str(path),
        "verdict": _VERDICTS[verdict.valid],
        "cause": verdict.unknown.sentence if verdict.unknown else None,
        "explained": bool(verdict.counterexamples),
        "algorithm": verdict.algorithm,
        "operations": verdict.operations,
        "seconds": statistics.median(seconds),
        "cpu_seconds": statistics.median(processor),
        "read_seconds": statistics.median(read),
        "all": seconds,
        **memory,
    }


def main() -> None:
    """Measure each file named on the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", nargs="+", type=Path)
    options.add_argument(
        "--model", default="cas-register", help=f"a name, or {' or '.join(PYTHON)}"
    )
    options.add_argument("--initial", type=json.loads, default=None, metavar="JSON")
    options.add_argument("--repeat", type=int, default=1)
    options.add_argument("--time-limit-s", type=float, default=600.0)
    options.add_argument("--core", action="store_true", help="reduce violations to their core, too")
    o = options.parse_args()
    for path in o.files:
        json.dump(measure(path, o.model, o.initial, o.repeat, o.time_limit_s, o.core), sys.stdout)
        print(flush=True)


if __name__ == "__main__":
    main()

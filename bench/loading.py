"""One reading, timed and weighed in a process of its own.

    python -m bench.loading FILE...

Prints one JSON line for each file, in the shape that `bench.measurement` prints: here the
seconds are those of `History.read`, from the file's name to paired columns, and the memory is
that of the whole process.  The file was written just before, so it comes from the page cache;
pyarrow, which takes longer to import than a small file to read, is there already.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet  # noqa: F401

from bench.measurement import resident_bytes, settle
from histories import History


def load(path: Path) -> dict[str, Any]:
    """Read one file."""
    settle()
    loaded = resident_bytes("VmRSS")
    began, worked = time.perf_counter(), time.process_time()
    history = History.read(str(path))
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    return {
        "file": str(path),
        "verdict": f"{len(history)} events",
        "operations": len(history),
        "seconds": seconds,
        "cpu_seconds": processor,
        "loaded_bytes": loaded,
        "peak_bytes": resident_bytes("VmHWM"),
    }


def main() -> None:
    """Read each file named on the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", nargs="+", type=Path)
    for path in options.parse_args().files:
        json.dump(load(path), sys.stdout)
        print(flush=True)


if __name__ == "__main__":
    main()

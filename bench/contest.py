"""momus and Porcupine on the same file, each in a fresh process, one after the other.

Nothing runs beside a measurement.  A repetition is a new process, since a process that
has checked once has its memory mapped already and is faster the second time; only the
small logs are repeated inside one.  The Go program is compiled once, into the directory
of the histories.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_BUILD_TIMEOUT_S = 600
_GRACE_S = 300  # for reading, on top of the limit for the check


class BenchError(Exception):
    """The benchmark itself broke: what was tried, and what to try next."""


@dataclass(frozen=True)
class Measured:
    """The median of some repetitions of one check, or the sum of such over several files."""

    verdicts: tuple[str, ...]
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    loaded_bytes: int
    operations: int
    read_peak_bytes: int = 0
    algorithm: str = ""
    explained: bool = False
    cause: str = ""

    @property
    def check_bytes(self) -> int:
        """What the check took on top of the history it was given."""
        return max(self.peak_bytes - self.loaded_bytes, 0)


@dataclass(frozen=True)
class Contest:
    """Where the histories are, and Porcupine's executable if there is one."""

    directory: Path
    porcupine: Path | None
    time_limit_s: float = 600.0

    def momus(
        self, files: Sequence[Path], *, initial: str, model: str = "cas-register",
        processes: int = 1, repeat: int = 1, core: bool = False,
    ) -> Measured:  # fmt: skip
        """Check `files` in each of `processes` fresh processes, `repeat` times in each.

        `core` reduces violations to the few operations that matter, which nothing that
        Porcupine does compares to.
        """
        options = ["--model", model, "--initial", initial, "--repeat", str(repeat)]
        limit = ["--time-limit-s", str(self.time_limit_s), *(["--core"] if core else [])]
        argv = [sys.executable, "-m", "bench.measurement", *options, *limit, *map(str, files)]
        return _median([_run(argv, self._timeout_s(files, repeat)) for _ in range(processes)])

    def load(self, file: Path, *, processes: int = 1) -> Measured:
        """Read `file` in each of `processes` fresh processes."""
        argv = [sys.executable, "-m", "bench.loading", str(file)]
        return _median([_run(argv, _GRACE_S) for _ in range(processes)])

    def compete(
        self, files: Sequence[Path], *, initial: str, model: str = "cas-register",
        processes: int = 1, repeat: int = 1, time_limit_s: float | None = None,
    ) -> Measured | None:  # fmt: skip
        """The same by Porcupine; None where there is no Go."""
        if self.porcupine is None:
            return None
        limit = f"{time_limit_s or self.time_limit_s}s"
        options = ["-model", model, "-initial", initial, "-repeat", str(repeat), "-timeout", limit]
        argv = [str(self.porcupine), *options, *map(str, files)]
        return _median([_run(argv, self._timeout_s(files, repeat)) for _ in range(processes)])

    def _timeout_s(self, files: Sequence[Path], repeat: int) -> float:
        return _GRACE_S + len(files) * repeat * self.time_limit_s


def build_porcupine(directory: Path) -> Path | None:
    """Compile the Go program into `directory`; None, with a word on stderr, without Go."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        print("no Go here: Porcupine is left out, ratios are not known", file=sys.stderr)
        return None
    target = directory / "porcupine"
    argv = [go, "build", "-o", str(target), "."]
    try:
        subprocess.run(
            argv, cwd=_ROOT / "bench" / "porcupine", check=True, timeout=_BUILD_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchError(f"{' '.join(argv)} failed in bench/porcupine: {error}") from error
    return target


def recorded_per_second(quick: bool) -> tuple[float, float] | None:
    """Operations that the runner records on one core: in a second, and in one of its work.

    None if ``bench.recording`` gives no number; it says why on stderr.
    """
    operations = "20000" if quick else "200000"
    argv = [sys.executable, "-m", "bench.recording", "--json", "--operations", operations]
    try:
        done = subprocess.run(
            argv, cwd=_ROOT, stdout=subprocess.PIPE, check=True, timeout=_BUILD_TIMEOUT_S
        )
        said = json.loads(done.stdout.splitlines()[-1])
        return said["operations_per_second"], said["operations_per_cpu_second"]
    except (OSError, subprocess.SubprocessError, LookupError, ValueError) as error:
        print(f"{' '.join(argv)} gave no number: {error}", file=sys.stderr)
        return None


def _run(argv: Sequence[str], timeout_s: float) -> Measured:
    """Run one child; each of its lines is one file."""
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    try:
        done = subprocess.run(
            argv, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, check=True, timeout=timeout_s
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchError(f"{' '.join(argv[:8])} ... broke: {error}") from error
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    heaviest = max(lines, key=lambda line: int(line["peak_bytes"]))
    return Measured(
        verdicts=tuple(line["verdict"] for line in lines),
        seconds=sum(line["seconds"] for line in lines),
        cpu_seconds=sum(line["cpu_seconds"] for line in lines),
        peak_bytes=heaviest["peak_bytes"],
        loaded_bytes=heaviest["loaded_bytes"],
        operations=sum(line["operations"] for line in lines),
        read_peak_bytes=max(line.get("read_peak_bytes", 0) for line in lines),
        algorithm=lines[0].get("algorithm") or "",
        explained=any(line.get("explained") for line in lines),
        cause=next((line["cause"] for line in lines if line.get("cause")), ""),
    )


def _median(runs: Sequence[Measured]) -> Measured:
    """The run of median time; its memory is that of the same run."""
    ordered = sorted(runs, key=lambda run: run.seconds)
    middle = statistics.median_low([run.seconds for run in ordered])
    return next(run for run in ordered if run.seconds == middle)

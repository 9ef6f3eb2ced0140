"""The table of measurements, as Markdown: for the terminal and for docs/benchmarks.md.

A promise that was not kept says MISSED; one that was not measured says so too.
"""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.rows import Row

_INTRODUCTION = """\
# Benchmarks

Made by `make bench`, all in one run on one machine. momus and
[Porcupine](https://github.com/anishathalye/porcupine) check the same files, each in a fresh
process, one after the other. Times are medians of the check alone; reading the file is not timed,
explaining a violation is (reducing it to its core only where momus is alone). *less CPU* compares
the processor time of all threads, which other work on the machine disturbs less than it does the
clock. Memory is the most that was resident during the check, for the whole process: for momus
that includes the Python interpreter and its libraries, so *of it the check* says what came on top
of the loaded history.

The histories come from simulated clients of an atomic object (`bench/histories.py`): random
interleaving, reads, writes and compare-and-sets in equal parts over 5 values, initially 0.
A compare-and-set that did not match is kept as an observation, so both judge the same thing.
Queues, sets and versioned registers are simulated likewise (`bench/objects.py`); Porcupine's set is
partitioned by element, and its queue is as long as it can decide. What is read (the rows that say
so) is a history with all its fields and checksums, from the page cache, up to paired columns.
"""


def document(rows: Sequence[Row]) -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *machine(), "", *tables(rows), ""])


def tables(rows: Sequence[Row], *, judged: bool = True) -> list[str]:
    """The lines of both tables: times and memory, then (if the sizes are theirs) promises."""
    contest = [
        (
            row.title,
            _seconds(row.momus.seconds),
            _seconds(row.porcupine.seconds) if row.porcupine else "",
            f"{row.faster:,.0f} times" if row.faster else "",
            f"{row.less_work:,.0f} times" if row.less_work else "",
            _mebibytes(row.momus.peak_bytes),
            _mebibytes(row.momus.check_bytes),
            _mebibytes(row.porcupine.peak_bytes) if row.porcupine else "",
            f"{row.leaner:,.0f} times" if row.leaner else "",
        )
        for row in rows
        if row.momus
    ]
    promises = [
        (row.title, goal.promise, goal.measured, _met(goal.met))
        for row in rows
        for goal in row.goals
    ]
    head = (
        "history", "momus", "Porcupine", "faster", "less CPU", "memory, momus",
        "of it the check", "memory, Porcupine", "less",
    )  # fmt: skip
    lines = ["## Times and memory", "", *_table(head, contest), ""]
    if judged:
        lines += ["## Promises", "", *_table(("history", "promise", "measured", "kept"), promises)]
    algorithms = {row.momus.algorithm for row in rows if row.momus and row.momus.algorithm}
    lines += ["", f"Algorithms that momus picked: {', '.join(sorted(algorithms))}."]
    notes = [f"- {row.title}: {note}" for row in rows for note in row.notes]
    return [*lines, *(["", "## Notes", "", *notes] if notes else [])]


def machine() -> list[str]:
    """The facts that these numbers depend on."""
    return [
        f"- {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}",
        f"- {_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB, {platform.system()} "
        f"{platform.release()}, load {os.getloadavg()[0]:.1f} when the run ended",
        f"- Python {platform.python_version()}, {_said('go', 'version') or 'no Go'}, "
        f"{_said('rustc', '--version') or 'no rustc'}",
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Markdown, its columns aligned so that it reads well in a terminal too."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [line(cells[0]), rule, *map(line, cells[1:])]


def _met(met: bool | None) -> str:
    return {True: "yes", False: "**MISSED**", None: "not compared"}[met]


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _mebibytes(amount: int) -> str:
    return (
        f"{amount / (1 << 20):,.0f} MiB" if amount >= 10 << 20 else f"{amount / (1 << 20):.1f} MiB"
    )


def _commit() -> str:
    said = _said("git", "describe", "--always", "--dirty")
    return said or "unknown"


def _said(*argv: str) -> str:
    """What a tool says about itself; nothing if it is not there."""
    if shutil.which(argv[0]) is None:
        return ""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)

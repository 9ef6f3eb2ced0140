"""How far failures shrink in two minutes: ``python -m bench.shrinking``.

    python -m bench.shrinking                              every row, up to two minutes each
    python -m bench.shrinking --only register no-dedup     rows whose names have that in them
    python -m bench.shrinking --time-limit 30 --jobs 1     less of everything

A row is a failure of a system with one of its bugs, as docs/raftkv.md and `momus sim` find them,
of many kinds: an invariant that is broken at once, reads that are stale once in a hundred runs,
nodes that die, shards that move.  Each is shrunk by processes of its own, as `momus shrink` does,
and the case that comes out is played once more here: it has to have the digest that was told.

The bar is `FAULTS_MAX` faults and `OPERATIONS_MAX` operations.  Exit code 1 if a row misses it, or
has another history when it is replayed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from simulation import (
    Case,
    Result,
    digest_of,
    play_case,
    result_of,
    shrink,
    size_of,
    system_of,
)

FAULTS_MAX: Final = 3
OPERATIONS_MAX: Final = 20
TIME_LIMIT_S: Final = 120.0

CASES: Final = (
    Case("register", "crash", 3, "no-sync"),
    Case("register", "calm", 8, "no-tie-break"),
    Case("register", "pause", 1, "no-write-back"),
    Case("raftkv", "isolated-leader", 0, "dual-primary-after-heal"),
    Case("raftkv", "uncommitted-entries", 0, "ack-before-majority"),
    Case("raftkv", "client-retries", 0, "no-dedup-on-retry"),
    Case("raftkv", "crash-elections", 8, "vote-not-persisted"),
    Case("raftkv", "rebalance", 0, "migrating-in-accepts-write"),
    Case("raftkv", "isolated-leader", 0, "read-index-without-confirming"),
    Case("raftkv", "clock-skew", 0, "lease-through-clock-jump"),
    Case("raftkv", "snapshot-after-failure", 0, "snapshot-forgets-last-entry"),
    Case("raftkv", "disk-sync-errors", 0, "sync-error-ignored"),
    Case("raftkv", "hasty-membership-changes", 4, "two-membership-changes-at-once"),
    Case("raftkv", "migration", 5, "dedup-lost-in-migration"),
    Case("raftkv", "disk-slow", 4, "torn-record-accepted"),
)


def processor_s() -> float:
    """Processor time of this process and those that it has started, so far, in s."""
    here = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    ticks = 0
    for child in Path(here).read_text().split():
        with contextlib.suppress(OSError):  # it has just ended
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return sum(os.times()[:4]) + ticks / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Row:
    """One failure and what became of it.

    Times are real seconds since it began, but for `virtual_s`, the virtual time of the last
    thing that is told in the case.  `bar_s` is when the bar was reached (None: it was not) and
    `bar_processor_s` the processor time it took, which neighbours disturb less; `found_s` is when
    the smallest was found, `seconds` when the search ended.
    """

    name: str
    cause: str
    before: tuple[int, int]
    faults: int
    operations: int
    nodes: int
    virtual_s: float
    bar_s: float | None
    bar_processor_s: float | None
    found_s: float
    seconds: float
    played: int
    complete: bool
    replayed: bool

    @property
    def fine(self) -> bool:
        """Whether it is small enough, and fails again with the same history."""
        return self.bar_s is not None and self.replayed


def name_of(case: Case) -> str:
    """``bug / scenario / seed``, and the system in front."""
    return f"{case.system} {case.bug} / {case.scenario} / {case.seed}"


def measured(case: Case, time_limit_s: float, jobs: int | None, *, trace: bool = False) -> Row:
    """Shrink a failure, and play what comes out once more; with `trace` tell of each on the way."""
    began, used_s = time.monotonic(), processor_s()
    bar_s: float | None = None
    bar_processor_s: float | None = None
    found_s = 0.0

    def tell(result: Result) -> None:
        nonlocal bar_s, bar_processor_s, found_s
        found_s = time.monotonic() - began
        faults, operations, nodes, virtual_s = size_of(result.case)
        if trace:
            size = f"{faults} / {operations}, {nodes} nodes, {virtual_s:g} s"
            used = f"{found_s:7.1f} s, {processor_s() - used_s:5.1f} s of processors"
            print(f"{used}  {size} (seed {result.case.seed})", file=sys.stderr)
        if bar_s is None and faults <= FAULTS_MAX and operations <= OPERATIONS_MAX:
            bar_s, bar_processor_s = found_s, processor_s() - used_s

    shrunk = shrink(case, time_limit_s=time_limit_s, jobs=jobs, tell=tell)
    again = play_case(system_of(case.system), shrunk.case)
    same = digest_of(again.history) == shrunk.result.digest
    faults, operations, nodes, virtual_s = size_of(shrunk.case)
    return Row(
        name_of(case),
        f"{shrunk.cause.checker}: {shrunk.cause.kind}",
        (shrunk.first.faults, shrunk.first.operations),
        faults,
        operations,
        nodes,
        virtual_s,
        bar_s,
        bar_processor_s,
        found_s,
        shrunk.seconds,
        shrunk.played,
        shrunk.complete,
        same and shrunk.cause in result_of(again).causes,
    )


def line(row: Row) -> str:
    """A row of the table in docs/shrinking.md."""
    bar = "**missed**"
    if row.bar_s is not None:
        bar = f"{row.bar_s:.0f} s ({row.bar_processor_s:.0f} s)"
    before, after = f"{row.before[0]} / {row.before[1]}", f"{row.faults} / {row.operations}"
    ended = f"{row.seconds:.0f} s" if row.complete else "time was over"
    cells = (
        row.name,
        before,
        after,
        str(row.nodes),
        f"{row.virtual_s:.3g} s",
        bar,
        f"{row.found_s:.0f} s",
        ended,
        f"{row.played:,}" + ("" if row.replayed else " **NOT REPLAYED**"),
    )
    return f"| {' | '.join(cells)} |"


HEAD: Final = (
    "| failure | faults / operations | shrunk to | nodes | virtual time "
    "| bar reached (processor time) | found | nothing smaller | runs |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def main() -> int:
    """Measure and tell."""
    options = argparse.ArgumentParser(
        prog="python -m bench.shrinking",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    options.add_argument("--only", nargs="+", default=[""], metavar="TEXT", help="part of names")
    options.add_argument("--time-limit", type=float, default=TIME_LIMIT_S, metavar="SECONDS")
    options.add_argument("--jobs", type=int, help="processes; default: the cores")
    options.add_argument("--json", action="store_true", help="one line of JSON for each row")
    options.add_argument("--trace", action="store_true", help="each smaller case, on stderr")
    o = options.parse_args()
    chosen = [case for case in CASES if any(part in name_of(case) for part in o.only)]
    if not chosen:
        options.error(f"no row has {' or '.join(o.only)} in its name")
    if not o.json:
        print(HEAD, flush=True)
    missed = 0
    for case in chosen:
        row = measured(case, o.time_limit, o.jobs, trace=o.trace)
        missed += not row.fine
        print(json.dumps(asdict(row)) if o.json else line(row), flush=True)
    if missed:
        print(f"{missed} of {len(chosen)} rows miss the bar", file=sys.stderr)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())

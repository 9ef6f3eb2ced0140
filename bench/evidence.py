"""Every checker without a search: how long, and how much memory.

    python -m bench.evidence                          each, 1,000,000 events of its own kind
    python -m bench.evidence --events 10000000
    python -m bench.evidence --only set-full queue
    python -m bench.evidence --together --events 10000000     one history, all checkers

Each checker gets a history of its own kind, made as columns in memory (no files, no reading),
valid, with some operations in doubt, and is run in a fresh process.  What is timed is the
check alone; the memory is the most that the process held, and how much of it was the history.

Together: clients of every kind are at work in one history, and all checkers, all invariants and
the lint judge it as `compose` has them do under a limit: each in a process of its own, as many at
a time as there are cores.  The memory is the most that all processes held at a time, what they
share counted once (`Pss`), looked at every fifth of a second.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bench.evidence_histories import HISTORIES, mixed
from bench.measurement import resident_bytes, settle
from checker import Verdict, invariants
from checker.evidence import CHECKERS, Checker, Counter, compose, keyed
from histories import History, lint

_LOOK_S: Final = 0.2
_WITHIN_S: Final = 0.0001
_INVARIANTS: Final[dict[str, dict[str, Any]]] = {
    "at-most-one-primary": {"per": "term"},
    "offsets-without-gaps": {"per": "node"},
    "never-trimmed-before-upload": {"per": "node"},
    "clear-authority": {"per": (), "within_s": _WITHIN_S},
    "no-foreign-replay": {"own": "node", "log": "log_node"},
    "replicas-converge": {"within_s": _WITHIN_S},
    "convergence": {"within_s": _WITHIN_S},
}
"""Settings of invariants: nodes here tell of no shards, and answer by the microsecond."""


@dataclass(frozen=True)
class Lint:
    """The lint as a checker, which is valid where there are no findings."""

    name: str = "lint"

    def check(self, history: History) -> Verdict:
        found = lint(history)
        return Verdict(not found, self.name, notes=tuple(each.sentence for each in found[:3]))


@dataclass(frozen=True)
class Lens:
    """A checker that knows the operations of one kind by their short names; nothing is copied."""

    kind: str
    checker: Checker

    @property
    def name(self) -> str:
        return self.checker.name

    def prepare(self, history: History) -> None:
        """See `compose`."""
        prepare = getattr(self.checker, "prepare", None)
        if prepare is not None:
            prepare(history)

    def check(self, history: History) -> Verdict:
        names = [name.removeprefix(f"{self.kind}.") for name in history.f_names]
        return self.checker.check(replace(history, f_names=names))


def invariant(name: str) -> Checker:
    """A ready invariant, fit for the observed histories here."""
    return invariants.CHECKERS[name](**_INVARIANTS.get(name, {}))


def checkers_of(row: str) -> dict[str, Checker]:
    """What judges the history of this row."""
    name = row.partition(" ")[0].rstrip(",")
    if name == "invariants":
        return {each: invariant(each) for each in invariants.CHECKERS}
    if name == "keyed":
        return {row: keyed(Counter())}
    return {row: Lint() if name == "lint" else CHECKERS[name]()}


_KIND_OF: Final = {
    "set": "set",
    "set-full": "set",
    "queue": "queue",
    "total-queue": "queue",
    "delivery": "delivery",
    "unique-ids": "ids",
    "counter": "counter",
    "lock-set": "locks",
    "bank": "bank",
    "monotonic": "monotonic",
    "bounded-staleness": "registers",
    "causal": "registers",
    "read-your-writes": "registers",
    "monotonic-reads": "registers",
    "monotonic-writes": "registers",
    "writes-follow-reads": "registers",
    "log": "log",
    "long-fork": "fork",
    "watch": "watch",
    "availability": "",
    "vacuity": "",
}


def everybody() -> dict[str, Checker]:
    """Every checker, every invariant and the lint, each with a lens for its part of the mix."""
    found: dict[str, Checker] = {
        name: Lens(_KIND_OF[name], make()) for name, make in CHECKERS.items()
    }
    for name in ("bounded-staleness", "causal"):
        found[f"{name} by time"] = Lens("plain", CHECKERS[name]())
    found["log of transactions"] = Lens("kafka", CHECKERS["log"]())
    for name in invariants.CHECKERS:
        found[name] = Lens("observed", invariant(name))
    found["lint"] = Lens("fork", Lint())
    return found


def measured(row: str, events: int) -> list[dict[str, Any]]:
    """The checks of one row in this process."""
    history = HISTORIES[row](events // 2)
    return [_checked(name, each, history) for name, each in checkers_of(row).items()]


def _checked(name: str, checker: Checker, history: History) -> dict[str, Any]:
    settle()
    loaded = resident_bytes("VmRSS")
    began = time.perf_counter()
    worked = time.process_time()
    verdict = checker.check(history)
    return {
        "checker": name,
        "events": len(history),
        **_said(verdict),
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - worked,
        "loaded_bytes": loaded,
        "peak_bytes": resident_bytes("VmHWM"),
    }


def _said(verdict: Verdict) -> dict[str, Any]:
    found = [each.sentence for each in verdict.counterexamples[:1]]
    why = [verdict.unknown.sentence] if verdict.unknown else []
    return {"valid": verdict.valid, "why": " ".join([*why, *found, *verdict.notes])}


def measured_together(events: int) -> dict[str, Any]:
    """All checks of one history, in processes forked off from this one."""
    history = mixed(events // 2)
    settle()
    loaded = resident_bytes("VmRSS")
    composed = compose(everybody(), time_limit_s=3600)
    with _most_held() as most:
        began = time.perf_counter()
        worked = _cpu_seconds()
        verdict = composed.check(history)
        seconds = time.perf_counter() - began
    return {
        "events": len(history),
        "seconds": seconds,
        "cpu_seconds": _cpu_seconds() - worked,
        "loaded_bytes": loaded,
        "peak_bytes": most[0],
        "parts": {
            name: {**_said(part), "seconds": part.seconds} for name, part in verdict.parts.items()
        },
    }


def _cpu_seconds() -> float:
    """Of this process and the children that have ended."""
    return sum(os.times()[:4])


@contextlib.contextmanager
def _most_held() -> Iterator[list[int]]:
    """The most bytes that this process and its children held at a time, in place 0."""
    most, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_S):
            most[0] = max(most[0], held_bytes())

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join(timeout=10)


def held_bytes() -> int:
    """What this process and its children hold, shared pages counted once; 0 without /proc."""
    total = 0
    with contextlib.suppress(OSError):
        children = Path("/proc/self/task").glob("*/children")
        pids = ["self", *(pid for each in children for pid in each.read_text().split())]
        for pid in pids:
            with contextlib.suppress(OSError):  # it may be gone already
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
    return total


def main() -> int:
    """Measure and tell; exit code 1 where a verdict is not valid."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--only", nargs="+", choices=list(HISTORIES), default=list(HISTORIES))
    options.add_argument("--together", action="store_true", help="one history, all checkers")
    options.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    o = options.parse_args()
    if o.alone:
        print(
            json.dumps(measured_together(o.events) if o.together else measured(o.only[0], o.events))
        )
        return 0
    if o.together:
        return _tell_together(_apart(o.events, ["--together"]))
    total, worked, most, wrong = 0.0, 0.0, 0, 0
    for row in o.only:
        for one in _apart(o.events, ["--only", row]):
            total, most = total + one["seconds"], max(most, one["peak_bytes"])
            worked += one["cpu_seconds"]
            wrong += one["valid"] is not True
            print(
                f"{_titled(row, one['checker']):44} {one['events']:>12,} events "
                f"{one['seconds']:8.2f} s ({one['cpu_seconds']:.2f} s CPU)  "
                f"{one['peak_bytes'] / 1e6:8,.0f} MB at most, "
                f"{one['loaded_bytes'] / 1e6:,.0f} MB before  {one['valid']} {one['why']}",
                flush=True,
            )
    print(
        f"{'all':44} {'':>12}        {total:8.2f} s ({worked:.2f} s CPU)  "
        f"{most / 1e6:8,.0f} MB at most"
    )
    return int(wrong > 0)


def _titled(row: str, checker: str) -> str:
    return checker if row == checker else f"{row}: {checker}"


def _apart(events: int, arguments: list[str]) -> Any:
    command = [sys.executable, "-m", "bench.evidence", "--alone", "--events", str(events)]
    done = subprocess.run([*command, *arguments], stdout=subprocess.PIPE, check=True, timeout=7200)
    return json.loads(done.stdout)


def _tell_together(all_of_it: dict[str, Any]) -> int:
    for name, part in all_of_it["parts"].items():
        print(f"{name:44} {part['seconds']:8.2f} s  {part['valid']} {part['why']}")
    print(
        f"{'together':44} {all_of_it['seconds']:8.2f} s "
        f"({all_of_it['cpu_seconds']:.2f} s CPU) for {all_of_it['events']:,} events, "
        f"{all_of_it['peak_bytes'] / 1e6:,.0f} MB at most, "
        f"{all_of_it['loaded_bytes'] / 1e6:,.0f} MB of it the history"
    )
    return int(any(part["valid"] is not True for part in all_of_it["parts"].values()))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())

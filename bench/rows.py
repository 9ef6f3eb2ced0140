"""What is measured: each row of the table, its histories and its target.

A row is a function from a `Contest` to a `Row`.  `scale` shrinks the histories for a quick
look (and to try the benchmark itself); targets are only judged at full size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from bench.contest import Contest, Measured, recorded_per_second
from bench.histories import Clients, history_file

_LOGS: Final = Path("shared/data/porcupine/jepsen")  # beside the checkout, or above it


@dataclass(frozen=True)
class Row:
    """One line of the table.  `goals` are the promises, each with what was measured."""

    title: str
    momus: Measured | None
    porcupine: Measured | None = None
    goals: tuple[Goal, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def faster(self) -> float | None:
        """How many times faster than Porcupine."""
        if self.momus is None or self.porcupine is None:
            return None
        return self.porcupine.seconds / self.momus.seconds

    @property
    def less_work(self) -> float | None:
        """How many times less processor time than Porcupine, all threads of both counted."""
        if self.momus is None or self.porcupine is None:
            return None
        return self.porcupine.cpu_seconds / self.momus.cpu_seconds

    @property
    def leaner(self) -> float | None:
        """How many times less memory the whole process takes than Porcupine's."""
        if self.momus is None or self.porcupine is None:
            return None
        return self.porcupine.peak_bytes / self.momus.peak_bytes


@dataclass(frozen=True)
class Goal:
    """A promise: what, what was measured, and whether that keeps it (None: not measured)."""

    promise: str
    measured: str
    met: bool | None


@dataclass(frozen=True)
class Bench:
    """A contest at a scale: 1 is the promise, 10 a tenth of every history."""

    contest: Contest
    scale: int = 1
    repetitions: int = 3

    def file(self, clients: Clients) -> Path:
        """The history of these clients, simulated if it is not there yet."""
        return history_file(clients, self.contest.directory)

    def size(self, operations: int) -> int:
        """`operations`, scaled."""
        return max(operations // self.scale, 100)


Measurement: TypeAlias = Callable[[Bench], Iterator[Row]]


def _beside_porcupine(
    bench: Bench, title: str, clients: Clients, faster: float, leaner: float | None = None
) -> Row:
    files = [bench.file(clients)]
    momus = bench.contest.momus(files, initial="0", processes=bench.repetitions)
    other = bench.contest.compete(files, initial="0", processes=bench.repetitions)
    row = Row(title, momus, other, notes=_agreement(momus, other))
    goals = [_ratio_goal("faster", row.faster, faster)]
    if leaner is not None:
        goals.append(_ratio_goal("less memory", row.leaner, leaner))
    return Row(title, momus, other, tuple(goals), row.notes)


def _ratio_goal(what: str, ratio: float | None, least: float) -> Goal:
    measured = "not compared" if ratio is None else f"{ratio:,.0f} times"
    return Goal(f"≥ {least:,.0f} times {what}", measured, None if ratio is None else ratio >= least)


def _agreement(momus: Measured, other: Measured | None) -> tuple[str, ...]:
    if other is not None and momus.verdicts != other.verdicts:
        return (f"VERDICTS DIFFER: momus {momus.verdicts}, Porcupine {other.verdicts}",)
    return (momus.cause,) if momus.cause else ()


def ten_clients(bench: Bench) -> Iterator[Row]:
    """One key, 10 clients, 100,000 operations."""
    clients = Clients(bench.size(100_000), clients=10)
    title = f"one key, 10 clients, {clients.operations:,} operations"
    yield _beside_porcupine(bench, title, clients, faster=1000, leaner=100)


def twenty_clients(bench: Bench) -> Iterator[Row]:
    """20 clients, 10,000 operations."""
    clients = Clients(bench.size(10_000), clients=20)
    title = f"one key, 20 clients, {clients.operations:,} operations"
    yield _beside_porcupine(bench, title, clients, faster=500)


def etcd_logs(bench: Bench) -> Iterator[Row]:
    """The etcd logs, in sum."""
    above = Path(__file__).resolve().parents
    files = sorted(file for directory in above for file in (directory / _LOGS).glob("*.log"))
    if not files:
        yield Row("etcd logs", None, notes=(f"{_LOGS} is not there, nor beside the checkout",))
        return
    momus = bench.contest.momus(files, initial="null", repeat=5)
    other = bench.contest.compete(files, initial="null", repeat=5)
    row = Row(f"{len(files)} etcd logs, in sum", momus, other, notes=_agreement(momus, other))
    yield Row(row.title, momus, other, (_ratio_goal("faster", row.faster, 20),), row.notes)


def thousand_keys(bench: Bench) -> Iterator[Row]:
    """1,000,000 operations over 1,000 keys: ten clients in all, and ten for each key."""
    operations, keys = bench.size(1_000_000), bench.size(1_000)
    for own, whose in ((False, "10 clients"), (True, "10 clients each")):
        clients = Clients(operations, clients=10, keys=keys, own_keys=own)
        title = f"{keys:,} keys, {whose}, {operations:,} operations"
        yield _beside_porcupine(bench, title, clients, faster=10)


def ten_million(bench: Bench) -> Iterator[Row]:
    """10,000,000 operations on one key: growth from 100,000, and memory."""
    small, large = (Clients(bench.size(n), clients=10) for n in (100_000, 10_000_000))
    short = bench.contest.momus([bench.file(small)], initial="0", processes=bench.repetitions)
    long = bench.contest.momus([bench.file(large)], initial="0", processes=bench.repetitions)
    ideal = large.operations / small.operations
    growth = long.seconds / short.seconds / ideal
    of_work = long.cpu_seconds / short.cpu_seconds / ideal
    measured = f"{growth:.2f} times linear (CPU: {of_work:.2f})"
    gigabytes = max(long.peak_bytes, long.read_peak_bytes) / 1e9
    goals = (
        Goal("growth from a hundredth ≤ 1.2 times linear", measured, growth <= 1.2),
        Goal("< 2 GB, reading included", f"{gigabytes:.2f} GB", gigabytes < 2),
    )
    title = f"one key, 10 clients, {large.operations:,} operations"
    yield Row(title, long, None, goals, _agreement(long, None))


def crashed(bench: Bench) -> Iterator[Row]:
    """1 in 1,000 operations crashed, half of them took effect."""
    clients = Clients(bench.size(100_000), clients=10, crashed=0.001)
    title = f"one key, 10 clients, {clients.operations:,} operations, 1 in 1,000 crashed"
    yield _alone(bench, title, clients, limit_s=2.0, verdict="valid")


def stale_read(bench: Bench) -> Iterator[Row]:
    """A stale read planted at 90 %: verdict and explanation."""
    clients = Clients(bench.size(100_000), clients=10, stale_at=0.9)
    title = f"one key, 10 clients, {clients.operations:,} operations, a stale read at 90 %"
    yield _alone(bench, title, clients, limit_s=2.0, verdict="invalid")


def _alone(bench: Bench, title: str, clients: Clients, limit_s: float, verdict: str) -> Row:
    momus = bench.contest.momus(
        [bench.file(clients)], initial="0", processes=bench.repetitions, core=True
    )
    right = momus.verdicts == (verdict,) and (verdict != "invalid" or momus.explained)
    answer = momus.verdicts[0] + (" and explained" if momus.explained else "")
    measured = f"{momus.seconds:.3f} s, {answer}"
    goal = Goal(f"{verdict} in < {limit_s:g} s", measured, right and momus.seconds < limit_s)
    return Row(title, momus, None, (goal,), _agreement(momus, None))


def python_model(bench: Bench) -> Iterator[Row]:
    """A model written in Python beside its native twin."""
    clients = Clients(bench.size(100_000), clients=10)
    files = [bench.file(clients)]
    native = bench.contest.momus(files, initial="0", processes=bench.repetitions)
    for model, words in (("python", ""), ("python-untold", ", not told that reads only read")):
        python = bench.contest.momus(files, initial="0", model=model, processes=bench.repetitions)
        cost = python.seconds / native.seconds
        goal = Goal("≤ 3 times its native twin", f"{cost:.2f} times", cost <= 3)
        title = f"the same {clients.operations:,} operations, model in Python{words}"
        yield Row(title, python, None, (goal,), _agreement(python, None))


def python_states(bench: Bench) -> Iterator[Row]:
    """A model written in Python with 1,000 states beside its native twin."""
    clients = Clients(bench.size(1_000_000), clients=10, values=1_000)
    files = [bench.file(clients)]
    native = bench.contest.momus(files, initial="0", processes=bench.repetitions)
    python = bench.contest.momus(files, initial="0", model="python", processes=bench.repetitions)
    cost = python.seconds / native.seconds
    goal = Goal("≤ 3 times its native twin", f"{cost:.2f} times", cost <= 3)
    title = f"{clients.operations:,} operations, 10 clients, model in Python with 1,000 states"
    yield Row(title, python, None, (goal,), _agreement(python, None))


def recording(bench: Bench) -> Iterator[Row]:
    """No-op clients under the runner, recorded durably."""
    rates = recorded_per_second(quick=bench.scale > 1)
    if rates is None:
        yield Row("recording", None, notes=("bench/recording.py gave no number",))
        return
    by_clock, by_work = rates
    measured = f"{by_clock:,.0f}/s ({by_work:,.0f} per CPU second)"
    goal = Goal("≥ 60,000 operations/s on one core", measured, by_clock >= 60_000)
    yield Row("no-op client under the runner, recorded", None, None, (goal,))


ROWS: Final[dict[str, Measurement]] = {
    "ten-clients": ten_clients,
    "twenty-clients": twenty_clients,
    "etcd-logs": etcd_logs,
    "thousand-keys": thousand_keys,
    "ten-million": ten_million,
    "crashed": crashed,
    "stale-read": stale_read,
    "python-model": python_model,
    "python-states": python_states,
    "recording": recording,
}

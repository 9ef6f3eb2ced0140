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
from bench.objects import Crowd, object_file
from checker import MODELS
from histories import History

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

    def objects(self, crowd: Crowd) -> Path:
        """The history of this crowd, simulated if it is not there yet."""
        return object_file(crowd, self.contest.directory)

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
    if other is not None and "unknown" in other.verdicts:
        return (f"Porcupine gave up for want of {other.cause}: it needs more than is shown",)
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


def wide(bench: Bench) -> Iterator[Row]:
    """One key with many clients: 20, 20 of which crash, and 50."""
    for clients, limit_s in (
        (Clients(bench.size(100_000), clients=20), 5.0),
        (Clients(bench.size(100_000), clients=20, crashed=0.01), 20.0),
        (Clients(bench.size(20_000), clients=50), bench.contest.time_limit_s),
    ):
        title = f"one key, {clients.clients} clients, {clients.operations:,} operations"
        title += ", 1 in 100 crashed" if clients.crashed else ""
        yield _alone(bench, title, clients, limit_s=limit_s, verdict="valid")


def stale_read(bench: Bench) -> Iterator[Row]:
    """A stale read planted at 90 %: verdict and explanation."""
    clients = Clients(bench.size(100_000), clients=10, stale_at=0.9)
    title = f"one key, 10 clients, {clients.operations:,} operations, a stale read at 90 %"
    yield _alone(bench, title, clients, limit_s=2.0, verdict="invalid")


def violation(bench: Bench) -> Iterator[Row]:
    """A stale read at 90 % of 1,000,000 operations: the verdict, and then the core."""
    clients = Clients(bench.size(1_000_000), clients=10, stale_at=0.9)
    title = f"one key, 10 clients, {clients.operations:,} operations, a stale read at 90 %"
    files = [bench.file(clients)]
    told = bench.contest.momus(files, initial="0", processes=bench.repetitions)
    reduced = bench.contest.momus(files, initial="0", processes=bench.repetitions, core=True)
    right = told.verdicts == reduced.verdicts == ("invalid",) and told.explained
    more = reduced.seconds - told.seconds
    measured = f"{told.seconds:.2f} s, {told.verdicts[0]}"
    verdict = Goal("invalid in < 5 s", measured, right and told.seconds < 5)
    core = Goal("its core in < 10 s more", f"{more:.2f} s more", reduced.explained and more < 10)
    yield Row(title, reduced, None, (verdict, core), _agreement(reduced, None))


def distinct(bench: Bench) -> Iterator[Row]:
    """Registers whose writes are distinct, 100 keys: beside Porcupine, and 10,000,000."""
    small = Clients(bench.size(100_000), clients=10, keys=bench.size(100), distinct=True)
    title = f"{small.keys} keys, distinct writes, {small.operations:,} operations"
    files = [bench.file(small)]
    momus = bench.contest.momus(files, initial="0", processes=bench.repetitions)
    other = bench.contest.compete(files, initial="0", processes=bench.repetitions)
    yield Row(title, momus, other, notes=_agreement(momus, other))
    large = Clients(bench.size(10_000_000), clients=10, keys=bench.size(100), distinct=True)
    title = f"{large.keys} keys, distinct writes, {large.operations:,} operations"
    yield _alone(bench, title, large, limit_s=10.0, verdict="valid")


def data_types(bench: Bench) -> Iterator[Row]:
    """Queue, set and versioned register: beside Porcupine where it can follow, and 1,000,000."""
    million, hundredth = bench.size(1_000_000), bench.size(10_000)
    few = Crowd("queue", bench.size(1_000), clients=3)
    yield _data_type(bench, few, "FIFO queue")
    yield _data_type(bench, Crowd("queue", million), "FIFO queue", limit_s=3, beside=False)
    yield _data_type(bench, Crowd("set", million), "set", limit_s=3)
    whole = Crowd("set", million, elements=100, whole_reads=0.001)
    words = "set of 100, 1 in 1,000 reads all of it"
    yield _data_type(bench, whole, words, limit_s=3, beside=False)
    versions = Crowd("versioned-register", hundredth)
    yield _data_type(bench, versions, "versioned register")
    versions = Crowd("versioned-register", million)
    yield _data_type(bench, versions, "versioned register", limit_s=3, beside=False)


def _data_type(
    bench: Bench, crowd: Crowd, words: str, limit_s: float | None = None, beside: bool = True
) -> Row:
    """One crowd; `beside` Porcupine where that can follow, once, for a minute at most."""
    title = f"{words}, {crowd.clients} clients, {crowd.operations:,} operations"
    if crowd.kind not in MODELS:
        return Row(title, None, notes=("momus has no model of that name yet",))
    files = [bench.objects(crowd)]
    momus = bench.contest.momus(
        files, initial="null", model=crowd.kind, processes=bench.repetitions
    )
    other = None
    if beside:
        other = bench.contest.compete(files, initial="null", model=crowd.kind, time_limit_s=60)
    goals = []
    if limit_s is not None:
        measured = f"{momus.seconds:.2f} s, {momus.verdicts[0]}"
        kept = momus.verdicts == ("valid",) and momus.seconds < limit_s
        goals.append(Goal(f"valid in < {limit_s:g} s", measured, kept))
    return Row(title, momus, other, tuple(goals), _agreement(momus, other))


def loading(bench: Bench) -> Iterator[Row]:
    """10,000,000 events as a recorder writes them, from both formats."""
    clients = Clients(bench.size(5_000_000), clients=10, keys=bench.size(100), distinct=True)
    plain = bench.file(clients)
    for suffix, limit_s, words in (
        (".sealed.jsonl", 8.0, "JSONL with checksums"),
        (".parquet", 2.0, "Parquet"),
    ):
        path = plain.with_suffix(suffix)
        if not path.exists():
            history = History.read(plain)
            (history.write_parquet if suffix == ".parquet" else history.write_jsonl)(path)
            del history
        momus = bench.contest.load(path, processes=bench.repetitions)
        measured = f"{momus.seconds:.2f} s, {momus.peak_bytes / 1e9:.2f} GB at most"
        goal = Goal(f"read in < {limit_s:g} s", measured, momus.seconds < limit_s)
        size = path.stat().st_size / 1e6
        title = f"reading {momus.operations:,} events, {words} ({size:,.0f} MB)"
        yield Row(title, momus, None, (goal,))


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
    "wide": wide,
    "violation": violation,
    "distinct": distinct,
    "data-types": data_types,
    "loading": loading,
    "stale-read": stale_read,
    "python-model": python_model,
    "python-states": python_states,
    "recording": recording,
}

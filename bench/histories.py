"""Histories of simulated clients of an atomic object, by the million.

Each client does one operation after the other, and each operation takes three steps: it
is invoked, it takes effect at once and whole, it returns.  The steps of all clients are
interleaved at random, every interleaving being as likely as any other.  What the
operations answer follows from the order of the effects, so the history is linearizable
by construction; that order is nowhere written down, the checker has to find one.

The object is one register per key, initially 0; reads, writes and compare-and-sets come
in equal parts and their values are drawn from `values`.  A compare-and-set whose compare
did not match is recorded as ``ok`` with the value false, an observation that both
checkers judge, or as ``fail``, which constrains nothing.  Some operations may crash
(``info``): half of those took effect, and the client goes on as a new process.  With
`distinct` every write has its own value and there is no compare-and-set.

`plant_stale_read` makes a history invalid: it changes the answer of one read to a value
that was certainly overwritten before that read began.

Everything is columns of numpy until the moment a line is written; ten million operations
take under a minute.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

READ, WRITE, CAS = range(3)
INVOKE, OK, FAIL, INFO = range(4)
_F: Final = ("read", "write", "cas")
_TYPE: Final = ("invoke", "ok", "fail", "info")
_NULL, _FALSE, _FIRST_VALUE = range(3)
_CHUNK_EVENTS: Final = 1_000_000
_PENDING: Final = np.iinfo(np.int64).max

Codes: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Clients:
    """What is simulated; equal values (the seed is one of them) give equal histories.

    `clients` share all `keys`, or, with `own_keys`, each key has as many for itself.
    """

    operations: int
    clients: int
    seed: int = 1
    keys: int = 1
    own_keys: bool = False
    values: int = 5
    crashed: float = 0.0
    distinct: bool = False
    failed_cas: Literal["ok", "fail"] = "ok"
    stale_at: float | None = None

    def name(self) -> str:
        """A file name that tells all the fields that matter."""
        parts = [f"{self.operations}ops", f"{self.clients}clients"]
        if self.keys > 1:
            parts.append(f"{self.keys}keys" + ("-own" if self.own_keys else ""))
        if self.values != 5:
            parts.append(f"{self.values}values")
        if self.crashed:
            parts.append(f"crashed{self.crashed:g}")
        if self.distinct:
            parts.append("distinct")
        if self.failed_cas == "fail":
            parts.append("failed")
        if self.stale_at is not None:
            parts.append(f"stale{self.stale_at:g}")
        return "-".join([*parts, f"seed{self.seed}"])


@dataclass(frozen=True)
class Simulated:
    """A simulated history: one column entry per operation, and the order of the events.

    `invoked` and `returned` are event indexes, `(n_operations,)`; a crashed operation has
    the index of its ``info``.  `operation` and `completes`, `(n_events,)`, say what each
    event belongs to and whether it ends it.  `matched` is whether a CAS compared equal.
    """

    spec: Clients
    process: Codes
    f: Codes
    key: Codes
    argument: Codes
    replacement: Codes
    answer: Codes
    matched: Mask
    crashed: Mask
    invoked: Codes
    returned: Codes
    operation: Codes = field(repr=False)
    completes: Mask = field(repr=False)


def simulate(spec: Clients) -> Simulated:
    """Play the clients; `spec.stale_at` plants a stale read there, as a fraction of the events."""
    random = np.random.default_rng(spec.seed)
    crowd = spec.clients * (spec.keys if spec.own_keys else 1)
    share = np.full(crowd, spec.operations // crowd)
    share[: spec.operations % crowd] += 1
    operation, step = interleave(random, share)

    total = spec.operations
    client = np.repeat(np.arange(crowd), share)
    key = client // spec.clients if spec.own_keys else random.integers(spec.keys, size=total)
    f = random.integers(2 if spec.distinct else 3, size=total)
    argument = random.integers(spec.values, size=total)
    replacement = random.integers(spec.values, size=total)
    if spec.distinct:
        argument = np.arange(1, total + 1)
    crashed = random.random(total) < spec.crashed
    lost = crashed & (random.random(total) < 0.5)

    before, matched = _effects(spec, operation[step == 1], key, f, argument, replacement, lost)
    events = step != 1
    operation, completes = operation[events], (step == 2)[events]
    invoked, returned = np.empty(total, np.int64), np.empty(total, np.int64)
    invoked[operation[~completes]] = np.flatnonzero(~completes)
    returned[operation[completes]] = np.flatnonzero(completes)
    crashes: Codes = np.cumsum(crashed) - crashed
    first = np.cumsum(share) - share
    process = client + crowd * (crashes - np.repeat(crashes[np.minimum(first, total - 1)], share))
    simulated = Simulated(
        spec, process, f, key, argument, replacement, before, matched, crashed,
        invoked, returned, operation, completes,
    )  # fmt: skip
    return simulated if spec.stale_at is None else plant_stale_read(simulated, spec.stale_at)


def interleave(random: np.random.Generator, share: Codes) -> tuple[Codes, Codes]:
    """Three steps for each operation, all clients shuffled: the operation and step of each tick.

    Operations are numbered client by client, so those of one client are neighbours.
    """
    width = np.min_scalar_type(len(share))  # narrow integers sort by radix
    ticks = np.repeat(np.arange(len(share), dtype=width), 3 * share)
    random.shuffle(ticks)
    order = np.argsort(ticks, kind="stable")
    operation, step = np.empty(len(ticks), np.int64), np.empty(len(ticks), np.int64)
    operation[order] = np.arange(len(ticks)) // 3
    step[order] = np.arange(len(ticks)) % 3
    return operation, step


def _effects(
    spec: Clients,
    order: Codes,
    key: Codes,
    f: Codes,
    argument: Codes,
    replacement: Codes,
    lost: Mask,
) -> tuple[Codes, Mask]:
    """The value that each operation met when it took effect, and whether it compared equal."""
    before = np.empty(len(f), np.int64)
    if spec.distinct:
        by_key = order[np.argsort(key[order], kind="stable")]
        written = np.where((f == WRITE) & ~lost, argument, 0)
        before[by_key] = _last_written(key[by_key], written[by_key])
        return before, np.zeros(len(f), bool)
    values = spec.values
    compare = 1 + values * (1 + argument) + replacement
    code = np.select([lost | (f == READ), f == WRITE], [0, 1 + argument], compare)
    table = [_transitions(state, values) for state in range(values)]
    before[order] = _states(table, code[order], key[order])
    return before, (f == CAS) & (before == argument)


def _last_written(key: Codes, written: Codes) -> Codes:
    """The last non-zero before each entry under the same key, else 0; `key` is sorted."""
    places = np.arange(len(key))
    last = np.maximum.accumulate(np.where(written > 0, places, -1))
    previous = np.concatenate(([-1], last[:-1]))
    start = np.searchsorted(key, key)
    return np.where(previous >= start, written[previous], 0)


def _transitions(state: int, values: int) -> list[int]:
    """What follows `state`: after a read, each write, each (from, to) of a compare-and-set."""
    every = range(values)
    compared = [to if state == expected else state for expected in every for to in every]
    return [state, *every, *compared]


def _states(table: list[list[int]], codes: Codes, keys: Codes) -> Codes:
    """The state of its key that each code meets; all begin at 0."""
    state = [0] * (int(keys.max(initial=0)) + 1)
    met = []
    for key, code in zip(keys.tolist(), codes.tolist(), strict=True):
        now = state[key]
        met.append(now)
        state[key] = table[now][code]
    return np.array(met, np.int64)


def plant_stale_read(simulated: Simulated, fraction: float) -> Simulated:
    """Let one completed read, the first possible one after `fraction`, answer what cannot be.

    A value will do if everything that may have written it before the read returned had
    itself returned before another write began, and that one returned before the read
    began: in no order does the register hold the value then.
    """
    s = simulated
    writes = (s.f == WRITE) | (s.matched | ((s.f == CAS) & s.crashed))
    value = np.where(s.f == WRITE, s.argument, s.replacement)
    returned = np.where(s.crashed, _PENDING, s.returned)
    reads = np.flatnonzero((s.f == READ) & ~s.crashed & (s.invoked >= fraction * len(s.operation)))
    for read in reads[np.argsort(s.invoked[reads])].tolist():
        begun = writes & (s.key == s.key[read]) & (s.invoked < s.returned[read])
        done = begun & (returned < s.invoked[read])
        for stale in np.unique(value[done]).tolist():
            last = returned[begun & (value == stale)].max()
            if (done & (value != stale) & (s.invoked > last)).any():
                answer = s.answer.copy()
                answer[read] = stale
                return replace(s, answer=answer)
    raise ValueError(f"no read after {fraction:.0%} can be made stale; try another seed")


def write_jsonl(simulated: Simulated, path: Path) -> None:
    """Write the history in momus' format, the four required fields (and the key) only.

    A history has few distinct lines compared to its length, so each is made once a chunk.
    """
    s, spec = simulated, simulated.spec
    many = spec.keys > 1
    partial = path.with_suffix(".partial")
    with partial.open("wb") as out:
        for start in range(0, len(s.operation), _CHUNK_EVENTS):
            line = _line_codes(s, slice(start, start + _CHUNK_EVENTS))
            distinct, which = np.unique(line, return_inverse=True)
            texts = [_line(code, spec, many) for code in distinct.tolist()]
            out.write(b"".join(map(texts.__getitem__, which.tolist())))
    partial.replace(path)


def _line_codes(s: Simulated, part: slice) -> Codes:
    """One integer for each event of `part`: process, type, f, key and value, mixed radix."""
    op, completes = s.operation[part], s.completes[part]
    f, crashed, matched = s.f[op], s.crashed[op], s.matched[op]
    radix = _value_radix(s.spec)
    pair = _FIRST_VALUE + s.spec.values * (1 + s.argument[op]) + s.replacement[op]
    value = np.select([f == READ, f == WRITE], [_NULL, _FIRST_VALUE + s.argument[op]], pair)
    answered = completes & ~crashed
    value = np.where(answered & (f == READ), _FIRST_VALUE + s.answer[op], value)
    refused = answered & (f == CAS) & ~matched
    failed = refused & (s.spec.failed_cas == "fail")
    value = np.where(refused & ~failed, _FALSE, value)
    kind = np.select([~completes, crashed, failed], [INVOKE, INFO, FAIL], OK)
    line: Codes = (((s.process[op] * 4 + kind) * 3 + f) * s.spec.keys + s.key[op]) * radix + value
    return line


def _value_radix(spec: Clients) -> int:
    return _FIRST_VALUE + (
        spec.operations + 1 if spec.distinct else spec.values * (1 + spec.values)
    )


def _line(code: int, spec: Clients, many: bool) -> bytes:
    rest, value = divmod(code, _value_radix(spec))
    rest, key = divmod(rest, spec.keys)
    rest, f = divmod(rest, 3)
    process, kind = divmod(rest, 4)
    if value < _FIRST_VALUE:
        text = "null" if value == _NULL else "false"
    else:
        plain = value - _FIRST_VALUE
        expected, to = divmod(plain - spec.values, spec.values)
        text = str(plain) if spec.distinct or plain < spec.values else f"[{expected},{to}]"
    where = f'"key":"k{key}",' if many else ""
    head = f'{{"process":{process},"type":"{_TYPE[kind]}","f":"{_F[f]}",'
    return f'{head}{where}"value":{text}}}\n'.encode()


def history_file(spec: Clients, directory: Path) -> Path:
    """The file of this history in `directory`; simulated now unless it is there already."""
    path = directory / f"{spec.name()}.jsonl"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        write_jsonl(simulate(spec), path)
    return path

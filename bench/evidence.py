"""Every checker without a search over ten million events: how long, and how much memory.

    python -m bench.evidence                       all of them, 10,000,000 events each
    python -m bench.evidence --events 1000000 --only set-full queue

Each checker gets a history of its own kind, made as columns in memory (no files, no reading),
valid, with some operations in doubt, and is run in a fresh process.  What is timed is the
check alone; the memory is the most that the process held, and how much of it was the history.
Checkers for which no history is drawn here are named and left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bench.measurement import resident_bytes, settle
from checker.evidence import CHECKERS
from histories import INFO, INVOKE, OK, History, Texts

Ints = npt.NDArray[np.int64]

_CLIENTS: Final = 20
_DOUBTFUL: Final = 0.001


def history_of(
    f_names: list[str],
    f: Ints,
    asked: Ints,
    told: Ints,
    values: Texts,
    key: Ints | None = None,
) -> History:
    """Clients in turns, one operation after the other each, with overlaps between clients.

    `f` is the name of each operation, `asked` and `told` the codes of its argument and answer,
    all of shape `(n_operations,)`.  An answer of -2 is one that never came (info).
    """
    count = len(f)
    number = np.arange(count)
    # Each operation begins one step after the one before, and lasts as long as all clients.
    begin, end = number * 2, number * 2 + 2 * _CLIENTS - 1
    order = np.argsort(np.concatenate((begin, end)), kind="stable")
    operation = order % count
    completes = order >= count
    doubtful = told[operation] == -2
    place = np.empty(2 * count, dtype=np.int64)
    place[order] = np.arange(2 * count)
    codes = np.where(completes & ~doubtful, told[operation], asked[operation])
    none = np.full(2 * count, -1, dtype=np.int32)
    # Who leaves an operation in doubt goes on under another number.
    process = number % _CLIENTS
    if (told == -2).any():
        retired = np.zeros(count, dtype=np.int64)
        for client in range(_CLIENTS):
            mine = told[client::_CLIENTS] == -2
            retired[client::_CLIENTS] = np.cumsum(mine) - mine
        process = process + retired * _CLIENTS
    return History(
        index=np.arange(2 * count),
        time=np.arange(2 * count) * 1_000,
        process=process[operation].astype(np.int32),
        type=np.where(completes, np.where(doubtful, INFO, OK), INVOKE).astype(np.uint8),
        f=f[operation].astype(np.int32),
        key=none if key is None else key[operation].astype(np.int32),
        value=codes.astype(np.int32),
        error=none,
        node=none,
        pairs=place[np.where(completes, operation, operation + count)],
        process_names=[],
        f_names=f_names,
        node_names=[],
        keys=_texts([json.dumps(n) for n in range(0 if key is None else int(key.max()) + 1)]),
        values=values,
        errors=_texts([]),
        meta={},
    )


def _texts(texts: list[str]) -> Texts:
    lengths = np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths)))
    return Texts(offsets.tobytes(), "".join(texts).encode())


def _numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def _doubtful(count: int) -> npt.NDArray[np.bool_]:
    return np.random.default_rng(1).random(count) < _DOUBTFUL


def _set(operations: int) -> History:
    """Additions, and five reads of everything so far."""
    element = np.arange(operations)
    told = np.where(_doubtful(operations), -2, element)
    f = np.zeros(operations, dtype=np.int64)
    asked = element.copy()
    texts = _numbers(operations)
    for at in np.linspace(operations / 5, operations - 1, 5).astype(int).tolist():
        f[at], asked[at], told[at] = 1, -1, len(texts)
        seen = np.flatnonzero(f[: at - _CLIENTS + 1] == 0)
        texts.append(f"[{','.join(map(str, seen.tolist()))}]")
    return history_of(["add", "read"], f, asked, told, _texts(texts))


def _queue(operations: int) -> History:
    """Enqueues and dequeues in turns, the element put in long before; null at the end."""
    half = operations // 2
    lag = _CLIENTS
    f = np.arange(2 * half) % 2
    element = np.arange(2 * half) // 2
    out = np.where(element >= lag, element - lag, -1)
    asked = np.where(f == 0, element, -1)
    told = np.where(f == 0, np.where(_doubtful(2 * half), -2, element), out)
    last = slice(2 * half - 4 * lag, None)
    f[last], asked[last], told[last] = 1, -1, -1
    left = np.arange(element[2 * half - 4 * lag] - lag, element[2 * half - 4 * lag])
    told[2 * half - 4 * lag :][: len(left)] = left
    return history_of(["enqueue", "dequeue"], f, asked, told, _texts(_numbers(half)))


def _delivery(operations: int) -> History:
    """Enqueue, dequeue and ack of each message, far enough apart."""
    third = operations // 3
    f = np.arange(3 * third) % 3
    message = np.arange(3 * third) // 3
    late = message - f * _CLIENTS
    # At both ends a dequeue finds nothing instead.
    nothing = (late < 0) | (late >= third - 2 * _CLIENTS)
    f = np.where(nothing, 1, f)
    code = np.where(nothing, -1, late)
    asked = np.where(f == 1, -1, code)
    told = np.where((f == 2) & _doubtful(3 * third), -2, code)
    return history_of(["enqueue", "dequeue", "ack"], f, asked, told, _texts(_numbers(third)))


def _unique_ids(operations: int) -> History:
    ids = np.arange(operations)
    told = np.where(_doubtful(operations), -2, ids)
    f = np.zeros(operations, dtype=np.int64)
    return history_of(["generate"], f, np.full(operations, -1), told, _texts(_numbers(operations)))


def _counter(operations: int) -> History:
    """Increments by one, and a read after each that saw all that were over."""
    f = np.arange(operations) % 2
    total = np.maximum((np.arange(operations) - _CLIENTS) // 2, 0)
    asked = np.where(f == 0, 1, -1)
    told = np.where(f == 0, np.where(_doubtful(operations), -2, 1), total + 1)
    return history_of(["add", "read"], f, asked, told, _texts(_numbers(operations + 2)))


def _lock_set(operations: int) -> History:
    """Each client has a lock of its own for a while, then the next one."""
    number = np.arange(operations)
    turn = number // _CLIENTS
    f = turn % 2
    lock = number % _CLIENTS + _CLIENTS * (turn // 100)
    none = np.full(operations, -1)
    return history_of(["acquire", "release"], f, none, none, _texts([]), key=lock)


HISTORIES: Final[dict[str, Callable[[int], History]]] = {
    "set": _set,
    "set-full": _set,
    "queue": _queue,
    "total-queue": _queue,
    "delivery": _delivery,
    "unique-ids": _unique_ids,
    "counter": _counter,
    "lock-set": _lock_set,
}


def measured(name: str, events: int) -> dict[str, Any]:
    """One check in this process."""
    history = HISTORIES[name](events // 2)
    settle()
    loaded = resident_bytes("VmRSS")
    began = time.perf_counter()
    worked = time.process_time()
    verdict = CHECKERS[name]().check(history)
    return {
        "checker": name,
        "events": len(history),
        "valid": verdict.valid,
        "why": verdict.unknown.sentence if verdict.unknown else "",
        "found": [each.sentence for each in verdict.counterexamples[:1]],
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - worked,
        "loaded_bytes": loaded,
        "peak_bytes": resident_bytes("VmHWM"),
    }


def main() -> int:
    """Measure and tell; exit code 1 where a verdict is not valid."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=10_000_000)
    options.add_argument("--only", nargs="+", choices=list(HISTORIES), default=list(HISTORIES))
    options.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    o = options.parse_args()
    if o.alone:
        print(json.dumps(measured(o.only[0], o.events)))
        return 0
    total, most, wrong = 0.0, 0, 0
    for name in o.only:
        command = [sys.executable, "-m", "bench.evidence", "--alone"]
        done = subprocess.run(
            [*command, "--events", str(o.events), "--only", name],
            stdout=subprocess.PIPE,
            check=True,
            timeout=3600,
        )
        one = json.loads(done.stdout)
        total, most = total + one["seconds"], max(most, one["peak_bytes"])
        wrong += one["valid"] is not True
        print(
            f"{name:18} {one['events']:>12,} events {one['seconds']:8.2f} s "
            f"({one['cpu_seconds']:.2f} s CPU)  {one['peak_bytes'] / 1e6:8,.0f} MB at most, "
            f"{one['loaded_bytes'] / 1e6:,.0f} MB before  {one['valid']} {one['why']}",
            *one["found"],
            flush=True,
        )
    print(f"{'all':18} {'':>12}        {total:8.2f} s, {most / 1e6:,.0f} MB at most")
    left_out = sorted(set(CHECKERS) - set(HISTORIES))
    if left_out:
        print(f"not measured: {', '.join(left_out)}")
    return int(wrong > 0)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())

"""Histories of simulated clients of a queue, a set or a versioned register.

As in `bench.histories`, the steps of all clients are interleaved at random, and what an
operation answers follows from the moment at which it takes effect.  Here that is played by a
small Python object, one call for each operation, so a million operations take some seconds.

- ``queue``: enqueues and dequeues in equal parts; every element is enqueued once.
- ``set``: adds, removes and look-ups in equal parts, of elements drawn from `elements`; all
  say whether they changed or found something.  `whole_reads` is the share of operations that
  read the whole set instead.
- ``versioned-register``: reads, writes and compare-and-sets that tell versions, as etcd does
  with its revisions: they grow with every write, with gaps.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, Literal, TypeAlias

import numpy as np

from bench.histories import interleave
from histories import Json

Kind: TypeAlias = Literal["queue", "set", "versioned-register"]
Effect: TypeAlias = Callable[[int], tuple[str, Json, Json]]
"""Lets the operation of this number take effect; answers its name, argument and answer."""


@dataclass(frozen=True)
class Crowd:
    """What is simulated; equal values (the seed is one of them) give equal histories."""

    kind: Kind
    operations: int
    clients: int = 10
    seed: int = 1
    elements: int = 100_000
    whole_reads: float = 0.0

    def name(self) -> str:
        """A file name that tells all the fields that matter."""
        parts = [self.kind, f"{self.operations}ops", f"{self.clients}clients"]
        if self.kind == "set":
            parts.append(f"{self.elements}elements")
        if self.whole_reads:
            parts.append(f"reads{self.whole_reads:g}")
        return "-".join([*parts, f"seed{self.seed}"])


def write_jsonl(crowd: Crowd, path: Path) -> None:
    """Play the clients, and write what they saw."""
    share = np.full(crowd.clients, crowd.operations // crowd.clients)
    share[: crowd.operations % crowd.clients] += 1
    operation, step = interleave(np.random.default_rng(crowd.seed), share)
    client = np.repeat(np.arange(crowd.clients), share).tolist()
    effect = _EFFECTS[crowd.kind](crowd)
    invoked: list[str] = [""] * crowd.operations
    returned: list[str] = [""] * crowd.operations
    for op in operation[step == 1].tolist():
        f, argument, answer = effect(op)
        head = f'{{"process":{client[op]},"type":'
        invoked[op] = f'{head}"invoke","f":"{f}","value":{_json(argument)}}}\n'
        returned[op] = f'{head}"ok","f":"{f}","value":{_json(answer)}}}\n'
    lines = (invoked, None, returned)
    partial = path.with_suffix(".partial")
    with partial.open("w") as out:
        events = step != 1
        rows = zip(operation[events].tolist(), step[events].tolist(), strict=True)
        for op, which in rows:
            texts = lines[which]
            assert texts is not None, "taking effect is no event"
            out.write(texts[op])
    partial.replace(path)


def object_file(crowd: Crowd, directory: Path) -> Path:
    """The file of this history in `directory`; simulated now unless it is there already."""
    path = directory / f"{crowd.name()}.jsonl"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        write_jsonl(crowd, path)
    return path


def _json(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))


def _queue(crowd: Crowd) -> Effect:
    random, queue = Random(crowd.seed), deque[int]()

    def effect(op: int) -> tuple[str, Json, Json]:
        if random.random() < 0.5:
            queue.append(op)
            return "enqueue", op, op
        return "dequeue", None, queue.popleft() if queue else None

    return effect


def _set(crowd: Crowd) -> Effect:
    random, elements = Random(crowd.seed), set[int]()

    def effect(_: int) -> tuple[str, Json, Json]:
        if random.random() < crowd.whole_reads:
            return "read", None, sorted(elements)
        f = random.choice(("add", "remove", "contains"))
        element = random.randrange(crowd.elements)
        present = element in elements
        if f == "contains":
            return f, element, present
        (elements.add if f == "add" else elements.discard)(element)
        return f, element, present == (f == "remove")

    return effect


def _versioned_register(crowd: Crowd) -> Effect:
    random, version = Random(crowd.seed), 0
    value: int | None = None

    def effect(_: int) -> tuple[str, Json, Json]:
        nonlocal version, value
        f = random.choice(("read", "write", "cas"))
        if f == "read":
            return f, None, [version, value]
        old, new = random.randrange(5), random.randrange(5)
        if f == "cas" and old != value:
            return f, [None, [old, new]], False
        version += random.randint(1, 3)
        value = new
        told: Json = new if f == "write" else [old, new]
        return f, [None, told], [version, told]

    return effect


_EFFECTS: Final[dict[Kind, Callable[[Crowd], Effect]]] = {
    "queue": _queue,
    "set": _set,
    "versioned-register": _versioned_register,
}

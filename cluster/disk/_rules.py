"""Rules: the faults in force, and how they meet an operation.

A rule is for operations of some kinds on files whose path, from the data directory on,
matches one of its patterns.  Blocks that cannot be read are the same ones as long as the
rule is in force, since disks have bad sectors; a write that fails may succeed the next time.
A file of the probe directory is met by the rule that bears its
name, and by no other, so that each fault can be proven by itself.  What is random comes from
the rule's own seed; which of many writes gets which draw depends on their order.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import blake2b
from random import Random
from typing import Any, Final, NamedTuple

from cluster.disk._nodes import Node, Nodes

DATA: Final = "data"
PROBE: Final = "probe"
"""The two directories in the mounted one: the system's, and ours."""
BLOCK: Final = 4096
"""What can be read or not."""

KINDS: Final[Mapping[str, frozenset[str]]] = {
    "fill": frozenset({"write", "name"}),
    "slow": frozenset({"read", "write", "sync"}),
    "read-errors": frozenset({"read"}),
    "write-errors": frozenset({"write", "sync"}),
    "sync-errors": frozenset({"sync"}),
}
"""Which operations a kind of rule meets."""


class Place(NamedTuple):
    """Where an operation is: its file, blocks that it reads, whether it needs none anew."""

    path: str | None
    blocks: range
    overwrites: bool


class Rule:
    """One fault in force.  Raises `KeyError`, `ValueError` and `TypeError` for nonsense."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.name = str(given["id"])
        self.kind = str(given["kind"])
        self.operations = KINDS[self.kind]
        self.files = tuple(map(str, given.get("files") or ["*"]))
        self.probability = float(given.get("probability", 1.0))
        self.delays_s = {each: int(given.get(each, 0)) / 1e3 for each in ("read", "write", "sync")}
        self.jitter_s = int(given.get("jitter", 0)) / 1e3
        self.seed = int(given.get("seed", 0))
        self.overwrites = bool(given.get("overwrites", False))
        self.met: Counter[str] = Counter()
        self.over = threading.Event()
        self._draw = Random(self.seed)
        self._lock = threading.Lock()
        if not 0 < self.probability <= 1 or min(self.jitter_s, *self.delays_s.values()) < 0:
            raise ValueError("a probability is above 0 and at most 1, and delays are not below 0")

    @property
    def hinders_reads(self) -> bool:
        """Must reads come to us for it to have an effect?"""
        return self.kind == "read-errors" or (self.kind == "slow" and self.delays_s["read"] > 0)

    def meet(self, operation: str, place: Place) -> None:
        """Do to the operation what the rule is for; raises `OSError` if it is to fail."""
        if self.kind == "fill":
            if place.overwrites and not self.overwrites:
                return
            self._count(operation)
            raise OSError(errno.ENOSPC, "the disk is full")
        if self.kind == "slow":
            delay_s = self.delays_s[operation]
            if delay_s > 0:
                if self.jitter_s:
                    with self._lock:
                        delay_s += self._draw.uniform(0, self.jitter_s)
                self._count(operation)
                self.over.wait(delay_s)
            return
        if operation == "read":
            if not any(self._is_bad(place.path, block) for block in place.blocks):
                return
        elif self.probability < 1:
            with self._lock:
                if self._draw.random() >= self.probability:
                    return
        self._count(operation)
        raise OSError(errno.EIO, "the disk has failed")

    def told(self) -> dict[str, Any]:
        """What it is, and how many operations it has met."""
        return {"id": self.name, "kind": self.kind, "met": dict(self.met)}

    def _is_bad(self, path: str | None, block: int) -> bool:
        """Is this block one of those that cannot be read?  As the seed has it, for good."""
        if self.probability >= 1:
            return True
        word = f"{self.seed} {path} {block}".encode()
        drawn = int.from_bytes(blake2b(word, digest_size=8).digest(), "big")
        return drawn < self.probability * 2**64

    def _count(self, operation: str) -> None:
        with self._lock:
            self.met[operation] += 1


class Rules:
    """All rules in force; replaced as a whole, so that reading them needs no lock."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._lock = threading.Lock()
        self.all: tuple[Rule, ...] = ()

    def put(self, rule: Rule) -> None:
        """Put a rule in force, in place of one of the same name."""
        with self._lock:
            self._drop(rule.name)
            self.all = (*self.all, rule)

    def clear(self, name: str) -> Rule | None:
        """End a rule, and at once all that wait because of it."""
        with self._lock:
            return self._drop(name)

    def meet(
        self,
        operation: str,
        node: Node,
        blocks: range = range(0),
        *,
        overwrites: bool = False,
    ) -> None:
        """Have all rules for it meet an operation on this file."""
        rules = self.all
        if not rules:
            return
        place = Place(self._nodes.relative(node), blocks, overwrites)
        for rule in rules:
            if operation in rule.operations and for_path(place.path, rule.files, rule.name):
                rule.meet(operation, place)

    @property
    def full(self) -> bool:
        """Does the disk seem to be full?"""
        return any(each.kind == "fill" for each in self.all)

    def _drop(self, name: str) -> Rule | None:
        found = next((each for each in self.all if each.name == name), None)
        if found is not None:
            self.all = tuple(each for each in self.all if each is not found)
            found.over.set()
        return found


def for_path(path: str | None, files: Sequence[str], rule: str) -> bool:
    """Is a rule for this file?  One without a name is met by what is for all files."""
    if path is None:
        return "*" in files
    top, _, rest = path.partition("/")
    if top == PROBE:
        return rest == rule
    return any(fnmatchcase(rest, pattern) for pattern in files)


def only_overwrites(fd: int, offset: int, length: int) -> bool:
    """Has the file all the blocks already that this write needs?

    One with as many blocks as it is long has no holes.
    """
    found = os.fstat(fd)
    end = offset + length
    allocated = found.st_blocks * 512
    if end > max(found.st_size, allocated):
        return False
    if allocated >= found.st_size:
        return True
    try:
        return os.lseek(fd, offset, os.SEEK_HOLE) >= min(end, found.st_size)
    except OSError:
        return False

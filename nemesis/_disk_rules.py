"""`DiskFault`: a disk that is full, slow, or fails some reads or writes, while it lasts.

It is proven by a file of ours on the same disk, which is written, synced and read like
anybody's: what the system suffers from, that suffers, too.  How many operations of all files
the fault has met stands beside it (``met``), as the file system counts them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from cluster import Host
from histories import Json
from nemesis import targets as targets_module
from nemesis._debts import ask_each, on_each
from nemesis._disks import DiskKind, OfDisks, OnDisk, proof_of
from nemesis._fault import Order, Proof
from nemesis.targets import Target

SOUND: Final = "sound"
_MISSED: Final = 1e-6
"""How likely a probe may be to miss a fault that is there."""
_PROBABILITY_LEAST: Final = 0.01
_SLOW_TRIES: Final = 3
_SHORT_OF: Final = 0.9
"""Which part of the promised delay must show."""


DISK_RULES: Final[Mapping[str, DiskKind]] = MappingProxyType(
    {
        "disk-fill": DiskKind("fill", "full", {"overwrites": False}),
        "disk-slow": DiskKind("slow", "slow", {"read": 10, "write": 10, "sync": 100, "jitter": 0}),
        "disk-read-errors": DiskKind(
            "read-errors", "unreadable", {"probability": 0.1, "files": ["*"]}
        ),
        "disk-write-errors": DiskKind(
            "write-errors", "unwritable", {"probability": 0.1, "files": ["*"]}
        ),
        "disk-sync-errors": DiskKind(
            "sync-errors", "unsyncable", {"probability": 0.1, "files": ["*"]}
        ),
    }
)


class DiskFault(OfDisks):
    """Trouble with the disks of the targets; `kind` is one of `DISK_RULES`.

    disk-fill: nothing more can be written but over what is there; with `overwrites` not even
    that, as on file systems that copy on write.  disk-slow: reads, writes and syncs take so
    many ms longer, and up to `jitter` ms more.  disk-read-errors: a share of the blocks cannot
    be read.  disk-write-errors: a share of writes and syncs fail.  disk-sync-errors: of syncs
    alone.
    """

    intact = frozenset({SOUND})

    def __init__(
        self,
        kind: str,
        system: OnDisk,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        attributes: Mapping[str, Json] | None = None,
        name: str | None = None,
    ) -> None:
        self._kind = DiskKind.of(kind, DISK_RULES)
        self.broken = frozenset({self._kind.word})
        self.defaults = self._kind.defaults
        self._struck: dict[str, Mapping[str, Any]] = {}
        super().__init__(kind if name is None else name, system, targets, attributes=attributes)

    async def prove(self, things: frozenset[str]) -> Proof:
        """Use a file on these disks."""
        return proof_of(await ask_each(self._hosts(things), self._look))

    async def inject(self, order: Order) -> dict[str, str]:
        """Put the fault in force on the disks of the order's nodes."""
        attributes = order.detail["attributes"]
        assert isinstance(attributes, dict)

        async def strike(host: Host) -> None:
            place = await self._owe(host, {"attributes": attributes})
            self._struck[host.name] = attributes
            rule: dict[str, Json] = {"do": "set", "kind": self._kind.order, **attributes}
            await self._strike(host, place, {**rule, "seed": order.detail["seed"]})

        return await on_each(self._hosts(order.targets), strike)

    async def heal(self) -> dict[str, str]:
        """Take the fault away, then start what has ended of it."""
        failed = await super().heal()
        self._struck = {node: each for node, each in self._struck.items() if node in failed}
        return failed

    async def _look(self, host: Host) -> tuple[str, Json]:
        attributes = self._struck.get(host.name, self._attributes)
        word = self._kind.word
        request: dict[str, Json] = {"file": self._file(host)}
        if word == "slow":
            beside = f"{self._disk.top(host)}/{self._rule}"
            seen = await self._probe(host, word, **request, beside=beside, tries=_SLOW_TRIES)
            longer_s = seen["here_s"] - seen["beside_s"]
            is_so = longer_s >= _SHORT_OF * _promised_s(attributes)
        else:
            tries = _tries(attributes.get("probability", 1.0))
            seen = await self._probe(host, word, **request, tries=tries)
            is_so = seen["error"] == ("ENOSPC" if word == "full" else "EIO")
        rules = (await self._status(host))["rules"]
        met = next((rule["met"] for rule in rules if rule["id"] == self._rule), None)
        return word if is_so else SOUND, {**seen, **({} if met is None else {"met": met})}

    def _checked(self, given: Any, defaults: Mapping[str, Json]) -> dict[str, Json]:
        attributes = super()._checked(given, defaults)
        if self._kind.word == "slow" and _promised_s(attributes) < 0.02:
            raise ValueError(f"{self.name} of less than 20 ms in all could not be proven")
        if attributes.get("probability", 1.0) < _PROBABILITY_LEAST:
            raise ValueError(
                f"a probability below {_PROBABILITY_LEAST} of {self.name} could not be proven"
            )
        return attributes


def _promised_s(attributes: Mapping[str, Any]) -> float:
    """How much longer it takes at least to write, sync and read a file."""
    return float(sum(attributes[each] for each in ("read", "write", "sync"))) / 1e3


def _tries(probability: float) -> int:
    """So many tries that a fault of this probability is all but certainly met."""
    if probability >= 1:
        return 1
    return math.ceil(math.log(_MISSED) / math.log1p(-probability))

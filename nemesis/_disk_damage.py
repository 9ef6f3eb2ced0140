"""`DiskDamage`: bits that have flipped, and files that have lost their ends.

The damage is what all readers of the chosen files see; the true bytes stay underneath, and
healing shows them again, unless the system has written these places anew: then there is
nothing to heal.  It is proven by comparing what one sees with what lies underneath.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from cluster import Host, HostError
from histories import Json
from nemesis import targets as targets_module
from nemesis._debts import ask_each, on_each
from nemesis._disk_rules import SOUND
from nemesis._disks import DiskKind, OfDisks, OnDisk, proof_of
from nemesis._fault import Order, Proof
from nemesis.targets import Target

REWRITTEN: Final = "rewritten"


DISK_DAMAGE: Final[Mapping[str, DiskKind]] = MappingProxyType(
    {
        "disk-bit-flips": DiskKind("flip", "flipped", {"files": ["*"], "bits": 4}),
        "disk-truncate": DiskKind("cut", "truncated", {"files": ["*"], "bytes": 4096}),
    }
)


class DiskDamage(OfDisks):
    """Damage to files on the disks of the targets; `kind` is one of `DISK_DAMAGE`.

    `files` are patterns of names, from the system's data directory on (``*`` goes over
    directories, too).  disk-bit-flips: so many bits of each file; disk-truncate: so many bytes
    off each file's end.  Damage all of which the system has mended is ``rewritten``.
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
        self._kind = DiskKind.of(kind, DISK_DAMAGE)
        self.broken = frozenset({self._kind.word, REWRITTEN})
        self.defaults = self._kind.defaults
        self._places: dict[str, list[Json]] = {}
        self._in_force: set[str] = set()
        super().__init__(kind if name is None else name, system, targets, attributes=attributes)

    async def prove(self, things: frozenset[str]) -> Proof:
        """Look at the damaged places."""
        return proof_of(await ask_each(self._hosts(things), self._look))

    async def inject(self, order: Order) -> dict[str, str]:
        """Damage the chosen files on the disks of the order's nodes."""
        attributes = order.detail["attributes"]
        assert isinstance(attributes, dict)

        async def strike(host: Host) -> None:
            place = await self._owe(host, {"attributes": attributes})
            told: dict[str, Json] = {"do": self._kind.order, **attributes}
            answer = await self._strike(host, place, {**told, "seed": order.detail["seed"]})
            if not answer["places"]:
                raise HostError(
                    host.name,
                    f"none of {', '.join(attributes['files'])} is there with anything in it",
                    f"see {self._disk.backing(host)} there for what is",
                )
            kept = self._places.get(host.name, []) if host.name in self._in_force else []
            self._places[host.name] = [*kept, *answer["places"]]
            self._in_force.add(host.name)

        return await on_each(self._hosts(order.targets), strike)

    async def heal(self) -> dict[str, str]:
        """Show the true bytes again, then start what has ended of their loss."""
        failed = await super().heal()
        self._in_force &= failed.keys()
        return failed

    async def _look(self, host: Host) -> tuple[str, Json]:
        places = self._places.get(host.name, [])
        answer = await self._probe(
            host,
            "damage",
            seen=self._disk.data(host),
            true=self._disk.backing(host),
            places=places,
        )
        files = sorted({place["file"] for place in places})
        seen: dict[str, Json] = {"places": len(places), "files": files, **answer}
        if answer["differing"]:
            return self._kind.word, seen
        return (REWRITTEN if host.name in self._in_force else SOUND), seen

    def _checked(self, given: Any, defaults: Mapping[str, Json]) -> dict[str, Json]:
        attributes = super()._checked(given, defaults)
        if not attributes.get("bits", 1) or not attributes.get("bytes", 1):
            raise ValueError(f"{self.name} of nothing is no fault")
        return attributes

"""`MemoryBalloon`: a program on the host that holds memory, so that others have less.

It strikes the whole host and not the daemon alone: caches shrink, and where there is swap
things are swapped out.  Hosts that share a kernel share its memory, so what is ordered as a
share is divided among them.
"""

from __future__ import annotations

import asyncio
import posixpath
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from cluster import Host, HostError, Unsupported
from cluster._posix import kill_undo
from histories import Json
from nemesis import _balloon_program as program
from nemesis import targets as targets_module
from nemesis._debts import ask_each, on_each
from nemesis._fault import Field, Order, Proof, require
from nemesis._pressed import MIB, Family, OfPressure, family
from nemesis._programs import daemon_command
from nemesis.targets import Target

PERCENT_MAX: Final = 80
_POLL_S: Final = 0.1
_PATIENCE_S: Final = 10.0
_BYTES_PER_S_LEAST: Final = 50 * MIB


class MemoryBalloon(OfPressure):
    """Holds `percent` of the memory that is available (50 unless given), or `megabytes` of it.

    Never more than 80 percent, and it ends by itself after `seconds` (600).
    """

    intact = frozenset({"free"})
    broken = frozenset({"squeezed"})
    defaults = MappingProxyType({"percent": 50, "megabytes": 0, "seconds": 600})
    least = MappingProxyType({"percent": 1, "megabytes": 0, "seconds": 1})

    def __init__(
        self,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        system: object = None,
        attributes: Mapping[str, float] | None = None,
        name: str = "memory-balloon",
    ) -> None:
        super().__init__(name, targets, attributes)
        self._asked = system
        self._ordered: dict[str, int] = {}

    def _system(self) -> object:
        return self._asked

    async def setup(self, field: Field) -> None:
        """See that there is a python3, and how much memory."""
        for host in field.hosts.values():
            require(host, "signals", self.name)
        await super().setup(field)
        for node, answer in (await ask_each(field.hosts.values(), self._family)).items():
            if isinstance(answer, Exception):
                raise Unsupported(
                    node,
                    f"the fault {self.name!r} is impossible: {answer}",
                    f"install python3 there, or leave {self.name!r} out",
                )

    async def prove(self, things: frozenset[str]) -> Proof:
        """How much does the balloon hold, by the kernel's count?"""
        states: dict[str, str] = {}
        seen: dict[str, Json] = {}
        errors: dict[str, Json] = {}
        for node, answer in (await ask_each(self._hosts(things), self._family)).items():
            if isinstance(answer, Exception):
                errors[node] = str(answer)
                continue
            held = sum(each.resident for each in answer.members)
            ordered = self._ordered.get(node, 0)
            seen[node] = {
                "held_mib": held // MIB,
                "ordered_mib": ordered // MIB,
                "available_mib": answer.available // MIB,
            }
            full = held >= ordered and ordered > 0
            states[node] = "free" if not answer.members else "squeezed" if full else "partly"
        return Proof(states, {"seen": seen, **({"errors": errors} if errors else {})})

    async def inject(self, order: Order) -> dict[str, str]:
        """Start balloons, and wait until they are full."""
        attributes = order.detail["attributes"]
        assert isinstance(attributes, dict)
        hosts = self._hosts(order.targets)
        looks = await ask_each(hosts, self._family)
        sharers = Counter(each.boot for each in looks.values() if isinstance(each, Family))

        async def strike(host: Host) -> None:
            look = looks[host.name]
            if isinstance(look, Exception):
                raise look
            if look.members:
                return  # there is one already
            share = look.available / sharers[look.boot]
            size = attributes["megabytes"] * MIB or int(share * attributes["percent"] / 100)
            if size > share * PERCENT_MAX / 100:
                raise HostError(
                    host.name,
                    f"{size // MIB} MiB are more than {PERCENT_MAX} % of its share of the memory "
                    f"that is available, {share / MIB:.0f} MiB",
                    "order less",
                )
            floor = int(look.available * (100 - PERCENT_MAX) / 100)
            await self._inflate(host, size, floor, attributes["seconds"])

        return await on_each(hosts, strike)

    async def heal(self) -> dict[str, str]:
        """End the balloons."""

        async def burst(host: Host) -> None:
            await host.stop(self.name)

        failed = await self.debts.pay(burst)
        self._ordered = {node: each for node, each in self._ordered.items() if node in failed}
        return failed

    async def _family(self, host: Host) -> Family:
        return await family(host, self.name, sudo=False)

    async def _inflate(self, host: Host, size: int, floor: int, seconds: float) -> None:
        request: dict[str, Json] = {
            "size": size,
            "floor": floor,
            "seconds": seconds,
            "pid_file": posixpath.join(host.directory, f"{self.name}.pid"),
        }
        note: dict[str, Json] = {"bytes": size, "seconds": seconds}
        await self.debts.owe(host, kill_undo(host.directory, self.name), note)
        self._ordered[host.name] = size
        await host.start(self.name, daemon_command(host, program, request))
        deadline = time.monotonic() + _PATIENCE_S + size / _BYTES_PER_S_LEAST
        while time.monotonic() < deadline:
            members = (await self._family(host)).members
            if not members or sum(each.resident for each in members) >= size:
                return  # whether it is full is for the proof to say
            await asyncio.sleep(_POLL_S)

    def _checked(self, given: Any, defaults: Mapping[str, float]) -> dict[str, Any]:
        attributes = super()._checked(given, defaults)
        if attributes["percent"] > PERCENT_MAX:
            raise ValueError(f"percent of {self.name} is at most {PERCENT_MAX}")
        return attributes

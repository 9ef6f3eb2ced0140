"""`LoseUnsynced`: the power fails, and what was not synced is gone.

The member is killed, then its disk forgets all that no fsync has covered, and then it may
start again.  Two files of ours prove it, written just before: the one that was synced must
have survived, the one that was not must be gone.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from cluster import Host, HostError
from histories import Json
from nemesis import targets as targets_module
from nemesis._debts import ask_each, on_each
from nemesis._disks import OfDisks, OnDisk, proof_of
from nemesis._fault import Order, Proof
from nemesis._processes import await_state, look
from nemesis.targets import Target

KEPT: Final = "kept"


class LoseUnsynced(OfDisks):
    """SIGKILL for the system's daemon, and its un-synced writes are lost; healing starts it.

    With `torn`, of what was not synced some sectors have reached the disk, and some changes
    of names, as the order's seed has it.
    """

    intact = frozenset({"running", "paused"})
    broken = frozenset({"lost"})
    defaults: Mapping[str, Json] = MappingProxyType({"torn": False})

    def __init__(
        self,
        system: OnDisk,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        attributes: Mapping[str, Json] | None = None,
        daemon: str | None = None,
        name: str = "disk-lose-unsynced",
    ) -> None:
        super().__init__(name, system, targets, attributes=attributes, daemon=daemon)
        self._lost: dict[str, Json] = {}

    async def prove(self, things: frozenset[str]) -> Proof:
        """Is the daemon gone, and with it what was not synced?"""
        return proof_of(await ask_each(self._hosts(things), self._look))

    async def inject(self, order: Order) -> dict[str, str]:
        """Kill the daemons, then have their disks forget."""
        seed = self._seed(order)

        async def strike(host: Host) -> None:
            place = await self._owe(host, {"daemon": self._daemon, "then": "start it again"})
            await self._lay_canaries(host)
            await self._on.kill(host)
            await await_state(host, self._daemon, lambda state: state == "gone")
            if (await look(host, self._daemon)).state != "gone":
                raise HostError(host.name, f"{self._daemon} survived KILL", "see its state there")
            await self._forget(host, place, seed)

        return await on_each(self._hosts(order.targets), strike)

    async def heal(self) -> dict[str, str]:
        """Start what was killed."""
        for host in self.debts.debtors():
            self._lost.pop(host.name, None)
        return await super().heal()

    def _seed(self, order: Order) -> Json:
        """What the order has drawn for what is torn; None if all is lost."""
        attributes = order.detail["attributes"]
        assert isinstance(attributes, dict)
        return order.detail["seed"] if attributes["torn"] else None

    async def _lay_canaries(self, host: Host) -> None:
        await self._probe(host, "remove", files=list(self._canaries(host).values()))
        written = await self._probe(host, "canaries", **self._canaries(host))
        if not all(written.values()):
            raise HostError(host.name, f"its disk keeps nothing: {written}", "look into it")

    async def _forget(self, host: Host, place: tuple[str, str], seed: Json) -> None:
        """Have the disk forget; the daemon must be gone."""
        self._lost[host.name] = await self._strike(host, place, {"do": "lose", "seed": seed})

    async def _look(self, host: Host) -> tuple[str, Json]:
        state = (await look(host, self._daemon)).state
        if state != "gone":
            return state, {}
        seen: dict[str, Any] = await self._probe(host, "survivors", **self._canaries(host))
        is_so = seen["kept"] and not seen["loose"] and host.name in self._lost
        return ("lost" if is_so else KEPT), {**seen, "lost": self._lost.get(host.name)}

    def _canaries(self, host: Host) -> dict[str, Json]:
        top = self._disk.probe(host)
        return {each: posixpath.join(top, f"{self._rule}.{each}") for each in ("kept", "loose")}

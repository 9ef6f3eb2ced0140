"""`CrashPoint`: a real node dies at a labelled place in its code, and its machine with it.

The point is armed in the running process, which kills itself when it comes there; then its disk
forgets what no fsync has covered, as in `nemesis.LoseUnsynced`, whose receipt this fault has.

An order either waits until all its targets have died there, or is an *ambush*: they are armed
until it is stopped, and whoever comes there dies.  That is for points which few nodes come to, and
only after something else was ordered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from cluster import Host, HostError
from histories import Json
from nemesis import Declined, LoseUnsynced, Order, Target, targets
from nemesis._debts import on_each
from nemesis._processes import look
from nemesis.targets import Observations
from simulation.real._processes import Processes

PATIENCE_S: Final = 5.0
_ARM_TIMEOUT_S: Final = 10.0
_FORGET_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.02
_AMBUSH_POLL_S: Final = 0.1
ARMED: Final = "armed"


class CrashPoint(LoseUnsynced):
    """Death at one of `points`, at up to the `nth_max`-th time a node passes there.

    A node that does not come there within `PATIENCE_S` lives on, and the order says so.  With
    ``"ambush": true`` in the order nobody waits; if nobody has come there by the time it is
    stopped, it is declined.
    """

    broken = frozenset({"lost", ARMED})

    def __init__(
        self,
        system: Processes,
        points: Sequence[str],
        among: Target | Sequence[Target] = targets.one,
        *,
        nth_max: int = 5,
    ) -> None:
        if not points:
            raise ValueError("a crash point has a name; give at least one")
        super().__init__(system, among, daemon=system.name, name="crash-point")
        self._processes = system
        self._points = tuple(points)
        self._nth_max = nth_max
        self._armed: dict[str, tuple[str, asyncio.Task[None]]] = {}

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """Whom, where, and the how manieth time."""
        whom = super().choose(nodes, random, observed)
        assert isinstance(whom, dict)
        nth = random.randint(1, self._nth_max)
        return {**whom, "point": random.choice(self._points), "nth": nth}

    async def read(self, value: Json) -> Order:
        """See `nemesis.Fault`."""
        given: Mapping[str, Json] = value if isinstance(value, dict) else {}
        point, nth = given.get("point"), given.get("nth", 1)
        if not isinstance(point, str) or type(nth) is not int or nth < 1:
            raise ValueError(
                f'start-{self.name} needs {{"targets": ..., "point": ..., "nth": 1}}, not {value!r}'
            )
        order = await super().read(value)
        detail = {**order.detail, "point": point, "nth": nth}
        if given.get("ambush") is True:
            detail["ambush"] = True
        return Order(order.things, order.targets, detail)

    async def inject(self, order: Order) -> dict[str, str]:
        """Arm the point; unless it is an ambush, wait for the deaths."""
        point, nth, seed = str(order.detail["point"]), order.detail["nth"], self._seed(order)
        assert isinstance(nth, int)
        hosts = self._hosts(order.targets)

        async def arm(host: Host) -> None:
            place = await self._owe(host, {"daemon": self._daemon, "then": "start it again"})
            await self._arm(host, point, nth)
            task = asyncio.create_task(self._until_lost(host, place, seed))
            self._armed[host.name] = point, task

        async def wait(host: Host) -> None:
            deadline = time.monotonic() + PATIENCE_S
            while await self._processes.alive(host):
                if time.monotonic() > deadline:
                    await self._call_off(host)
                    raise HostError(
                        host.name, f"did not come to {point!r}", "put more load on it, or wait"
                    )
                await asyncio.sleep(_POLL_S)
            await self._awaited(host)

        failed = await on_each(hosts, arm)
        if "ambush" in order.detail:
            return failed
        return failed | await on_each([host for host in hosts if host.name not in failed], wait)

    async def heal(self) -> dict[str, str]:
        """Call off who is still armed, and start who has died; `Declined` if nobody has."""
        waiting = self._hosts(frozenset(self._armed))
        failed = await on_each(waiting, self._call_off)
        missed = bool(waiting) and not self._lost
        failed |= await super().heal()
        if missed and not failed:
            raise Declined("nobody came to the crash point before it was called off")
        return failed

    async def _look(self, host: Host) -> tuple[str, Json]:
        if host.name in self._armed:
            if (await look(host, self._daemon)).state != "gone":
                return ARMED, {"point": self._armed[host.name][0]}
            await self._awaited(host)
        return await super()._look(host)

    async def _until_lost(self, host: Host, place: tuple[str, str], seed: Json) -> None:
        """Wait for the death, then have the disk forget.

        The canaries are laid afterwards: the disk outlives the process, and a node that is armed
        may die at once.
        """
        while await self._processes.alive(host):
            await asyncio.sleep(_AMBUSH_POLL_S)
        await self._lay_canaries(host)
        await self._forget(host, place, seed)

    async def _call_off(self, host: Host) -> None:
        """Disarm the node, if it lives; one that has died meanwhile has lost what it had."""
        if host.name not in self._armed:
            return
        point, task = self._armed[host.name]
        if not task.done() and await self._processes.alive(host):
            try:
                await self._processes.arm(host, point, 0)
            except OSError:  # it is dying, or hangs
                await asyncio.sleep(_POLL_S)
            if await self._processes.alive(host):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                del self._armed[host.name]
                return
        await self._awaited(host)

    async def _awaited(self, host: Host) -> None:
        """Until the disk of one who died has forgotten; raises what went wrong there."""
        _, task = self._armed[host.name]
        async with asyncio.timeout(_FORGET_TIMEOUT_S):
            await asyncio.shield(task)
        self._armed.pop(host.name, None)

    async def _arm(self, host: Host, point: str, nth: int) -> None:
        deadline = time.monotonic() + _ARM_TIMEOUT_S
        while await self._processes.alive(host):  # else it came there before it could answer
            try:
                await self._processes.arm(host, point, nth)
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise HostError(
                        host.name, f"cannot be armed: {error}", "see its log"
                    ) from error
            await asyncio.sleep(_POLL_S)  # it has only just been started, perhaps

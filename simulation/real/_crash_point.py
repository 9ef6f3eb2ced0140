"""`CrashPoint`: a real node dies at a labelled place in its code, and its machine with it.

The point is armed in the running process, which kills itself when it comes there; then its disk
forgets what no fsync has covered, as in `nemesis.LoseUnsynced`, whose receipt this fault has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from cluster import FaultyDisk, Host, HostError
from histories import Json
from nemesis import LoseUnsynced, Order, Target, targets
from nemesis.targets import Observations
from simulation.real._processes import Processes

PATIENCE_S: Final = 5.0
_ARM_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.02


class CrashPoint(LoseUnsynced):
    """Death at one of `points`, at up to the `nth_max`-th time a node passes there.

    A node that does not come there within `PATIENCE_S` lives on, and the order says so.
    """

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
        self._armed = _Armed(system)
        super().__init__(self._armed, among, daemon=system.name, name="crash-point")
        self._points = tuple(points)
        self._nth_max = nth_max

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
        return Order(order.things, order.targets, {**order.detail, "point": point, "nth": nth})

    async def inject(self, order: Order) -> dict[str, str]:
        """Arm the point, wait for the deaths, and have the disks forget."""
        point, nth = order.detail["point"], order.detail["nth"]
        assert isinstance(point, str)
        assert isinstance(nth, int)
        self._armed.at = point, nth
        return await super().inject(order)


class _Armed:
    """The system, but that its nodes are killed at a point of their own code."""

    def __init__(self, system: Processes) -> None:
        self.name: Final = system.name
        self.at: tuple[str, int] = ("", 1)
        self._system = system

    @property
    def disk(self) -> FaultyDisk | None:
        return self._system.disk

    async def start(self, host: Host) -> None:
        await self._system.start(host)

    async def primaries(self) -> list[str]:
        return await self._system.primaries()

    async def kill(self, host: Host) -> None:
        """Wait for the death; `HostError` if the node did not come to the point."""
        point, nth = self.at
        await self._arm(host, point, nth)
        deadline = time.monotonic() + PATIENCE_S
        while await self._system.alive(host):
            if time.monotonic() > deadline:
                await self._system.arm(host, point, 0)
                raise HostError(
                    host.name, f"did not come to {point!r}", "put more load on it, or wait"
                )
            await asyncio.sleep(_POLL_S)

    async def _arm(self, host: Host, point: str, nth: int) -> None:
        deadline = time.monotonic() + _ARM_TIMEOUT_S
        while await self._system.alive(host):  # else it came there before it could answer
            try:
                await self._system.arm(host, point, nth)
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise HostError(
                        host.name, f"cannot be armed: {error}", "see its log"
                    ) from error
            await asyncio.sleep(_POLL_S)  # it has only just been started, perhaps

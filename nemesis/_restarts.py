"""Faults that end a process and start it again: `Restart`, `RollingRestart`, `CrashLoop`.

What has been restarted runs, so its state alone proves nothing; who it is does.  A process
is known by pid, start time and boot, and one that runs under another identity than just
before the strike has been restarted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final, Protocol

from cluster import Host, HostError
from nemesis import targets as targets_module
from nemesis._debts import ask_each, on_each, to_its_end
from nemesis._fault import Order, Proof
from nemesis._processes import SETTLE_S, OfProcesses, Sighting, daemon_of, look
from nemesis.targets import Target

READY_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.05


class Restartable(Protocol):
    """What a restart needs of a system: to end a member in good order, and start it."""

    @property
    def name(self) -> str: ...
    async def stop(self, host: Host) -> object: ...
    async def start(self, host: Host) -> object: ...


class Crashable(Protocol):
    """What a crash loop needs of a system."""

    @property
    def name(self) -> str: ...
    async def kill(self, host: Host) -> object: ...
    async def start(self, host: Host) -> object: ...


class Restart(OfProcesses):
    """The system's daemon is ended in good order and started again, at once.

    It is over when `start-restart` completes; until `stop-restart` nothing more happens.
    What it leaves in the journal has no commands: healing starts what does not run, and a
    driver that is killed in between leaves a daemon less, not a trace of momus.
    """

    intact = frozenset({"running"})
    broken = frozenset({"restarted"})

    def __init__(
        self,
        system: Restartable,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        daemon: str | None = None,
        name: str = "restart",
    ) -> None:
        super().__init__(name, daemon or daemon_of(system), targets)
        self._restarted = system
        self._before: dict[str, Sighting] = {}

    def _system(self) -> object:
        return self._restarted

    async def prove(self, things: frozenset[str]) -> Proof:
        """Is it the process of before, or another?"""
        proof = await super().prove(things)
        pids = proof.evidence["pids"]
        assert isinstance(pids, dict)
        hosts = self._hosts(things & self._before.keys())
        sights = await ask_each(hosts, lambda host: look(host, self._daemon))
        states = dict(proof.states)
        for node, sight in sights.items():
            before = self._before[node]
            if isinstance(sight, Sighting) and sight.state == "running":
                again = None not in (sight.identity, before.identity)
                another = again and sight.identity != before.identity
                states[node] = "restarted" if another else "running"
        return Proof(states, proof.evidence)

    async def inject(self, order: Order) -> dict[str, str]:
        """All targets at once."""
        hosts = self._hosts(order.targets)
        return await on_each(hosts, self._restart)

    async def heal(self) -> dict[str, str]:
        """Start what does not run; from now on nothing counts as restarted."""
        failed = await self.debts.pay(self._start_if_gone)
        self._before = {node: each for node, each in self._before.items() if node in failed}
        return failed

    async def _restart(self, host: Host) -> None:
        await self.debts.owe(host, [], {"daemon": self._daemon, "then": "start it again"})
        self._before[host.name] = await look(host, self._daemon)
        await self._restarted.stop(host)
        await self._await_state(host, lambda state: state == "gone")
        await self._restarted.start(host)
        await self._await_state(host, lambda state: state == "running")

    async def _start_if_gone(self, host: Host) -> None:
        if (await look(host, self._daemon)).state == "gone":
            await self._restarted.start(host)


class RollingRestart(Restart):
    """The targets are restarted one after the other, each when all are ready again.

    A system says when that is by ``ready(timeout_s)``; for one that cannot tell the next
    comes as soon as the process runs.  A member that does not become ready ends the round.
    """

    def __init__(
        self,
        system: Restartable,
        targets: Target | Sequence[Target] = targets_module.all,
        *,
        daemon: str | None = None,
        name: str = "rolling-restart",
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        super().__init__(system, targets, daemon=daemon, name=name)
        self._ready_timeout_s = ready_timeout_s

    async def inject(self, order: Order) -> dict[str, str]:
        """One after the other, in the order of the targets."""
        ready = getattr(self._restarted, "ready", None)
        for node in order.targets:
            host = self.field.hosts[node]
            failed = await on_each([host], self._restart)
            if failed:
                return failed
            try:
                if ready is not None:
                    await to_its_end(ready(self._ready_timeout_s))
            except (HostError, OSError) as error:
                return {node: f"the system was not ready after its restart: {error}"}
        return {}


class CrashLoop(OfProcesses):
    """SIGKILL and start again, over and over, `period_s` apart, until it is stopped."""

    intact = frozenset({"running"})
    broken = frozenset({"crashing"})

    def __init__(
        self,
        system: Crashable,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        period_s: float = 1.0,
        daemon: str | None = None,
        name: str = "crash-loop",
    ) -> None:
        if period_s <= 0:
            raise ValueError("a crash loop needs a period above zero")
        super().__init__(name, daemon or daemon_of(system), targets)
        self._crashing = system
        self._period_s = period_s
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._enough: dict[str, asyncio.Event] = {}

    def _system(self) -> object:
        return self._crashing

    async def prove(self, things: frozenset[str]) -> Proof:
        """Does the process become another one while we watch?"""
        proof = await super().prove(things)
        hosts = self._hosts(things & self._loops.keys())
        watched = await ask_each(hosts, self._watched)
        words = {node: word for node, word in watched.items() if isinstance(word, str)}
        return Proof({**proof.states, **words}, proof.evidence)

    async def inject(self, order: Order) -> dict[str, str]:
        """Begin to crash the targets."""

        async def strike(host: Host) -> None:
            await self.debts.owe(host, [], {"daemon": self._daemon, "then": "start it again"})
            if host.name not in self._loops and (await look(host, self._daemon)).identity:
                enough = self._enough[host.name] = asyncio.Event()
                self._loops[host.name] = asyncio.create_task(self._loop(host, enough))

        return await on_each(self._hosts(order.targets), strike)

    async def heal(self) -> dict[str, str]:
        """Let each loop come to the end of its round, and start what does not run."""

        async def end(host: Host) -> None:
            if host.name in self._loops:
                self._enough[host.name].set()
                await self._loops.pop(host.name)
            if (await look(host, self._daemon)).state == "gone":
                await self._crashing.start(host)

        return await self.debts.pay(end)

    async def _loop(self, host: Host, enough: asyncio.Event) -> None:
        while not enough.is_set():
            try:
                await self._crashing.kill(host)
                await self._await_state(host, lambda state: state == "gone")
                await self._crashing.start(host)
            except (HostError, OSError):
                pass  # the next round may fare better, and the proof tells if none does
            try:
                async with asyncio.timeout(self._period_s):
                    await enough.wait()
            except TimeoutError:
                continue

    async def _watched(self, host: Host) -> str:
        """Whether it is crashing: was it seen under two identities within a few periods?"""
        seen: set[tuple[str, str, str]] = set()
        deadline = time.monotonic() + SETTLE_S + 3 * self._period_s
        while True:
            sight = await look(host, self._daemon)
            if sight.identity is not None:
                seen.add(sight.identity)
            if len(seen) > 1:
                return "crashing"
            if time.monotonic() > deadline:
                return sight.state
            await asyncio.sleep(_POLL_S)

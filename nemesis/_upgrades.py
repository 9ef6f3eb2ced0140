"""Faults that replace what a member runs: `Upgrade`, `MixedVersions` and `Reload`.

One member after the other is ended in good order and started as something else: with the
program of another version, or with another configuration; the next comes when all are ready.
Healing goes the same way back, so that the end of an upgrade is a rolling downgrade, for
which the system is prepared if it needs that.

Proven is what runs, not what was ordered: the executable and the arguments that the kernel
shows in /proc, and the version that the member tells over the network.

The undo entries in the journal have no commands: what a daemon runs is the system's state,
and `momus heal` ends the daemons that momus has started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from cluster import HasMembership, Host, HostError, Reloadable, Unsupported, Upgradable
from histories import Json
from nemesis import targets as targets_module
from nemesis._debts import ask_each, on_each, to_its_end
from nemesis._fault import Declined, Field, Order, Proof
from nemesis._processes import OfProcesses, daemon_of, look
from nemesis._restarts import READY_TIMEOUT_S
from nemesis.targets import Target

# $1 pid, then paths of programs.  Prints the executable of the process, the files that the
# paths lead to, each on a line, and then the arguments of the process.
_RUNS: Final = """
pid=$1; shift
readlink "/proc/$pid/exe" || exit 1
for path do readlink -f -- "$path" || echo; done
tr '\\000' '\\n' < "/proc/$pid/cmdline"
"""


class Rolling(OfProcesses):
    """What these faults share: one member after the other, there and back.

    States are "usual", `broken`, "gone", "unknown", and "torn" where what a member tells and
    what the kernel shows do not fit together.
    """

    intact = frozenset({"usual"})
    heals_last = True

    def __init__(
        self,
        name: str,
        system: object,
        targets: Target | Sequence[Target],
        daemon: str | None,
    ) -> None:
        super().__init__(name, daemon or daemon_of(system), targets)
        self._rolled = system
        self._one_at_a_time = asyncio.Lock()

    def _system(self) -> object:
        return self._rolled

    async def read(self, value: Json) -> Order:
        """The nodes; `Declined` while a member is away, since each step needs all others."""
        order = await super().read(value)
        if isinstance(self._rolled, HasMembership):
            away = set(self._rolled.members) - await self._rolled.connected()
            if away:
                names = ", ".join(sorted(away))
                raise Declined(f"{self.name} is declined: {names} cannot be reached")
        return order

    async def prove(self, things: frozenset[str]) -> Proof:
        """What each node runs."""
        seen = await ask_each(self._hosts(things), self._seen)
        states: dict[str, str] = {}
        evidence: dict[str, Json] = {}
        for node, each in seen.items():
            if isinstance(each, Exception):
                states[node] = "unknown"
                evidence[node] = str(each)
            else:
                states[node], evidence[node] = each
        return Proof(states, {"runs": evidence})

    async def inject(self, order: Order) -> dict[str, str]:
        """One after the other, in the order of the targets, until one fails."""
        for node in order.targets:
            if failed := await on_each([self.field.hosts[node]], self._strike):
                return failed
        return {}

    async def heal(self) -> dict[str, str]:
        """The way back, one after the other."""
        return await self.debts.pay(self._step_back)

    async def _strike(self, host: Host) -> None:
        await self.debts.owe(host, [], {"daemon": self._daemon, "then": "as it ran before"})
        await self._replace(host, other=True)
        await self._ready()

    async def _step_back(self, host: Host) -> None:
        async with self._one_at_a_time:
            if (await self._seen(host))[0] != "usual":
                await self._replace(host, other=False)
            await self._ready()

    async def _replace(self, host: Host, *, other: bool) -> None:
        raise NotImplementedError

    async def _seen(self, host: Host) -> tuple[str, Json]:
        """The state of this node, and the evidence."""
        raise NotImplementedError

    async def _ready(self) -> None:
        ready: Callable[[float], object] | None = getattr(self._rolled, "ready", None)
        if ready is not None:
            await to_its_end(ready(READY_TIMEOUT_S))  # type: ignore[arg-type]

    async def _runs(self, host: Host, *programs: str) -> list[str]:
        """The executable of the daemon, files of programs, its arguments; [] if it is gone."""
        sight = await look(host, self._daemon)
        if sight.identity is None:
            return []
        pid = sight.identity[0]
        done = await host.run(["sh", "-c", _RUNS, "momus-runs", pid, *programs], check=False)
        return done.stdout.decode("utf-8", "replace").splitlines() if done.code == 0 else []


class Upgrades(Upgradable, Protocol):
    """What upgrades need of a system."""

    @property
    def name(self) -> str: ...


class Upgrade(Rolling):
    """A rolling upgrade of all members; healing is a rolling downgrade.

    It is over when the system as a whole works at the level of the new version.
    """

    broken = frozenset({"upgraded"})

    def __init__(
        self,
        system: Upgrades,
        targets: Target | Sequence[Target] = targets_module.all,
        *,
        daemon: str | None = None,
        name: str = "upgrade",
    ) -> None:
        super().__init__(name, system, targets, daemon)
        self._upgraded = system
        self._versions: tuple[str, ...] = ()

    async def setup(self, field: Field) -> None:
        """Refuse where there is no other version, or no way back from it."""
        if not isinstance(self._upgraded, Upgradable):
            raise Unsupported(
                str(getattr(self._upgraded, "name", self._upgraded)),
                f"the fault {self.name!r} is impossible: it has no versions",
                f"leave {self.name!r} out, or give the system what Upgradable asks for",
            )
        self._versions = await self._upgraded.versions()
        if len(set(self._versions)) < 2:
            raise Unsupported(
                self._upgraded.name,
                f"the fault {self.name!r} needs another version than {self._versions[0]}",
                "name its program (upgrade_to=, --upgrade-to)",
            )
        await self._upgraded.may_switch(self._versions[1])
        await super().setup(field)

    async def inject(self, order: Order) -> dict[str, str]:
        """Switch one member after the other, then wait until the system has risen."""
        try:
            await self._upgraded.prepare_switch(self._versions[1])
            if failed := await super().inject(order):
                return failed
            if set(self._members()) <= set(order.targets):
                await self._upgraded.finish_switch(self._versions[1])
        except (HostError, OSError) as error:
            return {", ".join(order.targets): str(error)}
        return {}

    async def heal(self) -> dict[str, str]:
        """Prepare the system for the older version, then switch one member after the other."""
        debtors = self.debts.debtors()
        if debtors:
            try:
                await self._upgraded.prepare_switch(self._versions[0])
            except (HostError, OSError) as error:
                return {host.name: str(error) for host in debtors}
        return await super().heal()

    def _members(self) -> Sequence[str]:
        if isinstance(self._upgraded, HasMembership):
            return self._upgraded.members
        return self.field.nodes

    async def _replace(self, host: Host, *, other: bool) -> None:
        await self._upgraded.switch(host, self._versions[1 if other else 0])

    async def _seen(self, host: Host) -> tuple[str, Json]:
        programs = [self._upgraded.program(host, version) for version in self._versions[:2]]
        runs = await self._runs(host, *programs)
        if not runs:
            return "gone", None
        told = await self._upgraded.version(host)
        evidence: dict[str, Json] = {"version": told, "program": runs[0]}
        for word, version, program in zip(
            ("usual", *self.broken), self._versions[:2], runs[1:3], strict=True
        ):
            if told == version and runs[0] == program:
                return word, evidence
        return "torn", evidence


class MixedVersions(Upgrade):
    """A minority of the members runs the other version, until it is healed."""

    broken = frozenset({"other"})

    def __init__(
        self,
        system: Upgrades,
        targets: Target | Sequence[Target] = targets_module.minority,
        *,
        daemon: str | None = None,
        name: str = "mixed-versions",
    ) -> None:
        super().__init__(system, targets, daemon=daemon, name=name)


class Reloads(Reloadable, Protocol):
    """What a reload needs of a system."""

    @property
    def name(self) -> str: ...


class Reload(Rolling):
    """All members get another configuration, one after the other; healing gives back the usual."""

    broken = frozenset({"reloaded"})

    def __init__(
        self,
        system: Reloads,
        targets: Target | Sequence[Target] = targets_module.all,
        *,
        daemon: str | None = None,
        name: str = "reload",
    ) -> None:
        super().__init__(name, system, targets, daemon)
        self._reloaded = system

    async def setup(self, field: Field) -> None:
        """Refuse systems that have but one configuration."""
        if not isinstance(self._reloaded, Reloadable):
            raise Unsupported(
                str(getattr(self._reloaded, "name", self._reloaded)),
                f"the fault {self.name!r} is impossible: it has but one configuration",
                f"leave {self.name!r} out, or give the system what Reloadable asks for",
            )
        await super().setup(field)

    async def _replace(self, host: Host, *, other: bool) -> None:
        await self._reloaded.reload(host, other=other)

    async def _seen(self, host: Host) -> tuple[str, Json]:
        runs = await self._runs(host)
        if not runs:
            return "gone", None
        found: list[str] = []
        evidence: list[Json] = []
        for word, other in (("usual", False), ("reloaded", True)):
            wanted = self._reloaded.configuration(host, other=other)
            if set(wanted) <= set(runs):
                found.append(word)
                evidence = [*wanted]
        return (found[0], evidence) if len(found) == 1 else ("torn", [*runs])

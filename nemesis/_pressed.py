"""What faults of pressure share: numbers that say how much, and a look at the daemon.

A daemon may die of the pressure (etcd ends when it cannot open a file).  That is the fault at work,
so a daemon that was seen under pressure and is gone now has "died", and the fault counts as in
force; healing starts it again, unless another fault owes that already.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar, Final, NamedTuple

from cluster import Host, HostError, Journal
from histories import Json
from nemesis import _family_program
from nemesis import targets as targets_module
from nemesis._debts import ask_each
from nemesis._fault import Order, Proof, nodes_named
from nemesis._of_hosts import OfHosts
from nemesis._processes import daemon_of
from nemesis._programs import ask
from nemesis.targets import Observations, Target

MIB: Final = 1 << 20


class Member(NamedTuple):
    """A process of the daemon; sizes in bytes, a limit of -1 is none.

    `open` and `unused` are -1 where we may not look.
    """

    pid: int
    start: int
    cgroups: str
    threads: int
    resident: int
    soft: int
    hard: int
    open: int
    unused: int


class Family(NamedTuple):
    """The daemon's processes, the leader first; nobody if it does not run."""

    members: tuple[Member, ...]
    boot: str
    available: int
    cpus: int

    @property
    def pids(self) -> frozenset[int]:
        return frozenset(member.pid for member in self.members)


async def family(host: Host, daemon: str, *, sudo: bool) -> Family:
    """The daemon of this name that `host` once started, and all its processes."""
    pid_file = posixpath.join(host.directory, f"{daemon}.pid")
    told = await ask(host, _family_program, {"pid_file": pid_file}, sudo=sudo)
    found = [Member(pid=int(pid), **each) for pid, each in told["processes"].items()]
    leader = told["leader"]
    found.sort(key=lambda member: (leader is None or member.pid != leader[0], member.pid))
    return Family(tuple(found), told["boot"], told["available"], told["cpus"])


class OfPressure(OfHosts):
    """A fault with a few numbers (`attributes`), which are written into each order.

    Raises ValueError where they are unknown or out of range (`least`).
    """

    lane = "pressure"
    intact = frozenset({"free", "gone"})
    defaults: Mapping[str, float]
    least: Mapping[str, float]

    def __init__(
        self,
        name: str,
        targets: Target | Sequence[Target],
        attributes: Mapping[str, float] | None,
    ) -> None:
        super().__init__(name, targets)
        self._attributes = self._checked(attributes or {}, self.defaults)

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """The nodes, and how much."""
        return {**super().choose(nodes, random, observed), "attributes": self._attributes}

    async def read(self, value: Json) -> Order:
        """The nodes that the value names, and its attributes in place of ours."""
        nodes = await nodes_named(value, self.field.nodes, self._system())
        given = value.get("attributes") if isinstance(value, dict) else None
        attributes = self._checked(given or {}, self._attributes)
        return Order(frozenset(nodes), tuple(nodes), {"attributes": attributes})

    def _checked(self, given: Any, defaults: Mapping[str, float]) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            raise ValueError(f"attributes are a table of numbers, not {given!r}")
        for name, value in given.items():
            if name not in self.defaults:
                known = ", ".join(self.defaults)
                raise ValueError(f"{self.name} has the attributes {known}, not {name!r}")
            whole = isinstance(self.defaults[name], int)
            kind = int if whole else (int, float)
            if isinstance(value, bool) or not isinstance(value, kind) or value < self.least[name]:
                what = "whole number" if whole else "number"
                raise ValueError(
                    f"{name} of {self.name} is a {what} from {self.least[name]:g}, not {value!r}"
                )
        return {**defaults, **given}


class OfDaemons(OfPressure):
    """Pressure on the system's daemon; subclasses say how it looks (`look`)."""

    usual_name: ClassVar[str]
    word: ClassVar[str]
    """The state in which the fault is in force."""

    def __init__(
        self,
        system: Any,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        attributes: Mapping[str, float] | None = None,
        daemon: str | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name or self.usual_name, targets, attributes)
        self._pressed = system
        self._daemon = daemon or daemon_of(system)
        self._in_force: set[str] = set()

    @property
    def broken(self) -> frozenset[str]:
        return frozenset({self.word, "died"})

    async def look(self, host: Host) -> tuple[str, dict[str, Json]]:
        """The state of a daemon, "gone" if it does not run, and what was seen."""
        raise NotImplementedError

    async def prove(self, things: frozenset[str]) -> Proof:
        """Look at the daemons; who was under pressure and is gone has died."""
        states: dict[str, str] = {}
        seen: dict[str, Json] = {}
        errors: dict[str, Json] = {}
        for node, answer in (await ask_each(self._hosts(things), self.look)).items():
            if isinstance(answer, Exception):
                errors[node] = str(answer)
                continue
            state, seen[node] = answer
            if state == self.word:
                self._in_force.add(node)
            states[node] = "died" if state == "gone" and node in self._in_force else state
        return Proof(states, {"seen": seen, **({"errors": errors} if errors else {})})

    async def heal(self) -> dict[str, str]:
        """Undo, and start those again that have died of it."""
        failed = await self.debts.pay()
        for node in sorted(self._in_force - failed.keys()):
            host = self.field.hosts[node]
            try:
                if not (await self.family(host)).members and not self._is_started_by_another(node):
                    await self._pressed.start(host)
            except (HostError, OSError) as error:
                failed[node] = f"it died of the pressure, and does not start again: {error}"
        self._in_force &= failed.keys()
        return failed

    async def family(self, host: Host) -> Family:
        """The daemon and all its processes."""
        return await family(host, self._daemon, sudo="root" in host.capabilities)

    def _system(self) -> object:
        return self._pressed

    def _is_started_by_another(self, node: str) -> bool:
        """Does another fault owe this host a start of its daemon?"""
        entries = Journal.open_entries(self.field.journal.path)
        return any(each.host["name"] == node and "then" in each.note for each in entries)

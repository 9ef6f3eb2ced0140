"""What faults of pressure share: numbers that say how much, and a look at the daemon."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final, NamedTuple

from cluster import Host
from histories import Json
from nemesis import _family_program
from nemesis._fault import Order, nodes_named
from nemesis._of_hosts import OfHosts
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

"""The system under test, as the lab sees it: what Jepsen calls a DB.

A `System` knows how to get its program onto a host and how to start, stop, break and
inspect it there; it leans on nothing but `Host`, so it works on every kind.  What only
some systems can tell, who is primary and what state a node is in, are protocols of
their own, to be asked for with `isinstance`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from cluster._disk import FaultyDisk
from cluster._faked_clock import FakedClock
from cluster._front import ProxyFront
from cluster._host import Host
from histories import Json, Op


class Client(Protocol):
    """What the runner needs of a client; the same shape as in `generators`."""

    definite: tuple[type[BaseException], ...]

    async def open(self, node: str) -> Client: ...
    async def setup(self) -> None: ...
    async def invoke(self, op: Op) -> Op: ...
    async def teardown(self) -> None: ...
    async def close(self) -> None: ...


@runtime_checkable
class System(Protocol):
    """A distributed system, one member per host."""

    @property
    def name(self) -> str: ...

    async def install(self, host: Host) -> None:
        """Bring the program onto the host."""
        ...

    async def setup(self, hosts: Sequence[Host]) -> None:
        """Install and start a fresh cluster on these hosts, and wait until it is ready."""
        ...

    async def teardown(self) -> None:
        """Stop every member and wipe its data; does all it can even if some hosts fail."""
        ...

    async def start(self, host: Host) -> None:
        """Start the member on this host, with the data it has; nothing if it runs."""
        ...

    async def stop(self, host: Host) -> None:
        """End the member in good order."""
        ...

    async def kill(self, host: Host) -> None:
        """End the member by SIGKILL."""
        ...

    async def pause(self, host: Host) -> None:
        """SIGSTOP."""
        ...

    async def resume(self, host: Host) -> None:
        """SIGCONT."""
        ...

    async def alive(self, host: Host) -> bool:
        """Does the member's process exist?"""
        ...

    async def wipe(self, host: Host) -> None:
        """Remove the member's data; it must not run."""
        ...

    def logs(self, host: Host) -> list[str]:
        """The member's log files, as paths on the host."""
        ...

    async def ready(self, timeout_s: float) -> None:
        """Wait until all members are healthy and agree; `HostError` says which did not."""
        ...

    def client(self, **options: Any) -> Client:
        """A client, not yet open, for the workload that the options name."""
        ...


@runtime_checkable
class HasPrimaries(Protocol):
    """A system some of whose members lead."""

    async def primaries(self) -> list[str]:
        """The names of the hosts that hold themselves for leader now (more than one: trouble)."""
        ...


@runtime_checkable
class Observable(Protocol):
    """A system whose members tell their state."""

    async def observe(self, host: Host) -> dict[str, Json]:
        """Role, term and whatever else the member tells of itself."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A system whose members tell what happens to them, besides the state they are in."""

    async def news(self, host: Host) -> Sequence[Mapping[str, Json]]:
        """What the member told since this was asked last, each with the name of an ``event``.

        Of a member that has ended, too, if it left word.
        """
        ...


@runtime_checkable
class HasDisk(Protocol):
    """A system that keeps its data on a disk that can be broken, if `disk` is not None."""

    @property
    def disk(self) -> FaultyDisk | None: ...


@runtime_checkable
class Fronted(Protocol):
    """A system that can be reached through proxies only, if `front` is not None."""

    @property
    def front(self) -> ProxyFront | None: ...


@runtime_checkable
class Clocked(Protocol):
    """A system whose daemons are started with clocks of their own, if `clock` is not None."""

    @property
    def clock(self) -> FakedClock | None: ...


@runtime_checkable
class TellsTime(Protocol):
    """A system whose members can be asked what time it is."""

    async def told_time(self, host: Host) -> float:
        """The member's own clock now, in seconds since 1970; `OSError` if it is silent."""
        ...


@dataclass(frozen=True)
class Membership:
    """Who belongs to a cluster, as more than half of those who belong to it tell.

    `members` has for each host that belongs an identity, which changes when the host leaves
    and joins again; `learners` belong, but do not vote yet.  `told` is what each member said
    when it was asked by itself, for the record.
    """

    members: Mapping[str, str]
    learners: frozenset[str] = frozenset()
    told: Mapping[str, Json] = field(default_factory=dict)

    @property
    def voters(self) -> frozenset[str]:
        """The hosts whose members count for a majority."""
        return frozenset(self.members) - self.learners


@runtime_checkable
class HasMembership(Protocol):
    """A system whose hosts can join and leave while it runs; some hosts may be spare.

    Changes come one after the other, whoever asks for them.  What they raise is a
    `HostError` with the system's own last word.
    """

    @property
    def members(self) -> tuple[str, ...]:
        """The hosts that shall belong now, in the cluster's order; the others are spare."""
        ...

    async def membership(self) -> Membership:
        """Who belongs, as a majority tells; `HostError` if there is no majority that agrees."""
        ...

    async def connected(self) -> frozenset[str]:
        """The members that can have something agreed on now, once there is a majority of them.

        Without one it is waited for, but for a few seconds only.
        """
        ...

    async def add_member(self, host: Host) -> None:
        """Start a member without data and let it join; returns when it votes and serves.

        Does nothing if the host has a member that serves.  Whatever data there were, of a
        member that was removed, are wiped before.
        """
        ...

    async def remove_member(self, host: Host) -> None:
        """Take the host's member out, dead or alive; its process and data are left as they are."""
        ...


@runtime_checkable
class Upgradable(Protocol):
    """A system of which there are programs of two versions, the usual one and another."""

    async def versions(self) -> tuple[str, ...]:
        """The usual version, and the other one if there is one."""
        ...

    async def version(self, host: Host) -> str:
        """The version that the member tells of itself, over the network."""
        ...

    def program(self, host: Host, version: str) -> str:
        """The path on the host of the program of this version."""
        ...

    async def may_switch(self, version: str) -> None:
        """Raise `HostError` unless the other version can take over from the usual one, and back."""
        ...

    async def prepare_switch(self, version: str) -> None:
        """Have the cluster allow members of this version, before the first one is switched."""
        ...

    async def switch(self, host: Host, version: str) -> None:
        """End the member in good order and start it with the program of this version."""
        ...

    async def finish_switch(self, version: str) -> None:
        """Wait until the cluster works at the level of this version, to which all have switched."""
        ...


@runtime_checkable
class Reloadable(Protocol):
    """A system whose members can run with another configuration than usual."""

    def configuration(self, host: Host, *, other: bool) -> tuple[str, ...]:
        """Arguments by which the command line of a member with this configuration is known."""
        ...

    async def reload(self, host: Host, *, other: bool) -> None:
        """Have the member run with the usual configuration, or with the other one."""
        ...

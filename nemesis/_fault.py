"""What a fault is: something that can be chosen, injected, proven and healed.

A fault strikes *things*: nodes (kill, pause) or directed links (partition).  Its `prove`
looks at things from outside and reports the state each is in, in one word.  Some of these
words mean intact and some mean broken, and that is all the nemesis needs to write a
receipt for any fault: what was struck must have been intact before, broken during and
intact after, and what was not struck must have stayed as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol

from cluster import HasMembership, HasPrimaries, Host, Journal, Unsupported
from histories import Json
from nemesis.targets import Observations, majority_size, named

PATIENCE_S: Final = 5.0
_POLL_S: Final = 0.1


@dataclass(frozen=True)
class Field:
    """Where a nemesis does its work: the nodes in the cluster's order, and the journal."""

    hosts: Mapping[str, Host]
    journal: Journal

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes, in the cluster's order."""
        return tuple(self.hosts)


@dataclass(frozen=True)
class Order:
    """One strike: the things to break, and the nodes that are named in the history for it.

    `detail` is what the fault needs besides; it goes into the history as it is.
    """

    things: frozenset[str]
    targets: tuple[str, ...]
    detail: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """What a probe saw: for every thing its state in one word, and the evidence."""

    states: Mapping[str, str]
    evidence: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """The proof as it stands in a receipt: things grouped by state, then the evidence."""
        by_state: dict[str, Json] = {}
        for thing in sorted(self.states):
            by_state.setdefault(self.states[thing], []).append(thing)
        return {**by_state, **self.evidence}


class Fault(Protocol):
    """One kind of trouble.  `name` makes its operations: ``start-<name>``, ``stop-<name>``.

    Random schedules never let two faults of one `lane` overlap, and `chaos` not on one node:
    a process cannot be paused while it is killed.
    """

    @property
    def name(self) -> str: ...
    @property
    def lane(self) -> str: ...
    @property
    def intact(self) -> frozenset[str]:
        """The states that mean: nothing is wrong with this thing."""
        ...

    @property
    def broken(self) -> frozenset[str]:
        """The states that mean: the fault is in force here."""
        ...

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """The value of a start operation.  Pure: everything random comes from `random`."""
        ...

    async def setup(self, field: Field) -> None:
        """Find out whether these hosts can do it, before any load; else `Unsupported`."""
        ...

    async def read(self, value: Json) -> Order:
        """The order in the value of a start operation; ValueError says what is wrong."""
        ...

    async def prove(self, things: frozenset[str]) -> Proof:
        """Look at these things (or more); a host that cannot be asked yields "unknown"."""
        ...

    async def inject(self, order: Order) -> dict[str, str]:
        """Strike, having journalled the undo; what failed, by node.

        `Declined` where the cluster turned out to be in no state for it, and nothing was done.
        """
        ...

    async def heal(self) -> dict[str, str]:
        """Undo all strikes still in force; what failed, by node, can be healed again later.

        `Declined` where all is undone, but nothing had come of what was ordered.
        """
        ...


class Declined(ValueError):
    """The order is not carried out, since the cluster is in no state for it; it says why.

    A random schedule cannot know that; so this spoils a run only if no other order of the
    fault was carried out either.
    """


def targets_of(value: Json) -> Json:
    """The targets in an operation's value, which may be a bare name or list of them."""
    return value.get("targets") if isinstance(value, dict) else value


async def primaries_of(system: object, nodes: Sequence[str]) -> tuple[str, ...]:
    """Whom the system itself calls primary now; ValueError if it cannot tell.

    A cluster between two primaries is given `PATIENCE_S` to elect one.
    """
    if not isinstance(system, HasPrimaries):
        raise ValueError(f"{system!r} cannot name its primaries; choose another target")
    now = asyncio.get_running_loop().time  # which is virtual in a simulated run
    deadline = now() + PATIENCE_S
    while not (primaries := await system.primaries()) and now() < deadline:
        await asyncio.sleep(_POLL_S)
    return tuple(node for node in nodes if node in primaries)


async def nodes_named(value: Json, nodes: Sequence[str], system: object) -> list[str]:
    """The nodes that the value of a start operation names; ValueError if it names none."""
    targets = targets_of(value)
    if targets is None and isinstance(value, dict) and value.get("choice") == "primaries":
        targets = "primaries"
    if isinstance(targets, str):
        if targets == "all":
            return list(nodes)
        if targets == "primaries":
            return list(await primaries_of(system, nodes))
        targets = [targets]
    if not isinstance(targets, list | tuple) or not all(isinstance(t, str) for t in targets):
        raise ValueError(
            f'targets must be node names, "all" or "primaries", not {targets!r}; '
            "random targets are chosen by a schedule, so that they are in the history"
        )
    return list(named(*targets)(nodes, Random(0)) or ()) if targets else []


def stand_ins(
    value: Json, chosen: Sequence[str], nodes: Sequence[str], system: object
) -> list[str]:
    """The chosen nodes, where chance has chosen spare hosts with the members next to them.

    A schedule does not know who is a member at the moment of the strike.  Nodes that were named
    are left as they are.
    """
    choice = value.get("choice") if isinstance(value, dict) else None
    if not isinstance(system, HasMembership) or choice not in (
        "one",
        "minority",
        "majority",
        "all",
    ):
        return list(chosen)
    members = [node for node in nodes if node in system.members]
    enough = majority_size(len(members))
    most = {"one": 1, "minority": len(members) - enough, "majority": enough}.get(choice)
    count = min(len(chosen), len(members) if most is None else most)
    first = [node for node in chosen if node in members]
    at = nodes.index(chosen[0]) if chosen else 0
    others = [node for node in [*nodes[at:], *nodes[:at]] if node in members and node not in first]
    kept = {*first[:count], *others[: max(0, count - len(first))]}
    return [node for node in nodes if node in kept]


def require(host: Host, capability: str, fault: str) -> None:
    """Raise `Unsupported` unless the host can do what the fault needs."""
    if capability in host.capabilities:
        return
    why, remedy = {
        ("network", "local"): (
            "local processes share one network, which cannot be cut",
            "use namespaces or SSH hosts",
        ),
        ("network", "ssh"): (
            "this login may not change the network",
            "log in as root, or write sudo = true in lab.toml and allow sudo without a password",
        ),
    }.get((capability, host.kind), (f"this host lacks {capability!r}", "use another kind of host"))
    raise Unsupported(
        host.name, f"the fault {fault!r} is impossible: {why}", f"{remedy}, or leave {fault!r} out"
    )

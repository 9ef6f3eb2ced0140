"""What faults of disks share: a disk of ours under the system, orders to it, and debts.

An order is a strike like any other: its undo is journalled first, bars it, and takes away
what it did; where the file system itself has ended its faults are gone with it.  A member
that ended of its fault is started again when it is healed, since it would not by itself; so
these faults never overlap with those of processes (`lane`).
"""

from __future__ import annotations

import json
import posixpath
import uuid
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final, NamedTuple, Protocol

from cluster import FaultyDisk, HasDisk, Host, HostError, Unsupported
from cluster.disk import _client
from histories import Json
from nemesis import _disk_program
from nemesis import targets as targets_module
from nemesis._debts import ask_each, on_each
from nemesis._fault import Field, Order, Proof, nodes_named, require
from nemesis._of_hosts import OfHosts
from nemesis._processes import daemon_of, look
from nemesis._programs import ask, strike_command, undo_command
from nemesis.targets import Observations, Target

SEEDS: Final = 2**32
_ORDER_TIMEOUT_S: Final = 60.0
_PROBE_TIMEOUT_S: Final = 60.0


class OnDisk(Protocol):
    """What faults of disks need of a system."""

    @property
    def name(self) -> str: ...
    @property
    def disk(self) -> FaultyDisk | None: ...
    async def kill(self, host: Host) -> object: ...
    async def start(self, host: Host) -> object: ...


class DiskKind(NamedTuple):
    """What the file system calls it, the word for a disk that has it, and its attributes."""

    order: str
    word: str
    defaults: Mapping[str, Json]

    @staticmethod
    def of(name: str, known: Mapping[str, DiskKind]) -> DiskKind:
        """The kind of this name; ValueError if there is none."""
        if name not in known:
            raise ValueError(f"no disk does {name!r}; known are {', '.join(known)}")
        return known[name]


class OfDisks(OfHosts):
    """A fault whose things are the disks of nodes, called as the nodes are.

    `attributes` replace those of `defaults`; they are written into each order, along with a
    seed for what the fault draws.  Raises ValueError where they are unknown or make no sense.
    """

    lane = "process"
    defaults: Mapping[str, Json]

    def __init__(
        self,
        name: str,
        system: OnDisk,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        attributes: Mapping[str, Json] | None = None,
        daemon: str | None = None,
    ) -> None:
        super().__init__(name, targets)
        self._on = system
        self._daemon = daemon or daemon_of(system)
        self._attributes = self._checked(attributes or {}, self.defaults)
        self._ran: set[str] = set()

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """The nodes, what exactly is done to their disks, and the seed of what is drawn there."""
        value = super().choose(nodes, random, observed)
        return {**value, "attributes": self._attributes, "seed": random.randrange(SEEDS)}

    async def setup(self, field: Field) -> None:
        """See that there is a disk of ours on all hosts, and that it obeys."""
        for host in field.hosts.values():
            require(host, "signals", self.name)
        await super().setup(field)
        for host in field.hosts.values():
            if not isinstance(self._on, HasDisk) or self._on.disk is None:
                raise Unsupported(
                    host.name,
                    f"the fault {self.name!r} needs a disk of ours under the system, and there "
                    "is none",
                    "give the system one, as in Etcd(disk=FaultyDisk()), or leave it out",
                )
        for answer in (await ask_each(field.hosts.values(), self._status)).values():
            if isinstance(answer, Exception):
                raise answer

    async def read(self, value: Json) -> Order:
        """The disks of the named nodes, the attributes and the seed."""
        nodes = await nodes_named(value, self.field.nodes, self._on)
        given = value if isinstance(value, dict) else {}
        attributes = self._checked(given.get("attributes") or {}, self._attributes)
        seed = given.get("seed", 0)
        if type(seed) is not int:
            raise ValueError(f"the seed of {self.name} is a whole number, not {seed!r}")
        detail: dict[str, Json] = {"attributes": attributes, "seed": seed}
        return Order(frozenset(nodes), tuple(nodes), detail)

    async def heal(self) -> dict[str, str]:
        """Take the fault away, then start what has ended of it."""
        owed = {host.name for host in self.debts.debtors()}

        async def mend(host: Host) -> None:
            await self.debts.pay_host(host)
            if host.name in self._ran and (await look(host, self._daemon)).state == "gone":
                await self._on.start(host)
            self._ran.discard(host.name)

        return await on_each(self._hosts(frozenset(owed | self._ran)), mend)

    def _system(self) -> object:
        return self._on

    @property
    def _rule(self) -> str:
        """What the file system calls this fault."""
        return f"{self.name}-{self.field.journal.run}"

    @property
    def _disk(self) -> FaultyDisk:
        assert self._on.disk is not None, "seen to by setup()"
        return self._on.disk

    def _file(self, host: Host, suffix: str = "") -> str:
        """A file of ours on the disk; without a suffix it is met by this fault, and no other."""
        return posixpath.join(self._disk.probe(host), self._rule + suffix)

    async def _status(self, host: Host) -> dict[str, Any]:
        return await self._disk.order(host, {"do": "status"})

    async def _owe(self, host: Host, note: dict[str, Json]) -> tuple[str, str]:
        """Journal the undo of a strike; where the strike is to be made."""
        if (await look(host, self._daemon)).state != "gone":
            self._ran.add(host.name)
        place = (host.directory, f"{self.name}-{uuid.uuid4().hex}")
        clear: dict[str, Json] = {"do": "clear", "id": self._rule}
        request: dict[str, Json] = {"socket": self._disk.socket(host), "order": clear}
        undo = undo_command(host, _client, place, {**request, "or_gone": True})
        await self.debts.owe(host, [undo], note)
        return place

    async def _strike(
        self, host: Host, place: tuple[str, str], order: Mapping[str, Json]
    ) -> dict[str, Any]:
        """Order the file system to do it; its answer, or `HostError`."""
        told: dict[str, Json] = {**order, "id": self._rule}
        request: dict[str, Json] = {"socket": self._disk.socket(host), "order": told}
        argv = strike_command(host, _client, place, request)
        done = await host.run(argv, timeout_s=_ORDER_TIMEOUT_S, check=False)
        if done.code != 0:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise HostError(
                host.name,
                f"its disk does not obey: {said[-1] if said else 'no answer'}",
                f"look into {self._disk.logs(host)[0]} there",
            )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    async def _probe(self, host: Host, what: str, **request: Json) -> dict[str, Any]:
        return await ask(host, _disk_program, {"do": what, **request}, timeout_s=_PROBE_TIMEOUT_S)

    def _checked(self, given: Any, defaults: Mapping[str, Json]) -> dict[str, Json]:
        """The attributes with `given` in place of the usual ones."""
        if not isinstance(given, Mapping):
            raise ValueError(f"attributes of {self.name} are a table, not {given!r}")
        for name, value in given.items():
            if name not in self.defaults:
                known = ", ".join(self.defaults)
                raise ValueError(f"{self.name} has the attributes {known}, not {name!r}")
            usual = self.defaults[name]
            if isinstance(usual, list):
                wrong = not isinstance(value, list) or not value
                wrong = wrong or not all(isinstance(each, str) for each in value)
                what = "a list of patterns of file names"
            elif isinstance(usual, bool):
                wrong, what = not isinstance(value, bool), "true or false"
            elif isinstance(usual, int):
                wrong, what = type(value) is not int or value < 0, "a whole number from 0"
            else:
                numeric = isinstance(value, int | float) and not isinstance(value, bool)
                wrong, what = not numeric or not 0 < value <= 1, "a number above 0, up to 1"
            if wrong:
                raise ValueError(f"{name} of {self.name} is {what}, not {value!r}")
        return {**defaults, **given}


def proof_of(answers: Mapping[str, Any]) -> Proof:
    """A proof from each host's state and what was seen, or what went wrong there."""
    errors: dict[str, Json] = {n: str(a) for n, a in answers.items() if isinstance(a, Exception)}
    told = {node: answer for node, answer in answers.items() if node not in errors}
    evidence: dict[str, Json] = {"seen": {node: seen for node, (_, seen) in told.items()}}
    return Proof(
        {node: state for node, (state, _) in told.items()},
        {**evidence, **({"errors": errors} if errors else {})},
    )

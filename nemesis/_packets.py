"""`PacketFault`: packets between nodes get lost, late, twice, out of order, spoilt or slow.

The things it strikes are directed links, ``n1->n2``.  It is done on the hosts, by the first
of `PACKET_FAULTS`'s ways that works on all of them (`_packet_ways`), and proven by postcards
(`_postcards`) on every link between the nodes.  Only packets between the nodes are touched,
so the driver and clients elsewhere keep their connections as they are.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from cluster import Host, HostError, Unsupported
from histories import Json
from nemesis import targets as targets_module
from nemesis._debts import UNDO_TIMEOUT_S, ask_each, on_each, to_its_end
from nemesis._fault import Field, Order, Proof, nodes_named, require
from nemesis._filters import TRIAL_ADDRESSES, Strike
from nemesis._judgement import CLEAR, Baseline, promise_of
from nemesis._links import Addresses, resolve
from nemesis._of_hosts import OfHosts
from nemesis._packet_ways import WAYS, PacketWay
from nemesis._partition import refuse_twins
from nemesis._postcards import measure
from nemesis._programs import pythons
from nemesis.grudges import Link
from nemesis.targets import Observations, Target

_ARROW: Final = "->"
_TRIES_MAX: Final = 3
DIRECTIONS: Final = ("both", "to", "from")


@dataclass(frozen=True)
class PacketKind:
    """A kind of trouble: the word for a link that has it, its defaults, the ways in order."""

    word: str
    attributes: Mapping[str, float]
    ways: tuple[str, ...]


PACKET_FAULTS: Final[Mapping[str, PacketKind]] = {
    "packet-loss": PacketKind("lossy", {"percent": 20}, ("netem", "nft", "iptables", "nfqueue")),
    "packet-delay": PacketKind("delayed", {"delay_ms": 100, "jitter_ms": 20}, ("netem", "nfqueue")),
    "packet-duplicate": PacketKind("duplicating", {"percent": 20}, ("netem", "nfqueue")),
    "packet-reorder": PacketKind(
        "reordering", {"percent": 20, "hold_ms": 50}, ("netem", "nfqueue")
    ),
    "packet-corrupt": PacketKind("corrupting", {"percent": 20}, ("netem", "nfqueue")),
    "packet-rate": PacketKind("throttled", {"kbit_s": 512}, ("htb", "nfqueue", "nft")),
}
"""The kinds: percent of packets, milliseconds, and kilobits (1000) a second on each link."""


_KINDS: Final[Mapping[str, PacketKind]] = {
    **PACKET_FAULTS,
    "reset-connections": PacketKind("reset", {}, ("nft", "iptables")),
}


class PacketFault(OfHosts):
    """Trouble for packets between the targets and all other nodes; `kind` as in `PACKET_FAULTS`.

    `attributes` replace defaults of the kind; `direction` is "both", or only packets "to" or
    "from" the targets.  `ways` limits and orders the ways that are tried.  Raises ValueError
    where the kind is unknown, or too weak (or strong) for a probe to tell.
    """

    lane = "network"
    intact = frozenset({CLEAR})

    def __init__(
        self,
        kind: str,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        attributes: Mapping[str, float] | None = None,
        direction: str = "both",
        system: object = None,
        ways: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        if kind not in _KINDS:
            raise ValueError(
                f"packets know no trouble called {kind!r}; known are {', '.join(PACKET_FAULTS)}"
            )
        if direction not in DIRECTIONS:
            raise ValueError(f"direction is one of {', '.join(DIRECTIONS)}, not {direction!r}")
        super().__init__(kind if name is None else name, targets)
        self._kind = kind
        row = _KINDS[kind]
        self.broken = frozenset({row.word})
        strangers = sorted(set(ways or ()) - set(row.ways))
        if strangers:
            raise ValueError(
                f"{kind} is not done by {', '.join(strangers)}; its ways are {', '.join(row.ways)}"
            )
        self._candidates = [WAYS[each] for each in (row.ways if ways is None else ways)]
        self._attributes = self._checked(attributes or {})
        self._direction = direction
        self._asked = system
        self._addresses: Addresses = {}
        self._way: PacketWay | None = None
        self._baseline = Baseline()
        self._in_force: dict[Link, dict[str, float]] = {}

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """The targets and the links, what exactly is done to them, and the seed of its dice."""
        value = super().choose(nodes, random, observed)
        if value["targets"] is not None:
            chosen = links_of(nodes, value["targets"], self._direction)
            value["links"] = sorted(map(_thing, chosen))
        return {**value, "attributes": self._attributes, "seed": random.randrange(2**32)}

    async def setup(self, field: Field) -> None:
        """Find a way that works on every host, and see how the network is without any fault."""
        for host in field.hosts.values():
            require(host, "network", self.name)
        await super().setup(field)
        self._addresses = await resolve(field.hosts)
        refuse_twins(field.hosts, self._addresses)
        self._way = await self._find_way()
        proof = await self.prove(frozenset())
        troubled = sorted(thing for thing, state in proof.states.items() if state != CLEAR)
        if troubled:
            raise HostError(
                troubled[0].partition(_ARROW)[2],
                f"the link {troubled[0]} is {proof.states[troubled[0]]} without any fault "
                f"({len(troubled)} of {len(proof.states)} links are not clear; "
                f"{proof.evidence.get('errors') or 'see its network'}), so {self.name} could not "
                "be proven",
                "allow UDP ports 61000 to 65000 between the nodes and install python3 on them, "
                f"choose stronger attributes, or leave {self.name!r} out",
            )

    async def read(self, value: Json) -> Order:
        """The links that the value names, or those of the nodes that it names."""
        nodes = self.field.nodes
        given = value if isinstance(value, dict) else {}
        if given.get("links"):
            links = frozenset(_link(each, nodes) for each in given["links"])
            touched = given.get("targets") or {node for link in links for node in link}
        else:
            touched = await nodes_named(value, nodes, self._asked)
            links = links_of(nodes, touched, self._direction)
        detail: dict[str, Json] = {
            "links": sorted(map(_thing, links)),
            "attributes": self._checked(given.get("attributes") or {}),
            "seed": int(given.get("seed") or 0),
        }
        targets = tuple(node for node in nodes if node in touched)
        return Order(frozenset(map(_thing, links)), targets, detail)

    async def prove(self, things: frozenset[str]) -> Proof:
        """The state of every link between the nodes, whichever are asked about."""
        states: dict[Link, str] = {}
        failures: dict[str, str] = {}
        measured: dict[str, Json] = {}
        traffic, judge = promise_of(self._kind, self._strength(), len(self.field.nodes) - 1)
        self._baseline.start()
        for _ in range(_TRIES_MAX):
            seen, failures = await measure(
                self.field.hosts, self._addresses, self.field.journal.run, traffic
            )
            for link, (state, numbers) in judge(seen, self._baseline).items():
                if states.get(link) == self._expected(link):
                    continue  # seen once as it should be: chance is no explanation
                states[link] = state
                if _thing(link) in things:
                    measured[_thing(link)] = numbers
            if failures or all(state == self._expected(each) for each, state in states.items()):
                break
        clear = {link for link, state in states.items() if state == CLEAR}
        self._baseline.keep(clear - self._in_force.keys())
        assert self._way is not None
        evidence: dict[str, Json] = {"way": self._way.name, "measured": measured}
        if failures:
            evidence["errors"] = failures
        every = links_of(self.field.nodes, self.field.nodes, "both")
        return Proof({_thing(link): states.get(link, "unknown") for link in every}, evidence)

    async def inject(self, order: Order) -> dict[str, str]:
        """Begin on every host that has a part in it, all at once."""
        links = sorted(_link(each, self.field.nodes) for each in order.detail["links"])
        attributes = self._checked(order.detail["attributes"])
        self._in_force |= dict.fromkeys(links, attributes)
        assert self._way is not None
        by_sender = self._way.side(self._kind) == "source"
        rules: dict[str, list[str]] = {}
        for source, node in links:
            here, there = (source, node) if by_sender else (node, source)
            rules.setdefault(here, []).extend(self._addresses[here][there])

        async def strike(host: Host) -> None:
            seed = order.detail["seed"] + sorted(rules).index(host.name)
            assert self._way is not None
            await self._begin(host, self._way, rules[host.name], attributes, seed)

        return await on_each([self.field.hosts[node] for node in rules], strike)

    async def heal(self) -> dict[str, str]:
        """Undo every strike on every host."""
        failed = await self.debts.pay()
        if not failed:
            self._in_force = {}
        return failed

    def _expected(self, link: Link) -> str:
        return _KINDS[self._kind].word if link in self._in_force else CLEAR

    def _strength(self) -> Mapping[str, float]:
        """The attributes in force; a proof must tell the weakest of them from nothing."""
        in_force = list(self._in_force.values()) or [self._attributes]
        return min(in_force, key=lambda each: list(each.values()))

    def _checked(self, given: Mapping[str, Json]) -> dict[str, float]:
        defaults = getattr(self, "_attributes", _KINDS[self._kind].attributes)
        if not isinstance(given, Mapping):
            raise ValueError(f"attributes of {self._kind} are an object, not {given!r}")
        strangers = sorted(given.keys() - defaults.keys())
        if strangers:
            raise ValueError(
                f"{self._kind} has no attribute {', '.join(strangers)}; "
                f"it has {', '.join(defaults)}"
            )
        attributes = {**defaults, **given}
        for key, value in attributes.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{key} of {self._kind} must be a number, not {value!r}")
        promise_of(self._kind, attributes, 1)
        return attributes

    async def _begin(
        self,
        host: Host,
        way: PacketWay,
        addresses: Sequence[str],
        attributes: Mapping[str, float],
        seed: int,
        via: str | None = None,
    ) -> None:
        strike = Strike(self.field.journal.run, host.directory, tuple(addresses))
        argv, input = way.begin(
            strike, self._kind, attributes, seed=seed, via=via, pythons=pythons(host)
        )
        note: dict[str, Json] = {"way": way.name, "addresses": list(addresses)}
        await self.debts.owe(host, [way.undo(strike)], note, sudo=True)
        await host.run(argv, input=input, sudo=True, timeout_s=UNDO_TIMEOUT_S)

    async def _find_way(self) -> PacketWay:
        """The first way that works on every host: tried on packets to nobody.

        One way for all, since some are at the source of a link and some at its end.
        """
        complaints: dict[str, list[str]] = {}
        for way in self._candidates:
            answers = await ask_each(self.field.hosts.values(), partial(self._try, way))
            failed = {node: each for node, each in answers.items() if isinstance(each, Exception)}
            if not failed:
                return way
            for node, error in failed.items():
                complaints.setdefault(node, []).append(f"{way.name}: {error}")
        node = next(iter(complaints))
        raise Unsupported(
            node,
            f"no way of {self.name} works here ({'; '.join(complaints[node])})",
            "give the host netem (modprobe sch_netem) and tc, or python3 and a kernel with "
            f"NFQUEUE, and let momus use sudo; or leave {self.name!r} out",
        )

    async def _try(self, way: PacketWay, host: Host) -> None:
        known = [ip for addresses in self._addresses[host.name].values() for ip in addresses]
        via = known[0] if known else None
        family = ipaddress.ip_address(via).version if via else 4
        try:
            await self._begin(host, way, [TRIAL_ADDRESSES[family]], self._attributes, 0, via)
        finally:
            await to_its_end(self.debts.pay_host(host))


class ResetConnections(PacketFault):
    """TCP packets between the targets and all other nodes are answered by a reset.

    Connections that are there end as soon as either end sends something, and new ones are
    refused, until it is stopped; datagrams pass.  It is proven by connections that each node
    makes to each other, while postcards tell that the other is there.
    """

    def __init__(
        self,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        system: object = None,
        ways: Sequence[str] | None = None,
        name: str = "reset-connections",
    ) -> None:
        super().__init__("reset-connections", targets, system=system, ways=ways, name=name)


def links_of(nodes: Sequence[str], touched: Sequence[str], direction: str) -> frozenset[Link]:
    """The links between `touched` and all nodes: "to" them, "from" them, or "both"."""
    return frozenset(
        (source, node)
        for source in nodes
        for node in nodes
        if source != node
        and ((source in touched and direction != "to") or (node in touched and direction != "from"))
    )


def _thing(link: Link) -> str:
    return _ARROW.join(link)


def _link(thing: Json, nodes: Sequence[str]) -> Link:
    source, arrow, node = str(thing).partition(_ARROW)
    if not arrow or source == node or not {source, node} <= set(nodes):
        raise ValueError(
            f'a link is "n1{_ARROW}n2" between two of the nodes {", ".join(nodes)}, not {thing!r}'
        )
    return source, node

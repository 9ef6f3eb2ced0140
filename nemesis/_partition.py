"""`Partition`: hosts that no longer hear each other.

A grudge says who drops whose packets; the filters of `_filters` drop them, `_links` proves
it direction by direction.  Only packets between the nodes are touched, so the driver still
reaches every node, and clients still reach the side they are on.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Final

from cluster import Host, HostError, Unsupported
from histories import Json
from nemesis import grudges
from nemesis import targets as targets_module
from nemesis._debts import UNDO_TIMEOUT_S, ask_each, on_each, to_its_end
from nemesis._fault import Field, Order, Proof, primaries_of, require
from nemesis._filters import FILTER_NAMES, FILTERS, TRIAL_ADDRESSES, Filter, Strike
from nemesis._links import Addresses, link_states, resolve
from nemesis._of_hosts import OfHosts
from nemesis.grudges import Grudge, Link
from nemesis.targets import Observations, Target

_ARROW: Final = "->"
USUAL_SHAPES: Final = ("one", "halves", "majority-ring", "one-way")
_OF_THREE: Final = ("majority-ring", "bridge")
"""Shapes that fewer than three nodes do not have."""


class Partition(OfHosts):
    """Cuts links of the network between the nodes.

    `shapes` are names of `grudges.SHAPES` a schedule chooses from.  `targets` are the nodes
    isolated by the shape "one" and deafened by "one-way"; only to find primaries that
    nobody has observed the `system` is needed.  `filters` limits and orders the ways of
    dropping packets that are tried.
    """

    lane = "network"
    intact = frozenset({"open"})
    broken = frozenset({"cut"})

    def __init__(
        self,
        shapes: str | Sequence[str] = USUAL_SHAPES,
        targets: Target = targets_module.one,
        *,
        system: object = None,
        filters: Sequence[str] = FILTER_NAMES,
        name: str = "partition",
    ) -> None:
        super().__init__(name, targets)
        self.shapes = (shapes,) if isinstance(shapes, str) else tuple(shapes)
        strangers = [shape for shape in self.shapes if shape not in grudges.SHAPES]
        if strangers or not self.shapes:
            raise ValueError(
                f"no partition has the shape {', '.join(strangers) or 'of nothing'}; "
                f"shapes are {', '.join(grudges.SHAPES)}"
            )
        known = {each.name: each for each in FILTERS}
        unnamed = [each for each in filters if each not in known]
        if unnamed:
            raise ValueError(
                f"no filter is called {', '.join(unnamed)}; filters are {', '.join(known)}"
            )
        self._asked = system
        self._candidates = [known[name] for name in filters]
        self._addresses: Addresses = {}
        self._filters: Mapping[str, Filter] = {}
        self._cut: frozenset[Link] = frozenset()

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """A shape, and the whole grudge, so that the history says exactly what was cut."""
        possible = [shape for shape in self.shapes if shape not in _OF_THREE or len(nodes) > 2]
        shape = random.choice(possible or self.shapes)
        if shape not in ("one", "one-way"):
            grudge = grudges.SHAPES[shape](nodes, random)
            return {"kind": shape, "grudge": grudges.to_json(grudge)}
        (target,) = self._targets
        chosen = target(nodes, random, observed)
        value: dict[str, Json] = {"kind": shape, "choice": target.name}
        if chosen is None:  # the cluster will name them when it is struck
            return {**value, "targets": None}
        grudge = _apart(shape, nodes, chosen)
        return {**value, "targets": list(chosen), "grudge": grudges.to_json(grudge)}

    async def setup(self, field: Field) -> None:
        """Find a way to drop packets on every host, and see that probes pass at all."""
        for host in field.hosts.values():
            require(host, "network", self.name)
        await super().setup(field)
        self._addresses = await resolve(field.hosts)
        refuse_twins(field.hosts, self._addresses)
        self._filters = await self._find_filters()
        await self._refuse_deaf_network()

    async def read(self, value: Json) -> Order:
        """The grudge in the operation's value; without targets, all nodes with a cut link."""
        nodes = self.field.nodes
        if isinstance(value, dict) and "grudge" in value:
            grudge = grudges.from_json(value["grudge"], nodes)
        elif isinstance(value, dict) and value.get("choice") == "primaries":
            primaries = await primaries_of(self._asked, nodes)
            grudge = _apart(value.get("kind"), nodes, primaries)
            value = {**value, "targets": primaries}
        else:
            raise ValueError(
                f'start-{self.name} needs {{"grudge": {{"n1": ["n2", ...]}}}}, not {value!r}; '
                "shapes are turned into grudges by a schedule, so that they are in the history"
            )
        links = grudges.links(grudge)
        touched = value.get("targets") or {node for link in links for node in link}
        detail = {"kind": value.get("kind"), "grudge": grudges.to_json(grudge)}
        return Order(
            frozenset(map(_thing, links)),
            tuple(node for node in nodes if node in touched),
            detail,
        )

    async def prove(self, things: frozenset[str]) -> Proof:  # noqa: ARG002
        """The state of every link between the nodes, whichever are asked about."""
        expected = {
            (source, node)
            for source in self.field.nodes
            for node in self.field.nodes
            if source != node and (source, node) not in self._cut
        }
        states, failures = await link_states(self.field.hosts, self._addresses, self._run, expected)
        filters = {node: each.name for node, each in self._filters.items()}
        evidence: dict[str, Json] = {"filters": sorted(set(filters.values()))}
        if failures:
            evidence["errors"] = failures
        return Proof({_thing(link): state for link, state in states.items()}, evidence)

    async def inject(self, order: Order) -> dict[str, str]:
        """Add rules on every host that has to drop something, all at once."""
        grudge = grudges.from_json(order.detail["grudge"], self.field.nodes)
        links = grudges.links(grudge)
        self._cut |= links
        rules = self._rules(links)

        async def strike(host: Host) -> None:
            await self._block(host, self._filters[host.name], rules[host.name])

        return await on_each([self.field.hosts[node] for node in rules], strike)

    async def heal(self) -> dict[str, str]:
        """Remove every rule of this run from every host it was put on."""
        failed = await self.debts.pay()
        if not failed:
            self._cut = frozenset()
        return failed

    @property
    def _run(self) -> str:
        return self.field.journal.run

    def _rules(self, links: frozenset[Link]) -> dict[str, list[str]]:
        """For every host that needs rules, the addresses they are about."""
        rules: dict[str, list[str]] = {}
        for source, node in sorted(links):
            by_source = self._filters[node].side == "source"
            here, there = (source, node) if by_source else (node, source)
            rules.setdefault(here, []).extend(self._addresses[here][there])
        return rules

    async def _block(self, host: Host, by: Filter, addresses: Sequence[str]) -> None:
        strike = Strike(self._run, host.directory, tuple(addresses))
        undo = [by.undo(strike)]
        note: dict[str, Json] = {"filter": by.name, "addresses": list(addresses)}
        await self.debts.owe(host, undo, note, sudo=True)
        await host.run(by.block(strike), sudo=True, timeout_s=UNDO_TIMEOUT_S)

    async def _find_filters(self) -> dict[str, Filter]:
        """The first filter that works, for every host: tried with a rule that harms nobody."""
        hosts = self.field.hosts
        found: dict[str, Filter] = {}
        complaints: dict[str, list[str]] = {node: [] for node in hosts}
        for candidate in self._candidates:
            # A routing rule sits on the sender, a packet filter on the receiver, so hosts
            # with filters may mix them, but routing rules are used everywhere or nowhere.
            by_source = candidate.side == "source"
            trial = [host for node, host in hosts.items() if by_source or node not in found]
            answers = await ask_each(trial, partial(self._try, candidate))
            failed = {node: each for node, each in answers.items() if isinstance(each, Exception)}
            for node, error in failed.items():
                complaints[node].append(f"{candidate.name}: {error}")
            if not (by_source and failed):
                found |= {host.name: candidate for host in trial if host.name not in failed}
            if len(found) == len(hosts):
                return found
        node = next(node for node in hosts if node not in found)
        raise Unsupported(
            node,
            f"no way to drop packets works here ({'; '.join(complaints[node])})",
            "install iptables or nftables there and let momus use sudo, or leave "
            f"{self.name!r} out",
        )

    async def _try(self, by: Filter, host: Host) -> None:
        known = [ip for addresses in self._addresses[host.name].values() for ip in addresses]
        families = {ipaddress.ip_address(ip).version for ip in known} or {4}
        addresses = [TRIAL_ADDRESSES[family] for family in sorted(families)]
        sparing = any(each.name == "nft" for each in self._candidates)
        look = by.look(addresses, sparing=sparing)
        await host.run(look, sudo=True, timeout_s=UNDO_TIMEOUT_S)
        try:
            await self._block(host, by, addresses)
        finally:
            await to_its_end(self.debts.pay_host(host))

    async def _refuse_deaf_network(self) -> None:
        nodes = self.field.nodes
        everything = {(source, node) for source in nodes for node in nodes if source != node}
        states, failures = await link_states(
            self.field.hosts, self._addresses, self._run, everything
        )
        closed = sorted(link for link in everything if states[link] != "open")
        if closed:
            source, node = closed[0]
            reasons = "; ".join(failures.values()) or "nothing arrived"
            raise HostError(
                node,
                f"the probe from {source} to {node} does not get through without any fault "
                f"({len(closed)} of {len(everything)} links closed; {reasons}), so no partition "
                "could be proven",
                "allow UDP ports 61000 to 65000 between the nodes and install python3 on them, "
                f"or leave {self.name!r} out",
            )


def _apart(shape: Json, nodes: Sequence[str], chosen: Iterable[str]) -> Grudge:
    return (grudges.deafen if shape == "one-way" else grudges.isolate)(nodes, chosen)


def _thing(link: Link) -> str:
    return _ARROW.join(link)


def refuse_twins(hosts: Mapping[str, Host], addresses: Addresses) -> None:
    """Nodes that share an address cannot be told apart by their packets."""
    for node, table in addresses.items():
        owner: dict[str, str] = {}
        for peer, known in table.items():
            for ip in known:
                if ipaddress.ip_address(ip).is_loopback or owner.setdefault(ip, peer) != peer:
                    raise Unsupported(
                        node,
                        f"{peer} has the address {ip}, which is not its alone, so packets from "
                        "it cannot be dropped without dropping others",
                        "give every node an address of its own in lab.toml",
                    )
    assert addresses.keys() == hosts.keys()

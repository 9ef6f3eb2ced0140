"""`ProxyFault`: what a TCP proxy in front of a member can do to its connections.

The things it strikes are proxies, ``n2/client``, ``n2/peer``: connections that clients and
other members make to the member on n2.  A toxic on both streams troubles both what is
asked of the member and what it answers; with etcd each member reads the messages of another
over a connection that it makes to it, so both streams matter.

It is proven by conversations through the proxy (see `_passage`).  Where the member itself
is silent, because another fault has killed or paused it, there is nothing to see: then the
proxy server's own word counts, and the receipt says so (``unmeasured``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from cluster import (
    Fronted,
    Host,
    HostError,
    ProxyFront,
    Route,
    Toxic,
    Toxiproxy,
    ToxiproxyError,
    Unsupported,
)
from histories import Json
from nemesis import targets as targets_module
from nemesis._debts import ask_each, on_each
from nemesis._fault import Field, Order, Proof, nodes_named
from nemesis._of_hosts import OfHosts
from nemesis._passage import CLEAR, PROMISES, Passage, passage_state
from nemesis.targets import Observations, Target

STREAMS: Final = ("upstream", "downstream")
_CONFLICT: Final = 409


@dataclass(frozen=True)
class _Kind:
    """How a kind of trouble is made: a toxic's type (None: the proxy is down), its defaults."""

    toxic: str | None
    attributes: Mapping[str, int]

    @property
    def streams(self) -> tuple[str, ...]:
        return () if self.toxic is None else STREAMS


PROXY_FAULTS: Final[Mapping[str, _Kind]] = {
    "latency": _Kind("latency", {"latency": 300, "jitter": 0}),
    "jitter": _Kind("latency", {"latency": 150, "jitter": 100}),
    "bandwidth": _Kind("bandwidth", {"rate": 10}),
    "slow-close": _Kind("slow_close", {"delay": 500}),
    "timeout": _Kind("timeout", {"timeout": 1000}),
    "slicer": _Kind("slicer", {"average_size": 16, "size_variation": 4, "delay": 5000}),
    "limit-data": _Kind("limit_data", {"bytes": 4000}),
    "reset-peer": _Kind("reset_peer", {"timeout": 50}),
    "down": _Kind(None, {}),
}
"""The kinds, with Toxiproxy's units: ms, KB/s, bytes; the slicer's delay is in µs."""


class ProxyFault(OfHosts):
    """Trouble in the proxies in front of the targets; `kind` is one of `PROXY_FAULTS`.

    `attributes` replace defaults of the kind.  `routes` are the ports in front of which the
    proxies are struck (None: all that the system has).  Raises ValueError where the kind is
    unknown or its attributes are such that no probe could tell.
    """

    lane = "network"
    intact = frozenset({CLEAR})

    def __init__(
        self,
        kind: str,
        system: Fronted,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        attributes: Mapping[str, int] | None = None,
        routes: Sequence[str] | None = None,
        streams: Sequence[str] = STREAMS,
        name: str | None = None,
    ) -> None:
        if kind not in PROXY_FAULTS:
            raise ValueError(f"no proxy does {kind!r}; known are {', '.join(PROXY_FAULTS)}")
        if not streams or set(streams) - set(STREAMS):
            raise ValueError(f"streams are {' and '.join(STREAMS)}, not {streams!r}")
        super().__init__(kind if name is None else name, targets)
        self._kind = PROXY_FAULTS[kind]
        self._promise = PROMISES[kind.replace("-", "_")]
        self.broken = frozenset({self._promise.word})
        self._attributes = dict(self._kind.attributes)
        self._streams = [stream for stream in STREAMS if stream in streams]
        self._attributes = self._checked(attributes or {})
        self._fronted = system
        self._route_names = None if routes is None else tuple(routes)
        self._struck: dict[str, dict[str, int]] = {}

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """The nodes, and what exactly is done to them."""
        value = super().choose(nodes, random, observed)
        return {**value, "attributes": self._attributes} if self._attributes else value

    async def setup(self, field: Field) -> None:
        """See that there are proxies on all hosts, and that they obey."""
        await super().setup(field)
        for host in field.hosts.values():
            if not isinstance(self._fronted, Fronted) or self._fronted.front is None:
                raise Unsupported(
                    host.name,
                    f"the fault {self.name!r} needs a proxy in front of the system, and there "
                    "is none",
                    "give the system one, as in Etcd(front=ProxyFront()), or leave it out",
                )
        self._routes()
        answers = await ask_each(field.hosts.values(), self._proxies)
        for answer in answers.values():
            if isinstance(answer, Exception):
                raise answer

    async def read(self, value: Json) -> Order:
        """The proxies in front of the named nodes, and the attributes of the toxic."""
        nodes = await nodes_named(value, self.field.nodes, self._fronted)
        given = value.get("attributes") if isinstance(value, dict) else None
        attributes = self._checked(given or {})
        things = frozenset(f"{node}/{route.name}" for node in nodes for route in self._routes())
        detail: dict[str, Json] = {"attributes": attributes} if attributes else {}
        return Order(things, tuple(nodes), detail)

    async def prove(self, things: frozenset[str]) -> Proof:
        """Talk through these proxies."""
        hosts = self._hosts(frozenset(thing.partition("/")[0] for thing in things))

        async def look(host: Host) -> dict[str, tuple[str, str, bool]]:
            routes = [each for each in self._routes() if f"{host.name}/{each.name}" in things]
            looks = await asyncio.gather(*(self._look(host, route) for route in routes))
            names = [f"{host.name}/{route.name}" for route in routes]
            return dict(zip(names, looks, strict=True))

        states: dict[str, str] = {}
        seen: dict[str, Json] = {}
        unmeasured: list[str] = []
        errors: dict[str, Json] = {}
        for name, answer in (await ask_each(hosts, look)).items():
            if isinstance(answer, Exception):
                errors[name] = str(answer)
                continue
            for thing, (state, told, measured) in answer.items():
                states[thing] = state
                seen[thing] = told
                unmeasured += [] if measured else [thing]
        evidence: dict[str, Json] = {"seen": seen}
        evidence |= {"unmeasured": sorted(unmeasured)} if unmeasured else {}
        return Proof(states, {**evidence, **({"errors": errors} if errors else {})})

    async def inject(self, order: Order) -> dict[str, str]:
        """Put toxics on the proxies of the order's nodes, or switch these proxies off."""
        attributes = dict(order.detail.get("attributes") or {})
        routes = self._routes()
        for thing in order.things:
            self._struck[thing] = attributes

        async def strike(host: Host) -> None:
            proxies = [ProxyFront.proxy(host, route.name) for route in routes]
            toxics = [self._toxic(stream, attributes) for stream in self._used_streams]
            note: dict[str, Json] = {"proxies": proxies, "attributes": attributes}
            undo = (
                self._front.undo(host, enable=proxies)
                if self._kind.toxic is None
                else self._front.undo(
                    host, remove=[(proxy, toxic.name) for proxy in proxies for toxic in toxics]
                )
            )
            await self.debts.owe(host, undo, note)
            async with _Orders(self._front, host) as api:
                for proxy in proxies:
                    if self._kind.toxic is None:
                        await api.update(proxy, enabled=False)
                    for toxic in toxics:
                        await _put(api, proxy, toxic)

        return await on_each(self._hosts(order.targets), strike)

    async def heal(self) -> dict[str, str]:
        """Take the toxics away, or switch the proxies on again."""
        failed = await self.debts.pay()
        self._struck = {
            thing: attributes
            for thing, attributes in self._struck.items()
            if thing.partition("/")[0] in failed
        }
        return failed

    @property
    def _front(self) -> ProxyFront:
        assert self._fronted.front is not None, "seen to by setup()"
        return self._fronted.front

    @property
    def _used_streams(self) -> list[str]:
        return [stream for stream in self._streams if stream in self._kind.streams]

    def _routes(self) -> list[Route]:
        known = {route.name: route for route in self._front.routes}
        names = tuple(known) if self._route_names is None else self._route_names
        if not names or set(names) - known.keys():
            raise ValueError(
                f"no proxies in front of {', '.join(names) or 'anything'}; "
                f"there are {', '.join(known) or 'none'}"
            )
        return [known[name] for name in names]

    def _checked(self, given: Any) -> dict[str, int]:
        """The attributes with `given` in place of the defaults; they must show in a probe."""
        if not isinstance(given, Mapping):
            raise ValueError(f"attributes are a table of numbers, not {given!r}")
        strangers = sorted(given.keys() - self._attributes.keys())
        if strangers or not all(type(each) is int and each >= 0 for each in given.values()):
            raise ValueError(
                f"{self.name} has the attributes {', '.join(self._attributes) or '(none)'}, "
                f"which are whole numbers from 0; not {dict(given)!r}"
            )
        attributes = {**self._attributes, **given}
        sides = [100] * max(len(self._streams), 1)  # of a usual size: only to see that it shows
        self._promise.least_s(attributes, sides, self._promise.pings(attributes, sides))
        return attributes

    def _toxic(self, stream: Any, attributes: Mapping[str, int]) -> Toxic:
        assert self._kind.toxic is not None
        name = f"momus-{self.field.journal.run}-{self.name}-{stream}"
        return Toxic(self._kind.toxic, attributes, stream, 1.0, name)

    async def _proxies(self, host: Host) -> Mapping[str, Any]:
        async with _Orders(self._front, host) as api:
            return await api.proxies()

    async def _look(self, host: Host, route: Route) -> tuple[str, str, bool]:
        """The state of a proxy, in a word and in a few more, and whether it was measured."""
        thing = f"{host.name}/{route.name}"
        struck = thing in self._struck
        attributes = self._struck.get(thing, self._attributes)
        looked = await passage_state(
            host, route, self._promise, attributes, self._streams, struck=struck
        )
        if looked is not None:
            state, passage = looked
            return state, _told(passage), True
        proxy = (await self._proxies(host))[ProxyFront.proxy(host, route.name)]
        wanted = {self._toxic(stream, {}).name for stream in self._used_streams}
        worn = {toxic.name for toxic in proxy.toxics}
        state = self._promise.word if wanted and wanted <= worn else CLEAR
        return state, "the member is silent; the proxy server says so", False


class _Orders:
    """A connection to the proxy server of a host; its refusals are the host's troubles."""

    def __init__(self, front: ProxyFront, host: Host) -> None:
        self._api = front.api(host)
        self._host = host

    async def __aenter__(self) -> Toxiproxy:
        return self._api

    async def __aexit__(self, _kind: object, error: object, _trace: object) -> None:
        await self._api.close()
        if isinstance(error, ToxiproxyError):
            raise HostError(self._host.name, str(error), "see proxy.log there") from error


async def _put(api: Toxiproxy, proxy: str, toxic: Toxic) -> None:
    try:
        await api.add(proxy, toxic)
    except ToxiproxyError as error:
        if error.status != _CONFLICT:
            raise
        await api.change(proxy, toxic.name, toxic.attributes)  # struck before: strikes add up


def _told(passage: Passage) -> str:
    told = f"{passage.end} after {passage.seconds * 1e3:.0f} ms"
    if len(passage.pings_s) == passage.asked:
        return told
    answers = f"{len(passage.pings_s)} of {passage.asked} answers"
    return f"{told}, {answers}, {passage.received} bytes"

"""Faults of the network: cut links, links that come and go, and bad weather.

Things are directed links, ``n1->n2``.  By default only links between nodes are struck; with
`clients` those between the targets and all clients, too, and a node that is cut off is so for
everybody.
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Iterable, Mapping, Sequence
from random import Random

from histories import Json
from nemesis import Field, Order, Proof, Target, grudges, targets
from nemesis._fault import nodes_named, primaries_of
from nemesis.grudges import Grudge
from nemesis.targets import Observations
from simulation._cluster import SimulatedCluster
from simulation._network import CLIENTS, Link, Weather
from simulation.faults._of_machines import Numbers, numbers_in

SHAPES: tuple[str, ...] = ("one", "halves", "majority-ring", "one-way", "bridge", "random")
_OF_THREE = frozenset({"majority-ring", "bridge"})


class OfLinks:
    """A fault of links.  `strike` and `mend` are for subclasses, as are `look` and its words."""

    lane = "network"
    intact = frozenset({"open"})
    broken = frozenset({"cut"})

    def __init__(
        self, name: str, cluster: SimulatedCluster, *, clients: bool, usual: Numbers
    ) -> None:
        self.name = name
        self.usual = usual
        """The numbers of an order that gives none."""
        self.cluster = cluster
        self._clients = clients
        self._links: frozenset[Link] = frozenset()

    async def setup(self, field: Field) -> None:
        """See `nemesis.Fault`."""

    async def prove(self, things: frozenset[str]) -> Proof:
        """The state of every link between the nodes, and of those asked about."""
        nodes = self.cluster.nodes
        every = {(source, node): None for source in nodes for node in nodes if source != node}
        every |= dict.fromkeys(sorted(map(link_of, things)))
        return Proof({thing(link): self.look(link) for link in every})

    async def inject(self, order: Order) -> dict[str, str]:
        """See `nemesis.Fault`."""
        self._links |= {link_of(each) for each in order.things}
        self.strike(self._links, order.detail)
        return {}

    async def heal(self) -> dict[str, str]:
        """See `nemesis.Fault`."""
        self._links = frozenset()
        self.mend()
        return {}

    def strike(self, links: frozenset[Link], detail: Mapping[str, Json]) -> None:
        """Break these links, which are all that this fault has struck."""
        raise NotImplementedError

    def mend(self) -> None:
        """Give back what was broken."""
        raise NotImplementedError

    def look(self, link: Link) -> str:
        """What is with this link."""
        raise NotImplementedError


class Partition(OfLinks):
    """Cuts the links of a grudge, as in a lab."""

    def __init__(
        self,
        name: str,
        cluster: SimulatedCluster,
        shapes: str | Sequence[str],
        among: Target,
        *,
        clients: bool,
        numbers: Numbers,
    ) -> None:
        super().__init__(name, cluster, clients=clients, usual=numbers)
        self._shapes = (shapes,) if isinstance(shapes, str) else tuple(shapes)
        strangers = [shape for shape in self._shapes if shape not in grudges.SHAPES]
        if strangers or not self._shapes:
            raise ValueError(
                f"no partition has the shape {', '.join(strangers) or 'of nothing'}; "
                f"shapes are {', '.join(grudges.SHAPES)}"
            )
        self._target = among

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """A shape, and the whole grudge, so that the history says exactly what was cut."""
        possible = [shape for shape in self._shapes if shape not in _OF_THREE or len(nodes) > 2]
        shape = random.choice(possible or self._shapes)
        value: dict[str, Json] = {"kind": shape, **self.usual}
        if shape not in ("one", "one-way"):
            return {**value, "grudge": grudges.to_json(grudges.SHAPES[shape](nodes, random))}
        chosen = self._target(nodes, random, observed)
        value["choice"] = self._target.name
        if chosen is None:
            return {**value, "targets": None}
        grudge = grudges.to_json(_apart(shape, nodes, chosen))
        return {**value, "targets": list(chosen), "grudge": grudge}

    async def read(self, value: Json) -> Order:
        """The grudge in the order; without one, whoever leads is cut off."""
        nodes = self.cluster.nodes
        given = value if isinstance(value, dict) else {}
        touched = given.get("targets")
        if "grudge" in given:
            grudge = grudges.from_json(given["grudge"], nodes)
        elif given.get("choice") == "primaries":
            touched = await primaries_of(self.cluster, nodes)
            grudge = _apart(given.get("kind"), nodes, touched)
        else:
            raise ValueError(
                f'start-{self.name} needs {{"grudge": {{"n1": ["n2", ...]}}}}, not {value!r}'
            )
        links = grudges.links(grudge)
        named = touched or {node for link in links for node in link}
        if self._clients and touched:
            links |= {(CLIENTS, node) for node in touched}
            if given.get("kind") != "one-way":
                links |= {(node, CLIENTS) for node in touched}
        return Order(
            frozenset(map(thing, links)),
            tuple(node for node in nodes if node in named),
            {
                "kind": given.get("kind"),
                "grudge": grudges.to_json(grudge),
                **numbers_in(value, self.usual, self.name),
            },
        )

    def strike(self, links: frozenset[Link], detail: Mapping[str, Json]) -> None:  # noqa: ARG002
        """See `OfLinks`."""
        self.cluster.network.sever(self.name, links)

    def mend(self) -> None:
        """See `OfLinks`."""
        self.cluster.network.mend(self.name)

    def look(self, link: Link) -> str:
        """See `OfLinks`."""
        cut = link in self._links and not self.cluster.network.passes(*link)
        return "cut" if cut else "open"


class Flapping(Partition):
    """Cuts the links of a grudge for `cut_s` and opens them for `open_s`, over and over."""

    broken = frozenset({"flapping"})
    _timer: TimerHandle | None = None

    def strike(self, links: frozenset[Link], detail: Mapping[str, Json]) -> None:
        """See `OfLinks`."""
        self.mend()
        network, loop = self.cluster.network, self.cluster.loop

        def cut() -> None:
            network.sever(self.name, links)
            self._timer = loop.call_later(float(detail["cut_s"]), open_again)

        def open_again() -> None:
            network.mend(self.name)
            self._timer = loop.call_later(float(detail["open_s"]), cut)

        cut()

    def mend(self) -> None:
        """See `OfLinks`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().mend()

    def look(self, link: Link) -> str:
        """A link that flaps may be open at the moment."""
        if self._timer is not None and link in self._links:
            return "flapping"
        return super().look(link)


class Packets(OfLinks):
    """Bad weather on the links of the targets: `field` of it is what shows that it is there."""

    def __init__(
        self,
        name: str,
        cluster: SimulatedCluster,
        among: Target,
        *,
        clients: bool,
        word: str,
        field: str,
        numbers: Numbers,
    ) -> None:
        super().__init__(name, cluster, clients=clients, usual=numbers)
        self.intact = frozenset({"clear"})
        self.broken = frozenset({word})
        self._word = word
        self._field = field
        self._target = among

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """See `nemesis.Fault`."""
        chosen = self._target(nodes, random, observed)
        whom = None if chosen is None else list(chosen)
        return {"targets": whom, "choice": self._target.name, "direction": "both", **self.usual}

    async def read(self, value: Json) -> Order:
        """Packets "to" the targets, "from" them, or both; or exactly the ``links`` it names."""
        nodes = self.cluster.nodes
        given = value if isinstance(value, dict) else {}
        numbers = numbers_in(value, self.usual, self.name)
        if given.get("links") is not None:
            links = {link_of(str(each)) for each in given["links"]}
            struck = tuple(node for node in nodes if any(node in link for link in links))
            return Order(frozenset(map(thing, links)), struck, numbers)
        struck = tuple(await nodes_named(value, nodes, self.cluster))
        direction = given.get("direction", "both")
        if direction not in ("both", "to", "from"):
            raise ValueError(f'direction is "both", "to" or "from", not {direction!r}')
        others = (*nodes, CLIENTS) if self._clients else nodes
        links = set()
        for node in struck:
            for other in others:
                if other != node and direction != "from":
                    links.add((other, node))
                if other != node and direction != "to":
                    links.add((node, other))
        return Order(frozenset(map(thing, links)), struck, {"direction": direction, **numbers})

    def strike(self, links: frozenset[Link], detail: Mapping[str, Json]) -> None:
        """See `OfLinks`."""
        weather = {key: detail[key] for key in self.usual}
        self.cluster.network.trouble(self.name, links, weather)

    def mend(self) -> None:
        """See `OfLinks`."""
        self.cluster.network.clear(self.name)

    def look(self, link: Link) -> str:
        """See `OfLinks`."""
        network = self.cluster.network
        here: Weather = network.wire(link).weather
        return (
            "clear"
            if getattr(here, self._field) == getattr(network.fair, self._field)
            else (self._word)
        )


def partition(
    cluster: SimulatedCluster,
    shapes: str | Sequence[str] = SHAPES,
    among: Target = targets.one,
    *,
    clients: bool = False,
) -> Partition:
    """Nodes do not hear each other; shapes as in `nemesis.grudges`."""
    return Partition("partition", cluster, shapes, among, clients=clients, numbers={})


def flapping(
    cluster: SimulatedCluster,
    shapes: str | Sequence[str] = SHAPES,
    among: Target = targets.one,
    *,
    clients: bool = False,
    cut_s: float = 0.5,
    open_s: float = 0.5,
) -> Flapping:
    """A partition that comes and goes."""
    numbers = {"cut_s": cut_s, "open_s": open_s}
    return Flapping("flapping", cluster, shapes, among, clients=clients, numbers=numbers)


def packet_loss(
    cluster: SimulatedCluster,
    among: Target = targets.one,
    *,
    loss: float = 0.2,
    clients: bool = False,
) -> Packets:
    """A share of the messages is lost."""
    return _packets("loss", cluster, among, clients, "lossy", "loss", {"loss": loss})


def packet_delay(
    cluster: SimulatedCluster,
    among: Target = targets.one,
    *,
    delay_s: float = 0.1,
    jitter_s: float = 0.05,
    tail: float = 1.0,
    clients: bool = False,
) -> Packets:
    """Messages take longer; see `Weather`."""
    numbers = {"delay_s": delay_s, "jitter_s": jitter_s, "tail": tail}
    return _packets("delay", cluster, among, clients, "delayed", "delay_s", numbers)


def packet_duplicate(
    cluster: SimulatedCluster,
    among: Target = targets.one,
    *,
    duplication: float = 0.2,
    clients: bool = False,
) -> Packets:
    """A share of the messages arrives twice."""
    numbers = {"duplication": duplication}
    return _packets("duplicate", cluster, among, clients, "duplicating", "duplication", numbers)


def packet_reorder(
    cluster: SimulatedCluster,
    among: Target = targets.one,
    *,
    reordering: float = 0.1,
    hold_s: float = 1.0,
    clients: bool = False,
) -> Packets:
    """A share of the messages is held back, for up to `hold_s`."""
    numbers = {"reordering": reordering, "hold_s": hold_s}
    return _packets("reorder", cluster, among, clients, "reordering", "reordering", numbers)


def packet_rate(
    cluster: SimulatedCluster,
    among: Target = targets.one,
    *,
    bytes_s: float = 32_000.0,
    clients: bool = False,
) -> Packets:
    """Links take so many bytes a second, and drop what would wait too long."""
    numbers = {"bytes_s": bytes_s}
    return _packets("rate", cluster, among, clients, "throttled", "bytes_s", numbers)


def _packets(
    kind: str,
    cluster: SimulatedCluster,
    among: Target,
    clients: bool,
    word: str,
    field: str,
    numbers: Numbers,
) -> Packets:
    return Packets(
        f"packet-{kind}",
        cluster,
        among,
        clients=clients,
        word=word,
        field=field,
        numbers=numbers,
    )


def thing(link: Link) -> str:
    """A link as it stands in receipts."""
    return "->".join(link)


def link_of(name: str) -> Link:
    """The link of this name; ValueError if it is none."""
    source, arrow, node = name.partition("->")
    if not (source and arrow and node):
        raise ValueError(f'a link is written "n1->n2", not {name!r}')
    return source, node


def _apart(shape: Json, nodes: Sequence[str], chosen: Iterable[str]) -> Grudge:
    return (grudges.deafen if shape == "one-way" else grudges.isolate)(nodes, chosen)

"""Who stops listening to whom.

A *grudge* is a partition as data: for each node the set of nodes whose packets it drops.
It says nothing about how packets are dropped, so it can be chosen by a schedule, stored
in a history, read by a person and replayed.  A grudge need not be mutual: when n1 drops
packets from n2 but n2 still listens to n1, messages pass in one direction only, and that
breaks systems which survive clean partitions.

The shapes below are pure functions of the nodes and a seeded source of randomness.  The
idea of grudges, and the majority ring, are Jepsen's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import TypeAlias

from histories import Json
from nemesis.targets import majority_size

Grudge: TypeAlias = Mapping[str, frozenset[str]]
"""For each node, the nodes whose packets it drops; nodes that drop nothing are left out."""

Link: TypeAlias = tuple[str, str]
"""One direction of the network: (source, destination)."""

Shape: TypeAlias = Callable[[Sequence[str], Random], Grudge]


def split(components: Iterable[Iterable[str]]) -> Grudge:
    """A clean partition: nodes hear their own component and nobody else."""
    parts = [frozenset(component) for component in components]
    everybody = frozenset[str]().union(*parts)
    assert sum(map(len, parts)) == len(everybody), "components overlap"
    return _tidy({node: everybody - part for part in parts for node in part})


def one_node(nodes: Sequence[str], random: Random) -> Grudge:
    """One node alone on one side, all others on the other."""
    loner = random.choice(nodes)
    return isolate(nodes, [loner])


def isolate(nodes: Sequence[str], loners: Iterable[str]) -> Grudge:
    """Each of `loners` alone; the others together."""
    alone = list(loners)
    return split([*([node] for node in alone), [node for node in nodes if node not in alone]])


def halves(nodes: Sequence[str], random: Random) -> Grudge:
    """Two halves; of an odd number of nodes one half is a majority."""
    shuffled = random.sample(nodes, len(nodes))
    middle = len(nodes) // 2
    return split([shuffled[:middle], shuffled[middle:]])


def majority_ring(nodes: Sequence[str], random: Random) -> Grudge:
    """Every node hears a majority, and no two nodes hear the same one.

    The nodes stand in a random ring and each hears its nearest neighbours.  Every cut is
    mutual (a one-way cut would silence connections both ways).  Where a majority needs an
    odd number of neighbours, the last one is the node opposite, or, of an odd number of
    nodes, everybody hears one more.  Three nodes become a chain; fewer cannot be cut.
    """
    ring = random.sample(nodes, len(nodes))
    count = len(ring)
    if count < 3:
        return {}
    if count == 3:
        first, _middle, last = ring
        return {first: frozenset([last]), last: frozenset([first])}
    neighbours = majority_size(count) - 1
    steps = list(range(-(neighbours // 2), neighbours // 2 + 1))
    if neighbours % 2:
        reach = neighbours // 2 + 1
        steps += [count // 2] if count % 2 == 0 else [-reach, reach]
    return _tidy(
        {
            node: frozenset(ring) - {ring[(at + step) % count] for step in steps}
            for at, node in enumerate(ring)
        }
    )


def one_way(nodes: Sequence[str], random: Random) -> Grudge:
    """One node is deaf: it hears nobody, while everybody still hears it."""
    deaf = random.choice(nodes)
    return deafen(nodes, [deaf])


def deafen(nodes: Sequence[str], deaf: Iterable[str]) -> Grudge:
    """Each of `deaf` drops what every other node sends; nobody drops what they send."""
    return _tidy({node: frozenset(nodes) - {node} for node in deaf})


def bridge(nodes: Sequence[str], random: Random) -> Grudge:
    """Two halves that do not hear each other, and one node between them that hears all.

    Fewer than three nodes leave no halves to bridge.
    """
    if len(nodes) < 3:
        return {}
    between, *others = random.sample(nodes, len(nodes))
    middle = len(others) // 2
    left, right = frozenset(others[:middle]), frozenset(others[middle:])
    assert between not in left | right
    return {**{node: right for node in left}, **{node: left for node in right}}


def any_links(nodes: Sequence[str], random: Random) -> Grudge:
    """Any directions of any links: each is cut by the toss of a coin, and at least one is."""
    every = [(source, node) for source in nodes for node in nodes if source != node]
    if not every:
        return {}
    cut = [link for link in every if random.random() < 0.5] or [random.choice(every)]
    return {
        node: frozenset(s for s, n in cut if n == node)
        for node in dict.fromkeys(node for _, node in cut)
    }


SHAPES: Mapping[str, Shape] = {
    "one": one_node,
    "halves": halves,
    "majority-ring": majority_ring,
    "one-way": one_way,
    "bridge": bridge,
    "random": any_links,
}
"""The shapes by the names that schedules, histories and the command line use."""


def links(grudge: Grudge) -> frozenset[Link]:
    """The directed links a grudge cuts, as (source, destination)."""
    return frozenset((source, node) for node, sources in grudge.items() for source in sources)


def to_json(grudge: Grudge) -> dict[str, list[str]]:
    """The grudge as it stands in a history: sorted, so equal grudges look the same."""
    return {node: sorted(grudge[node]) for node in sorted(grudge)}


def from_json(value: Json, nodes: Iterable[str]) -> Grudge:
    """A grudge read from an operation; raises ValueError that names what is wrong."""
    known = set(nodes)
    if not isinstance(value, dict):
        raise ValueError(f'a grudge is {{"n1": ["n2", ...]}}, not {value!r}')
    grudge: dict[str, frozenset[str]] = {}
    for node, sources in value.items():
        if not isinstance(sources, list | tuple) or not all(isinstance(s, str) for s in sources):
            raise ValueError(f"the grudge of {node} must be a list of node names, not {sources!r}")
        strangers = ({node} | set(sources)) - known
        if strangers:
            raise ValueError(
                f"the grudge names {', '.join(sorted(strangers))}, "
                f"but the nodes are {', '.join(sorted(known))}"
            )
        if node in sources:
            raise ValueError(f"node {node} cannot hold a grudge against itself")
        grudge[node] = frozenset(sources)
    return _tidy(grudge)


def _tidy(grudge: Mapping[str, frozenset[str]]) -> Grudge:
    return {node: sources for node, sources in grudge.items() if sources}

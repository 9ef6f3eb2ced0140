"""Which nodes a fault strikes.

A target is a pure function of the nodes, a seeded source of randomness and what was last
observed of the cluster; it answers with the nodes to strike, in the cluster's order.
Schedules call it while they make an operation, so every choice is in the history before
any host is touched, and a run can be replayed from its history alone.

The one target that cannot always be chosen that early is `primaries`: only the cluster
knows them.  Where nobody was observed to be one it answers None, "ask the cluster", and
the nemesis does so the moment it strikes and writes the answer into the completion.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from histories import Json

Observations: TypeAlias = Mapping[str, Json]
"""What was last seen of the cluster; ``primaries`` is a list of nodes."""

Choice: TypeAlias = tuple[str, ...] | None
"""Nodes to strike; None means "ask the cluster for its primaries when you strike"."""


@dataclass(frozen=True)
class Target:
    """A named way to choose nodes; call it to choose."""

    name: str
    choose: Callable[[Sequence[str], Random, Observations], Choice]

    def __call__(
        self, nodes: Sequence[str], random: Random, observed: Observations | None = None
    ) -> Choice:
        """The nodes to strike, each of them one of `nodes`, in the order of `nodes`."""
        chosen = self.choose(nodes, random, observed or {})
        if chosen is None:
            return None
        strangers = sorted(set(chosen) - set(nodes))
        if strangers:
            raise ValueError(
                f"target {self.name!r} names {', '.join(strangers)}, "
                f"but the nodes are {', '.join(nodes)}"
            )
        return tuple(node for node in nodes if node in chosen)


def majority_size(nodes: int) -> int:
    """How many of `nodes` are more than half of them."""
    return nodes // 2 + 1


def _primaries(_nodes: Sequence[str], _random: Random, observed: Observations) -> Choice:
    # A cluster that was last seen between two primaries may have one when it is struck.
    return tuple(observed.get("primaries") or ()) or None


none = Target("none", lambda _nodes, _random, _observed: ())
"""Nobody: a quiet phase in which the schedule keeps its rhythm."""

one = Target("one", lambda nodes, random, _observed: (random.choice(nodes),))
"""Any single node."""

minority = Target(
    "minority",
    lambda nodes, random, _observed: tuple(
        random.sample(nodes, len(nodes) - majority_size(len(nodes)))
    ),
)
"""As many nodes as a majority can do without (of one or two nodes: nobody)."""

majority = Target(
    "majority",
    lambda nodes, random, _observed: tuple(random.sample(nodes, majority_size(len(nodes)))),
)
"""The smallest number of nodes that is more than half."""

all = Target("all", lambda nodes, _random, _observed: tuple(nodes))
"""Every node."""

primaries = Target("primaries", _primaries)
"""Every node that was last observed to be a primary, else whom the cluster names then."""


def named(*names: str) -> Target:
    """Exactly these nodes."""
    if not names:
        raise ValueError("named() needs at least one node; to strike nobody use targets.none")
    return Target(",".join(names), lambda _nodes, _random, _observed: names)


BY_NAME: Mapping[str, Target] = {
    target.name: target for target in (none, one, minority, majority, all, primaries)
}


def parse(text: str) -> Target:
    """The target a user wrote: ``one``, ``minority``, ... or node names with commas."""
    if text in BY_NAME:
        return BY_NAME[text]
    names = [name.strip() for name in text.split(",")]
    if not builtins.all(names):
        raise ValueError(
            f"no target {text!r}; use one of {', '.join(BY_NAME)}, or node names with commas"
        )
    return named(*names)

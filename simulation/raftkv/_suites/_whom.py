"""Whom a fault strikes and which links it cuts: choices that know who leads.

A `Choose` gives the value of a start operation, from the nodes, a source of randomness and what
nodes have told so far.  Where nobody has said that it leads, chance names somebody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias

from histories import Json
from nemesis import Grudge, Target, grudges
from nemesis.targets import Observations, majority_size

Choose: TypeAlias = Callable[[Sequence[str], Random, Observations], Json]
Shape: TypeAlias = Callable[[Sequence[str], Random, str], Grudge]
"""Who drops whose messages; of the nodes, a source of randomness and a node that leads."""


def at(target: Target, **numbers: Json) -> Choose:
    """These nodes, and the numbers that the fault takes."""

    def choose(nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        chosen = target(nodes, random, observed)
        whom: dict[str, Json] = {"targets": None if chosen is None else list(chosen)}
        return {**whom, "choice": target.name, **numbers}

    return choose


def cut(name: str, shape: Shape) -> Choose:
    """A cut of this shape through the network."""

    def choose(nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        leader = leader_of(nodes, random, observed)
        grudge = grudges.to_json(shape(nodes, random, leader))
        return {"kind": name, "targets": [leader], "grudge": grudge}

    return choose


def ordered(draw: Callable[[Sequence[str], Random], dict[str, Json]]) -> Choose:
    """An order that is drawn without a look at who leads."""
    return lambda nodes, random, _: draw(nodes, random)


def at_point(target: Target, points: Sequence[str], nth_max: int = 1) -> Choose:
    """These nodes, at one of these crash points."""

    def choose(nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        nth = random.randint(1, nth_max)
        return at(target, point=random.choice(points), nth=nth)(nodes, random, observed)

    return choose


def leader_of(nodes: Sequence[str], random: Random, observed: Observations) -> str:
    """A node that leads some shard, for all that was told."""
    known = [node for node in nodes if node in (observed.get("primaries") or ())]
    return random.choice(known or nodes)


def followers(count: int) -> Target:
    """So many nodes, leaders only where there are not enough others."""

    def choose(nodes: Sequence[str], random: Random, observed: Observations) -> tuple[str, ...]:
        leader = leader_of(nodes, random, observed)
        others = [node for node in nodes if node != leader]
        return tuple(random.sample(others, min(count, len(others))))

    return Target(f"{count} followers", choose)


def leader_and(count: int) -> Target:
    """One leader and so many others."""

    def choose(nodes: Sequence[str], random: Random, observed: Observations) -> tuple[str, ...]:
        leader = leader_of(nodes, random, observed)
        others = [node for node in nodes if node != leader]
        return (leader, *random.sample(others, min(count, len(others))))

    return Target(f"leader and {count}", choose)


def some(count: int) -> Target:
    """So many nodes, whoever they are."""
    return Target(f"{count} nodes", lambda nodes, random, _: tuple(random.sample(nodes, count)))


def leader_alone(nodes: Sequence[str], random: Random, leader: str) -> Grudge:  # noqa: ARG001
    """The leader on one side, all others on the other."""
    return grudges.isolate(nodes, [leader])


def follower_alone(nodes: Sequence[str], random: Random, leader: str) -> Grudge:
    """One who does not lead on one side, all others on the other."""
    return grudges.isolate(nodes, [random.choice([node for node in nodes if node != leader])])


def leader_beside_bridge(nodes: Sequence[str], random: Random, leader: str) -> Grudge:
    """Three nodes in a row, the leader at one end of it: those at the ends do not hear each other.

    Of more nodes any number is in the middle.
    """
    other = random.choice([node for node in nodes if node != leader])
    return {leader: frozenset([other]), other: frozenset([leader])}


def leader_in_minority(nodes: Sequence[str], random: Random, leader: str) -> Grudge:
    """The leader with as many as do not make a majority."""
    return _beside(nodes, random, leader, len(nodes) - majority_size(len(nodes)))


def leader_in_majority(nodes: Sequence[str], random: Random, leader: str) -> Grudge:
    """The leader with the smallest majority."""
    return _beside(nodes, random, leader, majority_size(len(nodes)))


def leader_deaf(nodes: Sequence[str], random: Random, leader: str) -> Grudge:  # noqa: ARG001
    """The leader hears nobody, and all hear it."""
    return grudges.deafen(nodes, [leader])


def leader_mute(nodes: Sequence[str], random: Random, leader: str) -> Grudge:  # noqa: ARG001
    """Nobody hears the leader, which hears all."""
    return {node: frozenset([leader]) for node in nodes if node != leader}


def pieces(nodes: Sequence[str], random: Random, leader: str) -> Grudge:  # noqa: ARG001
    """Nobody hears anybody."""
    return grudges.isolate(nodes, nodes)


def shaped(name: str) -> Choose:
    """A cut of one of the shapes of `nemesis.grudges`, wherever the leader is."""
    return cut(name, lambda nodes, random, _: grudges.SHAPES[name](nodes, random))


def _beside(nodes: Sequence[str], random: Random, leader: str, count: int) -> Grudge:
    others = random.sample([node for node in nodes if node != leader], len(nodes) - 1)
    side = [leader, *others[: count - 1]]
    return grudges.split([side, [node for node in nodes if node not in side]])

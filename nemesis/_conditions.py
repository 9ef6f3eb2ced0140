"""Conditions: what must have been seen of the cluster for a fault to strike.

A *state* holds or does not, of a `Picture` of the cluster: "some node sends a snapshot", "a
partition is in force".  A *moment* is an event that has just changed the picture: "a primary
was elected", "the partition was healed", or any state that begins to hold.  Both are pure
functions with a name, by which orders say in the history why they were given.

    observed("sending_snapshot")              some node says so
    observed("role", "none", at_least=2)      two nodes know no primary
    ~in_force("partition") & no_primary()     states compose by &, | and ~
    primary_elected() | healed("partition")   moments by |
    becomes(no_primary())                     the moment in which a state begins to hold

What conditions see are the answers of the observer and the completions of the nemesis.  So they
know of the cluster as often as the observer asks, and not at all in a run without one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from histories import NEMESIS, Event, Json
from nemesis._picture import Picture


class _Truthy:
    def __repr__(self) -> str:
        return "TRUTHY"


TRUTHY: Final = _Truthy()
"""Stands for every value that counts as true."""


@dataclass(frozen=True)
class State:
    """Something that holds, or does not, of what has been seen of the cluster."""

    name: str
    holds: Callable[[Picture], bool]

    def __and__(self, other: State) -> State:
        return State(
            f"{self.name} and {other.name}",
            lambda picture: self.holds(picture) and other.holds(picture),
        )

    def __or__(self, other: State) -> State:
        return State(
            f"({self.name} or {other.name})",
            lambda picture: self.holds(picture) or other.holds(picture),
        )

    def __invert__(self) -> State:
        return State(f"not ({self.name})", lambda picture: not self.holds(picture))


@dataclass(frozen=True)
class Moment:
    """Something that has just happened: given the pictures before and after an event, and it."""

    name: str
    happened: Callable[[Picture, Picture, Event], bool]

    def __or__(self, other: Moment) -> Moment:
        return Moment(
            f"{self.name} or {other.name}",
            lambda *seen: self.happened(*seen) or other.happened(*seen),
        )


always: Final = State("always", lambda _picture: True)
"""Holds whatever has been seen, even if nothing has."""


def observed(key: str, value: Json | _Truthy = TRUTHY, *, at_least: int = 1) -> State:
    """At least so many nodes said this of themselves when they last answered.

    Without a `value`, whatever counts as true will do.  A node that does not know the word
    does not say it: of a system that never tells `key` this never holds.
    """

    def says(said: Json) -> bool:
        return bool(said) if isinstance(value, _Truthy) else bool(said == value)

    def holds(picture: Picture) -> bool:
        saying = sum(key in said and says(said[key]) for said in picture.nodes.values())
        return saying >= at_least

    what = key if isinstance(value, _Truthy) else f"{key} is {value!r}"
    return State(what if at_least == 1 else f"{what} on {at_least} nodes", holds)


def in_force(fault: str) -> State:
    """The fault was ordered, and not yet stopped."""
    return State(f"{fault} in force", lambda picture: fault in picture.in_force)


def no_primary() -> State:
    """Some node has answered, and none of those that did holds itself for a primary."""
    return State(
        "no primary",
        lambda picture: bool(picture.nodes) and not picture.observations.get("primaries"),
    )


def becomes(state: State) -> Moment:
    """The state begins to hold."""
    return Moment(
        f"{state.name} begins",
        lambda before, after, _event: state.holds(after) and not state.holds(before),
    )


def primary_elected() -> Moment:
    """A node leads that did not when it was last known who does, or leads in a newer term.

    A primary that merely did not answer for a while was not elected.  The first that is seen
    at all counts, for all we know.
    """
    return Moment(
        "primary elected", lambda before, after, _event: before.mandates != after.mandates
    )


def struck(fault: str) -> Moment:
    """The nemesis has begun with the fault."""
    return _completed(f"start-{fault}", f"{fault} struck")


def healed(fault: str) -> Moment:
    """The nemesis has ended the fault."""
    return _completed(f"stop-{fault}", f"{fault} healed")


def _completed(f: str, name: str) -> Moment:
    return Moment(
        name,
        lambda _before, _after, event: (
            event.process == NEMESIS and event.f == f and event.type != "invoke"
        ),
    )

"""Who judges runs of raftkv: linearizability of the keys, and invariants of what nodes tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from checker.evidence import Checker
from checker.invariants import (
    Invariant,
    at_most_one,
    at_most_one_primary,
    no_foreign_replay,
    only_if,
    terms_never_go_back,
    where,
)
from histories import Json
from simulation.judges import Linearizable

ACCEPTED: Final = where(event="write-accepted")


def invariants() -> dict[str, Invariant]:
    """The cluster invariants, by name."""
    found = (
        at_most_one_primary(),
        terms_never_go_back(per=("node", "group")),
        no_foreign_replay(),
        only_if(ACCEPTED, where(role="primary", state="ACTIVE")).called("only-primaries-accept"),
        only_if(ACCEPTED, ~where(state="MIGRATING_IN")).called("migrating-in-never-accepts"),
        # Nodes tell it of each place once, and mean it: so two that differ are enough.
        at_most_one(where(event="applied"), "applied", by="chain").called("same-at-same-place"),
    )
    return {invariant.name: invariant for invariant in found}


def judges(*, restarts: bool = True) -> Mapping[str, Checker]:
    """All of them; where perhaps nobody starts again, perhaps nobody replays a log either."""
    found = invariants()
    if not restarts:
        del found["no-foreign-replay"]
    return {"linearizable": Linearizable("cas-register"), **found}


def covered(checkers: Iterable[str], options: Mapping[str, Json]) -> tuple[str, ...]:
    """The checkers that a scenario with these options puts to the test.

    Where no shard moves, nobody can accept a write too early; where a log has one group in it,
    nobody can replay another's.  And availability only measures.
    """
    alone = options.get("shards", 1) == 1 and not options.get("movable")
    idle = {"availability"}
    if not options.get("movable"):
        idle.add("migrating-in-never-accepts")
    if alone:
        idle.add("no-foreign-replay")
    return tuple(each for each in checkers if each not in idle)

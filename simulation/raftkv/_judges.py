"""Who judges runs of raftkv: linearizability of the keys, and invariants of what nodes tell."""

from __future__ import annotations

from collections.abc import Mapping
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

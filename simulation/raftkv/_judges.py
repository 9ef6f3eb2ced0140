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
from checker.invariants._invariant import Break, at
from checker.invariants._rows import Row
from histories import History
from simulation.judges import Linearizable

ACCEPTED: Final = where(event="write-accepted")


def _deaths(history: History, rows: list[Row]) -> tuple[int, list[Break]]:
    died = [row for row in rows if row.get("event") == "died"]
    return len(rows), [
        Break(f"{row.node} died {at(history, row)}: {row.get('why')}.", (row.position,))
        for row in died
    ]


NOBODY_DIES: Final = Invariant("nobody-dies", _deaths, "observations")
"""No node ends by an error of its own, as by a log that it cannot read."""


def invariants() -> dict[str, Invariant]:
    """The cluster invariants, by name."""
    found = (
        at_most_one_primary(),
        terms_never_go_back(per=("node", "group")),
        no_foreign_replay(),
        only_if(ACCEPTED, where(role="primary", state="ACTIVE")).called("only-primaries-accept"),
        only_if(ACCEPTED, ~where(state="MIGRATING_IN")).called("migrating-in-never-accepts"),
        NOBODY_DIES,
        # Nodes tell it of each place once, and mean it: so two that differ are enough.
        at_most_one(where(event="applied"), "applied", by="chain").called("same-at-same-place"),
    )
    return {invariant.name: invariant for invariant in found}


def judges(*, restarts: bool = True, deaths: bool = False) -> Mapping[str, Checker]:
    """All of them.

    Where perhaps nobody starts again, perhaps nobody replays a log either; and where disks fail,
    nodes may die of it (`deaths`).
    """
    found = invariants()
    if deaths:
        del found["nobody-dies"]
    if not restarts:
        del found["no-foreign-replay"]
    return {"linearizable": Linearizable("cas-register"), **found}

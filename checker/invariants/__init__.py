"""Invariants over what nodes said of themselves, in a small language of plain Python.

from checker import invariants
from checker.invariants import at_most_one, never_decreases, where

primary = where(role="primary")
verdict = at_most_one(primary, per=("shard", "term")).check(history)
verdict = invariants.convergence(within_s=2).check(history)
"""

from checker.invariants._accepting import accepts_only
from checker.invariants._convergence import agrees, both, converges, somebody
from checker.invariants._invariant import Break, Invariant
from checker.invariants._orders import (
    always_increases,
    at_most_one,
    at_most_one_at_once,
    never_ahead,
    never_decreases,
    no_gaps,
    only_if,
)
from checker.invariants._ready import (
    ACTIVE,
    CHECKERS,
    PRIMARY,
    at_most_one_primary,
    clear_authority,
    convergence,
    migrating_in_never_accepts,
    never_trimmed_before_upload,
    no_foreign_replay,
    offsets_without_gaps,
    only_primaries_accept,
    replicas_converge,
    same_at_same_place,
    same_content,
    terms_never_go_back,
)
from checker.invariants._rows import (
    MISSING,
    Calm,
    Condition,
    Row,
    Term,
    field,
    from_start,
    has,
    healed,
    rows_of,
    same,
    where,
)

__all__ = [
    "ACTIVE",
    "CHECKERS",
    "MISSING",
    "PRIMARY",
    "Break",
    "Calm",
    "Condition",
    "Invariant",
    "Row",
    "Term",
    "accepts_only",
    "agrees",
    "always_increases",
    "at_most_one",
    "at_most_one_at_once",
    "at_most_one_primary",
    "both",
    "clear_authority",
    "convergence",
    "converges",
    "field",
    "from_start",
    "has",
    "healed",
    "migrating_in_never_accepts",
    "never_ahead",
    "never_decreases",
    "never_trimmed_before_upload",
    "no_foreign_replay",
    "no_gaps",
    "offsets_without_gaps",
    "only_if",
    "only_primaries_accept",
    "replicas_converge",
    "rows_of",
    "same",
    "same_at_same_place",
    "same_content",
    "somebody",
    "terms_never_go_back",
    "where",
]

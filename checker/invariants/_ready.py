"""Invariants that many systems share, over fields with the usual names.

Each takes other names where a system uses them.  `CHECKERS` has them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from checker.invariants._accepting import WRITES, accepts_only
from checker.invariants._convergence import After, agrees, both, converges, somebody
from checker.invariants._invariant import Invariant
from checker.invariants._orders import (
    at_most_one,
    at_most_one_at_once,
    never_ahead,
    never_decreases,
    no_gaps,
    only_if,
)
from checker.invariants._rows import (
    MISSING,
    AnyCondition,
    AnyTerm,
    Condition,
    Row,
    Term,
    condition_of,
    healed,
    same,
    where,
)
from histories import Json

PRIMARY: Final = where(role=("primary", "leader", "master"))
PASSIVE: Final = where(state=("MIGRATING_IN", "MIGRATING_OUT", "INACTIVE", "FENCED"))
# Many systems have no such states, and tell none: who tells of its role alone is not passive.
ACTIVE: Final = PRIMARY & ~Condition(PASSIVE.words, PASSIVE.holds)
MIGRATING_IN: Final = where(state="MIGRATING_IN")

Per = str | tuple[str, ...]


def at_most_one_primary(primary: AnyCondition = PRIMARY, per: Per = ("shard", "term")) -> Invariant:
    """At most one node is primary of a shard in a term; ``per="term"`` without shards."""
    return at_most_one(primary, per).called("at-most-one-primary")


def terms_never_go_back(
    term: AnyTerm = "term", per: Per = "node", *, steady: bool = False
) -> Invariant:
    """The term of a node never decreases, also not over a restart; see `never_decreases`."""
    return never_decreases(term, per, steady=steady).called("terms-never-go-back")


def only_primaries_accept(
    active: AnyCondition = ACTIVE,
    *,
    writes: Collection[str] = WRITES,
    shard_of: Callable[[Json], Json] | None = None,
) -> Invariant:
    """Only an active primary accepts writes."""
    found = accepts_only(active, writes=writes, shard_of=shard_of)
    return found.called("only-primaries-accept")


def migrating_in_never_accepts(
    migrating: AnyCondition = MIGRATING_IN,
    *,
    writes: Collection[str] = WRITES,
    shard_of: Callable[[Json], Json] | None = None,
) -> Invariant:
    """A shard that is being moved to a node accepts no writes there."""
    found = accepts_only(~condition_of(migrating), writes=writes, shard_of=shard_of)
    return found.called("migrating-in-never-accepts")


def no_foreign_replay(own: str = "shard", log: str = "log_shard") -> Invariant:
    """A shard replays its own log only: rows ``{"event": "replay", shard, log_shard}``."""
    return only_if(where(event="replay"), same(own, log)).called("no-foreign-replay")


def offsets_without_gaps(offset: AnyTerm = "offset", per: Per = ("node", "shard")) -> Invariant:
    """Offsets follow each other: rows ``{"event": "append", shard, offset}``, one for each."""
    return no_gaps(offset, per).called("offsets-without-gaps")


def replicas_converge(
    progress: AnyTerm = "revision", *, within_s: float = 5.0, after: After = healed, per: Per = ()
) -> Invariant:
    """After healing every replica catches up within a bound."""
    return converges(progress, within_s=within_s, after=after, per=per).called("replicas-converge")


def never_trimmed_before_upload(
    trimmed: AnyTerm = "trimmed", uploaded: AnyTerm = "uploaded", per: Per = "shard"
) -> Invariant:
    """A write-ahead log is trimmed (up to an offset) only where its upload is confirmed."""
    return never_ahead(trimmed, uploaded, per).called("never-trimmed-before-upload")


def clear_authority(
    primary: AnyCondition = PRIMARY,
    *,
    within_s: float = 5.0,
    after: After = healed,
    per: Per = "shard",
) -> Invariant:
    """After a restart there is a primary within a bound, and never two of them at once."""
    return both(
        "clear-authority",
        at_most_one_at_once(primary, per),
        somebody(primary, within_s=within_s, after=after, per=per),
    )


def same_at_same_place(what: AnyTerm = "revision", at_same: AnyTerm = "applied") -> Invariant:
    """Replicas that applied the same of their log hold the same; see `convergence` for etcd."""
    return agrees(what, at_same).called("same-at-same-place")


def _hashed(row: Row) -> Any:
    """Up to where a node's content was hashed; hashes of other versions are not compared."""
    revision, compacted = row.get("hash_revision"), row.get("hash_compacted")
    if MISSING in (revision, compacted) or row.get("hash") is MISSING:
        return MISSING
    release = ".".join(str(row.get("version")).split(".")[:2])
    since = f", compacted up to {compacted}" if compacted else ""
    return f"{revision} (etcd {release}{since})"


def same_content() -> Invariant:
    """Members hold the same up to the same revision, as their hashes tell; see `convergence`."""
    content = Term("the hash of what they hold", lambda row: row.get("hash"))
    return agrees(content, Term("revision", _hashed)).called("same-content")


def convergence(*, within_s: float = 5.0, after: After = healed) -> Invariant:
    """The members of an etcd cluster do not diverge.

    Members whose revisions differ though they applied the same entries of the Raft log are
    named, whenever that is seen; so are those whose content differs up to the same revision;
    and so are those that stay behind after healing.
    """
    return both(
        "convergence",
        agrees("revision", "applied"),
        same_content(),
        converges("revision", within_s=within_s, after=after),
    )


CHECKERS: Final[Mapping[str, Callable[..., Invariant]]] = {
    "at-most-one-primary": at_most_one_primary,
    "terms-never-go-back": terms_never_go_back,
    "only-primaries-accept": only_primaries_accept,
    "migrating-in-never-accepts": migrating_in_never_accepts,
    "no-foreign-replay": no_foreign_replay,
    "offsets-without-gaps": offsets_without_gaps,
    "replicas-converge": replicas_converge,
    "never-trimmed-before-upload": never_trimmed_before_upload,
    "clear-authority": clear_authority,
    "same-at-same-place": same_at_same_place,
    "same-content": same_content,
    "convergence": convergence,
}

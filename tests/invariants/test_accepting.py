"""Who accepted a write, against an oracle that looks at every write by itself."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from checker import invariants as inv
from checker.invariants import MISSING, Row, same, where
from tests.invariants.observed import Story

SAID = st.tuples(
    st.integers(1, 30),
    st.integers(0, 1) | st.integers(0, 20),  # most looks follow each other, some take long
    st.sampled_from(["n1", "n2"]),
    st.booleans(),
)
WRITES = st.tuples(
    st.integers(0, 30),
    st.integers(0, 6),
    st.sampled_from(["n1", "n2", "n3"]),
    st.sampled_from("xy"),
)
Look = tuple[int, int, str, bool, str]
"""When it was answered, how long that took, by whom, whether it holds, of which shard."""


def first(one: Look, other: Look, told: list[Look]) -> bool:
    """Whether what `one` tells was certainly before what `other` tells."""
    return one[0] <= other[0] - other[1] and told.index(one) < told.index(other)


def accepted_in_vain(said: list[Look], writes: list[tuple[int, int, str, str]]) -> tuple[int, int]:
    """How many writes lie between two looks at their node and shard, and how many are denied.

    Denied is what has one denial before it and one after it, and no look that may be of a time
    between these says otherwise.
    """
    judged = denied = 0
    for begin, length, node, key in writes:
        mine = [look for look in said if look[2] == node and look[4] in ("", key)]
        earlier = [look for look in mine if look[0] <= begin]
        later = [look for look in mine if look[0] - look[1] >= begin + length]
        if not earlier or not later:
            continue
        if max(look[0] - look[1] for look in earlier) == min(look[0] for look in later):
            continue  # all of it in one instant
        judged += 1
        denied += any(
            not any(
                look[3] and not first(look, one, mine) and not first(other, look, mine)
                for look in mine
            )
            for one in earlier
            for other in later
        )
    return judged, denied


@given(st.lists(SAID, max_size=12, unique=True), st.lists(WRITES, max_size=8))
@example(  # What was said at 1 was perhaps said after the denial of that very instant.
    [(1, 0, "n2", False), (1, 1, "n2", True), (2, 0, "n2", False)], [(1, 1, "n2", "x")]
)
def test_as_many_as_the_oracle_counts(
    said: list[tuple[int, int, str, bool]], writes: list[tuple[int, int, str, str]]
) -> None:
    for sharded in (False, True):
        story = Story()
        told = [(*one, "xy"[one[0] % 2] if sharded else "") for one in sorted(said)]
        for at, took, node, holds, shard in told:
            fields: Any = {"shard": shard} if sharded else {}
            story.says(at, node, took=took, role="primary" if holds else "replica", **fields)
        for begin, length, node, key in writes:
            story.writes(begin, begin + length, node, key)
        active = inv.accepts_only(
            where(role="primary"), shard_of=(lambda key: key) if sharded else None
        )
        details = active.check(story.history()).details
        assert (details["judged"], details["broken_count"]) == accepted_in_vain(told, writes)


def test_nobody_is_accused_who_may_have_said_so_while_it_was_being_asked() -> None:
    """Asked at 15 and answering at 40, it was primary; in between it told of itself."""
    story = Story().says(1, "n1", role="replica").writes(10, 20, "n1")
    story.says(31, "n1", role="replica")
    assert story.judged(inv.accepts_only(where(role="primary"))) is False
    story.says(40, "n1", took=25, role="primary")
    assert story.judged(inv.accepts_only(where(role="primary"))) is True


def test_a_shard_that_nobody_tells_of_is_not_judged() -> None:
    story = Story().says(5, "n1", role="replica").writes(10, 20, "n1")
    story.says(30, "n1", role="replica")
    assert story.judged(inv.accepts_only(where(role="primary"))) is False
    nowhere = inv.accepts_only(where(role="primary"), shard_of=lambda _key: MISSING)
    assert story.judged(nowhere) is False
    assert story.judged(inv.accepts_only(where(role="primary"), shard_of=str)) == "unknown"


def test_what_tells_of_something_else_denies_nothing() -> None:
    """Events that say nothing of the role, around a write: nobody looked."""
    story = Story().says(5, "n1", event="trim").writes(10, 20, "n1").says(30, "n1", event="trim")
    active = inv.accepts_only(where(role="primary") & ~where(state="MIGRATING_IN"))
    assert story.judged(active) == "unknown"
    story.says(6, "n1", event="role", role="replica").says(31, "n1", event="trim", state="ACTIVE")
    assert story.judged(active) == "unknown"
    story.says(32, "n1", event="role", role="replica")
    assert story.judged(active) is False


def test_what_tells_of_something_else_clears_nobody_either() -> None:
    never = inv.migrating_in_never_accepts()
    story = Story().says(5, "n1", state="MIGRATING_IN").writes(10, 20, "n1")
    story.says(12, "n1", event="trim").says(30, "n1", state="MIGRATING_IN")
    assert story.judged(never) is False


def row(**fields: Any) -> Row:
    return Row(0, "n1", 0, 0, fields)


def test_conditions_know_what_a_row_does_not_say() -> None:
    """Kleene's tables: unknown unless one side settles it."""
    a, b = where(a=1), where(b=1)
    for said, fields in ((True, {"a": 1}), (False, {"a": 2}), (None, {})):
        assert a.known(row(**fields)) is said
        assert (~a).known(row(**fields)) is (None if said is None else not said)
        assert (a & b).known(row(**fields)) is (False if said is False else None)
        assert (a | b).known(row(**fields)) is (True if said else None)
        assert (a & b).known(row(**fields, b=1)) is said
        assert (a | b).known(row(**fields, b=2)) is said
    assert where(a=1, b=1).known(row(a=2)) is False
    assert where(a=1, b=(1, 2)).known(row(a=1)) is None
    assert same("a", "b").known(row(a=1)) is None
    assert same("a", "b").known(row(a=1, b=1)) is True


def test_who_tells_that_it_is_primary_need_not_tell_a_state() -> None:
    story = Story().says(5, "n1", event="role", role="primary").writes(10, 20, "n1")
    story.says(15, "n1", event="trim").says(30, "n1", event="role", role="primary")
    assert story.judged(inv.only_primaries_accept()) is True
    story = Story().says(5, "n1", event="role", role="replica").writes(10, 20, "n1")
    story.says(15, "n1", event="trim").says(30, "n1", event="role", role="replica")
    assert story.judged(inv.only_primaries_accept()) is False

"""Who accepted a write, against an oracle that looks at every write by itself."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from checker import invariants as inv
from checker.invariants import MISSING, where
from tests.invariants.observed import Story

SAID = st.tuples(st.integers(1, 30), st.sampled_from(["n1", "n2"]), st.booleans())
WRITES = st.tuples(
    st.integers(0, 30),
    st.integers(0, 6),
    st.sampled_from(["n1", "n2", "n3"]),
    st.sampled_from("xy"),
)


def accepted_in_vain(
    said: list[tuple[int, str, bool, str]], writes: list[tuple[int, int, str, str]]
) -> tuple[int, int]:
    """How many writes lie between two looks at their node and shard, and how many are denied."""
    judged = denied = 0
    for begin, length, node, key in writes:
        mine = [(at, holds) for at, who, holds, shard in said if who == node and shard in ("", key)]
        earlier = [at for at, _ in mine if at <= begin]
        later = [at for at, _ in mine if at - 1 >= begin + length]
        if not earlier or not later:
            continue
        judged += 1
        denied += not any(holds for at, holds in mine if max(earlier) <= at <= min(later))
    return judged, denied


@given(st.lists(SAID, max_size=12, unique_by=lambda one: one[:2]), st.lists(WRITES, max_size=8))
def test_as_many_as_the_oracle_counts(
    said: list[tuple[int, str, bool]], writes: list[tuple[int, int, str, str]]
) -> None:
    for sharded in (False, True):
        story = Story()
        told = [(*one, "xy"[one[0] % 2] if sharded else "") for one in sorted(said)]
        for at, node, holds, shard in told:
            fields: Any = {"shard": shard} if sharded else {}
            story.says(at, node, role="primary" if holds else "replica", **fields)
        for begin, length, node, key in writes:
            story.writes(begin, begin + length, node, key)
        active = inv.accepts_only(
            where(role="primary"), shard_of=(lambda key: key) if sharded else None
        )
        details = active.check(story.history()).details
        assert (details["judged"], details["broken_count"]) == accepted_in_vain(told, writes)


def test_a_shard_that_nobody_tells_of_is_not_judged() -> None:
    story = Story().says(5, "n1", role="replica").writes(10, 20, "n1")
    story.says(30, "n1", role="replica")
    assert story.judged(inv.accepts_only(where(role="primary"))) is False
    nowhere = inv.accepts_only(where(role="primary"), shard_of=lambda _key: MISSING)
    assert story.judged(nowhere) is False
    assert story.judged(inv.accepts_only(where(role="primary"), shard_of=str)) == "unknown"

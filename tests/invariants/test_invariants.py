"""Invariants over observations: each broken, and the nearest story in which it holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker import invariants as inv
from checker.invariants import field, where
from tests.invariants.observed import Story, shards


def test_two_primaries_in_one_term() -> None:
    one = inv.at_most_one_primary(per="term")
    story = Story().says(10, "n1", role="primary", term=3).says(20, "n2", role="primary", term=4)
    assert story.judged(one) is True
    assert story.says(30, "n2", role="primary", term=3).judged(one) is False
    [found] = one.check(story.history()).counterexamples
    assert found.sentence == (
        "Two nodes said that role is primary or leader or master of term 3: "
        "n1 at 0.010 s, and n2 at 0.030 s."
    )
    assert [event.node for event in found.operations] == ["n1", "n2"]


def test_primaries_of_two_shards_are_two() -> None:
    one = inv.at_most_one_primary()
    primary = {"role": "primary", "term": 1}
    story = Story().says(10, "n1", **shards(a=primary)).says(20, "n2", **shards(b=primary))
    assert story.judged(one) is True
    assert story.says(30, "n3", **shards(a=primary)).judged(one) is False


def test_nothing_to_look_at_is_vacuous() -> None:
    assert Story().silent(10, "n1").judged(inv.at_most_one_primary()) == "unknown"
    assert Story().says(10, "n1", role="x").judged(inv.terms_never_go_back()) == "unknown"


def test_terms_that_go_back() -> None:
    story = Story().says(10, "n1", term=3).says(20, "n2", term=2).says(30, "n1", term=3)
    assert story.judged(inv.terms_never_go_back()) is True
    assert story.says(40, "n1", term=2).judged(inv.terms_never_go_back()) is False


def test_a_term_that_was_told_once_may_not_be_on_disk_yet() -> None:
    steady = inv.terms_never_go_back(steady=True)
    story = Story()
    for at, term in enumerate((3, 3, 4, 3, 3, 4, 4)):
        story.says(10 * at + 10, "n1", term=term)
    assert story.judged(inv.terms_never_go_back()) is False
    assert story.judged(steady) is True
    assert story.says(90, "n1", term=3).judged(steady) is True
    assert story.says(100, "n1", term=3).judged(steady) is False


def test_answers_that_overlap_have_no_order() -> None:
    story = Story().says(10, "n1", term=3).says(20, "n1", took=15, term=2)
    assert story.judged(inv.terms_never_go_back()) is True


def test_an_answer_in_between_that_overlaps_both_hides_nothing() -> None:
    story = Story().says(10, "n1", term=3).says(20, "n1", took=15, term=2)
    assert story.says(30, "n1", term=3).judged(inv.terms_never_go_back()) is True
    story = Story().says(10, "n1", term=3).says(20, "n1", took=15, term=2)
    assert story.says(30, "n1", term=2).judged(inv.terms_never_go_back()) is False


def test_what_increases_does_not_stay() -> None:
    story = Story().says(10, "n1", epoch=1).says(20, "n1", epoch=1)
    assert story.judged(inv.never_decreases("epoch")) is True
    assert story.judged(inv.always_increases("epoch")) is False


def test_a_write_on_a_node_that_is_no_primary() -> None:
    story = Story().says(10, "n1", role="replica").writes(20, 30, "n1")
    assert story.judged(inv.only_primaries_accept()) == "unknown", "it may be primary by then"
    assert story.says(40, "n1", role="primary").judged(inv.only_primaries_accept()) is True
    other = Story().says(10, "n1", role="replica").writes(20, 30, "n1")
    assert other.says(40, "n1", role="replica").judged(inv.only_primaries_accept()) is False
    assert other.says(25, "n1", role="primary").judged(inv.only_primaries_accept()) is True


def test_an_answer_given_while_the_write_went_on_may_be_older() -> None:
    story = Story().says(10, "n1", role="replica").writes(20, 30, "n1")
    story.says(35, "n1", took=10, role="primary").says(50, "n1", role="replica")
    assert story.judged(inv.only_primaries_accept()) is True


def test_a_write_to_a_shard_that_is_migrating_in() -> None:
    never = inv.migrating_in_never_accepts(shard_of=lambda key: key[0])
    moving, there = {"state": "MIGRATING_IN"}, {"state": "ACTIVE"}
    story = Story().says(10, "n1", **shards(a=moving, b=there)).writes(20, 30, "n1", "b7")
    assert story.says(40, "n1", **shards(a=moving, b=there)).judged(never) is True
    assert story.writes(22, 23, "n2", "a7").judged(never) is True, "another node"
    assert story.writes(24, 26, "n1", "a7").judged(never) is False


def test_a_node_that_tells_what_it_accepts_needs_no_clients() -> None:
    only = inv.only_if(where(event="write"), ~where(state="MIGRATING_IN"))
    story = Story().says(10, "n1", event="write", shard="a", state="ACTIVE")
    assert story.judged(only) is True
    assert (
        story.says(20, "n1", event="write", shard="a", state="MIGRATING_IN").judged(only) is False
    )


def test_a_log_of_another_shard_is_replayed() -> None:
    story = Story().says(10, "n1", event="replay", shard="a", log_shard="a")
    assert story.judged(inv.no_foreign_replay()) is True
    assert (
        story.says(20, "n1", event="replay", shard="a", log_shard="b").judged(
            inv.no_foreign_replay()
        )
        is False
    )
    untold = Story().says(10, "n1", event="replay", shard="a")
    assert untold.judged(inv.no_foreign_replay()) is False, "whose log it was is not said"


def test_offsets_with_a_gap_and_offsets_that_repeat() -> None:
    story = Story().says(10, "n1", shard="a", offset=1).says(20, "n1", shard="a", offset=2)
    story.says(25, "n1", shard="b", offset=7).says(26, "n2", shard="a", offset=1)
    assert story.judged(inv.offsets_without_gaps()) is True
    assert story.says(30, "n1", shard="a", offset=[3, 4]).judged(inv.offsets_without_gaps()) is True
    assert story.says(40, "n1", shard="a", offset=6).judged(inv.offsets_without_gaps()) is False
    again = Story().says(10, "n1", shard="a", offset=1).says(20, "n1", shard="a", offset=1)
    assert again.judged(inv.offsets_without_gaps()) is False


def test_a_log_that_is_trimmed_before_it_is_uploaded() -> None:
    never = inv.never_trimmed_before_upload()
    story = Story().says(10, "n1", shard="a", event="upload", uploaded=40)
    story.says(20, "n1", shard="a", event="trim", trimmed=40)
    assert story.judged(never) is True
    assert story.says(30, "n1", shard="a", event="trim", trimmed=41).judged(never) is False
    assert Story().says(10, "n1", shard="a", trimmed=1).judged(never) is False


def lagging(last: int) -> Story:
    story = Story().fault("kill", 100, 200)
    for at in range(250, 1000, 50):
        story.says(at, "n1", revision=at)
        story.says(at, "n2", revision=last if at > 900 else 10)
    return story


def test_a_replica_that_stays_behind_after_healing() -> None:
    soon = inv.replicas_converge(within_s=0.3)
    assert lagging(10).judged(soon) is False
    assert lagging(949).judged(soon) is True, "it catches up in the end"
    [found] = soon.check(lagging(10).history()).counterexamples
    assert found.sentence.startswith("n2 stayed behind: its revision was 10 at 0.950 s, where n1")


def test_a_replica_may_be_behind_within_the_bound_and_while_it_is_hurt() -> None:
    assert lagging(10).judged(inv.replicas_converge(within_s=0.9)) == "unknown"
    hurt = lagging(10).fault("pause", 210)
    assert hurt.judged(inv.replicas_converge(within_s=0.3)) == "unknown"


def test_members_that_differ_at_the_same_place_of_the_log() -> None:
    story = Story().says(10, "n1", applied=7, revision=5).says(20, "n1", applied=7, revision=5)
    story.says(30, "n2", applied=7, revision=4)
    assert story.judged(inv.same_at_same_place()) is True, "put together of two moments, perhaps"
    assert story.says(40, "n2", applied=7, revision=4).judged(inv.same_at_same_place()) is False
    other = Story().says(10, "n1", applied=7, revision=5).says(20, "n1", applied=7, revision=5)
    other.says(30, "n2", applied=6, revision=4).says(40, "n2", applied=6, revision=4)
    assert other.judged(inv.same_at_same_place()) is True


def hashed(**fields: Any) -> dict[str, Any]:
    """What a quiet member of etcd says of its content."""
    return {"version": "3.5.1", "hash": 11, "hash_revision": 9, "hash_compacted": 0} | fields


def test_members_that_hold_other_things_at_the_same_revision() -> None:
    story = Story()
    for at in (10, 20):
        story.says(at, "n1", **hashed()).says(at, "n2", **hashed())
        story.says(at, "n3", revision=9)
    assert story.judged(inv.same_content()) is True
    story.says(30, "n2", **hashed(hash=12))
    assert story.judged(inv.same_content()) is True, "said once only"
    story.says(40, "n2", **hashed(hash=12))
    [found] = inv.same_content().check(story.history()).counterexamples
    assert found.sentence == (
        "n1 and n2 are both at revision 9 (etcd 3.5), but the hash of what they hold is 11 on n1 "
        "(at 0.020 s) and 12 on n2 (at 0.040 s)."
    )


@pytest.mark.parametrize(
    "other",
    [{"hash_revision": 8}, {"hash_compacted": 3}, {"version": "3.6.16"}, {"hash": None}],
    ids=["revision", "compaction", "version", "nothing"],
)
def test_hashes_that_cannot_be_compared_are_not(other: dict[str, Any]) -> None:
    story = Story()
    for at in (10, 20):
        story.says(at, "n1", **hashed()).says(at, "n2", **hashed(**({"hash": 12} | other)))
    assert story.judged(inv.same_content()) is True


def test_two_primaries_at_once_after_a_restart() -> None:
    clear = inv.clear_authority(per=(), within_s=0.1)
    story = Story().fault("restart", 10, 20)
    story.says(130, "n1", role="primary").says(135, "n2", role="replica")
    story.says(160, "n1", role="primary").says(170, "n2", role="primary")
    story.says(180, "n1", role="replica").says(190, "n2", role="primary")
    assert story.judged(clear) is True
    story.says(195, "n1", role="primary").says(205, "n2", role="primary")
    assert story.says(210, "n1", role="primary").judged(clear) is False


def test_nobody_in_charge_after_a_restart() -> None:
    clear = inv.clear_authority(per=(), within_s=0.1)
    story = Story().fault("restart", 10, 20).says(50, "n1", role="replica")
    story.says(130, "n1", role="replica").says(135, "n2", role="replica")
    assert story.judged(clear) is False
    assert story.says(140, "n1", role="primary").judged(clear) is True


def test_terms_and_conditions_combine() -> None:
    row = inv.rows_of(Story().says(10, "n1", commit=5, applied=3, role="leader").history())[0]
    assert (field("commit") - field("applied")).of(row) == 2
    assert (field("commit") - field("nothing")).of(row) is inv.MISSING
    assert (where(role=("leader", "primary")) & ~where(commit=4))(row)
    assert not (where(role="x") | where(node="n2"))(row)
    close = inv.only_if(inv.has("commit"), lambda row: row.get("commit") - row.get("applied") < 3)
    assert Story().says(10, "n1", commit=5, applied=3).judged(close) is True
    assert Story().says(10, "n1", commit=6, applied=3).judged(close) is False


@given(st.data())
def test_as_many_steps_back_are_found_as_were_planted(data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.booleans(), min_size=1, max_size=12))
    story, term = Story().says(1, "n1", term=100), 100
    for number, back in enumerate(steps):
        term += -1 if back else data.draw(st.integers(0, 3))
        story.says(10 * number + 10, "n1", term=term)
    verdict = inv.terms_never_go_back().check(story.history())
    assert verdict.details["broken_count"] == sum(steps)


def test_rows_are_made_once_for_a_history_and_anew_for_what_is_cut_from_it() -> None:
    history = Story().says(10, "n1", term=1).says(20, "n1", term=2).history()
    rows = inv.rows_of(history)
    assert inv.rows_of(history) is rows
    assert [row.get("term") for row in inv.rows_of(history.between(15_000_000, 25_000_000))] == [2]
    assert [row.get("term") for row in inv.rows_of(history)] == [1, 2]

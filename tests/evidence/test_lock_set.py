"""Who holds a lock: every outcome, and its nearest clean neighbour."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import LockSet
from histories import History, Op
from tests.checker.drawing import drawn
from tests.evidence.outcomes import why

CASES: dict[str, tuple[str, int]] = {
    "one after the other": (
        """
        0 |-acquire-| |-release-|
        1                         |-acquire-| |-release-|
        """,
        0,
    ),
    "both at once": (
        """
        0 |-acquire-|               |-release-|
        1               |-acquire-|             |-release-|
        """,
        1,
    ),
    "the second got it while the first released it": (
        """
        0 |-acquire-|         |-release-|
        1               |-acquire-|        |-release-|
        """,
        0,
    ),
    "the second got it when the first began to release it": (
        """
        0 |-acquire-|             |-release-|
        1               |-acquire-|        |-release-|
        """,
        0,
    ),
    "the first never releases it": (
        """
        0 |-acquire-|
        1               |-acquire-|
        """,
        1,
    ),
    "an acquire in doubt holds nothing": (
        """
        0 |-acquire-...
        1               |-acquire-| |-release-|
        2                                       |-acquire-|
        """,
        0,
    ),
    "a refused acquire holds nothing": (
        """
        0 |-acquire-x
        1               |-acquire-| |-release-|
        2                                       |-acquire-|
        """,
        0,
    ),
    "a failed release releases nothing": (
        """
        0 |-acquire-| |-release-x
        1                          |-acquire-|
        """,
        1,
    ),
    "a release in doubt may have released it": (
        """
        0 |-acquire-| |-release-...
        1                          |-acquire-|
        """,
        0,
    ),
    "told twice that one has it": (
        """
        0 |-acquire-| |-acquire-| |-release-|
        1                                     |-acquire-|
        """,
        1,
    ),
    "a short hold within a long one, and one behind it": (
        """
        0 |-acquire-|                                          |-release-|
        1               |-acquire-| |-release-|
        2                                       |-acquire-|
        """,
        2,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_holds_overlap_or_not(name: str) -> None:
    drawing, overlaps = CASES[name]
    verdict = LockSet().check(drawn(drawing))
    assert verdict.details["overlaps_count"] == overlaps
    assert verdict.valid is (overlaps == 0)
    assert len(verdict.counterexamples) == overlaps


def test_two_locks_are_two_locks() -> None:
    x = [Op("acquire", None, "x", process=0), Op("acquire", None, "x", "ok", 0)]
    y = [Op("acquire", None, "y", process=1), Op("acquire", None, "y", "ok", 1)]
    assert LockSet().check(History.from_ops([*x, *y])).valid is True
    same = [Op("acquire", None, "x", process=2), Op("acquire", None, "x", "ok", 2)]
    verdict = LockSet().check(History.from_ops([*x, *y, *same]))
    [found] = verdict.counterexamples
    assert (found.key, verdict.details["overlaps"][0]["processes"]) == ("x", [0, 2])


def test_a_release_of_another_lock_releases_nothing() -> None:
    ops = [
        *(Op("acquire", None, "x", process=0), Op("acquire", None, "x", "ok", 0)),
        *(Op("release", None, "y", process=0), Op("release", None, "y", "ok", 0)),
        *(Op("acquire", None, "x", process=1), Op("acquire", None, "x", "ok", 1)),
    ]
    assert LockSet().check(History.from_ops(ops)).valid is False


@pytest.mark.parametrize(("second_s", "valid"), [(9, False), (10, True)])
def test_a_lease_runs_out(second_s: int, valid: bool) -> None:
    def at(second: float, process: int, type: str) -> Op:
        return Op("acquire", None, None, type, process, int(second * 1e9))  # type: ignore[arg-type]

    history = History.from_ops(
        [at(0, 0, "invoke"), at(1, 0, "ok"), at(2, 1, "invoke"), at(second_s, 1, "ok")]
    )
    assert LockSet(lease_s=10).check(history).valid is valid
    assert LockSet().check(history).valid is False


def test_one_client_alone_shows_nothing() -> None:
    assert why(LockSet().check(drawn("0 |-acquire-| |-release-|"))) == "vacuous"


def test_the_sentence_names_both() -> None:
    [found] = LockSet().check(drawn(CASES["both at once"][0])).counterexamples
    assert found.sentence.startswith("Two held the lock at once: acquire by process 1")
    assert [event.f for event in found.operations].count("acquire") == 4


def test_a_set_that_a_lock_guards_is_judged_too() -> None:
    """Two holders read, add and write back; one of the additions is lost."""
    lost = drawn("0 |-add 1-| |-add 2-| |-read [1]-|")
    assert LockSet().check(lost).valid is False
    assert list(LockSet().check(lost).parts) == ["set"]
    guarded = drawn("""
        0 |-acquire-| |-add 1-| |-release-|
        1                                    |-acquire-| |-add 2-| |-release-| |-read [1,2]-|
    """)
    verdict = LockSet().check(guarded)
    assert (verdict.valid, list(verdict.parts)) == (True, ["locks", "set"])


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_as_many_overlaps_are_found_as_were_planted(clashes: list[bool]) -> None:
    """Client after client takes the lock; some take it before the one in front lets it go."""
    ops: list[Op] = [Op("acquire", process=0), Op("acquire", process=0, type="ok")]
    for number, clash in enumerate(clashes):
        release = [Op("release", process=number), Op("release", process=number, type="ok")]
        acquire = [Op("acquire", process=number + 1), Op("acquire", process=number + 1, type="ok")]
        ops += [*acquire, *release] if clash else [*release, *acquire]
    verdict = LockSet().check(History.from_ops(ops))
    assert verdict.details["overlaps_count"] == sum(clashes)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=30))
def test_a_lock_is_judged_as_its_definition_reads(steps: list[tuple[int, int]]) -> None:
    """Each process in turn acquires a lock it does not hold, or releases one it does."""
    held: set[tuple[int, int]] = set()
    ops: list[Op] = []
    overlaps = 0
    for process, lock in steps:
        f = "release" if (process, lock) in held else "acquire"
        overlaps += f == "acquire" and any(other == lock for _, other in held)
        held ^= {(process, lock)}
        ops += [Op(f, None, lock, process=process), Op(f, None, lock, "ok", process)]
    verdict = LockSet().check(History.from_ops(ops))
    assert verdict.details["overlaps_count"] == overlaps

"""Reads of several keys that see writes in one order, or in two."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import LongFork
from histories import History, Json, Op


def judged(*transactions: Json, outcome: str = "ok") -> tuple[bool | str, int]:
    """Transactions of one process after the other; what is written need not be told."""
    ops = []
    for process, steps in enumerate(transactions):
        ops.append(Op("txn", steps, process=process))
        ops.append(Op("txn", steps, process=process, type=outcome))  # type: ignore[arg-type]
    verdict = LongFork().check(History.from_ops(ops))
    return verdict.valid, verdict.details["forks_count"]


def read(x: Json, y: Json) -> Json:
    return [["r", "x", x], ["r", "y", y]]


WRITES: tuple[Json, ...] = ([["w", "x", 1]], [["w", "y", 1]])


def test_reads_that_see_more_and_more() -> None:
    assert judged(*WRITES, read(None, None), read(1, None), read(1, 1)) == (True, 0)


def test_two_reads_that_each_miss_what_the_other_sees() -> None:
    assert judged(*WRITES, read(1, None), read(None, 1)) == (False, 1)


def test_the_order_of_steps_does_not_matter() -> None:
    swapped: Json = [["r", "y", 1], ["r", "x", None]]
    assert judged(*WRITES, read(1, None), swapped) == (False, 1)


def test_a_read_of_other_keys_is_not_compared() -> None:
    assert judged(*WRITES, read(1, None), [["r", "y", 1], ["r", "z", None]]) == (True, 0)


def test_a_read_that_failed_saw_nothing() -> None:
    ops = [
        Op("txn", read(1, None), process=0),
        Op("txn", read(1, None), process=0, type="ok"),
        Op("txn", read(None, 1), process=0),
        Op("txn", read(None, 1), process=0, type="fail"),
    ]
    assert LongFork().check(History.from_ops(ops)).valid is True


@pytest.mark.parametrize(
    ("transactions", "cause"),
    [
        (WRITES, "vacuous"),
        ((*WRITES, read(None, None)), "vacuous"),
        ((*WRITES, [["w", "x", 2]], read(1, None)), "harness"),
        ((*WRITES, WRITES[0], read(1, None)), "harness"),
        ((read(1, None), read(2, None)), "harness"),
    ],
)
def test_what_shows_nothing_is_unknown(transactions: tuple[Json, ...], cause: str) -> None:
    ops = []
    for steps in transactions:
        ops += [Op("txn", steps, process=0), Op("txn", steps, process=0, type="ok")]
    verdict = LongFork().check(History.from_ops(ops))
    assert verdict.unknown is not None
    assert verdict.unknown.cause == cause


def test_other_transactions_are_refused() -> None:
    with pytest.raises(ValueError, match="a transaction is"):
        judged([["r", "x", 1], ["w", "y", 1]])


def test_the_sentence_shows_both_reads() -> None:
    ops = []
    for steps in (*WRITES, read(1, None), read(None, 1)):
        ops += [Op("txn", steps, process=0), Op("txn", steps, process=0, type="ok")]
    [found] = LongFork().check(History.from_ops(ops)).counterexamples
    assert [event.value for event in found.operations] == [read(1, None), read(None, 1)]


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(2, 4))
def test_as_many_forks_are_found_as_were_planted(planted: list[bool], size: int) -> None:
    ops = []
    for group, fork in enumerate(planted):
        keys = [group * 10 + n for n in range(size)]
        reads = [
            [["r", key, 1 if n < seen else None] for n, key in enumerate(keys)]
            for seen in range(size + 1)
        ]
        if fork:
            # Only the last key: it disagrees with the read of all keys but the last, ...
            reads.append([["r", key, 1 if n == size - 1 else None] for n, key in enumerate(keys)])
        for steps in reads:
            ops += [Op("txn", steps, process=0), Op("txn", steps, process=0, type="ok")]
    verdict = LongFork().check(History.from_ops(ops))
    # ... and with every other one that sees some keys and not the last.
    assert verdict.details["forks_count"] == sum(planted) * (size - 1)


KEYS = st.sampled_from([0, 1, 2, "x", 10**20])
TOLD = st.sampled_from([None, None, 1, 1, 1, 2, "v", 1.5])
READS = st.lists(st.tuples(st.just("r"), KEYS, TOLD).map(list), min_size=1, max_size=3)
PAIRS = st.tuples(TOLD, TOLD).map(lambda two: [["r", 0, two[0]], ["r", 1, two[1]]])
SWAPPED = st.tuples(TOLD, TOLD).map(lambda two: [["r", 1, two[1]], ["r", 0, two[0]]])
WROTE = st.tuples(st.just("w"), KEYS, st.just(1)).map(lambda step: [list(step)])


@given(
    st.lists(
        st.tuples(READS | PAIRS | SWAPPED | WROTE, st.sampled_from(["ok", "ok", "info", "fail"])),
        max_size=12,
    )
)
def test_columns_clear_no_fork(told: list[Any]) -> None:
    ops = [
        op
        for process, (steps, outcome) in enumerate(told)
        for op in (
            Op("txn", steps, process=process),
            Op("txn", steps, process=process, type=outcome),
        )
    ]
    history = History.from_ops(ops)
    quick, slow = (LongFork(quick=quick).check(history) for quick in (True, False))
    assert msgspec.structs.replace(quick, seconds=0) == msgspec.structs.replace(slow, seconds=0)


@given(st.lists(st.sampled_from(["order", "fork"]), min_size=1, max_size=30))
def test_forks_among_many_groups_of_integers_are_all_found(groups: list[str]) -> None:
    transactions: list[Json] = []
    for number, fate in enumerate(groups):
        x, y = 2 * number, 2 * number + 1
        transactions += [[["w", x, 1]], [["w", y, 1]]]
        for one, other in ((None, None), (1, None), (None, 1) if fate == "fork" else (1, 1)):
            transactions.append([["r", x, one], ["r", y, other]])
    assert judged(*transactions) == ("fork" not in groups, groups.count("fork"))

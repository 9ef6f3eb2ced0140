"""How far reads are behind, in versions and in time."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import BoundedStaleness
from checker.evidence._bounded_staleness import staleness
from checker.evidence._versions import LATER, Registers
from histories import History, Json, Op
from tests.checker.drawing import drawn

TWO_WRITES = "0 |-write [null,5]>[1,5]-| |-write [null,6]>[2,6]-|"


def judged(drawing: str, **settings: Any) -> tuple[bool | str, int, int]:
    """The verdict, how many reads were stale, and by how many versions at most."""
    verdict = BoundedStaleness(**settings).check(drawn(drawing))
    return (
        verdict.valid,
        verdict.details["stale_count"],
        verdict.details["staleness_versions"].get("1", 0),
    )


def test_a_read_of_the_newest_version_is_not_stale() -> None:
    assert judged(f"{TWO_WRITES} |-read [2,6]-|", versions_max=0) == (True, 0, 0)


def test_a_read_of_the_version_before_is_one_behind() -> None:
    drawing = f"{TWO_WRITES} |-read [1,5]-|"
    assert judged(drawing) == (True, 1, 1)
    assert judged(drawing, versions_max=1) == (True, 1, 1)
    assert judged(drawing, versions_max=0) == (False, 1, 1)


def test_nothing_at_all_is_before_every_version() -> None:
    assert judged(f"{TWO_WRITES} |-read null-|", versions_max=1) == (False, 1, 2)


def test_while_it_is_written_the_old_version_is_not_stale() -> None:
    assert judged("""
        0 |-write [null,5]>[1,5]-| |-write [null,6]>[2,6]-|
        1                                    |-read [1,5]-|
    """) == (True, 0, 0)


def test_a_read_by_somebody_else_tells_of_the_version_too() -> None:
    assert judged("""
        0 |-write [null,5]>[1,5]-| |-write [null,6]>[2,6]------------------------...
        1                                    |-read [2,6]-| |-read [1,5]-|
    """) == (True, 1, 1)


def test_revisions_of_other_keys_are_no_versions_of_this_one() -> None:
    assert judged("0 |-write [null,5]>[1,5]-| |-write [null,6]>[90,6]-| |-read [1,5]-|")[2] == 1


def test_time_is_measured_from_when_the_newer_version_was_told() -> None:
    drawing = f"{TWO_WRITES} |-read [1,5]-|"
    verdict = BoundedStaleness(ms_max=1e-6).check(drawn(drawing))
    [found] = verdict.counterexamples
    assert "1 versions, and 0.000 ms behind write [2, 6] by process 0" in found.sentence
    assert verdict.details["staleness_ms"]["1"] == 2e-6
    assert BoundedStaleness(ms_max=2e-6).check(drawn(drawing)).valid is True


def test_values_that_grow_are_versions() -> None:
    drawing = "0 |-write 5-| |-write 6-| |-write 7-| |-read 5-|"
    assert judged(drawing, order="values", versions_max=1) == (False, 1, 2)


def test_distinct_values_are_ordered_by_time() -> None:
    assert judged("0 |-write a-| |-write b-| |-write c-| |-read a-|") == (True, 1, 2)
    assert judged("""
        0 |-write a-|           |-read a-|
        1       |-write b-|
    """) == (True, 0, 0)


def test_what_was_read_before_it_was_written_is_not_older_than_itself() -> None:
    assert judged("0 |-read a-| |-write a-| |-read a-|") == (True, 0, 0)


def test_a_value_written_twice_is_refused() -> None:
    with pytest.raises(ValueError, match='the value "a" was written 2 times'):
        BoundedStaleness().check(drawn("0 |-write a-| |-write a-| |-read a-|"))


@pytest.mark.parametrize("drawing", [TWO_WRITES, "0 |-read null-|"])
def test_without_writes_or_reads_nothing_can_be_behind(drawing: str) -> None:
    verdict = BoundedStaleness().check(drawn(drawing))
    assert verdict.valid == "unknown"
    assert verdict.unknown is not None
    assert verdict.unknown.cause == "vacuous"


def test_keys_are_told_apart() -> None:
    ops = [
        op
        for key, f, value in [("x", "write", [1, 1]), ("y", "write", [2, 1]), ("x", "read", [1, 1])]
        for op in (Op(f, process=0, key=key), Op(f, value, process=0, key=key, type="ok"))
    ]
    assert BoundedStaleness(versions_max=0).check(History.from_ops(ops)).valid is True


def random_history(seed: int, order: str) -> History:
    random = Random(seed)
    ops: list[Op] = []
    doing: dict[int, tuple[str, str, Json]] = {}
    written = {"x": 0, "y": 0}
    for now in range(40):
        process = random.randrange(4)
        if process not in doing:
            f, key = random.choice(["read", "write"]), random.choice("xy")
            if f == "write":
                written[key] += random.choice([1, 2])
            number = written[key] if f == "write" else random.randint(0, written[key])
            answer: Json = [number, f"v{number}"] if order == "versions" else number
            if f == "read" and not number:
                answer = None
            doing[process] = (f, key, answer)
            ops.append(Op(f, answer if f == "write" else None, key=key, process=process, time=now))
        else:
            f, key, answer = doing.pop(process)
            type: Any = random.choice(["ok", "ok", "ok", "info", "fail"])
            ops.append(Op(f, answer, key=key, process=process, type=type, time=now))
    return History.from_ops(ops)


@pytest.mark.parametrize("order", ["versions", "values"])
@given(st.integers(0, 2**32))
def test_staleness_agrees_with_plain_loops(order: Any, seed: int) -> None:
    registers = Registers.of(random_history(seed, order), order)
    reads = registers.read_rows()
    since, behind = staleness(registers, reads)
    for read, first, versions in zip(reads.tolist(), since, behind, strict=True):
        version = registers.version[read]
        newer = [
            other
            for other in range(len(registers.low))
            if registers.of_key[other] == registers.key[read]
            and registers.low[other] > registers.high[version]
        ]
        told = [other for other in newer if registers.settled[other] < registers.began[read]]
        newest = max((registers.low[other] for other in told), default=-1)
        assert versions == sum(1 for other in newer if registers.low[other] <= newest)
        if told:
            assert registers.ended[first] == min(registers.settled[other] for other in told) < LATER


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_as_many_stale_reads_are_found_as_were_planted(lags: list[int]) -> None:
    ops: list[Op] = []
    for version, lag in enumerate(lags, 1):
        told = max(0, version - lag)
        for f, value in (("write", [version, "v"]), ("read", [told, "v"] if told else None)):
            ops += [Op(f, process=0), Op(f, value, process=0, type="ok")]
    details = BoundedStaleness(versions_max=2).check(History.from_ops(ops)).details
    expected = [min(lag, version) for version, lag in enumerate(lags, 1)]
    assert details["stale_count"] == sum(1 for lag in expected if lag)
    assert details["too_stale_versions_count"] == sum(1 for lag in expected if lag > 2)


def distinct_history(seed: int) -> History:
    """Writes of distinct values, and reads of any of them, also of what failed or is to come."""
    random = Random(seed)
    ops: list[Op] = []
    doing: dict[int, tuple[str, str, Json]] = {}
    written: dict[str, list[Json]] = {"x": [None], "y": [None]}
    for now in range(40):
        process = random.randrange(4)
        if process not in doing:
            f, key = random.choice(["read", "write"]), random.choice("xy")
            if f == "write":
                written[key].append(f"{key}{now}")
            value = written[key][-1] if f == "write" else None
            doing[process] = (f, key, value)
            ops.append(Op(f, value, key=key, process=process, time=now // 2))
        else:
            f, key, value = doing.pop(process)
            if f == "read":
                value = random.choice(written[key][-3:])
            kind: Any = random.choice(["ok", "ok", "ok", "info", "fail"])
            ops.append(Op(f, value, key=key, process=process, type=kind, time=now // 2))
    return History.from_ops(ops)


def told_of(history: History) -> tuple[list[Any], list[Any]]:
    """Writes that may have happened, and reads: (key, value, begin, end), end None if in doubt."""
    found: dict[str, list[Any]] = {"read": [], "write": []}
    for place in range(len(history)):
        event, partner = history[place], int(history.pairs[place])
        if event.type != "invoke":
            continue
        end = history[partner] if partner >= 0 else None
        sure = end is not None and end.type == "ok"
        value = event.value if event.f == "write" else (end.value if sure and end else None)
        if (event.f == "write" and (end is None or end.type != "fail")) or sure:
            found[event.f].append(
                (event.key, value, event.time, end.time if sure and end else None)
            )
    return found["write"], found["read"]


@given(st.integers(0, 2**32))
def test_staleness_by_time_agrees_with_plain_loops(seed: int) -> None:
    history = distinct_history(seed)
    registers = Registers.of(history, "time")
    rows = registers.read_rows()
    since, behind = staleness(registers, rows)
    writes, reads = told_of(history)
    begun = {(key, value): begin for key, value, begin, _ in writes}
    heard: dict[Any, int] = {}
    for key, value, _, end in writes + reads:
        if end is not None:
            heard[key, value] = min(end, heard.get((key, value), end))
    assert len(reads) == len(rows)
    for (key, value, begin, _), first, versions in zip(reads, since, behind, strict=True):
        # What was there before all, or was heard of before the other one was begun to be written.
        over = -1 if value is None else max(heard[key, value], begun.get((key, value), 0))
        known = value is None or (key, value) in begun
        newer = [
            heard[other]
            for other, start in begun.items()
            if known and other[0] == key and other in heard and over < start
        ]
        newer = [end for end in newer if end < begin]
        assert bool(versions) is bool(newer)
        assert versions <= max(len(newer), 0)
        if newer:
            told = int(registers.ops.completed[first])
            assert int(history.time[told]) == min(newer)

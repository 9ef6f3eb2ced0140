"""The benchmark's queues, sets and versioned registers, by the brute-force definition."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from bench.contest import Contest
from bench.objects import Crowd, object_file
from bench.rows import Bench, loading
from checker import MODELS
from histories import Event, Json
from tests.checker.bruteforce import Operation, defined_by, linearizable, operations


def events_of(crowd: Crowd, directory: Path) -> list[Event]:
    lines = object_file(crowd, directory).read_text().splitlines()
    return [Event(index=i, time=i, **json.loads(line)) for i, line in enumerate(lines)]


def a_set(state: Json, op: Operation) -> tuple[bool, Json]:
    """The elements of the set, sorted."""
    if op.f == "read":
        return op.answer == state, state
    present = op.argument in state
    if op.f == "contains":
        return op.answer is present, state
    after = sorted({*state, op.argument} if op.f == "add" else {*state} - {op.argument})
    return op.answer is (after != state), after


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", ["queue", "versioned-register"])
def test_they_are_what_their_model_allows(tmp_path: Path, kind: str, seed: int) -> None:
    crowd = Crowd(kind, 12, clients=3, seed=seed)  # type: ignore[arg-type]
    ops = operations(events_of(crowd, tmp_path))
    assert len(ops) == 12
    definition = MODELS[kind](None)
    assert linearizable(ops, defined_by(definition), definition.initial)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("whole_reads", [0.0, 0.3])
def test_sets_are_sets(tmp_path: Path, whole_reads: float, seed: int) -> None:
    crowd = Crowd("set", 12, clients=3, seed=seed, elements=2, whole_reads=whole_reads)
    ops = operations(events_of(crowd, tmp_path))
    assert linearizable(ops, a_set, [])
    assert any(op.f == "read" for op in ops) <= (whole_reads > 0)


def test_elements_of_a_queue_are_distinct(tmp_path: Path) -> None:
    events = events_of(Crowd("queue", 500, clients=5), tmp_path)
    enqueued = [event.value for event in events if event.f == "enqueue" and event.type == "ok"]
    assert len(set(map(str, enqueued))) == len(enqueued) > 100


def test_versions_grow_with_gaps(tmp_path: Path) -> None:
    ops = operations(events_of(Crowd("versioned-register", 500, clients=1), tmp_path))
    versions = [op.answer[0] for op in ops if op.f == "write" and isinstance(op.answer, list)]
    steps = {b - a for a, b in pairwise(versions)}
    assert min(steps) > 0
    assert len(steps) > 1


def test_loading_is_measured_in_both_formats(tmp_path: Path) -> None:
    rows = list(loading(Bench(Contest(tmp_path, porcupine=None), scale=10_000, repetitions=1)))
    assert [row.momus.operations for row in rows if row.momus] == [1000, 1000]
    assert [row.goals[0].promise for row in rows] == ["read in < 8 s", "read in < 2 s"]

"""The benchmark's histories are what they claim to be, by the brute-force definition."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.histories import Clients, history_file, plant_stale_read, simulate
from histories import Event
from tests.checker.bruteforce import linearizable, operations, register


def events_of(spec: Clients, directory: Path) -> list[Event]:
    lines = history_file(spec, directory).read_text().splitlines()
    return [Event(index=i, time=i, **json.loads(line)) for i, line in enumerate(lines)]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("distinct", [False, True])
def test_they_are_linearizable(tmp_path: Path, seed: int, distinct: bool) -> None:
    spec = Clients(12, clients=3, seed=seed, values=3, crashed=0.2, distinct=distinct)
    ops = operations(events_of(spec, tmp_path))
    assert len(ops) == 12
    assert linearizable(ops, register, 0)


@pytest.mark.parametrize("seed", range(20))
def test_every_key_is_linearizable_by_itself(tmp_path: Path, seed: int) -> None:
    spec = Clients(24, clients=3, seed=seed, keys=3, values=3, crashed=0.1)
    events = events_of(spec, tmp_path)
    for key in ("k0", "k1", "k2"):
        own = [event for event in events if event.key == key]
        assert linearizable(operations(own), register, 0)


@pytest.mark.parametrize("seed", range(10))
def test_a_planted_stale_read_is_the_only_thing_wrong(tmp_path: Path, seed: int) -> None:
    spec = Clients(40, clients=2, seed=seed, values=3, stale_at=0.3)
    ops = operations(events_of(spec, tmp_path))
    assert not linearizable(ops, register, 0)
    planted = simulate(spec)
    from_before = simulate(Clients(40, clients=2, seed=seed, values=3))
    assert np.count_nonzero(planted.answer != from_before.answer) == 1


def test_a_stale_read_that_cannot_be_planted_is_refused() -> None:
    with pytest.raises(ValueError, match="try another seed"):
        plant_stale_read(simulate(Clients(4, clients=2)), 0.9)


def test_crashed_operations_retire_their_process(tmp_path: Path) -> None:
    events = events_of(Clients(200, clients=4, crashed=0.2), tmp_path)
    retired: set[int | str] = set()
    for event in events:
        assert event.process not in retired
        if event.type == "info":
            retired.add(event.process)
    assert 20 < len(retired) < 60


def test_failed_compare_and_sets_are_observations_or_failures(tmp_path: Path) -> None:
    observed = events_of(Clients(200, clients=2), tmp_path)
    failed = events_of(Clients(200, clients=2, failed_cas="fail"), tmp_path)
    refusals = [e.index for e in observed if e.type == "ok" and e.value is False]
    assert refusals == [e.index for e in failed if e.type == "fail"] != []


def test_equal_clients_make_equal_files(tmp_path: Path) -> None:
    spec = Clients(500, clients=5, keys=7, own_keys=True, crashed=0.01)
    first = history_file(spec, tmp_path / "a").read_bytes()
    assert first == history_file(spec, tmp_path / "b").read_bytes()
    assert len(first.splitlines()) == 1000

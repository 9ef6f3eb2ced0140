"""Progress in a file: gone on from in another process, and refused unless every byte fits."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from checker import Verdict, linearizable
from histories import Event, History
from tests.checker.bruteforce import certifies, operations
from tests.checker.bruteforce import linearizable as in_some_order
from tests.checker.drawing import drawn
from tests.checker.random_histories import OBJECTS, Object, pack, random_history
from tests.checker.test_oracle_agrees import shown
from tests.checker.test_resume import HARD


def judged(history: History, progress: Path, **options: Any) -> Verdict:
    return linearizable(
        history, "register", initial=0, algorithm="jit", progress=progress, core=False, **options
    )


@pytest.mark.parametrize("name", OBJECTS)
def test_pieces_through_a_file_agree_with_brute_force(name: str, tmp_path: Path) -> None:
    check_pieces(OBJECTS[name], tmp_path / "progress", seed=0, size=100)


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTS)
def test_many_pieces_through_a_file_agree_with_brute_force(name: str, tmp_path: Path) -> None:
    for seed in range(1, 11):
        check_pieces(OBJECTS[name], tmp_path / f"progress-{seed}", seed, size=1_000)


def check_pieces(thing: Object, progress: Path, seed: int, size: int) -> None:
    random = Random(f"file {thing.model} {seed}")
    packed = pack([random_history(random, thing) for _ in range(size)])
    by_key: list[list[Event]] = [[] for _ in range(size)]
    for event in packed:
        assert isinstance(event.key, int)
        by_key[event.key].append(event)
    whole = linearizable(
        History.from_events(packed), thing.model, initial=thing.initial, algorithm="jit"
    )
    for _ in range(1_000):
        # Read anew each time, as another process would.
        history = History.from_events(packed)
        verdict = linearizable(
            history, thing.model, initial=thing.initial, algorithm="jit", step_limit=1,
            core=False, progress=progress,
        )  # fmt: skip
        if verdict.resumption is None:
            break
    assert progress.exists()
    assert verdict.valid is whole.valid
    proven = {each.key: list(map(int, each.order)) for each in verdict.certificates}
    failed = {each.key: each for each in verdict.counterexamples}
    for key, events in enumerate(by_key):
        ops = operations(events)
        valid = in_some_order(ops, thing.step, thing.initial)
        assert (key in failed) is not valid, shown(seed, events)
        assert not valid or certifies(proven.get(key, []), ops, thing.step, thing.initial)
    for each in whole.counterexamples:
        assert failed[each.key].operation == each.operation
        assert {str(s) for s in failed[each.key].states} == {str(s) for s in each.states}


def test_it_is_written_where_the_verdict_is_unknown_and_says_so(tmp_path: Path) -> None:
    progress = tmp_path / "progress"
    first = judged(drawn(HARD), progress, step_limit=1)
    assert first.valid == "unknown"
    assert first.notes == (f"how far it was is kept in {progress}",)
    second = judged(drawn(HARD), progress)
    assert second.valid is False
    assert second.notes == (f"gone on from {progress}, where 0 of 1 keys were decided",)
    third = judged(drawn(HARD), progress, step_limit=1)
    assert third.valid is False
    assert third.notes == (f"gone on from {progress}, where 1 of 1 keys were decided",)


def test_a_search_that_ends_leaves_no_file(tmp_path: Path) -> None:
    assert judged(drawn("0 |-write 1-| |-read 1-|"), tmp_path / "progress").valid is True
    assert list(tmp_path.iterdir()) == []


def test_a_flipped_byte_anywhere_is_refused(tmp_path: Path) -> None:
    progress = tmp_path / "progress"
    history = drawn(HARD)
    judged(history, progress, step_limit=1)
    whole = progress.read_bytes()
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 1 << (place % 8)
        progress.write_bytes(broken)
        with pytest.raises(ValueError, match=r"progress: (not a progress file|damaged)"):
            judged(history, progress)
    for length in range(len(whole)):
        progress.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"progress: (not a progress file|damaged)"):
            judged(history, progress)


def test_another_history_model_or_initial_value_is_refused(tmp_path: Path) -> None:
    progress = tmp_path / "progress"
    judged(drawn(HARD), progress, step_limit=1)
    with pytest.raises(ValueError, match="progress: the progress of another history"):
        judged(drawn("0 |-read 0-|"), progress)
    with pytest.raises(ValueError, match=r"register from 0, not register from 1; leave --progress"):
        linearizable(drawn(HARD), "register", initial=1, progress=progress)
    with pytest.raises(ValueError, match="register from 0, not cas-register from 0"):
        linearizable(drawn(HARD), "cas-register", initial=0, progress=progress)


def test_a_model_without_a_name_has_no_file(tmp_path: Path) -> None:
    from checker import register

    with pytest.raises(ValueError, match="for models by name"):
        linearizable(drawn(HARD), register(0), progress=tmp_path / "progress")

"""A search that is interrupted again and again finds what it would have found at once.

The batches are those of `test_oracle_agrees`: a thousand small histories as the keys of one,
now with a limit of a few configurations at a time.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from random import Random

import pytest

import checker
from checker import Model, Verdict, linearizable
from histories import Event, History
from tests.checker.bruteforce import certifies, operations
from tests.checker.bruteforce import linearizable as in_some_order
from tests.checker.drawing import drawn
from tests.checker.random_histories import OBJECTS, Object, pack, random_history
from tests.checker.test_oracle_agrees import shown

BATCH = 150


def in_pieces(history: History, model: Model, algorithm: str, steps: int) -> Verdict:
    """Resumed until it is decided."""
    limited = functools.partial(
        linearizable, history, model, algorithm=algorithm, step_limit=steps, core=False
    )
    verdict = limited()
    for _ in range(1_000):
        if verdict.resumption is None:
            return verdict
        verdict = limited(resume=verdict)
    pytest.fail("it never ends")


@pytest.mark.parametrize("way", ["native", "python"])
@pytest.mark.parametrize("name", OBJECTS)
def test_pieces_agree_with_brute_force_and_with_the_whole(name: str, way: str) -> None:
    check_pieces(OBJECTS[name], way, seed=0, size=BATCH)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["native", "python"])
@pytest.mark.parametrize("name", OBJECTS)
def test_pieces_agree_with_brute_force_on_many(name: str, way: str) -> None:
    for seed in range(1, 21):
        check_pieces(OBJECTS[name], way, seed, size=1_000)


def check_pieces(thing: Object, way: str, seed: int, size: int) -> None:
    random = Random(f"pieces {thing.model} {seed}")
    packed = pack([random_history(random, thing) for _ in range(size)])
    history = History.from_events(packed)
    by_key: list[list[Event]] = [[] for _ in range(size)]
    for event in packed:
        assert isinstance(event.key, int)
        by_key[event.key].append(event)
    model = checker.MODELS[thing.model](thing.initial)
    if way == "python":
        model = replace(model, native=None)
    whole = linearizable(history, model, algorithm="jit", core=False)
    for algorithm, steps in (("jit", 1), ("auto", 1), ("jit", 2)):
        pieces = in_pieces(history, model, algorithm, steps)
        assert pieces.valid == whole.valid
        proven = {each.key: list(map(int, each.order)) for each in pieces.certificates}
        failed = {each.key: each for each in pieces.counterexamples}
        for key, events in enumerate(by_key):
            ops = operations(events)
            valid = in_some_order(ops, thing.step, thing.initial)
            assert (key in failed) is not valid, shown(seed, events)
            assert not valid or certifies(proven.get(key, []), ops, thing.step, thing.initial)
        for each in whole.counterexamples if algorithm == "jit" else ():
            assert failed[each.key].operation == each.operation
            assert {str(s) for s in failed[each.key].states} == {str(s) for s in each.states}


HARD = """
    0 |------write 1------|
    1 |------write 2------|
    2 |------write 3------|
    3 |------write 4------|
    4    |-read 9-|
"""


def test_unknown_says_how_far_it_was_and_a_later_call_goes_on() -> None:
    history = drawn(HARD)
    first = linearizable(history, "cas-register", initial=0, algorithm="jit", step_limit=2)
    assert first.valid == "unknown"
    assert first.unknown is not None
    assert first.unknown.sentence == (
        "As many configurations as allowed, 2 for each key, were visited: the first 0 of 5 "
        "completed operations can all be placed; beyond event 5, 0.000 s into the run, it is "
        "not known after 2 configurations."
    )
    [told] = first.details["open"]
    assert (told["placed"], told["completed"], told["visited"]) == (0, 5, 2)
    second = linearizable(
        history, "cas-register", initial=0, algorithm="jit", step_limit=2, resume=first
    )
    assert second.details["open"][0]["visited"] == 4
    third = linearizable(history, "cas-register", initial=0, resume=second)
    assert third.valid is False
    assert third.resumption is None


def test_what_was_decided_is_not_searched_again() -> None:
    asked = []

    def step(state: int, call: checker.Call) -> object:
        asked.append(call)
        if call.f == "write":
            return call.argument
        return state if call.result == state else checker.ILLEGAL

    events = [
        *(
            Event(0, time, process, kind, "write", 1, process)  # type: ignore[arg-type]
            for time, process, kind in [(0, 1, "invoke"), (1, 1, "ok")]
        ),
        *drawn(HARD, key=2),
    ]
    history = History.from_events(replace_event(event, index) for index, event in enumerate(events))
    model = Model("register", 0, step)
    first = linearizable(history, model, step_limit=2)
    assert [each.key for each in first.certificates] == [1]
    asked.clear()
    second = linearizable(history, model, resume=first)
    assert second.valid is False
    assert [each.key for each in second.certificates] == [1]


def replace_event(event: Event, index: int) -> Event:
    process = event.process if event.key == 1 else int(event.process) + 10
    return Event(index, index, process, event.type, event.f, event.key, event.value)


def test_only_what_was_left_open_over_the_same_history_and_model_is_gone_on_from() -> None:
    history = drawn(HARD)
    left = linearizable(history, "register", initial=0, algorithm="jit", step_limit=1)
    with pytest.raises(ValueError, match="another history"):
        linearizable(drawn("0 |-read 0-|"), "register", initial=0, resume=left)
    with pytest.raises(ValueError, match="about the model register from 0, not register from 1"):
        linearizable(history, "register", initial=1, resume=left)
    with pytest.raises(ValueError, match="the verdict is complete"):
        linearizable(history, "register", initial=0, resume=linearizable(history, "register"))
    equal = drawn(HARD)
    assert linearizable(equal, "register", initial=0, resume=left).valid is False


def test_where_to_go_on_from_is_no_part_of_what_a_verdict_says() -> None:
    history = drawn(HARD)
    left = linearizable(history, "register", initial=0, algorithm="jit", step_limit=1)
    again = linearizable(history, "register", initial=0, algorithm="jit", step_limit=1)
    assert left.resumption == again.resumption
    assert "Resumption(...)" in repr(left)

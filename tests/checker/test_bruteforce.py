"""The oracle itself, on histories that can be drawn by hand.

Each operation is written as (f, argument, answer, invoked, returned).
"""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from histories import Event
from tests.checker.bruteforce import (
    ANYTHING,
    Operation,
    before,
    certifies,
    linearizable,
    operations,
    reachable,
    register,
    store,
)
from tests.checker.random_histories import OBJECTS, pack, random_history

NEVER = math.inf


def drawn(*ops: tuple[str, Any, Any, float, float]) -> list[Operation]:
    return [Operation(i, *op) for i, op in enumerate(ops)]


def test_a_read_sees_the_write_before_it() -> None:
    assert linearizable(drawn(("write", 1, None, 0, 1), ("read", None, 1, 2, 3)), register, 0)


def test_a_read_after_a_write_may_not_see_what_was_before() -> None:
    assert not linearizable(drawn(("write", 1, None, 0, 1), ("read", None, 0, 2, 3)), register, 0)


def test_a_read_during_a_write_may_see_either() -> None:
    for seen in (0, 1):
        ops = drawn(("write", 1, None, 0, 3), ("read", None, seen, 1, 2))
        assert linearizable(ops, register, 0)


def test_two_reads_during_a_write_may_not_see_it_come_and_go() -> None:
    ops = drawn(("write", 1, None, 0, 9), ("read", None, 1, 1, 2), ("read", None, 0, 3, 4))
    assert not linearizable(ops, register, 0)


def test_intervals_are_closed_so_events_at_the_same_time_are_concurrent() -> None:
    touching = drawn(("write", 1, None, 0, 1), ("read", None, 0, 1, 2))
    assert linearizable(touching, register, 0)


def test_a_crashed_write_may_have_happened_or_not_but_only_once() -> None:
    crashed = ("write", 1, None, 0, NEVER)
    assert linearizable(drawn(crashed, ("read", None, 0, 2, 3)), register, 0)
    assert linearizable(
        drawn(crashed, ("read", None, 0, 2, 3), ("read", None, 1, 4, 5)), register, 0
    )
    ops = drawn(crashed, ("read", None, 1, 2, 3), ("read", None, 0, 4, 5))
    assert not linearizable(ops, register, 0)


def test_a_crashed_write_does_not_happen_before_it_was_invoked() -> None:
    ops = drawn(("read", None, 1, 0, 1), ("write", 1, None, 2, NEVER))
    assert not linearizable(ops, register, 0)


def test_a_refused_cas_says_that_the_register_held_something_else() -> None:
    refused = ("cas", [0, 1], False, 0, 1)
    assert not linearizable(drawn(refused), register, 0)
    assert linearizable(drawn(refused), register, 2)
    assert linearizable(drawn(refused, ("write", 2, None, 0, 1)), register, 0)


def test_an_append_builds_on_what_is_there() -> None:
    ops = drawn(("put", "a", None, 0, 1), ("append", "b", None, 2, 3), ("get", None, "ab", 4, 5))
    assert linearizable(ops, store, "")
    ops = drawn(("put", "a", None, 0, 1), ("append", "b", None, 2, 3), ("get", None, "ba", 4, 5))
    assert not linearizable(ops, store, "")


def test_a_certificate_is_an_order_of_all_completed_operations() -> None:
    ops = drawn(("write", 1, None, 0, 5), ("read", None, 1, 1, 2), ("write", 2, None, 0, NEVER))
    assert certifies([0, 1], ops, register, 0)
    assert certifies([0, 1, 2], ops, register, 0)
    assert not certifies([1, 0], ops, register, 0), "the read saw the write"
    assert not certifies([0], ops, register, 0), "the read is missing"
    assert not certifies([0, 1, 1], ops, register, 0), "the read is there twice"


def test_a_certificate_respects_real_time() -> None:
    ops = drawn(("write", 1, None, 0, 1), ("write", 2, None, 2, 3), ("read", None, 1, 4, 5))
    assert not certifies([1, 0, 2], ops, register, 0)


def test_the_reachable_states_are_those_after_some_order() -> None:
    ops = drawn(("write", 1, None, 0, 5), ("write", 2, None, 0, 5), ("write", 3, None, 6, NEVER))
    assert sorted(reachable(ops, register, 0)) == [1, 2, 3]
    assert reachable(drawn(("read", None, 1, 0, 1)), register, 0) == []


def test_events_pair_by_process_and_failed_operations_are_gone() -> None:
    events = [
        Event(0, 0, 0, "invoke", "write", None, 1),
        Event(1, 1, 1, "invoke", "write", None, 2),
        Event(2, 2, 0, "ok", "write", None, 1),
        Event(3, 3, 1, "fail", "write", None, 2),
        Event(4, 4, 0, "invoke", "read"),
        Event(5, 5, 2, "invoke", "write", None, 3),
        Event(6, 6, 0, "ok", "read", None, 1),
        Event(7, 7, 2, "info", "write", None, 3),
    ]
    assert operations(events) == [
        Operation(0, "write", 1, 1, 0, 2),
        Operation(4, "read", None, 1, 4, 6),
        Operation(5, "write", 3, ANYTHING, 5, NEVER, process=2),
    ]


def test_before_an_instant_later_returns_are_still_open() -> None:
    write, read = drawn(("write", 1, None, 0, 2), ("read", None, 0, 3, 4))
    assert before([write, read], 2, inclusive=False) == [replace(write, returned=NEVER)]
    assert before([write, read], 2, inclusive=True) == [write]
    assert before([write, read], 3, inclusive=True)[1].optional
    assert before([write, read], 3, inclusive=True)[1].answer == 0


@pytest.mark.parametrize("name", OBJECTS)
def test_simulated_histories_are_linearizable(name: str) -> None:
    thing, random = OBJECTS[name], Random(7)
    for _ in range(300):
        events = random_history(random, thing, "simulated")
        assert linearizable(operations(events), thing.step, thing.initial), events


@pytest.mark.parametrize("name", OBJECTS)
def test_random_histories_are_valid_and_invalid_in_fair_parts(name: str) -> None:
    thing, random = OBJECTS[name], Random(7)
    histories = [random_history(random, thing) for _ in range(1000)]
    valid = sum(linearizable(operations(h), thing.step, thing.initial) for h in histories)
    assert 350 < valid < 750


def test_packed_histories_keep_their_shape_under_their_key() -> None:
    random = Random(7)
    histories = [random_history(random, OBJECTS["register"]) for _ in range(20)]
    packed = pack(histories)
    assert [event.index for event in packed] == list(range(len(packed)))
    assert [event.time for event in packed] == sorted(event.time for event in packed)
    for key, events in enumerate(histories):
        own = [event for event in packed if event.key == key]
        assert [(e.type, e.f, e.value) for e in own] == [(e.type, e.f, e.value) for e in events]

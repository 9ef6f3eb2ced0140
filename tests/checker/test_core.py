"""The core of a counterexample: it fails by itself, and nothing of it can go.

The brute-force definition judges each core as it is shown: optional operations crashed,
the others with the intervals of the core, begun in the initial value or, where the core says
that it does not matter, in any.  See `drawing` for how to read the drawings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import pytest

import checker
from checker import ILLEGAL, Call, Counterexample, Model, linearizable
from checker._core import Effort
from checker._core import core_of as relaxed_core
from histories import Event, History
from tests.checker.bruteforce import ANYTHING, Operation
from tests.checker.bruteforce import linearizable as in_some_order
from tests.checker.drawing import drawn
from tests.checker.random_histories import OBJECTS, Object, random_history

REGISTER, CAS, KV = (OBJECTS[name] for name in ("register", "cas-register", "kv"))
INITIALS = {"register": [0, 1, 2, 3], "cas-register": [0, 1, 2, 3], "kv": []}
IDLE = ("read", "get")


def core_of(history: History, model: str | Model, initial: Any = 0) -> dict[str, Any]:
    """The core of the first counterexample."""
    named = isinstance(model, str)
    [found] = linearizable(history, model, initial=initial if named else None).counterexamples
    core: dict[str, Any] = found.details["core"]
    return core


def shown(core: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What it says of each operation: process, f, argument or answer, optional or not."""
    return [
        (op["process"], op["f"], op["value"] if op["f"] not in IDLE else op["result"])
        + (("optional",) if op["optional"] else ())
        for op in core["operations"]
    ]


STALE = drawn("""
    0 |-write 1-|            |-write 2-|  |-write 7-|
    1             |-read 1-|                          |-read 2-|
    2    |-read 0-|                          |-read 7-|          |-write 9-|
    3          |-write 5-...
""")


def test_a_stale_read_needs_the_write_that_it_missed_and_nothing_else() -> None:
    core = core_of(STALE, "register")
    assert shown(core) == [(0, "write", 7), (1, "read", 2)]
    assert core["initial"] == {"known": False}


def test_the_sentence_names_the_operations_and_how_late_the_read_was() -> None:
    core = core_of(STALE, "register")
    assert core["sentence"].startswith(
        "2 operations are enough to see it, whatever the register held before: "
        "process 0 wrote 7 (event 10); process 1 read 2 (event 14)."
    )
    assert "at least one change late" in core["sentence"]
    assert core["stale"]["versions"] == 1
    assert core["stale"]["overwritten"] == 12


def test_the_evidence_is_the_core_and_who_wrote_what_was_read() -> None:
    [found] = linearizable(STALE, "register", initial=0).counterexamples
    invoked = [event for event in found.operations if event.type == "invoke"]
    assert [(event.f, event.value) for event in invoked] == [
        ("write", 2), ("write", 7), ("read", None),
    ]  # fmt: skip


def test_a_value_that_nobody_wrote_needs_something_that_it_was_not() -> None:
    core = core_of(drawn("0 |-write 1-|  |-read 1-|  |-read 7-|"), "register")
    assert shown(core) == [(0, "read", 1), (0, "read", 7)]
    core = core_of(drawn("0 |-read 7-|  |-write 1-|  |-read 1-|"), "register")
    assert shown(core) == [(0, "read", 7)]
    assert core["initial"] == {"known": True, "value": 0}


def test_a_write_that_was_used_up_by_an_earlier_read_stays() -> None:
    core = core_of(
        drawn("""
        0 |-write 1-|              |-write 2-|
        1   |-write 3-...                      |-read 3-|
        2              |-read 3-|                       |-read 3-|  |-write 4-|  |-read 3-|
    """),
        "register",
    )
    assert shown(core) == [
        (0, "write", 1),
        (1, "write", 3, "optional"),
        (2, "read", 3),
        (0, "write", 2),
        (1, "read", 3),
    ]


def test_an_optional_write_that_somebody_could_have_read_is_shown_as_optional() -> None:
    core = core_of(
        drawn("""
        0 |-write 1-...
        1      |-read 1-|  |-read 0-|  |-read 1-|
    """),
        "register",
    )
    assert shown(core) == [
        (0, "write", 1, "optional"),
        (1, "read", 1),
        (1, "read", 0),
    ]


def test_a_lost_append_needs_the_append_and_the_get() -> None:
    core = core_of(
        drawn("""
        0 |-put a-|  |-append b-|               |-append d-|
        1    |-get a-|             |-append c-|             |-get acd-|
    """),
        "kv",
        "",
    )
    assert (1, "get", "acd") in shown(core)
    assert len(core["operations"]) <= 4


def test_a_model_in_python_has_cores_too() -> None:
    def step(total: int, call: Call) -> Any:
        if call.f == "add":
            return total + call.argument
        return total if not call.completed or call.result == total else ILLEGAL

    counter = Model("counter", 0, step, read_only={"read"})
    core = core_of(drawn("0 |-add 1-| |-read 1-| |-add 1-| |-read 2-| |-read 1-|"), counter)
    assert shown(core)[-2:] == [(0, "read", 2), (0, "read", 1)]
    assert core["initial"] == {"known": True, "value": 0}


def test_milliseconds_are_those_between_the_change_and_the_read() -> None:
    drawing = """
    0 |-write 1-|  |-write 2-|  |-write 3-|
    1                                         |-read 1-|
    """
    slow = [msgspec.structs.replace(e, time=e.time * 1_000_000) for e in drawn(drawing)]
    history = History.from_events(slow)
    gone, began = history[3], history[6]
    stale = core_of(history, "register")["stale"]
    late = (began.time - gone.time) / 1e6
    assert stale == {"read": 6, "versions": 2, "overwritten": 3, "milliseconds": late}


def test_a_time_limit_that_is_over_gives_no_core_and_still_the_verdict() -> None:
    spent = Effort(searches=0)
    stuck = 14
    found = relaxed_core(STALE, checker.register(0), stuck, lambda _history, _model: False, spent)
    assert found is None


def test_only_the_first_keys_get_a_core() -> None:
    events = []
    for key in range(20):
        events.append(Event(2 * key, 2 * key, 0, "invoke", "read", key))
        events.append(Event(2 * key + 1, 2 * key + 1, 0, "ok", "read", key, 1))
    found = linearizable(History.from_events(events), "register", initial=0).counterexamples
    assert ["core" in each.details for each in found] == [True] * 16 + [False] * 4


def long_ago(writes: int) -> History:
    """A doubtful write is read at once, and once more after many others."""
    events: list[Event] = []

    def record(process: int, type: Any, f: str, value: Any) -> None:
        events.append(Event(len(events), len(events), process, type, f, None, value))

    record(9, "invoke", "write", -1)
    record(0, "invoke", "read", None)
    record(0, "ok", "read", -1)
    for value in range(writes):
        record(0, "invoke", "write", value)
        record(0, "ok", "write", value)
    record(0, "invoke", "read", None)
    record(0, "ok", "read", -1)
    return History.from_events(events)


def test_a_violation_that_spans_the_whole_history_has_a_small_core() -> None:
    core = core_of(long_ago(5_000), "register")
    assert shown(core) == [
        (9, "write", -1, "optional"),
        (0, "read", -1),
        (0, "write", 4_999),
        (0, "read", -1),
    ]
    assert core["stale"]["versions"] == 5_000


def test_the_work_on_a_core_is_bounded_and_counted() -> None:
    history = long_ago(5_000)
    effort = Effort(operations=20_000)
    stuck = int(history.pairs[-1])
    assert relaxed_core(history, checker.register(0), stuck, lambda *_: None, effort) is None
    assert effort.operations < 0


# --- against the definition ------------------------------------------------------------------


def of_core(core: dict[str, Any]) -> list[Operation]:
    return [
        Operation(
            op["index"],
            op["f"],
            op["value"],
            ANYTHING if op["optional"] else op["result"],
            op["begin"],
            math.inf if op["optional"] else op["end"],
            op["process"],
        )
        for op in core["operations"]
    ]


def fails(ops: Sequence[Operation], thing: Object, known: bool) -> bool:
    initials = [thing.initial] if known else INITIALS[thing.model]
    if thing.model == "kv" and not known:
        answers = [op.answer for op in ops if op.f == "get" and op.answer is not ANYTHING]
        whole = [answer or "" for answer in answers]
        initials = ["other", *{text[:n] for text in whole for n in range(len(text) + 1)}]
    return not any(in_some_order(ops, thing.step, initial) for initial in initials)


def relaxed(
    ops: Sequence[Operation], idle: Sequence[str] = IDLE
) -> Iterator[tuple[str, list[Operation]]]:
    """Each way to relax one operation once more, save by cutting off the beginning."""
    for op in ops:
        others = [other for other in ops if other is not op]
        starts = sorted(other.invoked for other in others if other.invoked > op.returned)
        ends = sorted(other.returned for other in others if other.returned < op.invoked)
        if ends:
            yield f"{op} begins earlier", [*others, replace(op, invoked=ends[-1] - 0.5)]
        if op.optional:
            continue
        if op.f in idle or op.answer is False:
            yield f"{op} is dropped", others
            continue
        yield f"{op} is optional", [*others, replace(op, answer=ANYTHING, returned=math.inf)]
        if starts:
            yield f"{op} ends later", [*others, replace(op, returned=starts[0] + 0.5)]


def counterexamples(thing: Object, seed: int, size: int) -> Iterator[Counterexample]:
    random = Random(f"core {thing.model} {seed}")
    for _ in range(size):
        history = History.from_events(random_history(random, thing))
        verdict = linearizable(history, thing.model, initial=thing.initial, jobs=1)
        yield from verdict.counterexamples


@pytest.mark.parametrize("thing", [REGISTER, CAS, KV], ids=lambda thing: thing.model)
def test_the_core_of_a_random_history_fails_and_nothing_of_it_can_go(thing: Object) -> None:
    seen = 0
    for found in counterexamples(thing, seed=1, size=400):
        core = found.details["core"]
        ops, known = of_core(core), core["initial"]["known"]
        assert fails(ops, thing, known), core
        assert not known or not fails(ops, thing, False), f"any initial value: {core}"
        for how, easier in relaxed(ops):
            assert not fails(easier, thing, known), f"{how}: {core}"
        seen += 1
    assert seen > 50

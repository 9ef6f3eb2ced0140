"""What linearizable means, drawn by hand: each history, its verdict, and its nearest neighbour.

See `drawing` for how to read the drawings.  All registers hold 0 at first.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import checker
from checker import ILLEGAL, Call, Counterexample, Model
from checker._asking import Asking
from histories import Event, History
from tests.checker.drawing import drawn

REGISTER = {
    "a read sees the write before it": (
        True,
        """
        0 |-write 1-|
        1             |-read 1-|
    """,
    ),
    "a read after a write does not see what was before": (
        False,
        """
        0 |-write 1-|
        1             |-read 0-|
    """,
    ),
    "a read during a write may see the old value": (
        True,
        """
        0 |---write 1---|
        1    |-read 0-|
    """,
    ),
    "or the new one": (
        True,
        """
        0 |---write 1---|
        1    |-read 1-|
    """,
    ),
    "but once the new one was seen, the old one is gone": (
        False,
        """
        0 |----------write 1-------------|
        1    |-read 1-|
        2                |-read 0-|
    """,
    ),
    "unless the two reads overlap": (
        True,
        """
        0 |----------write 1-------------|
        1    |-read 1-|
        2       |-read 0-|
    """,
    ),
    "intervals are closed: operations that touch are concurrent": (
        True,
        """
        0 |-write 1-|
        1           |-read 0-|
    """,
    ),
    "one instant later they are not": (
        False,
        """
        0 |-write 1-|
        1            |-read 0-|
    """,
    ),
    "two writes in a row, and the first is read": (
        False,
        """
        0 |-write 1-| |-write 2-|
        1                         |-read 1-|
    """,
    ),
    "two writes at once end in either order": (
        True,
        """
        0 |-write 1-|
        1  |-write 2-|
        2              |-read 1-|
    """,
    ),
    "but in one order for everybody": (
        False,
        """
        0 |-write 1-|
        1  |-write 2-|
        2              |-read 1-|
        3                         |-read 2-|
    """,
    ),
    "nobody wrote that": (
        False,
        """
        0 |-write 1-|
        1             |-read 7-|
    """,
    ),
    "a write of the present value may be needed later": (
        True,
        """
        0 |------------write 0------------|
        1   |-write 1-|
        2                |-read 0-|
    """,
    ),
    "and if it has returned before, it is of no use": (
        False,
        """
        0 |-write 0-|
        1             |-write 1-|
        2                         |-read 0-|
    """,
    ),
}

CRASHED = {
    "a crashed write may never take effect": (
        True,
        """
        0 |-write 1-...
        1                |-read 0-|
    """,
    ),
    "or long afterwards": (
        True,
        """
        0 |-write 1-...
        1                |-read 0-| |-read 1-|
    """,
    ),
    "but only once": (
        False,
        """
        0 |-write 1-...
        1                |-read 1-| |-read 0-| |-read 1-|
    """,
    ),
    "two crashed writes take effect twice": (
        True,
        """
        0 |-write 1-...
        1  |-write 1-...
        2                 |-read 1-| |-write 0-| |-read 1-|
    """,
    ),
    "and not three times": (
        False,
        """
        0 |-write 1-...
        1  |-write 1-...
        2      |-read 1-| |-write 0-| |-read 1-| |-write 0-| |-read 1-|
    """,
    ),
    "not before it was invoked": (
        False,
        """
        0                 |-write 1-...
        1 |-read 1-|
    """,
    ),
    "a crashed read constrains nothing": (
        True,
        """
        0 |-read 7-...
        1               |-read 0-|
    """,
    ),
    "a failed write did not happen": (
        False,
        """
        0 |-write 1-x
        1              |-read 1-|
    """,
    ),
    "so the old value is still there": (
        True,
        """
        0 |-write 1-x
        1              |-read 0-|
    """,
    ),
}

CAS = {
    "it sets what it finds": (
        True,
        """
        0 |-cas 0 1-| |-read 1-|
    """,
    ),
    "it cannot have found what was not there": (
        False,
        """
        0 |-cas 1 2-|
    """,
    ),
    "two cannot both find the same value": (
        False,
        """
        0 |-cas 0 1-|
        1  |-cas 0 2-|
    """,
    ),
    "one after the other can, if it comes back": (
        True,
        """
        0 |--cas 0 1--|
        1  |---cas 0 2---|
        2   |--write 0----|
    """,
    ),
    "a mismatch is an observation": (
        True,
        """
        0 |-cas 1 2>false-|
    """,
    ),
    "which may be false": (
        False,
        """
        0 |-cas 0 2>false-|
    """,
    ),
    "unless another value was there for a moment": (
        True,
        """
        0 |---cas 0 2>false---|
        1   |-write 3-|
    """,
    ),
    "a failed one did not happen, whatever was there": (
        True,
        """
        0 |-cas 0 1-x
        1               |-read 0-|
    """,
    ),
    "a crashed one may have found its value": (
        True,
        """
        0 |-cas 0 1-...
        1                |-read 1-|
    """,
    ),
    "or cannot have, as it never was there": (
        False,
        """
        0 |-cas 5 1-...
        1                |-read 1-|
    """,
    ),
    "a crashed one may wait for its value": (
        True,
        """
        0 |-cas 5 1-...
        1                |-write 5-| |-read 1-|
    """,
    ),
    "crashed ones may depend on each other": (
        True,
        """
        0 |-cas 5 6-...
        1 |-write 5-...
        2                |-read 6-|
    """,
    ),
}

KV = {
    "a missing key reads as the empty string": (True, '0 |-get ""-|'),
    "which null says as well": (True, "0 |-get null-|"),
    "appends add up in order": (True, "0 |-append x-| |-append y-| |-get xy-|"),
    "and not in another": (False, "0 |-append x-| |-append y-| |-get yx-|"),
    "unless they overlap": (
        True,
        """
        0 |-append x-|
        1  |-append y-|
        2                |-get yx-|
    """,
    ),
    "a lost append": (False, "0 |-append x-| |-append y-| |-get y-|"),
    "a put forgets what was before": (True, "0 |-append x-| |-put y-| |-append z-| |-get yz-|"),
    "a duplicated append": (False, "0 |-append x-| |-get xx-|"),
    "a crashed append may come late": (
        True,
        """
        0 |-append x-...
        1                 |-append y-| |-get y-| |-get yx-|
    """,
    ),
    "but not twice": (
        False,
        """
        0 |-append x-...
        1                 |-get x-| |-append y-| |-get xyx-|
    """,
    ),
}


def cases(model: str, *tables: dict[str, tuple[bool, str]]) -> list[Any]:
    return [
        pytest.param(model, drawing, valid, id=f"{model}: {name}")
        for table in tables
        for name, (valid, drawing) in table.items()
    ]


MODELS = {
    "register": checker.register(0),
    "cas-register": checker.cas_register(0),
    "kv": checker.kv(),
}


@pytest.mark.parametrize(
    ("model", "drawing", "valid"),
    cases("register", REGISTER, CRASHED)
    + cases("cas-register", REGISTER, CRASHED, CAS)
    + cases("kv", KV),
)
@pytest.mark.parametrize("way", ["auto", "jit", "python"])
def test_drawn_histories(model: str, drawing: str, valid: bool, way: str) -> None:
    history = drawn(drawing)
    chosen = MODELS[model]
    if way == "python":
        verdict = checker.linearizable(history, dataclasses.replace(chosen, native=None))
    else:
        verdict = checker.linearizable(history, chosen, algorithm=way)
    assert verdict.valid is valid
    if valid:
        assert checker.verify(history, chosen, verdict.certificates) is None
    else:
        [counterexample] = verdict.counterexamples
        assert counterexample.operation is not None
        assert counterexample.sentence.endswith(".")


def counterexample(drawing: str, model: str = "cas-register") -> Counterexample:
    verdict = checker.linearizable(drawn(drawing), MODELS[model])
    assert verdict.valid is False
    return verdict.counterexamples[0]


def test_the_sentence_names_the_stale_read_and_what_was_possible() -> None:
    found = counterexample("""
        0 |-write 1-| |-write 2-|
        1                         |-read 1-|
    """)
    assert found.sentence == (
        "Process 1 read 1, but no order of the operations allows that: when it returned "
        "(event 5), the register could only have held 2; 1 was last written by process 0 "
        "(event 0)."
    )
    assert found.states == (2,)
    assert [event.f for event in found.operations if event.type == "invoke"] == [
        "write", "write", "read",
    ]  # fmt: skip


def test_the_first_operation_that_cannot_be_placed_is_the_one_shown() -> None:
    found = counterexample("""
        0 |-write 1-|
        1              |-read 0-|
        2                          |-read 7-|
    """)
    assert found.operation == 2


def test_states_are_those_possible_just_before_the_operation_returned() -> None:
    found = counterexample("""
        0 |-----write 1------|
        1  |----write 2-----|
        2    |-read 3-|
    """)
    assert sorted(found.states) == [0, 1, 2]
    assert "nobody had begun to write 3" in found.sentence


def test_a_violation_right_at_the_beginning_has_a_counterexample_too() -> None:
    assert counterexample("0 |-read 7-|").states == (0,)


def test_every_failing_key_has_a_counterexample_and_every_other_a_certificate() -> None:
    events = []
    for key in range(6):
        answer = 0 if key % 2 else 1
        events.append(Event(0, 0, 0, "invoke", "read", key, None))
        events.append(Event(0, 0, 0, "ok", "read", key, answer))
    history = History.from_events(
        Event(i, i, e.process, e.type, e.f, e.key, e.value) for i, e in enumerate(events)
    )
    verdict = checker.linearizable(history, "register", initial=0, jobs=2)
    assert [found.key for found in verdict.counterexamples] == [0, 2, 4]
    assert [certificate.key for certificate in verdict.certificates] == [1, 3, 5]


def test_a_history_without_any_clock_is_judged_by_its_order() -> None:
    history = History.from_events(
        [
            Event(0, 7, 0, "invoke", "write", None, 1),
            Event(1, 7, 0, "ok", "write", None, 1),
            Event(2, 7, 1, "invoke", "read"),
            Event(3, 7, 1, "ok", "read", None, 0),
        ]
    )
    verdict = checker.linearizable(history, "register", initial=0)
    assert verdict.valid is False
    assert any("time stamps are equal" in note for note in verdict.notes)


def test_ties_are_mentioned() -> None:
    history = drawn(REGISTER["intervals are closed: operations that touch are concurrent"][1])
    assert "closed" in checker.linearizable(history, "register", initial=0).notes[0]


def test_true_is_not_one() -> None:
    history = drawn("0 |-write true-| |-read 1-|")
    for native in ("register", None):
        model = dataclasses.replace(MODELS["register"], native=native)
        assert checker.linearizable(history, model).valid is False


def test_a_search_that_runs_out_of_time_says_where_it_was() -> None:
    bars = "\n".join(f"{n} |{'-' * n}--write {n}------------------------|" for n in range(1, 26))
    history = drawn(bars + "\n0 |--------read 99----|")
    verdict = checker.linearizable(
        history, "register", initial=0, time_limit_s=0.0, algorithm="jit"
    )
    if verdict.valid == "unknown":  # or it was quick enough to know before the first look
        assert verdict.unknown is not None
        assert verdict.unknown.cause == "time"
        assert (
            "the first 0 of 26 completed operations can all be placed" in verdict.unknown.sentence
        )


def test_a_search_that_may_hold_nothing_ends_for_want_of_memory() -> None:
    bars = "\n".join(f"{n} |{'-' * n}--write {n}------------------------|" for n in range(1, 26))
    history = drawn(bars + "\n0 |--------read 99----|")
    verdict = checker.linearizable(
        history, "register", initial=0, memory_limit_bytes=1 << 20, algorithm="jit"
    )
    assert verdict.unknown is not None
    assert verdict.unknown.cause == "memory"
    assert "--memory-limit" in verdict.unknown.remedy


def test_the_algorithm_is_named_and_can_be_chosen() -> None:
    distinct = drawn("0 |-write 1-| |-write 2-| |-read 2-|")
    assert checker.linearizable(distinct, "register").algorithm == "zones of distinct writes"
    general = checker.linearizable(distinct, "register", algorithm="jit")
    assert general.algorithm == "just-in-time linearization"
    repeated = drawn("0 |-write 1-| |-write 1-|")
    assert checker.linearizable(repeated, "register").algorithm == "just-in-time linearization"
    with pytest.raises(ValueError, match="do not meet the conditions of the algorithm zones"):
        checker.linearizable(repeated, "register", algorithm="zones")
    with pytest.raises(ValueError, match="try one of auto, jit, monitor, zones"):
        checker.linearizable(repeated, "register", algorithm="magic")


def test_an_operation_that_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(checker.ModelError, match="has no operation 'cas'; use cas-register"):
        checker.linearizable(drawn("0 |-cas 0 1-|"), "register")
    with pytest.raises(checker.ModelError, match=r"a cas is \[from, to\], but here it is 7"):
        checker.linearizable(drawn("0 |-cas 7-|"), "cas-register")
    with pytest.raises(checker.ModelError, match="kv holds strings"):
        checker.linearizable(drawn("0 |-append 7-|"), "kv")
    with pytest.raises(ValueError, match="try one of register, cas-register, kv"):
        checker.linearizable(drawn("0 |-read 0-|"), "regster")


def counter_step(total: int, call: Call) -> Any:
    if call.f == "add":
        return total + call.argument
    return total if not call.completed or call.result == total else ILLEGAL


def test_a_model_of_ones_own_is_a_function() -> None:
    counter = Model("counter", initial=0, step=counter_step, read_only={"read"})
    valid = drawn("0 |-add 2-| |-add 3-| |-read 5-|")
    assert checker.linearizable(valid, counter).valid is True
    invalid = drawn("0 |-add 2-| |-add 3-| |-read 3-|")
    verdict = checker.linearizable(invalid, counter)
    assert verdict.valid is False
    assert verdict.model == "counter"
    assert verdict.counterexamples[0].states == (5,)


def test_states_need_not_be_hashable_nor_may_a_step_spoil_them() -> None:
    def step(queue: list[int], call: Call) -> Any:
        if call.f == "enqueue":
            queue.append(call.argument)
            return queue
        if not queue or (call.completed and queue[0] != call.result):
            return ILLEGAL
        return queue[1:]

    fifo = Model("fifo", initial=[], step=step)
    assert checker.linearizable(
        drawn("""
            0 |-enqueue 1-| |-enqueue 2-|
            1   |-enqueue 3-|            |-dequeue > 3-| |-dequeue > 1-| |-dequeue > 2-|
        """),
        fifo,
    ).valid is True  # fmt: skip
    assert checker.linearizable(
        drawn("0 |-enqueue 1-| |-enqueue 2-| |-dequeue > 2-|"), fifo
    ).valid is False  # fmt: skip


def test_a_false_claim_to_be_read_only_is_found_out() -> None:
    careless = Model("counter", initial=0, step=counter_step, read_only={"read", "add"})
    with pytest.raises(checker.ModelError, match="take it out of read_only"):
        checker.linearizable(drawn("0 |-add 2-|"), careless)


def test_what_a_model_raises_reaches_the_caller() -> None:
    def step(total: int, call: Call) -> Any:
        return total // 0 if call.f == "read" else ILLEGAL

    with pytest.raises(ZeroDivisionError, match="zero"):
        checker.linearizable(drawn("0 |-read 0-|"), Model("broken", 0, step))


def calls(*names: str) -> list[Call]:
    return [Call("add", int(name[1:]), None, True) if name[0] == "+" else
            Call("read", None, int(name), True) for name in names]  # fmt: skip


def test_what_never_changes_a_small_model_is_found_out() -> None:
    def modulo(total: int, call: Call) -> Any:
        return counter_step(total, call) % 5 if call.f == "add" else counter_step(total, call)

    asking = Asking(Model("clock", 0, modulo), calls("+1", "3", "+5", "+0"))
    assert asking.never_change(asked_max=100) == [False, True, True, True]
    assert asking.states == [0, 1, 2, 3, 4]


def test_a_model_with_too_many_states_is_taken_at_its_word() -> None:
    asking = Asking(Model("counter", 0, counter_step), calls("+1", "3"))
    assert asking.never_change(asked_max=100) is None
    assert asking(0, 0) == 1, "and it can still be asked"

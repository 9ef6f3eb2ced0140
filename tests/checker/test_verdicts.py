"""What comes with a verdict: the counterexample of an invalid one, the cause of an unknown one.

See `drawing` for how to read the drawings.  All registers hold 0 at first.
"""

from __future__ import annotations

import checker
from checker import Counterexample
from histories import Event, History
from tests.checker.drawing import drawn


def counterexample(drawing: str) -> Counterexample:
    verdict = checker.linearizable(drawn(drawing), checker.cas_register(0))
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

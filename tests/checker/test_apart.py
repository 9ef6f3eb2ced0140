"""A model in Python that hangs, eats memory, dies or raises, under a limit.

None of them may take the caller down, and what was proven before counts.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import checker
from checker import ILLEGAL, Call, Model, Unknown, Verdict, linearizable
from histories import Event, History
from tests.checker.drawing import drawn

FINE = "0 |-add 2-| |-read 2-|"
WRONG = "0 |-add 2-| |-read 3-|"
POISONED = "0 |-add 1-| |-add 13-| |-read 14-|"


def keyed(*drawings: str) -> History:
    """Each drawing under a key of its own: 0, 1, ..."""
    events: list[Event] = []
    for key, drawing in enumerate(drawings):
        for event in drawn(drawing, key=key):
            process = 10 * key + int(event.process)
            events.append(Event(0, event.time, process, event.type, event.f, key, event.value))
    events.sort(key=lambda event: event.time)
    return History.from_events(
        Event(index, e.time, e.process, e.type, e.f, e.key, e.value)
        for index, e in enumerate(events)
    )


def counter(on_thirteen: Callable[[], Any]) -> Model:
    """A counter that does something else where 13 is added to 1."""

    def step(total: int, call: Call) -> Any:
        if call.f == "add" and call.argument == 13 and total == 1:
            on_thirteen()
        if call.f == "add":
            # Not more than a few states, or it would be explored too far.
            return total + call.argument if total < 100 else ILLEGAL
        return total if not call.completed or call.result == total else ILLEGAL

    return Model("counter", 0, step, read_only={"read"})


def hang() -> None:
    while True:
        pass


def no_children() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return True


def judged(model: Model, *drawings: str, **limits: Any) -> tuple[Verdict, Unknown]:
    files = len(os.listdir("/proc/self/fd"))
    verdict = linearizable(keyed(*drawings), model, **limits)
    assert no_children()
    assert len(os.listdir("/proc/self/fd")) == files
    return verdict, verdict.unknown or Unknown("time", "", "")


def test_under_a_limit_the_answers_are_the_same() -> None:
    fine, wrong = drawn(FINE), drawn(WRONG)
    model = counter(hang)
    for history in (fine, wrong):
        here = linearizable(history, model)
        apart = linearizable(history, model, time_limit_s=60)
        assert apart.valid is here.valid
        assert apart.counterexamples == here.counterexamples
        assert [c.order.tolist() for c in apart.certificates] == [
            c.order.tolist() for c in here.certificates
        ]
    assert no_children()


def test_a_step_that_hangs_is_named_and_what_was_proven_counts() -> None:
    verdict, unknown = judged(counter(hang), FINE, POISONED, time_limit_s=0.5)
    assert verdict.valid == "unknown"
    assert [certificate.key for certificate in verdict.certificates] == [0]
    assert unknown.cause == "time"
    assert unknown.sentence.startswith(
        "The time limit of 0.5 s ran out while the model counter was in its call "
        "add 13 -> 13 in state 1, which did not return; its process was killed: "
        "1 of 2 keys are decided, all valid;"
    )


def test_a_violation_counts_even_where_another_key_hangs() -> None:
    verdict, _ = judged(counter(hang), WRONG, POISONED, time_limit_s=0.5)
    assert verdict.valid is False
    [found] = verdict.counterexamples
    assert found.key == 0
    assert found.states == (2,)


def test_a_step_that_sleeps_in_the_system_is_killed_too() -> None:
    verdict, unknown = judged(counter(lambda: time.sleep(3600)), POISONED, time_limit_s=0.3)
    assert verdict.valid == "unknown"
    assert "add 13 -> 13" in unknown.sentence


def test_a_step_that_eats_memory_meets_the_limit_in_its_own_process() -> None:
    eaten: list[bytes] = []

    def eat() -> None:
        while True:
            eaten.append(b"x" * (1 << 20))

    verdict, unknown = judged(counter(eat), FINE, POISONED, memory_limit_bytes=50_000_000)
    assert verdict.valid == "unknown"
    assert eaten == []
    assert unknown.cause == "memory"
    assert unknown.sentence.startswith(
        "The memory limit of 50 MB was reached by the model counter in its call add 13 -> 13"
    )
    assert [certificate.key for certificate in verdict.certificates] == [0]


def test_a_process_that_dies_is_a_broken_harness() -> None:
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    verdict, unknown = judged(counter(die), FINE, POISONED, time_limit_s=60)
    assert verdict.valid == "unknown"
    assert unknown.cause == "harness"
    assert "was ended by SIGKILL in its call add 13 -> 13" in unknown.sentence

    verdict, unknown = judged(counter(lambda: os._exit(3)), POISONED, time_limit_s=60)
    assert "ended with code 3" in unknown.sentence


class Grievance(Exception):
    """One of ours, with more than a message."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message, number)


def raising(error: BaseException) -> Callable[[], None]:
    def throw() -> None:
        raise error

    return throw


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ZeroDivisionError("by zero"), ZeroDivisionError, "by zero"),
        (checker.ModelError("no such thing"), checker.ModelError, "no such thing"),
        (KeyError("x"), KeyError, "'x'"),
        (Grievance("too late", 7), Grievance, "too late"),
    ],
)
def test_what_a_model_raises_reaches_the_caller(
    error: Exception, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        linearizable(drawn(POISONED), counter(raising(error)), time_limit_s=60)
    assert any("in step" in note for note in caught.value.__notes__)
    assert no_children()


def test_a_class_without_a_name_is_told_by_its_words() -> None:
    class Local(Exception):
        pass

    with pytest.raises(RuntimeError, match=r"Local: hidden"):
        linearizable(drawn(POISONED), counter(raising(Local("hidden"))), time_limit_s=60)


def test_an_interrupt_of_the_caller_ends_the_process(tmp_path: Path) -> None:
    told = tmp_path / "pid"

    def tell_and_hang() -> None:
        told.write_text(str(os.getpid()))
        hang()

    def interrupt_once_it_hangs() -> None:
        while not told.exists() or not told.read_text():
            os.sched_yield()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    # A shell starts what runs in the background with SIGINT ignored, and so may have us.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt_once_it_hangs)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            linearizable(drawn(POISONED), counter(tell_and_hang), time_limit_s=60)
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert no_children()
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(told.read_text()), 0)
        pytest.fail("the process is still there")


def test_without_limits_the_model_runs_in_this_process() -> None:
    seen: list[int] = []
    linearizable(drawn(POISONED), counter(lambda: seen.append(os.getpid())))
    assert set(seen) == {os.getpid()}


def test_a_hanging_key_does_not_hide_where_the_others_were_left() -> None:
    first, _ = judged(counter(hang), FINE, POISONED, time_limit_s=0.3)
    again = linearizable(keyed(FINE, POISONED), first_model(first), resume=first)
    assert again.valid is True


def first_model(verdict: Verdict) -> Model:
    """The model that was asked; it hangs no more, as a service that was away for a while."""
    model: Model = verdict.resumption.model
    object.__setattr__(model, "step", counter(lambda: None).step)
    return model


def test_states_of_any_kind_come_through_as_plain_data() -> None:
    def step(state: frozenset[int], call: Call) -> Any:
        if call.f == "add":
            return state | {call.argument}
        return state if not call.completed or set(call.result) == state else ILLEGAL

    wrong = drawn("0 |-add 2-| |-read 3-|")
    events = [
        Event(e.index, e.time, e.process, e.type, e.f, e.key, [3] if e.value == 3 else e.value)
        for e in wrong
    ]
    verdict = linearizable(
        History.from_events(events), Model("set", frozenset(), step), time_limit_s=60
    )
    assert verdict.valid is False
    assert verdict.counterexamples[0].states == ([2],)

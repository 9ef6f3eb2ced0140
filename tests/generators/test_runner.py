"""The runner, in virtual time: what it records of clients, the nemesis and the observer."""

# ruff: noqa: ARG002  (fake clients do not look at everything they are given)

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import generators as gen
from generators import Context, LoopClock, Outcome, play
from histories import Event, Op, Recorder
from tests.generators.fakes import READS, Fake, Nemesis, Slow, run_of, seconds

# What is recorded.


def test_every_operation_is_an_invocation_and_a_completion(run: Any) -> None:
    events, outcome = run(Fake(), gen.limit(1, gen.repeat(Op("write", 3, key="x"))))
    (invoke, ok) = events
    assert (invoke.type, invoke.f, invoke.key, invoke.value) == ("invoke", "write", "x", 3)
    assert (ok.type, ok.f, ok.key, ok.value) == ("ok", "write", "x", 3)
    assert (outcome.operations, outcome.ok, outcome.fail, outcome.info) == (1, 1, 0, 0)
    assert outcome.error is None
    assert not outcome.trouble


def test_an_invocation_is_recorded_before_the_client_hears_of_it(run: Any, memory: Any) -> None:
    seen = []

    class Watcher(Fake):
        async def invoke(self, op: Op) -> Op:
            seen.append(len(memory.events))
            return op.ok()

    run(Watcher(), gen.limit(3, READS))
    assert seen == [1, 3, 5]


def test_times_go_forwards_even_when_the_clock_stands_still(run: Any) -> None:
    events, _ = run(Fake(), gen.limit(50, READS))
    assert [event.time for event in events] == list(range(100))


def test_workers_are_dealt_to_the_nodes_in_turn(run: Any) -> None:
    events, _ = run(Fake(), gen.each_thread(Op("read")), nodes=("n1", "n2", "n3"), concurrency=5)
    nodes = {event.process: event.node for event in events}
    assert nodes == {0: "n1", 1: "n2", 2: "n3", 3: "n1", 4: "n2"}


def test_workers_are_at_work_at_the_same_time(run: Any) -> None:
    events, _ = run(Slow(), gen.each_thread([Op("a"), Op("b")]), concurrency=10)
    assert max(map(seconds, events)) == 2.0
    assert [event.type for event in events[:10]] == ["invoke"] * 10


def test_an_operation_waits_for_its_time(run: Any) -> None:
    events, _ = run(Fake(), gen.delay(2.5, gen.limit(3, READS)))
    assert [seconds(event) for event in events[::2]] == [0, 2.5, 5.0]


def test_sleeping_and_logging_are_not_recorded(run: Any, caplog: Any) -> None:
    caplog.set_level("INFO")
    events, _ = run(Fake(), [gen.log("here we go"), gen.sleep(3), gen.synchronize(Op("read"))])
    assert [(event.f, seconds(event)) for event in events] == [("read", 3.0), ("read", 3.0)]
    assert "here we go" in caplog.text


def test_watchers_see_every_event_and_cannot_break_the_run(virtually: Any, memory: Any) -> None:
    seen: list[Event] = []

    def watch(event: Event) -> None:
        seen.append(event)
        if len(seen) == 5:
            raise ValueError("the screen is gone")

    test = run_of(Fake(), gen.limit(5, READS))
    outcome = virtually(play(test, memory, on_event=watch))
    assert seen == memory.events[:5]
    assert len(memory.events) == 10
    assert "the screen is gone" in outcome.trouble[0]


def test_the_same_seed_plays_the_same_history(virtually: Any, memory: Any) -> None:
    load = gen.time_limit(5, gen.stagger(0.05, gen.mix(READS, lambda: Op("write", 1))))

    class Unsteady(Fake):
        async def invoke(self, op: Op) -> Op:
            await asyncio.sleep(0.3)
            return op.ok() if op.f == "write" else op.info("lost")

    def played(seed: int) -> list[Event]:
        recorder = type(memory)()
        test = run_of(Unsteady(), load, seed=seed, concurrency=5)

        async def main() -> Outcome:
            return await play(test, recorder, clock=LoopClock())

        virtually(main())
        return list(recorder.events)

    assert played(1) == played(1)
    assert played(1) != played(2)


# The nemesis.


def test_the_nemesis_has_a_name_and_is_never_retired(run: Any) -> None:
    faults = gen.nemesis([Op("start-kill"), Op("break-me"), Op("stop-kill")])
    events, outcome = run(Fake(), faults, nemesis=Nemesis())
    assert [(e.process, e.type, e.f, e.node) for e in events] == [
        ("nemesis", "invoke", "start-kill", None),
        ("nemesis", "ok", "start-kill", None),
        ("nemesis", "invoke", "break-me", None),
        ("nemesis", "info", "break-me", None),
        ("nemesis", "invoke", "stop-kill", None),
        ("nemesis", "ok", "stop-kill", None),
    ]
    assert events[3].error == "RuntimeError: no such node"
    assert outcome.operations == 0


def test_a_nemesis_that_takes_too_long_is_given_up(run: Any) -> None:
    class Stuck(Nemesis):
        async def invoke(self, op: Op) -> Op:
            await asyncio.sleep(1000)
            return op

    faults = gen.nemesis([Op("start-kill"), Op("stop-kill")])
    events, _ = run(Fake(), faults, nemesis=Stuck(), nemesis_timeout_s=30.0)
    assert [(e.type, e.f, round(seconds(e))) for e in events] == [
        ("invoke", "start-kill", 0),
        ("info", "start-kill", 30),
        ("invoke", "stop-kill", 30),
        ("info", "stop-kill", 60),
    ]


def test_a_whole_test_heals_and_reads_at_last(run: Any) -> None:
    stored: list[Any] = []

    class Set(Slow):
        async def invoke(self, op: Op) -> Op:
            await asyncio.sleep(0.01)
            if op.f == "add":
                stored.append(op.value)
                return op.ok()
            return op.ok(list(stored))

    whole = gen.compose(
        gen.set_workload(),
        time_limit_s=10,
        rate=50,
        faults=gen.cycle([gen.sleep(1), Op("start-kill"), gen.sleep(1), Op("stop-kill")]),
        heal=Op("stop-kill"),
        settle_s=2,
    )
    nemesis = Nemesis()
    events, outcome = run(Set(), whole, nemesis=nemesis, concurrency=4)
    reads = [e for e in events if e.f == "read" and e.type == "ok"]
    assert [len(e.value) for e in reads] == [len(stored)] * 4
    assert 400 < len(stored) < 600
    assert outcome.error is None
    assert nemesis.torn_down


# The observer.


class Watching:
    """Tells something every second, and says whether it was let go."""

    def __init__(self, *values: Any) -> None:
        self.values = values
        self.ended = False

    async def watch(self, tell: Callable[[Op], object], now: Callable[[], int]) -> None:
        try:
            for value in self.values:
                tell(Op("observe", value, process="observer", type="ok", node="n2"))
                await asyncio.sleep(1)
            await asyncio.sleep(1000)
        finally:
            self.ended = True


def test_what_an_observer_tells_is_recorded_between_the_operations_and_ends_with_them(
    run: Any,
) -> None:
    observer = Watching(1, 2, 3, 4, 5, 6)
    load = gen.clients(gen.time_limit(3.5, READS))
    events, outcome = run(Slow(), load, observer=observer, concurrency=1)
    seen = [event for event in events if event.process == "observer"]
    assert [event.value for event in seen] == [1, 2, 3, 4, 5]
    assert {(event.type, event.f, event.node) for event in seen} == {("ok", "observe", "n2")}
    assert observer.ended
    assert (outcome.operations, outcome.trouble, outcome.error) == (4, (), None)


def test_a_generator_of_the_nemesis_hears_of_observations(run: Any) -> None:
    class Listening:
        def op(self, ctx: Context) -> Any:
            return gen.PENDING, self

        def update(self, ctx: Context, event: Event) -> Any:
            return gen.lift(Op("strike")) if event.value == "now" else self

    load = gen.clients(gen.time_limit(3, READS), Listening())
    observer = Watching("wait", "now")
    events, _ = run(Slow(), load, observer=observer, nemesis=Nemesis(), concurrency=1)
    [strike, _] = [event for event in events if event.f == "strike"]
    assert seconds(strike) == 1.0


def test_an_observer_that_fails_is_trouble_and_no_more(run: Any) -> None:
    class Failing:
        async def watch(self, tell: Any, now: Any) -> None:
            raise RuntimeError("blind")

    _, outcome = run(Slow(), gen.clients(gen.limit(2, READS)), observer=Failing())
    assert outcome.error is None
    assert outcome.trouble == ("the observer left before the end of the run: RuntimeError: blind",)


def test_an_observation_that_cannot_be_recorded_is_trouble_and_no_more(tmp_path: Any) -> None:
    async def main() -> Outcome:
        test = run_of(Fake(), gen.limit(50, READS), observer=Watching({1, 2}))
        with Recorder(tmp_path / "history.jsonl") as recorder:
            return await play(test, recorder)

    outcome = asyncio.run(main())
    assert (outcome.ok, outcome.error) == (50, None)
    assert len(outcome.trouble) == 1
    assert "cannot be recorded" in outcome.trouble[0]

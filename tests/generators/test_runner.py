"""The runner, in virtual time: what it records, and what it does when things go wrong."""

# ruff: noqa: ARG002  (fake clients do not look at everything they are given)

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import pytest

import generators as gen
from generators import Context, LoopClock, Outcome, Test, play
from histories import Event, Op, Recorder

READS = gen.repeat(Op("read"))


class Fake:
    """A client that answers at once; subclasses make trouble."""

    definite: tuple[type[BaseException], ...] = (LookupError,)

    def __init__(self) -> None:
        self.log: list[str] = []  # shared by all that are opened from this one
        self.node = "nowhere"

    async def open(self, node: str) -> Fake:
        opened = type(self)()
        opened.__dict__ = {**self.__dict__, "node": node}
        self.log.append(f"open {node}")
        return opened

    async def setup(self) -> None:
        self.log.append(f"setup {self.node}")

    async def invoke(self, op: Op) -> Op:
        return op.ok(op.value)

    async def teardown(self) -> None:
        self.log.append(f"teardown {self.node}")

    async def close(self) -> None:
        self.log.append(f"close {self.node}")


class Slow(Fake):
    """Takes a second."""

    async def invoke(self, op: Op) -> Op:
        await asyncio.sleep(1)
        return op.ok(op.value)


class Nemesis:
    """Does what it is told."""

    def __init__(self) -> None:
        self.torn_down = False

    async def setup(self) -> None: ...

    async def invoke(self, op: Op) -> Op:
        await asyncio.sleep(0.5)
        if op.f == "break-me":
            raise RuntimeError("no such node")
        return op.ok({"targets": ["n1"]})

    async def teardown(self) -> None:
        self.torn_down = True


def run_of(client: Any, generator: gen.Liftable, **options: Any) -> Test:
    options = {"nodes": ("n1", "n2"), "concurrency": 2, **options}
    return Test(name="t", client=client, generator=generator, **options)


@pytest.fixture
def run(virtually: Any, memory: Any) -> Callable[..., tuple[list[Event], Outcome]]:
    """Play a test in virtual time; its history and its outcome."""

    def run(client: Any, generator: gen.Liftable, **options: Any) -> tuple[list[Event], Outcome]:
        async def main() -> Outcome:
            test = run_of(client, generator, **options)
            return await play(test, memory, clock=LoopClock())

        return memory.events, virtually(main())

    return run


def seconds(event: Event) -> float:
    return round(event.time / 1e9, 3)


def brief(events: list[Event]) -> list[tuple[Any, str]]:
    return [(event.process, event.type) for event in events]


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


# When clients fail.


def test_a_declared_failure_did_not_happen(run: Any) -> None:
    class Refused(Fake):
        async def invoke(self, op: Op) -> Op:
            raise KeyError("no such register")

    events, outcome = run(Refused(), gen.limit(2, READS), concurrency=1)
    assert brief(events) == [(0, "invoke"), (0, "fail"), (0, "invoke"), (0, "fail")]
    assert events[1].error == "KeyError: 'no such register'"
    assert outcome.fail == 2


def test_of_any_other_failure_nobody_can_know(run: Any) -> None:
    class Broken(Fake):
        async def invoke(self, op: Op) -> Op:
            await asyncio.sleep(0.1)
            raise ConnectionResetError("peer went away")

    client = Broken()
    events, outcome = run(client, gen.limit(3, READS), concurrency=1, nodes=("n1",))
    assert brief(events) == [
        (0, "invoke"),
        (0, "info"),
        (1, "invoke"),
        (1, "info"),
        (2, "invoke"),
        (2, "info"),
    ]
    assert events[1].error == "ConnectionResetError: peer went away"
    assert outcome.info == 3
    assert client.log.count("open n1") == client.log.count("close n1")
    setup_and_teardown = 2
    assert client.log.count("open n1") == 3 + setup_and_teardown


def test_a_client_that_fails_at_once_is_replaced_too(run: Any) -> None:
    class Broken(Fake):
        async def invoke(self, op: Op) -> Op:
            raise OSError("nope")

    client = Broken()
    events, _ = run(client, gen.limit(50, READS), concurrency=3)
    assert {event.process for event in events} >= set(range(12))
    assert client.log.count("open n1") == client.log.count("close n1")


def test_no_answer_in_time_is_an_info(run: Any) -> None:
    cancelled = []

    class Silent(Fake):
        async def invoke(self, op: Op) -> Op:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                cancelled.append(op.process)
                raise
            return op.ok()

    events, _ = run(Silent(), gen.limit(2, READS), concurrency=1, op_timeout_s=5.0)
    assert brief(events) == [(0, "invoke"), (0, "info"), (1, "invoke"), (1, "info")]
    assert events[1].error == "no answer within 5.0 s"
    assert [seconds(event) for event in events] == [0, 5, 5, 10]
    assert cancelled == [0, 1]


def test_a_late_answer_is_dropped(run: Any) -> None:
    class Stubborn(Fake):
        async def invoke(self, op: Op) -> Op:
            for _ in range(3):
                try:
                    await asyncio.sleep(4)
                except asyncio.CancelledError:
                    continue
            return op.ok("too late")

    reads = gen.limit(2, gen.delay(20, READS))
    events, _ = run(Stubborn(), reads, concurrency=1, op_timeout_s=5.0)
    assert brief(events) == [(0, "invoke"), (0, "info"), (1, "invoke"), (1, "info")]


def test_a_time_out_is_noticed_while_others_go_on(run: Any) -> None:
    class SometimesSilent(Fake):
        async def invoke(self, op: Op) -> Op:
            await asyncio.sleep(1000 if op.f == "hang" else 0.5)
            return op.ok()

    load = gen.any_of(
        gen.on_threads([0], Op("hang")), gen.on_threads([1], gen.time_limit(20, READS))
    )
    events, _ = run(SometimesSilent(), load, op_timeout_s=3.0)
    (hang,) = [event for event in events if event.f == "hang" and event.type == "info"]
    assert 3.0 <= seconds(hang) <= 3.1


def test_a_client_that_cannot_be_opened_did_nothing(run: Any) -> None:
    class Closed(Fake):
        async def open(self, node: str) -> Fake:
            if self.log:  # the one for the setup opens
                raise ConnectionRefusedError("nobody there")
            return await super().open(node)

    reads = gen.limit(4, READS)
    events, outcome = run(Closed(), reads, concurrency=1, nodes=("n1",), reopen_pause_s=1.0)
    assert brief(events) == [(0, "invoke"), (0, "fail")] * 4
    assert events[1].error == ["no-client", "ConnectionRefusedError: nobody there"]
    assert [seconds(event) for event in events[::2]] == [0, 1, 3, 5]  # at most 2 s apart
    assert "teardown" in outcome.trouble[0]


def test_a_client_that_does_not_open_in_time_did_nothing(run: Any) -> None:
    class Hangs(Fake):
        async def open(self, node: str) -> Fake:
            if len(self.log) > 2:
                await asyncio.sleep(1000)
            return await super().open(node)

    events, _ = run(
        Hangs(),
        gen.limit(2, READS),
        concurrency=1,
        nodes=("n1",),
        op_timeout_s=2.0,
        reopen_pause_s=1.0,
    )
    assert brief(events) == [(0, "invoke"), (0, "fail"), (0, "invoke"), (0, "fail")]
    assert events[1].error == ["no-client", "no answer within 2.0 s"]
    assert [seconds(event) for event in events] == [0, 2, 3, 5]


def test_a_client_is_opened_again_when_its_node_is_back(run: Any) -> None:
    class Flaky(Fake):
        async def open(self, node: str) -> Fake:
            self.log.append("try")
            if 2 <= self.log.count("try") <= 3:
                raise OSError("down")
            return await super().open(node)

    events, outcome = run(Flaky(), gen.limit(4, READS), concurrency=1, nodes=("n1",))
    assert [event.type for event in events[1::2]] == ["fail", "fail", "ok", "ok"]
    assert not outcome.trouble


@pytest.mark.parametrize("answer", [None, 7, "ok", Op("read")])
def test_an_answer_that_is_no_completion_is_an_info(run: Any, answer: object) -> None:
    class Confused(Fake):
        async def invoke(self, op: Op) -> Op:
            return answer  # type: ignore[return-value]

    events, _ = run(Confused(), gen.limit(1, READS))
    assert events[1].type == "info"
    assert "answered" in events[1].error


def test_a_value_that_cannot_be_recorded_is_an_info(virtually: Any, memory: Any) -> None:
    class Picky(type(memory)):  # type: ignore[misc]
        def record(self, *event: Any) -> Event:
            if event[5] == b"bytes":
                raise TypeError("bytes are not JSON")
            return super().record(*event)  # type: ignore[no-any-return]

    class Bytes(Fake):
        async def invoke(self, op: Op) -> Op:
            return op.ok(b"bytes")

    recorder = Picky()
    outcome = virtually(play(run_of(Bytes(), gen.limit(1, READS)), recorder))
    assert [event.type for event in recorder.events] == ["invoke", "info"]
    assert "bytes are not JSON" in recorder.events[1].error
    assert outcome.error is None


# What a client may rely on although its first step is taken by the runner.


def test_a_client_runs_in_a_task_of_its_own(run: Any) -> None:
    tasks = []

    class Curious(Fake):
        async def invoke(self, op: Op) -> Op:
            before = asyncio.current_task()
            await asyncio.sleep(0)
            after = asyncio.current_task()
            assert before is after is not None
            tasks.append(before)
            return op.ok()

    events, _ = run(Curious(), gen.each_thread(gen.limit(3, READS)), concurrency=2)
    assert {event.type for event in events} == {"invoke", "ok"}
    assert len(set(tasks)) == 2


def test_a_client_may_set_its_own_time_limits(run: Any) -> None:
    class Impatient(Fake):
        definite = (TimeoutError,)

        async def invoke(self, op: Op) -> Op:
            async with asyncio.timeout(op.value):
                await asyncio.sleep(0.5)
            return op.ok()

    events, _ = run(Impatient(), [Op("a", 0.1), Op("b", 1), Op("c", 0)], concurrency=1)
    assert [(e.f, e.type, seconds(e)) for e in events[1::2]] == [
        ("a", "fail", 0.1),
        ("b", "ok", 0.6),
        ("c", "fail", 0.6),
    ]


def test_a_client_may_use_task_groups(run: Any) -> None:
    class Parallel(Fake):
        async def invoke(self, op: Op) -> Op:
            async with asyncio.TaskGroup() as group:
                halves = [group.create_task(asyncio.sleep(1, half)) for half in (1, 2)]
            return op.ok([half.result() for half in halves])

    events, _ = run(Parallel(), gen.limit(2, READS), concurrency=1)
    assert [(e.type, e.value, seconds(e)) for e in events[1::2]] == [
        ("ok", [1, 2], 1.0),
        ("ok", [1, 2], 2.0),
    ]


def test_context_variables_belong_to_the_process(run: Any) -> None:
    used: contextvars.ContextVar[int] = contextvars.ContextVar("used", default=0)

    class Counting(Fake):
        async def invoke(self, op: Op) -> Op:
            used.set(used.get() + 1)
            if op.value:
                await asyncio.sleep(0.1)
            return op.ok(used.get())

    operations = [Op("a", wait) for wait in (False, True, False, True, True)]
    events, _ = run(Counting(), gen.each_thread(operations), concurrency=2)
    assert [e.value for e in events if e.type == "ok" and e.process == 0] == [1, 2, 3, 4, 5]
    assert used.get() == 0


def test_a_blocking_client_works_in_a_thread(memory: Any) -> None:
    class Plain:
        definite = (LookupError,)

        def __init__(self, node: str = "") -> None:
            self.node = node

        def open(self, node: str) -> Plain:
            return Plain(node)

        def setup(self) -> None: ...

        def invoke(self, op: Op) -> Op:
            if op.f == "lose":
                raise KeyError("lost")
            return op.ok(self.node)

        def teardown(self) -> None: ...

        def close(self) -> None: ...

    test = run_of(gen.Blocking(Plain()), gen.each_thread([Op("read"), Op("lose")]))
    outcome = asyncio.run(play(test, memory))
    assert (outcome.ok, outcome.fail, outcome.error) == (2, 2, None)
    assert {(e.value, e.node) for e in memory.events if e.type == "ok"} == {
        ("n1", "n1"),
        ("n2", "n2"),
    }


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


# The end, however it comes.


def test_clients_are_set_up_and_torn_down_once_per_node(run: Any) -> None:
    client = Fake()
    run(client, gen.limit(10, READS), concurrency=6)
    for node in ("n1", "n2"):
        assert client.log.count(f"setup {node}") == client.log.count(f"teardown {node}") == 1
        assert client.log.count(f"open {node}") == client.log.count(f"close {node}")


def test_a_generator_that_raises_ends_the_run_and_keeps_the_history(run: Any) -> None:
    made = iter([Op("read"), Op("read")])

    def reads() -> Op:
        return next(made)  # StopIteration, sooner or later

    nemesis = Nemesis()
    client = Slow()
    events, outcome = run(client, gen.clients(reads), nemesis=nemesis, concurrency=3)
    assert "raised StopIteration when asked what to do next" in str(outcome.error)
    assert outcome.stage == "load"
    assert brief(events)[-2:] in (
        [(0, "info"), (1, "info")],
        [(0, "info"), (2, "info")],
        [(1, "info"), (2, "info")],
    )
    assert events[-1].error == "the run was broken off"
    assert nemesis.torn_down
    assert client.log.count("open n1") == client.log.count("close n1")


def test_a_generator_that_raises_when_told_ends_the_run(run: Any) -> None:
    class Offended:
        def op(self, ctx: Context) -> gen.Emitted:
            return Op("read", process=0, time=ctx.time), self

        def update(self, ctx: Context, event: Event) -> gen.Generator:
            if event.type == "ok":
                raise ValueError("that cannot be")
            return self

    events, outcome = run(Fake(), Offended())
    assert brief(events) == [(0, "invoke"), (0, "ok")]
    assert "raised ValueError: that cannot be when told of Event" in str(outcome.error)


def test_a_generator_that_names_a_busy_process_ends_the_run(run: Any) -> None:
    class Pushy:
        def op(self, ctx: Context) -> gen.Emitted:
            return Op("read", process=0, time=ctx.time), self

        def update(self, ctx: Context, event: Event) -> gen.Generator:
            return self

    events, outcome = run(Slow(), Pushy())
    assert "process 0 is not free" in str(outcome.error)
    assert brief(events) == [(0, "invoke"), (0, "info")]


def test_a_generator_that_waits_for_nothing_ends_the_run(run: Any) -> None:
    class Stuck:
        def op(self, ctx: Context) -> gen.Emitted:
            return gen.PENDING, self

        def update(self, ctx: Context, event: Event) -> gen.Generator:
            return self

    _, outcome = run(Fake(), Stuck(), stall_limit_s=10.0)
    assert "kept everybody waiting for 10.0 s" in str(outcome.error)


def test_a_recorder_that_fails_ends_the_run(virtually: Any, memory: Any) -> None:
    class Full(type(memory)):  # type: ignore[misc]
        def record(self, *event: Any) -> Event:
            if len(self.events) == 5:
                raise OSError("disk full")
            return super().record(*event)  # type: ignore[no-any-return]

    client = Fake()
    outcome = virtually(play(run_of(client, READS), Full()))
    assert "disk full" in str(outcome.error)
    assert client.log.count("open n1") == client.log.count("close n1")


def test_stop_ends_the_run_at_once(virtually: Any, memory: Any) -> None:
    nemesis = Nemesis()

    async def main() -> Outcome:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(2.5, stop.set)
        test = run_of(Slow(), gen.clients(READS), nemesis=nemesis)
        return await play(test, memory, clock=LoopClock(), stop=stop)

    outcome = virtually(main())
    assert outcome.stopped
    assert outcome.error is None
    assert [(e.type, e.error, seconds(e)) for e in memory.events[-2:]] == [
        ("info", "the run was stopped", 2.5),
        ("info", "the run was stopped", 2.5),
    ]
    assert outcome.seconds < 3
    assert nemesis.torn_down


def test_stop_is_heard_while_clients_answer_at_once(memory: Any) -> None:
    async def main() -> Outcome:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, stop.set)
        return await play(run_of(Fake(), READS), memory, stop=stop)

    outcome = asyncio.run(main())
    assert outcome.stopped
    assert outcome.operations > 0


def test_stop_during_the_setup_is_heard(virtually: Any, memory: Any) -> None:
    class Slowpoke(Fake):
        async def setup(self) -> None:
            await asyncio.sleep(50)

    async def main() -> Outcome:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(1, stop.set)
        return await play(run_of(Slowpoke(), READS), memory, clock=LoopClock(), stop=stop)

    outcome = virtually(main())
    assert outcome.stopped
    assert not memory.events
    assert outcome.seconds < 2


def test_a_cancelled_run_is_closed_and_torn_down_all_the_same(virtually: Any, memory: Any) -> None:
    nemesis, client = Nemesis(), Slow()

    async def main() -> None:
        test = run_of(client, gen.clients(READS), nemesis=nemesis)
        running = asyncio.ensure_future(play(test, memory, clock=LoopClock()))
        await asyncio.sleep(2.5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    virtually(main())
    assert [e.error for e in memory.events[-2:]] == ["the run was cancelled"] * 2
    assert nemesis.torn_down
    assert client.log.count("open n1") == client.log.count("close n1")


def test_a_failed_setup_says_where(run: Any) -> None:
    class NoTable(Fake):
        async def setup(self) -> None:
            if self.node == "n2":
                raise RuntimeError("no room for a table")

    nemesis = Nemesis()
    events, outcome = run(NoTable(), READS, nemesis=nemesis)
    assert not events
    assert outcome.stage == "setup"
    assert "no room for a table" in str(outcome.error)
    assert "n2" in str(outcome.error)
    assert nemesis.torn_down


def test_a_setup_that_never_ends_is_given_up(run: Any) -> None:
    class Hangs(Fake):
        async def setup(self) -> None:
            await asyncio.sleep(1e6)

    _, outcome = run(Hangs(), READS, setup_timeout_s=30.0)
    assert "within 30.0 s" in str(outcome.error)


def test_failed_teardowns_and_closes_are_told_and_lose_nothing(run: Any) -> None:
    class Sticky(Fake):
        async def teardown(self) -> None:
            raise RuntimeError("the table is stuck")

        async def close(self) -> None:
            await asyncio.sleep(1e6)

    class Careless(Nemesis):
        async def teardown(self) -> None:
            raise RuntimeError("forgot how")

    # Only the workers' clients: the setup closes its own.
    events, outcome = run(
        Sticky(), gen.limit(4, READS), nemesis=Careless(), close_timeout_s=2.0, setup_timeout_s=1e7
    )
    assert len(events) == 8
    assert outcome.error is None
    trouble = "\n".join(outcome.trouble)
    assert "was not closed within 2.0 s" in trouble
    assert "forgot how" in trouble


def test_a_test_without_nodes_is_refused() -> None:
    with pytest.raises(ValueError, match="has no nodes"):
        run_of(Fake(), READS, nodes=())
    with pytest.raises(ValueError, match="concurrency"):
        run_of(Fake(), READS, concurrency=0)

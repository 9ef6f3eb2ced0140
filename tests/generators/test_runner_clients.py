"""The runner and its clients: what it makes of their failures, and what they may rely on."""

# ruff: noqa: ARG002  (fake clients do not look at everything they are given)

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

import generators as gen
from generators import play
from histories import Event, Op
from tests.generators.fakes import READS, Fake, brief, run_of, seconds

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

"""How a run of the runner ends: by itself, by whatever breaks, or because it is stopped."""

# ruff: noqa: ARG002  (fake clients do not look at everything they are given)

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import generators as gen
from generators import Context, LoopClock, Outcome, play
from histories import Event, Op
from tests.generators.fakes import READS, Fake, Nemesis, Slow, brief, run_of, seconds


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

"""What a process may count on, and what one that is paused, slow or dead does: nothing."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from simulation import SimulatedCluster, World, run

Watch = Callable[[SimulatedCluster], Awaitable[None]]


def play(program: Callable[[World], Awaitable[None]], watch: Watch, nodes: int = 1) -> None:
    async def main() -> None:
        cluster = SimulatedCluster([f"n{i + 1}" for i in range(nodes)], program, seed=1)
        cluster.start()
        try:
            await watch(cluster)
        finally:
            cluster.stop()

    run(main())


class Diary:
    """A program that does all it can do, over and over, and notes when."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, float]] = []

    def note(self, what: str) -> None:
        self.notes.append((what, asyncio.get_running_loop().outer.time()))  # type: ignore[attr-defined]

    def since(self, time_s: float) -> list[str]:
        return [what for what, at in self.notes if at > time_s]

    async def program(self, world: World) -> None:
        async def every(name: str, wait: Callable[[], Awaitable[object]]) -> None:
            while True:
                await wait()
                self.note(name)

        async def sync() -> None:
            await world.disk.append("log", b"x")
            await world.disk.sync("log")

        async def beat() -> None:
            world.network.send("n2", b"beat")
            await world.clock.sleep(0.01)

        queue: asyncio.Queue[int] = asyncio.Queue()

        async def hand_over() -> None:
            queue.put_nowait(1)
            await asyncio.sleep(0.02)

        world.network.listen(lambda *_: self.note("message"))
        world.spawn(every("sync", sync))
        world.spawn(every("sleep", beat))
        world.spawn(every("asyncio", hand_over))
        world.spawn(every("queue", queue.get))
        world.spawn(every("objects", lambda: world.objects.put("a", b"b")))
        await world.forever()


KINDS = {"sync", "sleep", "asyncio", "queue", "objects", "message"}


def test_a_paused_process_stands_still_and_all_that_was_due_comes_at_once_when_it_goes_on() -> None:
    diary = Diary()

    async def watch(cluster: SimulatedCluster) -> None:
        heard: list[float] = []
        cluster.network.listen("n2", lambda *_: heard.append(cluster.loop.time()))
        machine, client = cluster.machines["n1"], cluster.endpoint("c")
        client.send("n1", b"hello")
        await asyncio.sleep(1)
        assert set(diary.since(0)) == KINDS
        machine.pause()
        began = cluster.loop.time()
        client.send("n1", b"hello")
        await asyncio.sleep(5)
        assert diary.since(began) == []
        assert [at for at in heard if at > began + 0.1] == []  # but for what was under way
        machine.resume()
        await asyncio.sleep(0)
        await asyncio.sleep(1e-6)
        assert set(diary.since(began)) == KINDS

    play(diary.program, watch)


@pytest.mark.parametrize("end", ["kill", "crash"])
def test_a_dead_process_does_nothing_more_and_its_waits_never_end(end: str) -> None:
    diary = Diary()

    async def watch(cluster: SimulatedCluster) -> None:
        await asyncio.sleep(1)
        getattr(cluster.machines["n1"], end)()
        began, sent = cluster.loop.time(), cluster.network.sent
        await asyncio.sleep(5)
        assert diary.since(began) == []
        assert cluster.network.sent == sent

    play(diary.program, watch)


def test_what_a_dead_process_still_does_comes_to_nothing() -> None:
    after: list[str] = []

    async def stubborn(world: World) -> None:
        try:
            await world.forever()
        finally:
            after.append("finally")
            world.network.send("c", b"from the grave")
            world.tell("still here")
            await world.disk.write("late", b"late")
            after.append("never")

    async def watch(cluster: SimulatedCluster) -> None:
        told: list[str] = []
        cluster.listeners.append(lambda _node, event, _facts: told.append(event))
        cluster.network.listen("c", lambda *_: told.append("message"))
        await asyncio.sleep(1)
        cluster.machines["n1"].kill()
        await asyncio.sleep(1)
        assert after == ["finally"]
        assert told == ["ended"]
        assert cluster.machines["n1"].disk.names() == []

    play(stubborn, watch)


def test_a_slow_processor_takes_its_time_for_every_step_and_works_off_what_has_come() -> None:
    handled: list[float] = []

    async def program(world: World) -> None:
        world.network.listen(lambda *_: handled.append(world.clock.monotonic()))
        await world.forever()

    async def watch(cluster: SimulatedCluster) -> None:
        await asyncio.sleep(0.1)
        cluster.machines["n1"].slow(0.01)
        for _ in range(10):
            cluster.endpoint("c").send("n1", b"work")
        await asyncio.sleep(1)
        gaps = [later - earlier for earlier, later in itertools.pairwise(handled)]
        assert len(handled) == 10
        assert min(gaps) == pytest.approx(0.01, abs=1e-6)

    play(program, watch)


def test_a_process_that_needs_more_memory_than_there_is_is_killed() -> None:
    async def program(world: World) -> None:
        world.network.listen(lambda *_: None)
        await world.forever()

    async def watch(cluster: SimulatedCluster) -> None:
        machine = cluster.machines["n1"]
        await asyncio.sleep(0.1)
        machine.limit(100_000)
        machine.pause()
        for _ in range(8):
            cluster.endpoint("c").send("n1", bytes(10_000))
        await asyncio.sleep(1)
        assert machine.state == "paused"
        for _ in range(8):
            cluster.endpoint("c").send("n1", bytes(10_000))
        await asyncio.sleep(1)
        assert machine.state == "gone"
        assert "out of memory" in machine.deaths[0]

    play(program, watch)


def test_an_error_that_nobody_catches_is_the_end_of_the_process_and_is_told() -> None:
    async def program(world: World) -> None:
        async def fail() -> None:
            raise ValueError("a mistake")

        world.spawn(fail())
        await world.forever()

    async def watch(cluster: SimulatedCluster) -> None:
        told: list[object] = []
        cluster.listeners.append(lambda *said: told.append(said))
        await asyncio.sleep(0.1)
        assert told[0] == ("n1", "died", {"why": "ValueError: a mistake"})
        assert cluster.machines["n1"].state == "gone"

    play(program, watch)


def test_a_program_that_comes_back_ends_its_process() -> None:
    async def program(world: World) -> None:
        await world.clock.sleep(1)

    async def watch(cluster: SimulatedCluster) -> None:
        await asyncio.sleep(2)
        machine = cluster.machines["n1"]
        assert machine.state == "gone"
        assert machine.deaths == []

    play(program, watch)


def test_a_machine_dies_at_an_armed_crash_point_and_does_nothing_after_it() -> None:
    passed: list[int] = []

    async def program(world: World) -> None:
        for number in range(10):
            await world.clock.sleep(0.1)
            world.reach("here")
            passed.append(number)

    async def watch(cluster: SimulatedCluster) -> None:
        cluster.arm("n1", "here", 3)
        await asyncio.sleep(5)
        assert passed == [0, 1]
        assert cluster.machines["n1"].died_at == "here"
        assert cluster.points == {"here": 3}

    play(program, watch)


def test_asyncio_inside_goes_by_the_clock_of_the_machine() -> None:
    waited: list[float] = []

    async def program(world: World) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await world.forever()
        waited.append(world.clock.monotonic())
        await world.forever()

    async def watch(cluster: SimulatedCluster) -> None:
        machine = cluster.machines["n1"]
        began = machine.clock.monotonic(0)
        await asyncio.sleep(1)
        machine.rate = 0.1
        await asyncio.sleep(9.9)
        assert waited == []
        await asyncio.sleep(0.2)
        assert waited[0] - began == pytest.approx(2)

    play(program, watch)


def test_a_generator_that_is_left_halfway_is_closed_inside_the_node() -> None:
    closed: list[object] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0.01)
            closed.append(asyncio.get_running_loop())

    async def program(world: World) -> None:
        async for _ in numbers():
            break
        await world.forever()

    async def watch(cluster: SimulatedCluster) -> None:
        await asyncio.sleep(0.1)
        life = cluster.machines["n1"].life
        assert life is not None
        assert closed == [life.door]

    play(program, watch)


def test_tasks_of_a_dead_process_are_closed_and_complain_to_nobody() -> None:
    async def program(world: World) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(world.forever())
            group.create_task(waiting_again(world))

    async def waiting_again(world: World) -> None:
        try:
            await world.forever()
        finally:
            await world.clock.sleep(1)

    async def watch(cluster: SimulatedCluster) -> None:
        await asyncio.sleep(0.1)
        machine = cluster.machines["n1"]
        door = machine.life.door  # type: ignore[union-attr]
        tasks = list(door.tasks)
        machine.kill()
        await asyncio.sleep(5)
        assert len(tasks) == 5
        assert [inspect.getcoroutinestate(task.get_coro()) for task in tasks] == ["CORO_CLOSED"] * 5
        assert not door.tasks

    play(program, watch)


def test_whoever_listens_to_what_nodes_tell_stands_outside_of_them() -> None:
    async def program(world: World) -> None:
        before = asyncio.get_running_loop()
        world.tell("something")
        assert asyncio.get_running_loop() is before
        await world.forever()

    async def watch(cluster: SimulatedCluster) -> None:
        loops: list[object] = []
        cluster.listeners.append(lambda *_: loops.append(asyncio.get_running_loop()))
        await asyncio.sleep(0.1)
        assert loops == [cluster.loop]
        assert cluster.machines["n1"].state == "running"

    play(program, watch)

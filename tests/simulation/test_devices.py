"""The disk, the object store and the clocks of machines, as programs meet them."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation import SimulatedCluster, World, run
from simulation._clocks import MachineClock

Watch = Callable[[SimulatedCluster, World], Awaitable[None]]


def play(watch: Watch) -> None:
    """`watch` is given a world to try things in, and runs inside it."""

    async def main() -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def program(world: World) -> None:
            try:
                await watch(cluster, world)
            except Exception as error:
                done.set_exception(error)
            else:
                done.set_result(None)
            await world.forever()

        cluster = SimulatedCluster(["n1"], program, seed=1)
        cluster.start()
        try:
            await done
        finally:
            cluster.stop()

    run(main())


def test_a_full_disk_refuses_what_needs_room_and_may_have_taken_a_part() -> None:
    async def watch(cluster: SimulatedCluster, world: World) -> None:
        disk = cluster.machines["n1"].disk
        await world.disk.append("log", b"first")
        disk.full = True
        for _ in range(5):
            with pytest.raises(OSError, match="No space") as full:
                await world.disk.append("log", b"second")
            assert full.value.errno == errno.ENOSPC
        assert (await world.disk.read("log")).startswith(b"first")
        with pytest.raises(OSError, match="No space"):
            await world.disk.append("another", b"x")
        assert await world.disk.names() == ["log"]
        await world.disk.truncate("log", 5)
        disk.full = False
        await world.disk.append("log", b"!")
        assert await world.disk.read("log") == b"first!"

    play(watch)


@pytest.mark.parametrize("kind", ["read", "write", "sync"])
def test_a_failing_disk_says_so(kind: str) -> None:
    async def watch(cluster: SimulatedCluster, world: World) -> None:
        await world.disk.write("log", b"first")
        cluster.machines["n1"].disk.errors[kind] = 1.0
        asked = {
            "read": lambda: world.disk.read("log"),
            "write": lambda: world.disk.write("log", b"second"),
            "sync": lambda: world.disk.sync("log"),
        }[kind]
        with pytest.raises(OSError, match="Input/output") as broken:
            await asked()  # type: ignore[no-untyped-call]
        assert broken.value.errno == errno.EIO
        cluster.machines["n1"].disk.errors.clear()
        assert await world.disk.read("log") == b"first"

    play(watch)


def test_a_slow_disk_takes_its_time() -> None:
    async def watch(cluster: SimulatedCluster, world: World) -> None:
        cluster.machines["n1"].disk.slowness = 1000.0
        began = world.clock.monotonic()
        await world.disk.append("log", b"x")
        written = world.clock.monotonic() - began
        await world.disk.sync("log")
        assert 0.02 < written < 0.2
        assert world.clock.monotonic() - began > 0.25

    play(watch)


def test_what_is_written_while_a_sync_is_under_way_is_not_covered_by_it() -> None:
    async def watch(cluster: SimulatedCluster, world: World) -> None:
        await world.disk.append("log", b"first")
        syncing = asyncio.ensure_future(world.disk.sync("log"))
        await asyncio.sleep(0)
        await world.disk.append("log", b"second")
        await syncing
        assert cluster.machines["n1"].disk.unsynced == 1

    play(watch)


def test_a_bit_flips_silently_or_makes_a_file_unreadable_until_it_is_written_anew() -> None:
    async def watch(cluster: SimulatedCluster, world: World) -> None:
        disk = cluster.machines["n1"].disk
        await world.disk.write("log", bytes(100))
        assert disk.flip(Random(1), noticed=False) == "log"
        assert sum(each.bit_count() for each in await world.disk.read("log")) == 1
        disk.flip(Random(1), noticed=True)
        with pytest.raises(OSError, match="Input/output"):
            await world.disk.read("log")
        await world.disk.write("log", b"anew")
        assert await world.disk.read("log") == b"anew"

    play(watch)


def test_a_misdirected_write_is_read_back_until_the_machine_starts_anew() -> None:
    async def watch(cluster: SimulatedCluster, world: World) -> None:
        disk = cluster.machines["n1"].disk
        for name in ("log", "victim"):
            await world.disk.append(name, bytes(50))
            await world.disk.sync(name)
        disk.strays = 1.0
        await world.disk.append("log", b"stray")
        await world.disk.sync("log")
        assert (await world.disk.read("log"))[50:] == b"stray"
        disk.crash()
        left = disk.read("log") + disk.read("victim")
        assert len(left) == 100
        assert any(left)
        assert disk.strayed == 1

    play(watch)


def test_a_put_that_raises_may_have_stored_the_object_whole_or_not_at_all() -> None:
    async def watch(cluster: SimulatedCluster, world: World) -> None:
        cluster.objects.errors = 1.0
        for number in range(40):
            with pytest.raises(OSError, match="out"):
                await world.objects.put(f"{number:02}", b"whole")
        cluster.objects.errors = 0.0
        stored = await world.objects.names()
        assert 10 < len(stored) < 30
        assert {await world.objects.get(name) for name in stored} == {b"whole"}
        with pytest.raises(FileNotFoundError):
            await world.objects.get("none")

    play(watch)


def test_an_object_arrives_although_its_sender_died_meanwhile() -> None:
    async def main() -> None:
        async def program(world: World) -> None:
            await world.objects.put("late", bytes(1_000_000))

        cluster = SimulatedCluster(["n1"], program, seed=1)
        cluster.start()
        await asyncio.sleep(0.001)
        cluster.machines["n1"].kill()
        assert cluster.objects._objects == {}
        await asyncio.sleep(1)
        assert list(cluster.objects._objects) == ["late"]

    run(main())


def test_the_store_is_out_or_out_of_reach() -> None:
    async def watch(cluster: SimulatedCluster, world: World) -> None:
        await world.objects.put("kept", b"x")
        cluster.objects.out = True
        with pytest.raises(OSError, match="out"):
            await world.objects.get("kept")
        cluster.objects.out = False
        cluster.network.sever("a fault", [("objects", "n1")])
        with pytest.raises(TimeoutError):
            await world.objects.remove("kept")
        cluster.network.mend("a fault")
        assert await world.objects.names() == []

    play(watch)


@given(
    st.lists(st.tuples(st.floats(0.1, 100), st.floats(0.1, 10)), max_size=8), st.integers(0, 1000)
)
def test_a_clock_that_changes_its_pace_never_jumps(
    paces: list[tuple[float, float]], seed: int
) -> None:
    clock, now_s = MachineClock(Random(seed)), 0.0
    for wait_s, rate in paces:
        before, wall = clock.monotonic(now_s), clock.wall(now_s)
        now_s += wait_s
        assert clock.monotonic(now_s) - before == pytest.approx(wait_s * clock.rate)
        after, wall_after = clock.monotonic(now_s), clock.wall(now_s)
        assert wall_after - wall == pytest.approx(wait_s * clock.rate, abs=1e-5)
        clock.pace(rate, now_s)
        assert clock.monotonic(now_s) == pytest.approx(after)
        assert clock.wall(now_s) == pytest.approx(wall_after)
        assert clock.moment(clock.monotonic(now_s + 5)) == pytest.approx(now_s + 5)
    clock.set_right(now_s)
    assert clock.off_s(now_s) == pytest.approx(0, abs=1e-5)


def test_the_wall_clock_jumps_also_back_and_timers_do_not_care() -> None:
    async def watch(cluster: SimulatedCluster, world: World) -> None:
        machine = cluster.machines["n1"]
        rung: list[float] = []
        began, wall = world.clock.monotonic(), world.clock.wall()
        world.clock.later(2, lambda: rung.append(world.clock.monotonic() - began))
        machine.skew_s -= 3600
        assert world.clock.wall() - wall == pytest.approx(-3600)
        await world.clock.sleep(3)
        assert rung == [pytest.approx(2)]

    play(watch)


def test_a_timer_never_rings_early_by_the_clock_of_its_machine_whatever_its_pace() -> None:
    async def watch(cluster: SimulatedCluster, world: World) -> None:
        machine, chance = cluster.machines["n1"], Random(1)
        late: list[float] = []

        def ring(due: float) -> None:
            late.append(world.clock.monotonic() - due)

        for _ in range(200):
            due = world.clock.monotonic() + chance.random()
            world.clock.later(due - world.clock.monotonic(), partial(ring, due))
        for _ in range(20):
            await asyncio.sleep(0.05)
            machine.rate = chance.uniform(0.2, 5)
        await asyncio.sleep(2)
        assert len(late) == 200
        assert min(late) > -1e-9
        assert max(late) < 1e-6

    play(watch)

"""Every fault breaks what it says, proves it, and gives it back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import pytest

from histories import NEMESIS, Op
from nemesis import Fault, Nemesis, targets
from simulation import SimulatedCluster, World, faults, run
from simulation._nemesis import simulated_nemesis

Make = Callable[[SimulatedCluster], Fault]

FAULTS: dict[str, Make] = {
    name: getattr(faults, name)
    for name in faults.__all__
    if name.islower() and name not in ("crash_point",)
}
FAULTS["crash_point"] = lambda cluster: faults.crash_point(cluster, ["beat"], nth_max=3)
FAULTS["partition with clients"] = lambda cluster: faults.partition(cluster, "one", clients=True)
FAULTS["noticed bit flips"] = lambda cluster: faults.disk_bit_flips(cluster, noticed=True, bits=3)


async def beating(world: World) -> None:
    """Writes, passes a crash point and tells its role, again and again."""
    leader = world.name == world.nodes[0]
    world.tell("role", role="leader" if leader else "follower", term=1)
    while True:
        try:
            await world.disk.append("log", b"beat")
        except OSError:
            world.tell("trouble")
        world.reach("beat")
        await world.clock.sleep(0.05)


def play(watch: Callable[[SimulatedCluster], Awaitable[None]], nodes: int = 5) -> None:
    async def main() -> None:
        cluster = SimulatedCluster([f"n{i + 1}" for i in range(nodes)], beating, seed=1)
        cluster.start()
        await asyncio.sleep(0.5)
        await watch(cluster)
        cluster.stop()

    run(main())


async def obey(nemesis: Nemesis, f: str, value: Any = None) -> Op:
    return await nemesis.invoke(Op(f, value, process=NEMESIS))


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_fault_is_proven_before_during_and_after(name: str, seed: int) -> None:
    async def watch(cluster: SimulatedCluster) -> None:
        fault = FAULTS[name](cluster)
        nemesis = simulated_nemesis([fault], cluster)
        await nemesis.setup()
        value = fault.choose(cluster.nodes, Random(seed), {})
        started = await obey(nemesis, f"start-{fault.name}", value)
        assert (started.type, started.error) == ("ok", None)
        receipt = started.value["receipt"]
        assert fault.intact >= set(receipt["before"]) - set(fault.broken)
        assert fault.broken & set(receipt["during"])
        await asyncio.sleep(1)
        stopped = await obey(nemesis, f"stop-{fault.name}")
        assert (stopped.type, stopped.error) == ("ok", None)
        assert fault.intact >= set(stopped.value["receipt"]["after"])
        await asyncio.sleep(1)
        assert [machine.state for machine in cluster.machines.values()] == ["running"] * 5

    play(watch)


@pytest.mark.parametrize("name", FAULTS)
def test_teardown_gives_back_what_nobody_has_stopped(name: str) -> None:
    async def watch(cluster: SimulatedCluster) -> None:
        fault = FAULTS[name](cluster)
        nemesis = simulated_nemesis([fault], cluster)
        await nemesis.setup()
        value = fault.choose(cluster.nodes, Random(3), {})
        order = await fault.read(value)
        await obey(nemesis, f"start-{fault.name}", value)
        await nemesis.teardown()
        proof = await fault.prove(order.things)
        assert set(proof.states.values()) <= fault.intact

    play(watch)


def test_the_same_order_is_the_same_strike() -> None:
    async def watch(cluster: SimulatedCluster) -> None:
        for make in FAULTS.values():
            fault = make(cluster)
            value = fault.choose(cluster.nodes, Random(5), {})
            assert await fault.read(value) == await fault.read(value)
            assert value == fault.choose(cluster.nodes, Random(5), {})

    play(watch)


def test_primaries_are_those_of_whom_it_was_told_last() -> None:
    async def watch(cluster: SimulatedCluster) -> None:
        tell = cluster.told
        assert await cluster.primaries() == ["n1"]
        tell("n2", "role", {"role": "leader", "term": 2})
        assert await cluster.primaries() == ["n2"]
        tell("n3", "role", {"role": "leader", "term": 1, "shard": "s1"})
        assert await cluster.primaries() == ["n2", "n3"]
        tell("n2", "role", {"role": "follower", "term": 3})
        cluster.machines["n1"].kill()
        assert await cluster.primaries() == ["n3"]

    play(watch)


@pytest.mark.parametrize("make", [faults.kill, faults.pause, faults.crash, faults.disk_fill])
def test_a_fault_strikes_whoever_leads_by_the_time_it_strikes(make: Any) -> None:
    async def watch(cluster: SimulatedCluster) -> None:
        fault = make(cluster, targets.primaries)
        nemesis = simulated_nemesis([fault], cluster)
        value = fault.choose(cluster.nodes, Random(1), {})
        assert value == {"targets": None, "choice": "primaries"}
        cluster.told("n4", "role", {"role": "leader", "term": 7})
        await nemesis.setup()
        started = await obey(nemesis, f"start-{fault.name}", value)
        assert (started.type, started.value["targets"]) == ("ok", ["n4"])

    play(watch)


def test_a_primary_is_cut_off_from_all_others() -> None:
    async def watch(cluster: SimulatedCluster) -> None:
        fault = faults.partition(cluster, "one", targets.primaries)
        order = await fault.read(fault.choose(cluster.nodes, Random(1), {}))
        assert order.targets == ("n1",)
        assert order.things == {
            link for node in ("n2", "n3", "n4", "n5") for link in (f"n1->{node}", f"{node}->n1")
        }

    play(watch)


def test_a_crash_point_that_nobody_comes_to_is_no_effect_and_is_disarmed() -> None:
    async def watch(cluster: SimulatedCluster) -> None:
        fault = faults.crash_point(cluster, ["beat", "never"], patience_s=1.0)
        nemesis = simulated_nemesis([fault], cluster)
        await nemesis.setup()
        order = {"targets": ["n2"], "point": "never", "nth": 1}
        started = await obey(nemesis, "start-crash-point", order)
        assert started.type == "info"
        assert "did not come to 'never' within 1 s" in str(started.error)
        assert cluster.machines["n2"].state == "running"
        assert not cluster.reached("n2", "never")
        order = {"targets": ["n2"], "point": "beat", "nth": 3}
        began = cluster.loop.time()
        started = await obey(nemesis, "start-crash-point", order)
        assert started.type == "ok"
        assert 0.1 <= cluster.loop.time() - began < 0.2
        assert cluster.machines["n2"].died_at == "beat"

    play(watch)


def test_a_process_that_fell_over_its_trouble_is_started_when_that_is_healed() -> None:
    async def careless(world: World) -> None:
        while True:
            await world.disk.append("log", b"x")
            await world.clock.sleep(0.1)

    async def main() -> None:
        cluster = SimulatedCluster(["n1"], careless, seed=1)
        cluster.start()
        fault = faults.disk_fill(cluster)
        await fault.inject(await fault.read("n1"))
        await asyncio.sleep(1)
        assert cluster.machines["n1"].fallen
        assert "No space" in cluster.machines["n1"].deaths[0]
        await fault.heal()
        await asyncio.sleep(1)
        assert cluster.machines["n1"].state == "running"
        cluster.stop()

    run(main())


def test_flapping_links_are_cut_and_open_by_turns() -> None:
    async def watch(cluster: SimulatedCluster) -> None:
        fault = faults.flapping(cluster, "one", cut_s=0.3, open_s=0.7)
        value = fault.choose(cluster.nodes, Random(1), {})
        await fault.inject(await fault.read(value))
        (loner,) = value["targets"]
        other = next(node for node in cluster.nodes if node != loner)
        seen: list[bool] = []
        for _ in range(100):
            await asyncio.sleep(0.1)
            seen.append(cluster.network.passes(loner, other))
        assert 60 <= sum(seen) <= 80
        await fault.heal()
        await asyncio.sleep(0.35)
        assert cluster.network.passes(loner, other)

    play(watch)


BAD: Sequence[tuple[Make, Any]] = (
    (faults.partition, {"targets": ["n1"]}),
    (faults.partition, {"grudge": {"n1": ["n9"]}}),
    (faults.packet_loss, {"targets": ["n1"], "direction": "up"}),
    (faults.packet_loss, {"links": ["n1"]}),
    (faults.clock_skew, {"targets": ["n1"], "offset_s": "a lot"}),
    (faults.kill, {"targets": ["n9"]}),
    (FAULTS["crash_point"], {"targets": ["n1"]}),
)


@pytest.mark.parametrize(("make", "value"), BAD)
def test_an_order_that_makes_no_sense_is_refused_with_what_is_wrong(make: Make, value: Any) -> None:
    async def watch(cluster: SimulatedCluster) -> None:
        fault = make(cluster)
        with pytest.raises(ValueError, match=r"n9|needs|direction|link|number"):
            await fault.read(value)

    play(watch)

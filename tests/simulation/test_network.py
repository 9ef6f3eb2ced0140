"""What the network does to messages, wire by wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from simulation import CLIENTS, VirtualLoop, Weather, run
from simulation._network import HEADER_BYTES, SimulatedNetwork

Heard = list[tuple[float, str, bytes]]


def play(watch: Callable[[SimulatedNetwork, Heard, VirtualLoop], Awaitable[None]]) -> None:
    """Nodes n1 and n2; `Heard` is what n2 and the client c hear."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        network = SimulatedNetwork(loop, Random(1), ["n1", "n2"])
        heard: Heard = []
        for name in ("n1", "n2", "c"):
            network.listen(
                name, lambda sender, message: heard.append((loop.time(), sender, message))
            )
        await watch(network, heard, loop)

    run(main())


def numbers(heard: Heard) -> list[int]:
    return [int(message) for _, _, message in heard]


async def send(network: SimulatedNetwork, count: int, sender: str = "n1", to: str = "n2") -> None:
    for number in range(count):
        network.send(sender, to, b"%d" % number)
        await asyncio.sleep(0.001)
    await asyncio.sleep(10)


def test_in_fair_weather_all_arrive_soon_though_not_in_order() -> None:
    async def watch(network: SimulatedNetwork, heard: Heard, _: VirtualLoop) -> None:
        for number in range(1000):
            network.send("n1", "n2", b"%d" % number)
        await asyncio.sleep(1)
        assert sorted(numbers(heard)) == list(range(1000))
        assert numbers(heard) != list(range(1000))
        assert max(at for at, _, _ in heard) < 0.01

    play(watch)


def test_what_is_cut_is_cut_in_one_direction_and_also_for_what_is_under_way() -> None:
    async def watch(network: SimulatedNetwork, heard: Heard, _: VirtualLoop) -> None:
        network.send("n1", "n2", b"1")
        network.sever("a fault", [("n1", "n2")])
        network.send("n1", "n2", b"2")
        network.send("n2", "n1", b"3")
        network.send("c", "n2", b"4")
        await asyncio.sleep(1)
        assert sorted(numbers(heard)) == [3, 4]
        network.mend("another fault")
        assert not network.passes("n1", "n2")
        network.mend("a fault")
        network.send("n1", "n2", b"5")
        await asyncio.sleep(1)
        assert sorted(numbers(heard)) == [3, 4, 5]

    play(watch)


def test_clients_are_cut_off_together_under_one_name() -> None:
    async def watch(network: SimulatedNetwork, heard: Heard, _: VirtualLoop) -> None:
        network.sever("a fault", [(CLIENTS, "n2"), ("n2", CLIENTS)])
        for sender, to in (("c", "n2"), ("later", "n2"), ("n2", "c"), ("n1", "n2"), ("c", "n1")):
            network.send(sender, to, b"1")
        await asyncio.sleep(1)
        assert sorted(sender for _, sender, _ in heard) == ["c", "n1"]

    play(watch)


def test_a_share_is_lost_or_comes_twice() -> None:
    async def watch(network: SimulatedNetwork, heard: Heard, _: VirtualLoop) -> None:
        network.trouble("loss", [("n1", "n2")], {"loss": 0.5})
        await send(network, 1000)
        assert 400 < len(heard) < 600
        heard.clear()
        network.clear("loss")
        network.trouble("duplicates", [("n1", "n2")], {"duplication": 0.5})
        await send(network, 1000)
        assert 1400 < len(heard) < 1600
        assert set(numbers(heard)) == set(range(1000))

    play(watch)


def test_some_messages_are_held_back_long_and_overtaken_by_many() -> None:
    async def watch(network: SimulatedNetwork, heard: Heard, _: VirtualLoop) -> None:
        network.trouble("order", [("n1", "n2")], {"reordering": 0.1, "hold_s": 1.0})
        await send(network, 1000)
        late = [at - int(message) / 1000 for at, _, message in heard]
        assert len(heard) == 1000
        assert 50 < sum(each > 0.05 for each in late) < 150
        assert max(late) < 1.1

    play(watch)


def test_a_narrow_wire_lets_through_so_many_bytes_a_second_and_drops_what_queues_too_long() -> None:
    async def watch(network: SimulatedNetwork, heard: Heard, _: VirtualLoop) -> None:
        size = 1000 - HEADER_BYTES
        network.trouble("rate", [("n1", "n2")], {"bytes_s": 10_000, "queue_bytes": 20_000})
        for _message in range(100):
            network.send("n1", "n2", bytes(size))
            network.send("n2", "n1", b"1")
        await asyncio.sleep(60)
        arrived = [at for at, sender, _ in heard if sender == "n1"]
        assert 20 <= len(arrived) <= 22
        assert 1.9 < max(arrived) < 2.3
        assert max(at for at, sender, _ in heard if sender == "n2") < 0.1
        network.send("n1", "n2", b"1")
        await asyncio.sleep(0.2)
        assert len(heard) == len(arrived) + 101

    play(watch)


def test_troubles_lie_over_each_other_and_are_taken_back_one_by_one() -> None:
    async def watch(network: SimulatedNetwork, _heard: Heard, _: VirtualLoop) -> None:
        link = ("n1", "n2")
        network.trouble("loss", [link], {"loss": 0.1})
        network.trouble("delay", [link, ("n2", "n1")], {"delay_s": 1.0})
        assert network.wire(link).weather == Weather(delay_s=1.0, loss=0.1)
        network.clear("loss")
        assert network.wire(link).weather == Weather(delay_s=1.0)
        network.clear("delay")
        assert network.wire(link).weather == network.fair == Weather()

    play(watch)


def test_an_uneven_delay_has_the_same_mean_and_more_stragglers() -> None:
    async def watch(network: SimulatedNetwork, heard: Heard, loop: VirtualLoop) -> None:
        found = []
        for tail in (1.0, 0.5):
            heard.clear()
            began = loop.time()
            changes = {"delay_s": 0.0, "jitter_s": 0.01, "tail": tail}
            network.trouble("delay", [("n1", "n2")], changes)
            for number in range(5000):
                network.send("n1", "n2", b"%d" % number)
            await asyncio.sleep(10)
            late = [at - began for at, _, _ in heard]
            found.append((sum(late) / len(late), max(late)))
        (even, even_max), (uneven, uneven_max) = found
        assert 0.008 < even < 0.012
        assert 0.008 < uneven < 0.012
        assert uneven_max > 2 * even_max

    play(watch)

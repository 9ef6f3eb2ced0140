"""The network of real nodes: TCP that looks like messages which may get lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import free_port
from simulation.real import _link
from simulation.real._link import Link
from simulation.real._network import TcpNetwork
from simulation.real._wire import Frames, Wire, framed

LIMIT_S = 30
Heard = asyncio.Queue[tuple[str, bytes]]


class Node:
    """A network and what came over it."""

    def __init__(self, name: str, peers: dict[str, tuple[str, int]]) -> None:
        self.network = TcpNetwork(name, peers)
        self.heard: Heard = asyncio.Queue()
        self.network.listen(lambda sender, said: self.heard.put_nowait((sender, said)))

    async def hears(self) -> tuple[str, bytes]:
        return await asyncio.wait_for(self.heard.get(), LIMIT_S)


def with_two(scenario: Callable[[Node, Node], Awaitable[None]]) -> None:
    """Play it with two nodes, of which both listen."""

    async def play() -> None:
        peers = {name: ("127.0.0.1", free_port()) for name in ("n1", "n2")}
        one, two = Node("n1", peers), Node("n2", peers)
        try:
            await one.network.start()
            await two.network.start()
            await scenario(one, two)
        finally:
            one.network.close()
            two.network.close()

    asyncio.run(play())


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(0, 100)))
def test_messages_come_out_whole_however_the_stream_is_cut(
    messages: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(map(framed, messages))
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    frames = Frames()
    found = [each for begin, end in pairwise(places) for each in frames.feed(stream[begin:end])]
    assert found == messages


def test_peers_hear_each_other_and_themselves() -> None:
    async def scenario(one: Node, two: Node) -> None:
        one.network.send("n2", b"hello")
        assert await two.hears() == ("n1", b"hello")
        two.network.send("n1", b"yes?")
        assert await one.hears() == ("n2", b"yes?")
        one.network.send("n1", b"a note")
        assert await one.hears() == ("n1", b"a note")

    with_two(scenario)


def test_large_messages_arrive_whole_and_in_order() -> None:
    async def scenario(one: Node, two: Node) -> None:
        large = bytes(range(256)) * 20_000
        one.network.send("n2", large)
        one.network.send("n2", b"small")
        assert await two.hears() == ("n1", large)
        assert await two.hears() == ("n1", b"small")

    with_two(scenario)


def test_a_client_is_answered_over_its_own_connection() -> None:
    async def scenario(one: Node, _two: Node) -> None:
        loop = asyncio.get_running_loop()
        answers: asyncio.Queue[bytes] = asyncio.Queue()
        address = one.network._peers["n1"]

        async def connect(make: Callable[[], Wire]) -> None:
            await loop.create_connection(make, *address)

        client = Link("client", connect, answers.put_nowait)
        client.send(b"who is there?")
        assert await one.hears() == ("client", b"who is there?")
        one.network.send("client", b"n1")
        assert await asyncio.wait_for(answers.get(), LIMIT_S) == b"n1"
        client.close()

    with_two(scenario)


def test_sending_to_nobody_is_silent() -> None:
    async def scenario(one: Node, two: Node) -> None:
        one.network.send("a client that has gone", b"hello?")
        two.network.close()
        one.network.send("n2", b"hello?")

    with_two(scenario)


def test_what_is_sent_while_a_peer_is_away_waits_and_the_oldest_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_link, "QUEUED_MAX", 3)

    async def play() -> None:
        peers = {name: ("127.0.0.1", free_port()) for name in ("n1", "n2")}
        one, two = Node("n1", peers), Node("n2", peers)
        try:
            for number in range(10):
                one.network.send("n2", b"%d" % number)
            await two.network.start()
            assert [(await two.hears())[1] for _ in range(3)] == [b"7", b"8", b"9"]
        finally:
            one.network.close()
            two.network.close()

    asyncio.run(play())


def test_a_broken_connection_is_made_again() -> None:
    async def scenario(one: Node, two: Node) -> None:
        one.network.send("n2", b"first")
        assert (await two.hears())[1] == b"first"
        wire = one.network._links["n2"]._wire
        assert wire is not None
        wire.cut()
        while one.network._links["n2"].linked:
            await asyncio.sleep(0)
        one.network.send("n2", b"second")
        assert (await two.hears())[1] == b"second"

    with_two(scenario)


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", framed(b"who"), b"\xff" * 8])
def test_who_is_none_of_us_is_cut_off(said: bytes) -> None:
    async def scenario(one: Node, _two: Node) -> None:
        reader, writer = await asyncio.open_connection(*one.network._peers["n1"])
        writer.write(said)
        assert await asyncio.wait_for(reader.read(), LIMIT_S) == b""
        writer.close()
        assert one.heard.empty()

    with_two(scenario)

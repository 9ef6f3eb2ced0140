"""What each toxic does to a connection, in Toxiproxy and in our own proxy.

Toxics that take time are held to what they promise, "not before", and compared with the same
thing without them; nothing has to be fast.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from cluster import Toxic

Play = Callable[[Any], None]
SHORTLY_S = 0.3
"""How long silence is listened to."""


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> float:
    """Send `data` and read as much; how long it took."""
    began = time.monotonic()
    writer.write(data)
    assert await reader.readexactly(len(data)) == data
    return time.monotonic() - began


async def ends(reader: asyncio.StreamReader) -> bytes:
    """What still comes until the connection ends, in whatever way."""
    data = b""
    try:
        while chunk := await reader.read(65536):
            data += chunk
    except ConnectionError:
        pass
    return data


def test_without_toxics_all_bytes_pass_both_ways_unchanged(play: Play) -> None:
    async def scenario(world: Any) -> None:
        data = Random(1).randbytes(3_000_000)
        async with world.connected(await world.proxy()) as (reader, writer):
            writer.write(data)
            assert await reader.readexactly(len(data)) == data
            assert bytes(world.received) == data

    play(scenario)


def test_when_the_client_ends_so_does_the_connection_to_the_upstream(play: Play) -> None:
    async def scenario(world: Any) -> None:
        async with world.connected(await world.proxy()) as (reader, writer):
            await ask(reader, writer, b"x")
            writer.write_eof()
            assert await ends(reader) == b""

    play(scenario)


def test_without_an_upstream_the_client_is_closed(play: Play) -> None:
    async def scenario(world: Any) -> None:
        async with world.connected(await world.proxy(upstream="127.0.0.1:9")) as (reader, _):
            assert await ends(reader) == b""

    play(scenario)


def test_a_proxy_that_is_down_refuses_and_ends_its_connections(play: Play) -> None:
    async def scenario(world: Any) -> None:
        proxy = await world.proxy()
        async with world.connected(proxy) as (reader, writer):
            await ask(reader, writer, b"x")
            await world.api.update("p", enabled=False)
            assert await ends(reader) == b""
        with pytest.raises(ConnectionRefusedError):
            async with world.connected(proxy):
                pass
        await world.api.update("p", enabled=True)
        async with world.connected(proxy) as (reader, writer):
            await ask(reader, writer, b"x")

    play(scenario)


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_latency_delays_a_stream_on_connections_old_and_new(play: Play, stream: Any) -> None:
    async def scenario(world: Any) -> None:
        proxy = await world.proxy()
        async with world.connected(proxy) as (reader, writer):
            before = await ask(reader, writer, b"x")
            await world.api.add("p", Toxic("latency", {"latency": 250}, stream, name="slow"))
            assert await ask(reader, writer, b"x") >= 0.25
            async with world.connected(proxy) as (other_reader, other_writer):
                assert await ask(other_reader, other_writer, b"x") >= 0.25
            await world.api.remove("p", "slow")
            after = min([await ask(reader, writer, b"x") for _ in range(20)])
            assert min(before, after) < 0.25

    play(scenario)


def test_latencies_add_up(play: Play) -> None:
    async def scenario(world: Any) -> None:
        proxy = await world.proxy()
        streams: list[tuple[str, Any]] = [
            ("a", "downstream"),
            ("b", "downstream"),
            ("c", "upstream"),
        ]
        for name, stream in streams:
            await world.api.add("p", Toxic("latency", {"latency": 100}, stream, name=name))
        async with world.connected(proxy) as (reader, writer):
            assert await ask(reader, writer, b"x") >= 0.299

    play(scenario)


def test_latency_delays_each_chunk_and_not_one_after_the_other(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.api.add((await world.proxy()).name, Toxic("latency", {"latency": 400}))
        async with world.connected(await world.api.proxy("p")) as (reader, writer):
            began = time.monotonic()
            for number in range(50):  # a message at a time
                writer.write(bytes([number]))
                async with asyncio.timeout(10):
                    while len(world.received) <= number:
                        await asyncio.sleep(0)
            assert await reader.readexactly(50) == bytes(range(50))
            assert 0.4 <= time.monotonic() - began < 50 * 0.4 / 2

    play(scenario)


def test_jitter_makes_latency_vary(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        await world.api.add("p", Toxic("latency", {"latency": 60, "jitter": 50}))
        async with world.connected(await world.api.proxy("p")) as (reader, writer):
            taken = [await ask(reader, writer, b"x") for _ in range(10)]
            assert min(taken) >= 0.0099
            assert max(taken) - min(taken) > 0.01

    play(scenario)


def test_bandwidth_is_limited(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        data = bytes(60_000)
        async with world.connected(await world.api.proxy("p")) as (reader, writer):
            without = min([await ask(reader, writer, data) for _ in range(3)])
            await world.api.add("p", Toxic("bandwidth", {"rate": 100}))
            limited = await ask(reader, writer, data)
            assert limited >= 0.5, "60 kB at 100 kB/s"
            assert limited > 2 * without

    play(scenario)


def test_slow_close_holds_the_end_of_a_connection_back(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        await world.api.add("p", Toxic("slow_close", {"delay": 300}))
        async with world.connected(await world.api.proxy("p")) as (reader, writer):
            await ask(reader, writer, b"x")
            began = time.monotonic()
            writer.write_eof()
            assert await ends(reader) == b""
            assert time.monotonic() - began >= 0.3

    play(scenario)


def test_timeout_swallows_data_then_ends_the_connection(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        await world.api.add("p", Toxic("timeout", {"timeout": 300}, "upstream"))
        async with world.connected(await world.api.proxy("p")) as (reader, writer):
            began = time.monotonic()
            writer.write(b"x")
            assert await ends(reader) == b""
            assert time.monotonic() - began >= 0.29
            assert bytes(world.received) == b""

    play(scenario)


def test_a_timeout_of_zero_keeps_the_connection_until_the_toxic_is_removed(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        await world.api.add("p", Toxic("timeout", {"timeout": 0}, name="hole"))
        async with world.connected(await world.api.proxy("p")) as (reader, writer):
            writer.write(b"x")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(SHORTLY_S):
                    await reader.read(1)
            assert bytes(world.received) == b"x"
            await world.api.remove("p", "hole")
            assert await ends(reader) == b"", "it has lost data, so it may not go on"

    play(scenario)


def test_a_slicer_cuts_data_into_small_pieces_that_are_all_there(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        cut = {"average_size": 100, "size_variation": 20, "delay": 10_000}
        await world.api.add("p", Toxic("slicer", cut))
        data = Random(2).randbytes(2000)
        async with world.connected(await world.api.proxy("p")) as (reader, writer):
            began = time.monotonic()
            writer.write(data)
            pieces: list[bytes] = []
            while sum(map(len, pieces)) < len(data):
                pieces.append(await reader.read(65536))
            assert b"".join(pieces) == data
            assert len(pieces) > 1
            assert time.monotonic() - began >= 0.1, "at least 16 slices, 10 ms apart"

    play(scenario)


def test_limit_data_ends_the_connection_after_so_many_bytes(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        await world.api.add("p", Toxic("limit_data", {"bytes": 10}))
        for _ in range(2):  # each connection has its own count
            async with world.connected(await world.api.proxy("p")) as (reader, writer):
                writer.write(b"0123456789abcdef")
                assert await ends(reader) == b"0123456789"

    play(scenario)


def test_the_count_of_limit_data_outlives_a_change_of_the_limit(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        await world.api.add("p", Toxic("limit_data", {"bytes": 10}, name="few"))
        async with world.connected(await world.api.proxy("p")) as (reader, writer):
            await ask(reader, writer, b"01234567")
            await world.api.change("p", "few", {"bytes": 12})
            writer.write(b"89abcdef")
            assert await ends(reader) == b"89ab"

    play(scenario)


def test_reset_peer_ends_the_connection_by_a_reset(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        await world.api.add("p", Toxic("reset_peer", {"timeout": 100}))
        async with world.connected(await world.api.proxy("p")) as (reader, writer):
            began = time.monotonic()
            writer.write(b"x")
            with pytest.raises(ConnectionResetError):
                await reader.read(1)
            assert time.monotonic() - began >= 0.1

    play(scenario)


def test_toxics_work_in_the_order_in_which_they_were_added(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        await world.api.add("p", Toxic("latency", {"latency": 300}))
        await world.api.add("p", Toxic("limit_data", {"bytes": 4}))
        async with world.connected(await world.api.proxy("p")) as (reader, writer):
            began = time.monotonic()
            writer.write(b"0123456789")
            assert await ends(reader) == b"0123"
            assert time.monotonic() - began >= 0.3

    play(scenario)


def test_a_toxicity_of_zero_spares_every_connection(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        await world.api.add("p", Toxic("limit_data", {"bytes": 0}, toxicity=0.0))
        for _ in range(10):
            async with world.connected(await world.api.proxy("p")) as (reader, writer):
                await ask(reader, writer, b"x")

    play(scenario)


def test_a_toxicity_of_a_half_strikes_some_connections_and_spares_others(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        await world.api.add("p", Toxic("limit_data", {"bytes": 0}, toxicity=0.5))
        spared = 0
        for _ in range(40):  # by chance all alike once in 2^39 times
            async with world.connected(await world.api.proxy("p")) as (reader, writer):
                writer.write(b"x")
                with contextlib.suppress(ConnectionError):
                    spared += len(await reader.read(1))
        assert 0 < spared < 40

    play(scenario)


def test_toxics_that_come_and_go_lose_no_byte_of_a_stream(play: Play) -> None:
    kinds: dict[str, dict[str, int]] = {
        "latency": {"latency": 20, "jitter": 10},
        "slicer": {"average_size": 2000, "size_variation": 500, "delay": 50},
        "bandwidth": {"rate": 3000},
        "slow_close": {"delay": 10},
    }

    async def scenario(world: Any) -> None:
        await world.proxy()
        data = Random(3).randbytes(1_500_000)
        async with world.connected(await world.api.proxy("p")) as (reader, writer):

            async def trouble() -> None:
                random = Random(4)
                while True:
                    kind = random.choice(list(kinds))
                    stream: Any = random.choice(["upstream", "downstream"])
                    made = await world.api.add("p", Toxic(kind, kinds[kind], stream))
                    await world.api.change("p", made.name, kinds[kind])
                    await asyncio.sleep(0.01)
                    await world.api.remove("p", made.name)

            troubling = asyncio.create_task(trouble())
            try:
                writer.write(data)
                assert await reader.readexactly(len(data)) == data
            finally:
                troubling.cancel()
                [end] = await asyncio.gather(troubling, return_exceptions=True)
            assert isinstance(end, asyncio.CancelledError), "every order was carried out"

    play(scenario)

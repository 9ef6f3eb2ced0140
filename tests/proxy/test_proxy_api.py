"""Toxiproxy's API, spoken by our client to Toxiproxy and to our own proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cluster import ProxyState, Toxic, ToxiproxyError

SIDEWAYS: Any = "sideways"
TEXT: Any = "x"
Play = Callable[[Any], None]


def test_a_server_tells_its_version(play: Play) -> None:
    async def scenario(world: Any) -> None:
        assert await world.api.version()

    play(scenario)


def test_a_proxy_can_be_made_looked_at_changed_and_ended(play: Play) -> None:
    async def scenario(world: Any) -> None:
        made = await world.api.create("db", "127.0.0.1:0", world.upstream)
        assert (made.name, made.upstream, made.enabled) == ("db", world.upstream, True)
        assert not made.listen.endswith(":0"), "the port that was chosen is told"
        assert await world.api.proxies() == {"db": made}
        assert await world.api.proxy("db") == made
        changed = await world.api.update("db", enabled=False)
        assert changed == ProxyState("db", made.listen, made.upstream, enabled=False)
        await world.api.delete("db")
        assert await world.api.proxies() == {}

    play(scenario)


def test_a_proxy_may_be_made_switched_off(play: Play) -> None:
    async def scenario(world: Any) -> None:
        made = await world.api.create("db", "127.0.0.1:0", world.upstream, enabled=False)
        assert not made.enabled
        assert (await world.api.update("db", enabled=True)).enabled

    play(scenario)


def test_a_name_may_hold_any_character(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.api.create("n1: peer ü", "127.0.0.1:0", world.upstream)
        assert (await world.api.proxy("n1: peer ü")).name == "n1: peer ü"
        await world.api.delete("n1: peer ü")

    play(scenario)


def test_a_proxy_can_be_led_to_another_upstream_and_keeps_its_toxics(play: Play) -> None:
    async def scenario(world: Any) -> None:
        made = await world.proxy(upstream="127.0.0.1:9")
        await world.api.add("p", Toxic("latency", {"latency": 1}))
        changed = await world.api.update("p", upstream=world.upstream)
        assert (changed.listen, changed.upstream) == (made.listen, world.upstream)
        assert [toxic.type for toxic in changed.toxics] == ["latency"]
        async with world.connected(changed) as (reader, writer):
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"

    play(scenario)


def test_populate_makes_what_is_missing_and_leaves_alone_what_is_there(play: Play) -> None:
    async def scenario(world: Any) -> None:
        first = await world.proxy("a")
        await world.api.add("a", Toxic("latency", {"latency": 1}))
        made = await world.api.populate([first, ProxyState("b", "127.0.0.1:0", world.upstream)])
        assert [each.name for each in made] == ["a", "b"]
        there = await world.api.proxies()
        assert sorted(there) == ["a", "b"]
        assert len(there["a"].toxics) == 1
        moved = ProxyState("a", first.listen, "127.0.0.1:9")
        await world.api.populate([moved])
        there = await world.api.proxies()
        assert there["a"] == moved, "one that leads elsewhere now is made anew"

    play(scenario)


def test_reset_enables_all_proxies_and_takes_all_toxics_away(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy("a")
        await world.proxy("b")
        await world.api.add("a", Toxic("latency", {"latency": 1}))
        await world.api.add("a", Toxic("slicer", {"average_size": 1}, stream="upstream"))
        await world.api.update("b", enabled=False)
        await world.api.reset()
        assert [(p.enabled, p.toxics) for p in (await world.api.proxies()).values()] == [
            (True, ()),
            (True, ()),
        ]

    play(scenario)


def test_a_toxic_has_a_name_a_stream_and_all_its_attributes(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        plain = await world.api.add("p", Toxic("latency", {"latency": 5}))
        assert plain.name == "latency_downstream"
        assert plain.attributes == {"latency": 5, "jitter": 0}
        named = Toxic("limit_data", {"bytes": 7}, "upstream", 0.5, "little")
        assert await world.api.add("p", named) == named
        assert await world.api.toxics("p") == [named, plain], "the upstream's come first"

    play(scenario)


def test_changing_a_toxic_leaves_the_attributes_that_are_not_named(play: Play) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        await world.api.add("p", Toxic("latency", {"latency": 5, "jitter": 2}))
        changed = await world.api.change("p", "latency_downstream", {"jitter": 3}, toxicity=0.25)
        assert changed.attributes == {"latency": 5, "jitter": 3}
        assert changed.toxicity == 0.25
        assert await world.api.toxics("p") == [changed]

    play(scenario)


@pytest.mark.parametrize(
    ("order", "status"),
    [
        pytest.param(lambda api: api.proxy("q"), 404, id="unknown proxy"),
        pytest.param(lambda api: api.delete("q"), 404, id="unknown proxy to end"),
        pytest.param(lambda api: api.add("q", Toxic("latency")), 404, id="toxic on unknown proxy"),
        pytest.param(lambda api: api.remove("p", "x"), 404, id="unknown toxic"),
        pytest.param(lambda api: api.change("p", "x", {}), 404, id="unknown toxic to change"),
        pytest.param(lambda api: api.create("p", "127.0.0.1:0", "a:1"), 409, id="name taken"),
        pytest.param(lambda api: api.add("p", Toxic("slicer", {}, "upstream", 1, "there")), 409),
        pytest.param(lambda api: api.create("", "127.0.0.1:0", "a:1"), 400, id="no name"),
        pytest.param(lambda api: api.create("q", "127.0.0.1:0", ""), 400, id="no upstream"),
        pytest.param(lambda api: api.add("p", Toxic("plague")), 400, id="no such toxic"),
        pytest.param(lambda api: api.add("p", Toxic("latency", {}, SIDEWAYS)), 400, id="stream"),
        pytest.param(lambda api: api.add("p", Toxic("latency", {"latency": TEXT})), 400, id="text"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused_with_a_status(
    play: Play, order: Any, status: int
) -> None:
    async def scenario(world: Any) -> None:
        await world.proxy()
        await world.api.add("p", Toxic("latency", {}, "downstream", 1, "there"))
        before = await world.api.proxies()
        with pytest.raises(ToxiproxyError) as refused:
            await order(world.api)
        assert refused.value.status == status
        assert await world.api.proxies() == before

    play(scenario)


def test_a_port_that_is_taken_is_refused(play: Play) -> None:
    async def scenario(world: Any) -> None:
        with pytest.raises(ToxiproxyError, match="in use"):
            await world.api.create("p", world.upstream, world.upstream)
        assert await world.api.proxies() == {}

    play(scenario)


def test_a_browser_is_not_obeyed(play: Play, server: Any) -> None:
    """A web page can have a browser send requests to loopback."""

    async def scenario(world: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /proxies HTTP/1.1\r\nHost: x\r\nUser-Agent: Mozilla/5.0\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"403"
        writer.close()
        await world.api.version()

    play(scenario)

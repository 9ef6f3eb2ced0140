"""Faults through proxies: struck, proven, healed, and found out where they did nothing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cluster import (
    Host,
    Journal,
    ProxyFront,
    Route,
    Toxiproxy,
    Unsupported,
    heal,
    local,
)
from histories import Op
from nemesis import PROXY_FAULTS, Nemesis, NotHealed, ProxyFault, targets

GENTLE: dict[str, dict[str, int]] = {
    "latency": {"latency": 150},
    "jitter": {"latency": 100, "jitter": 50},
    "bandwidth": {"rate": 5},
    "slow-close": {"delay": 200},
    "timeout": {"timeout": 100},
    "slicer": {"delay": 5000},
    "limit-data": {"bytes": 500},
    "reset-peer": {"timeout": 20},
    "down": {},
}
"""Attributes that show without taking long."""
SERVER = """
import socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 50\\r\\n\\r\\n" + b"x" * 50)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""
ROUTE = Route("web", 80, 8080, b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")


class Web:
    """A system of one web server on each host, behind a proxy."""

    name = "web"

    def __init__(self, front: ProxyFront | None) -> None:
        self.front = front

    async def start(self, host: Host) -> None:
        if self.front is not None:
            await self.front.start(host, [ROUTE])
        where = [host.address, str(host.port(ROUTE.hidden))]
        await host.start("web", [sys.executable, "-c", SERVER, *where])

    async def primaries(self) -> list[str]:
        return ["n2"]


@dataclass
class Field:
    """Two hosts with a web server each, and a journal of their faults."""

    hosts: list[Host]
    web: Web
    journal: Journal

    async def nemesis(self, *faults: ProxyFault) -> Nemesis:
        made = Nemesis(faults, self.hosts, self.journal)
        await made.setup()
        return made

    def api(self, number: int = 0) -> Toxiproxy:
        assert self.web.front is not None
        return self.web.front.api(self.hosts[number])


Play = Callable[[Callable[[Field], Awaitable[None]]], None]


@pytest.fixture
def play(program: Path | None, tmp_path: Path) -> Play:
    """Play a scenario in a lab of local hosts; everything that it started is stopped."""

    async def in_field(scenario: Callable[[Field], Awaitable[None]]) -> None:
        async with local(2, directory=tmp_path) as hosts:
            web = Web(ProxyFront(server=program, seed=5))
            for host in hosts:
                await web.start(host)
            async with asyncio.timeout(20):
                for host in hosts:  # a server listens a moment after it was started
                    while not await listens(host, ROUTE.hidden):
                        await asyncio.sleep(0.02)
            with Journal(tmp_path / "faults.jsonl") as journal:
                await scenario(Field(list(hosts), web, journal))

    def run(scenario: Callable[[Field], Awaitable[None]]) -> None:
        asyncio.run(in_field(scenario))

    return run


async def listens(host: Host, standard: int) -> bool:
    try:
        sock = await host.dial(host.port(standard))
    except OSError:
        return False
    sock.close()
    return True


built_in = pytest.mark.parametrize("program", ["built-in"], indirect=True)
N1 = {"targets": ["n1"]}


def test_every_kind_of_trouble_is_proven_when_it_begins_and_when_it_ends(play: Play) -> None:
    async def scenario(field: Field) -> None:
        assert GENTLE.keys() == PROXY_FAULTS.keys()
        faults = [ProxyFault(kind, field.web, attributes=GENTLE[kind]) for kind in GENTLE]
        nemesis = await field.nemesis(*faults)
        for fault in faults:
            [word] = fault.broken
            started = await nemesis.invoke(Op(f"start-{fault.name}", N1))
            assert started.error is None, started
            assert started.type == "ok"
            receipt = started.value["receipt"]
            assert (receipt["before"]["clear"], receipt["during"][word]) == (["n1/web"],) * 2
            stopped = await nemesis.invoke(Op(f"stop-{fault.name}"))
            assert (stopped.type, stopped.error) == ("ok", None)
            receipt = stopped.value["receipt"]
            assert (receipt["during"][word], receipt["after"]["clear"]) == (["n1/web"],) * 2
        assert field.journal.open_ids == frozenset()
        async with asyncio.timeout(5):
            for number in range(2):
                api = field.api(number)
                [proxy] = (await api.proxies()).values()
                assert (proxy.enabled, proxy.toxics) == (True, ())
                await api.close()

    play(scenario)


@built_in
def test_the_targets_are_struck_and_no_others(play: Play) -> None:
    orders: list[tuple[Any, list[str]]] = [
        ({"targets": "all"}, ["n1", "n2"]),
        ({"targets": "primaries"}, ["n2"]),
        ("n1", ["n1"]),
    ]

    async def scenario(field: Field) -> None:
        nemesis = await field.nemesis(ProxyFault("down", field.web))
        for value, struck in orders:
            done = await nemesis.invoke(Op("start-down", value))
            assert (done.type, done.value["targets"]) == ("ok", struck)
            up = [host.name for host in field.hosts if await listens(host, ROUTE.public)]
            assert sorted(up + struck) == ["n1", "n2"]
            await nemesis.teardown()
            assert all([await listens(host, ROUTE.public) for host in field.hosts])

    play(scenario)


@built_in
def test_an_order_may_say_how_strong_the_trouble_is_and_on_one_stream(play: Play) -> None:
    async def scenario(field: Field) -> None:
        fault = ProxyFault("latency", field.web, streams=["upstream"])
        nemesis = await field.nemesis(fault)
        done = await nemesis.invoke(Op("start-latency", {**N1, "attributes": {"latency": 50}}))
        assert done.type == "ok"
        assert done.value["attributes"] == {"latency": 50, "jitter": 0}
        api = field.api()
        [toxic] = await api.toxics("n1-web")
        assert (toxic.stream, toxic.attributes["latency"]) == ("upstream", 50)
        await api.close()
        await nemesis.teardown()

    play(scenario)


@built_in
def test_a_toxic_that_was_removed_behind_our_back_is_noticed(play: Play) -> None:
    async def scenario(field: Field) -> None:
        fault = ProxyFault("latency", field.web, attributes=GENTLE["latency"])
        nemesis = await field.nemesis(fault)
        await nemesis.invoke(Op("start-latency", N1))
        api = field.api()
        await api.reset()
        await api.close()
        done = await nemesis.invoke(Op("stop-latency"))
        assert done.type == "info"
        assert done.error == "n1/web was clear before it was healed, not delayed"
        assert field.journal.open_ids == frozenset(), "there is nothing left to undo"

    play(scenario)


@built_in
def test_a_proxy_server_that_has_died_is_trouble_of_its_host_and_leaves_no_debt(
    play: Play,
) -> None:
    async def scenario(field: Field) -> None:
        nemesis = await field.nemesis(ProxyFault("latency", field.web))
        await field.hosts[0].signal("proxy", "KILL")
        async with asyncio.timeout(10):
            while await listens(field.hosts[0], 8474):
                await asyncio.sleep(0.02)
        done = await nemesis.invoke(Op("start-latency", N1))
        assert done.type == "info"
        assert "could not strike n1" in str(done.error)
        assert (await nemesis.invoke(Op("stop-latency"))).type == "ok"
        assert field.journal.open_ids == frozenset()

    play(scenario)


@built_in
def test_where_the_member_is_silent_the_word_of_the_proxy_server_counts(play: Play) -> None:
    async def scenario(field: Field) -> None:
        fault = ProxyFault("latency", field.web, attributes=GENTLE["latency"])
        nemesis = await field.nemesis(fault)
        await field.hosts[0].stop("web")
        started = await nemesis.invoke(Op("start-latency", N1))
        assert started.type == "ok"
        assert started.value["receipt"]["during"]["unmeasured"] == ["n1/web"]
        api = field.api()
        await api.reset()
        await api.close()
        stopped = await nemesis.invoke(Op("stop-latency"))
        assert stopped.error == "n1/web was clear before it was healed, not delayed"

    play(scenario)


@pytest.mark.parametrize("kind", ["latency", "down"])
def test_what_a_dead_driver_left_on_a_proxy_is_undone_by_its_journal(play: Play, kind: str) -> None:
    async def scenario(field: Field) -> None:
        fault = ProxyFault(kind, field.web, attributes=GENTLE[kind])
        nemesis = await field.nemesis(fault)
        assert (await nemesis.invoke(Op(f"start-{kind}", N1))).type == "ok"
        path = field.journal.path
        [one] = await heal(path, even_running=True)
        assert (one.kind, one.host, one.outcome) == (kind, "n1", "undone")
        api = field.api()
        proxy = await api.proxy("n1-web")
        assert (proxy.enabled, proxy.toxics) == (True, ())
        await api.close()
        assert await heal(path, even_running=True) == [], "healing twice does nothing more"

    play(scenario)


@built_in
def test_a_host_whose_proxy_cannot_be_reached_stays_on_the_books(play: Play) -> None:
    async def scenario(field: Field) -> None:
        fault = ProxyFault("latency", field.web, attributes=GENTLE["latency"])
        nemesis = await field.nemesis(fault)
        await nemesis.invoke(Op("start-latency", N1))
        undo = ProxyFront.undo

        def hopeless(*_: Any, **__: Any) -> list[list[str]]:
            return [["sh", "-c", "echo no way >&2; exit 1"]]

        field.web.front.undo = hopeless  # type: ignore[union-attr, method-assign]
        await nemesis.invoke(Op("start-latency", {"targets": ["n2"]}))
        field.web.front.undo = undo  # type: ignore[union-attr, method-assign]
        with pytest.raises(NotHealed, match=r"latency on n2: .*no way"):
            await nemesis.teardown()
        assert len(field.journal.open_ids) == 1

    play(scenario)


def test_without_a_proxy_in_front_the_fault_says_what_to_do(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with local(1, directory=tmp_path) as hosts:
            with Journal(tmp_path / "faults.jsonl") as journal:
                nemesis = Nemesis([ProxyFault("latency", Web(None))], hosts, journal)
                with pytest.raises(Unsupported, match="give the system one"):
                    await nemesis.setup()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("kind", "attributes", "complaint"),
    [
        ("gremlin", {}, "no proxy does 'gremlin'"),
        ("latency", {"speed": 1}, "has the attributes latency, jitter"),
        ("latency", {"latency": -5}, "whole numbers from 0"),
        ("latency", {"latency": 5}, "must be 20 ms at least"),
        ("jitter", {"latency": 100, "jitter": 90}, "must be 20 ms at least"),
        ("bandwidth", {"rate": 1_000_000}, "choose stronger attributes"),
        ("bandwidth", {"rate": 0}, "is a timeout"),
        ("limit-data", {"bytes": 10**9}, "choose stronger attributes"),
        ("slicer", {"average_size": 4096}, "would not be delayed"),
    ],
)
def test_trouble_that_could_not_be_proven_is_refused(
    kind: str, attributes: dict[str, int], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        ProxyFault(kind, Web(None), attributes=attributes)


def test_what_a_schedule_chooses_says_exactly_what_will_be_done() -> None:
    fault = ProxyFault("bandwidth", Web(None), targets.minority)
    chosen = fault.choose(["n1", "n2", "n3"], Random(0), {})
    assert chosen == {"targets": ["n2"], "choice": "minority", "attributes": {"rate": 10}}

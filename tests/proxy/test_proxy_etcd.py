"""etcd behind proxies: clients and members reach it through them, and its troubles are proven."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cluster import Etcd, Journal, ProxyFront, local
from histories import Op
from nemesis import PROXY_FAULTS, Nemesis, ProxyFault, targets


def quick_etcd(program: Path | None) -> Etcd:
    return Etcd(front=ProxyFront(server=program, seed=1), fsync=False)


@pytest.mark.parametrize(
    "program",
    ["built-in", pytest.param("toxiproxy", marks=pytest.mark.slow)],
    indirect=True,
)
def test_members_whose_proxies_are_down_cannot_agree_and_can_again_when_these_are_up(
    program: Path | None, tmp_path: Path
) -> None:
    """All of them: a single one would go on over the connections that it makes itself."""

    async def scenario() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with local(3, directory=tmp_path, journal=journal) as hosts:
                etcd = quick_etcd(program)
                await etcd.setup(hosts)
                fault = ProxyFault("down", etcd, targets.all, routes=["peer"])
                nemesis = Nemesis([fault], hosts, journal)
                await nemesis.setup()
                done = await nemesis.invoke(Op("start-down", {"targets": "all"}))
                assert (done.type, done.error) == ("ok", None)
                assert done.value["receipt"]["during"]["refused"] == [
                    "n1/peer",
                    "n2/peer",
                    "n3/peer",
                ]
                client = await etcd.client(timeout_s=1.0).open("n1")
                assert (await client.invoke(Op("write", 1, "x"))).type == "info"
                await nemesis.teardown()
                await etcd.ready(30)
                assert (await client.invoke(Op("write", 2, "x"))).type == "ok"
                assert (await client.invoke(Op("read", None, "x"))).value == 2
                await client.close()
                await etcd.teardown()

    asyncio.run(scenario())


def test_a_client_whose_way_is_down_knows_that_nothing_happened(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with local(1, directory=tmp_path, journal=journal) as hosts:
                etcd = quick_etcd(None)
                await etcd.setup(hosts)
                nemesis = Nemesis([ProxyFault("down", etcd)], hosts, journal)
                await nemesis.setup()
                await nemesis.invoke(Op("start-down", "n1"))
                client = await etcd.client(timeout_s=1.0).open("n1")
                assert (await client.invoke(Op("write", 1, "x"))).type == "fail"
                await nemesis.teardown()
                assert (await client.invoke(Op("read", None, "x"))).value is None
                await client.close()
                await etcd.teardown()

    asyncio.run(scenario())


@pytest.mark.slow
def test_every_kind_of_trouble_is_proven_on_both_ports_of_etcd(
    program: Path | None, tmp_path: Path
) -> None:
    async def scenario() -> None:
        with Journal(tmp_path / "faults.jsonl") as journal:
            async with local(3, directory=tmp_path, journal=journal) as hosts:
                etcd = quick_etcd(program)
                await etcd.setup(hosts)
                faults = [ProxyFault(kind, etcd) for kind in PROXY_FAULTS]
                nemesis = Nemesis(faults, hosts, journal)
                await nemesis.setup()
                for fault in faults:
                    for f, value in ((f"start-{fault.name}", {"targets": "all"}), ("stop", None)):
                        f = f"stop-{fault.name}" if f == "stop" else f
                        done = await nemesis.invoke(Op(f, value))
                        assert done.error is None, (f, done.value)
                    await etcd.ready(60)
                await nemesis.teardown()
                await etcd.teardown()

    asyncio.run(scenario())

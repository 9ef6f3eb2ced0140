"""The members of a real etcd come and go, under load, and nothing that was written is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cluster import Etcd, HasMembership, Host, HostError, Journal
from histories import Op
from nemesis import Fault, ForcedLeave, Kill, MemberGrow, MemberRemove, MemberReplace, Nemesis

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]

AT_ONCE = ("--strict-reconfig-check=false",)
"""etcd waits five seconds after any absence else; one test has it wait."""

ORDERS: list[tuple[str, Any]] = [
    ("member-remove", "primaries"),
    ("member-grow", ["n4"]),
    ("member-replace", ["n2"]),
    ("forced-leave", {"targets": ["n3"], "how": "killed"}),
    ("forced-leave", {"targets": ["n1"], "how": "paused"}),
]


@contextlib.asynccontextmanager
async def raised(etcd: Etcd, hosts: Sequence[Host]) -> AsyncIterator[None]:
    try:
        await etcd.setup(hosts)
        yield
    finally:
        await etcd.teardown()


@pytest.mark.parametrize(
    ("etcd_program", "orders"),
    [
        ("3.6", ORDERS[:2]),
        pytest.param("3.5.1", ORDERS, marks=pytest.mark.slow),
        pytest.param("3.6", ORDERS, marks=pytest.mark.slow),
    ],
    ids=["3.6, in short", "3.5.1", "3.6"],
    indirect=["etcd_program"],
)
def test_members_are_removed_replaced_and_added_while_clients_write(
    on_namespaces: Play, etcd_program: Path, orders: list[tuple[str, Any]]
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        etcd = Etcd(binary=etcd_program, members=3, fsync=False, extra_args=AT_ONCE)
        assert isinstance(etcd, HasMembership)
        async with raised(etcd, hosts):
            assert etcd.members == ("n1", "n2", "n3")
            assert etcd.logs(hosts[3]) == []
            with pytest.raises(HostError, match="n4: no member of the cluster"):
                await etcd.start(hosts[3])
            faults: list[Fault] = [
                MemberRemove(etcd),
                MemberReplace(etcd),
                MemberGrow(etcd),
                ForcedLeave(etcd),
            ]
            nemesis = Nemesis(faults, hosts, journal)
            await nemesis.setup()
            done: list[Op] = []
            writer = asyncio.create_task(adding(etcd, done))
            for name, value in orders:
                began = await nemesis.invoke(Op(f"start-{name}", value))
                assert (began.type, began.error) == ("ok", None)
                [target] = began.value["targets"]
                during = began.value["receipt"]["during"]
                assert (target in during["members"]) == (name in ("member-replace", "member-grow"))
                assert (target in during["pids"]) == (target in during["members"])
                ended = await nemesis.invoke(Op(f"stop-{name}"))
                assert (ended.type, ended.error) == ("ok", None)
            assert (await etcd.membership()).voters == {"n1", "n2", "n3"}
            async with asyncio.timeout(60):  # until there is something that could be lost
                while sum(op.type == "ok" for op in done) <= 50:
                    await asyncio.sleep(0.05)
            writer.cancel()
            await etcd.ready(20)
            reader = await etcd.client(workload="set").open("n1")
            found = (await reader.invoke(Op("read", None, "s"))).value
            await reader.close()
            assert {op.value for op in done if op.type == "ok"} <= set(found)
            assert not {op.value for op in done if op.type == "fail"} & set(found)
            assert len(found) > 50
            kinds = {entry.kind for entry in Journal.open_entries(journal.path)}
            assert kinds <= {"directory"}

    on_namespaces(4, scenario)


async def adding(etcd: Etcd, done: list[Op]) -> None:
    """Add to a set through each member in turn, for ever."""
    clients = [await etcd.client(workload="set", timeout_s=1).open(f"n{i}") for i in (1, 2, 3)]
    while True:
        for client in clients:
            done.append(await client.invoke(Op("add", len(done), "s")))
            await asyncio.sleep(0.005)


def test_etcd_has_the_last_word_about_a_change(on_namespaces: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        etcd = Etcd(members=3, fsync=False)
        async with raised(etcd, hosts):
            nemesis = Nemesis([MemberGrow(etcd), Kill(etcd)], hosts, journal)
            await nemesis.setup()
            value = {"targets": ["n4"], "choice": "one"}
            killed = await nemesis.invoke(Op("start-kill", value))
            assert (killed.type, killed.value["targets"]) == ("ok", ["n1"])  # n4 is no member
            declined = await nemesis.invoke(Op("start-member-grow", ["n4"]))
            assert "n1 of the members cannot be reached, so nobody may join" in str(declined.error)
            assert etcd.members == ("n1", "n2", "n3")
            await nemesis.teardown()

    on_namespaces(4, scenario)

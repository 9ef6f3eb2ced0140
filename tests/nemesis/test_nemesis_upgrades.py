"""A real etcd goes from 3.5 to 3.6 and back, member by member, and what it runs is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from cluster import Etcd, Host, Journal, Reloadable, Unsupported, Upgradable
from cluster._etcd_versions import EtcdVersions, Told
from histories import Op
from nemesis import Fault, MixedVersions, Nemesis, Reload, Upgrade

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]


@pytest.mark.slow
def test_a_rolling_upgrade_and_the_way_back(
    on_namespaces: Play, both_etcds: tuple[Path, Path]
) -> None:
    old, new = both_etcds

    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        etcd = Etcd(
            binary=old, upgrade_to=new, fsync=False, members=3, heartbeat_ms=50, election_ms=250
        )
        assert isinstance(etcd, Upgradable)
        try:
            await etcd.setup(hosts)
            mixed, upgrade = MixedVersions(etcd), Upgrade(etcd)
            nemesis = Nemesis([mixed, upgrade], hosts, journal)
            await nemesis.setup()
            client = await etcd.client().open("n1")
            await client.invoke(Op("write", 1, "x"))

            began = await nemesis.invoke(Op("start-mixed-versions", ["n2"]))
            assert (began.type, began.error) == ("ok", None)
            runs = began.value["receipt"]["during"]["runs"]["n2"]
            assert runs == {"version": "3.6.16", "program": str(new.resolve())}
            await etcd.switch(hosts[1], "3.5.1")  # somebody thinks better of it
            ended = await nemesis.invoke(Op("stop-mixed-versions"))
            assert ended.error == "n2 was usual before it was healed, not other"

            everybody = {"targets": "all", "choice": "all"}
            began = await nemesis.invoke(Op("start-upgrade", everybody))
            assert (began.type, began.error) == ("ok", None)
            assert began.value["targets"] == ["n1", "n2", "n3"]  # n4 is spare
            assert began.value["receipt"]["during"]["upgraded"] == ["n1", "n2", "n3"]
            assert (await etcd._release.told(hosts[0])).cluster == "3.6.0"
            ended = await nemesis.invoke(Op("stop-upgrade"))
            assert (ended.type, ended.error) == ("ok", None)
            assert ended.value["receipt"]["after"]["usual"] == ["n1", "n2", "n3"]
            async with asyncio.timeout(20):
                while (read := await client.invoke(Op("read", None, "x"))).type != "ok":
                    await asyncio.sleep(0.05)
            assert read.value == 1
            await client.close()
            await nemesis.teardown()
        finally:
            await etcd.teardown()

    on_namespaces(4, scenario)


def test_members_are_reloaded_one_after_the_other(on_namespaces: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        etcd = Etcd(fsync=False, heartbeat_ms=40, election_ms=200)
        assert isinstance(etcd, Reloadable)
        try:
            await etcd.setup(hosts)
            nemesis = Nemesis([Reload(etcd)], hosts, journal)
            await nemesis.setup()
            began = await nemesis.invoke(Op("start-reload", ["n1", "n3"]))
            assert (began.type, began.error) == ("ok", None)
            runs = began.value["receipt"]["during"]["runs"]
            assert runs["n3"] == ["--heartbeat-interval=60", "--election-timeout=300"]
            ended = await nemesis.invoke(Op("stop-reload"))
            assert (ended.type, ended.error) == ("ok", None)
            runs = ended.value["receipt"]["after"]["runs"]
            assert runs["n3"] == ["--heartbeat-interval=40", "--election-timeout=200"]
            await etcd.kill(hosts[1])
            declined = await nemesis.invoke(Op("start-reload", ["n1"]))
            assert declined.error == "reload is declined: n2 cannot be reached"
            await nemesis.teardown()
        finally:
            await etcd.teardown()

    on_namespaces(3, scenario)


def test_without_another_version_there_is_no_upgrade(on_namespaces: Play) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        faults: list[Fault] = [Upgrade(Etcd())]
        await Nemesis(faults, hosts, journal).setup()

    with pytest.raises(Unsupported, match=r"'upgrade' needs another version than .*--upgrade-to"):
        on_namespaces(1, scenario)


@pytest.mark.parametrize(
    ("usual", "other", "why"),
    [
        ("3.6.16", "3.5.1", "the other program is the older one"),
        ("3.4.30", "3.5.1", "there is no way back"),
        ("3.5.1", "3.7.0", "are not neighbours"),
    ],
)
def test_versions_that_cannot_follow_each_other(usual: str, other: str, why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        EtcdVersions(lambda _host: None).check([usual, other], other)  # type: ignore[arg-type, return-value]


def test_neighbouring_versions_may_follow_each_other() -> None:
    for usual, other in (("3.5.1", "3.6.16"), ("3.6.16", "3.7.3"), ("3.5.1", "3.5.35")):
        EtcdVersions(lambda _host: None).check([usual, other], other)  # type: ignore[arg-type, return-value]


def test_an_older_member_may_come_while_one_is_there_or_once_all_have_come_down() -> None:
    new = Told("3.6.16", "3.5.0", "3.5.0")
    assert not EtcdVersions._fits([new, new], (3, 5))  # the cluster is about to rise
    assert EtcdVersions._fits([new, Told("3.5.1", "3.5.0")], (3, 5))
    assert not EtcdVersions._fits([Told("3.6.16", "3.6.0", "3.6.0")], (3, 5))
    assert EtcdVersions._fits([Told("3.6.16", "3.5.0", "3.5.0", downgrading=True)], (3, 5))
    assert not EtcdVersions._fits([Told("3.6.16", "3.5.0", "3.6.0", downgrading=True)], (3, 5))
    assert EtcdVersions._fits([Told("3.6.16", "3.6.0", "3.6.0")], (3, 6))

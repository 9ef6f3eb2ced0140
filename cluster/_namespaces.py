"""Hosts as network namespaces on this machine, without root.

`namespaces(n)` raises a private network: a bridge, and `n` hosts with an address, a
hostname and firewall rules of their own.  It needs no privileges, since it happens inside
a user namespace; root does without that one.  Nothing of it is visible outside, so labs
can be raised side by side, and nothing of it outlives the driver: see `cluster._keeper`.

What such hosts share is the file system, the clock, the CPU and the disk of this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cluster import _keeper
from cluster._host import (
    COMMAND_TIMEOUT_S,
    DIAL_TIMEOUT_S,
    Completed,
    HostError,
    HostKind,
    HostSpec,
    Progress,
    Unsupported,
)
from cluster._journal import Journal, start_time
from cluster._local import (
    LocalHost,
    connect,
    environment,
    lab_directory,
    refuse_other_systems,
    spawn,
)
from cluster._posix import PosixHost

_NODES_MAX: Final = 200
_RAISE_TIMEOUT_S: Final = 20.0
_END_TIMEOUT_S: Final = 10.0
_ASK_TIMEOUT_S: Final = 5.0
_NETWORK: Final = "10.66.0"
"""The first three bytes of the addresses; private to each lab, so always the same."""


class NamespaceHost(PosixHost):
    """A network namespace, entered by the pid of the process that holds it.

    `enter` stands before every command.
    """

    kind: HostKind = "netns"

    def __init__(
        self,
        name: str,
        address: str,
        directory: str,
        holder: int,
        start: int,
        keeper_socket: str,
        in_user_namespace: bool,
        journal: Journal | None = None,
    ) -> None:
        super().__init__(name, address, directory, journal)
        self.holder = holder
        self._start = start
        self._keeper_socket = keeper_socket
        self._in_user_namespace = in_user_namespace
        user = ["-U", "--preserve-credentials"] if in_user_namespace else []
        self.enter = ["nsenter", "-t", str(holder), *user, "-n", "-m", "-p", "-u", "--"]

    @property
    def capabilities(self) -> frozenset[str]:
        """Everything: in its own namespaces the host is root."""
        return frozenset({"network", "root", "signals", "files"})

    def is_gone(self) -> bool:
        """Has the namespace gone, with the driver that made it?"""
        return start_time(self.holder) != self._start

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes = b"",
        timeout_s: float = COMMAND_TIMEOUT_S,
        check: bool = True,
        sudo: bool = False,
    ) -> Completed:
        """Run a command inside the namespace; `sudo` changes nothing, it is root already."""
        del sudo
        if self.is_gone():
            raise HostError(self.name, "its namespace is gone", "raise the lab again")
        command = [*self.enter, *argv]
        return await spawn(self.name, command, tuple(argv), input, timeout_s, check)

    async def upload(self, local: str, remote: str, *, progress: Progress | None = None) -> None:
        """Copy a file; the file system is shared."""
        await self._driver().upload(local, remote, progress=progress)

    async def download(self, remote: str, local: str, *, progress: Progress | None = None) -> None:
        """Copy a file; the file system is shared."""
        await self._driver().download(remote, local, progress=progress)

    async def dial(self, port: int, *, timeout_s: float = DIAL_TIMEOUT_S) -> socket.socket:
        """Connect from the lab's bridge."""
        sock = await asyncio.to_thread(lab_socket, self._keeper_socket)
        return await connect(sock, (self.address, port), timeout_s)

    def spec(self) -> HostSpec:
        """This host as JSON; good for as long as the namespace lives."""
        return {
            "kind": "netns",
            "name": self.name,
            "address": self.address,
            "directory": self.directory,
            "holder": self.holder,
            "start": self._start,
            "keeper_socket": self._keeper_socket,
            "in_user_namespace": self._in_user_namespace,
        }

    def _driver(self) -> LocalHost:
        return LocalHost(self.name, self.directory)

    async def _journal_daemon(self, name: str) -> str:  # noqa: ARG002 -- as its class has it
        """Nothing to write down: the daemon cannot outlive its pid namespace."""
        return ""

    async def _journal_undo(self, name: str, undo: Sequence[Sequence[str]]) -> None:
        """Nor can anything else that is set up in here."""


@contextlib.asynccontextmanager
async def namespaces(
    n: int,
    *,
    directory: str | os.PathLike[str] | None = None,
    journal: Journal | None = None,
    keep: bool = False,
) -> AsyncIterator[list[NamespaceHost]]:
    """Raise hosts ``n1`` to ``n<n>``, each a network namespace; all is gone on leaving.

    Their directories are made in a lab directory of their own below `directory` (the
    system's place for temporary files) and removed in the end unless told to `keep` them.
    Raises `Unsupported` where the kernel or the machine's settings forbid it.
    """
    if not 1 <= n <= _NODES_MAX:
        raise ValueError(f"{n} hosts? a lab has from 1 to {_NODES_MAX}")
    refuse_other_systems("network namespaces")
    async with lab_directory(directory, journal=journal, keep=keep) as top:
        names = [f"n{i}" for i in range(1, n + 1)]
        for name in names:
            (top / name).mkdir()
        async with Lab.raised(node_addresses(names), top) as lab:
            yield [lab.host(name, journal) for name in names]


class Lab:
    """A keeper, seen from the driver."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        control: socket.socket,
        top: Path,
        addresses: dict[str, str],
        in_user_namespace: bool,
    ) -> None:
        self._process = process
        self._control = control
        self._top = top
        self._addresses = addresses
        self._in_user_namespace = in_user_namespace
        self._holders: dict[str, int] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def raised(
        cls,
        addresses: dict[str, str],
        top: Path,
        *,
        init: Mapping[str, Sequence[str]] | None = None,
        keep_user: bool = False,
    ) -> AsyncIterator[Lab]:
        """A lab with these nodes, ended on leaving.

        `init` is a command for each node to run for ever.  With `keep_user` the processes
        inside see our own user number instead of root's, and have root's capabilities all
        the same.
        """
        for program in ("unshare", "nsenter", "ip"):
            if shutil.which(program, path=environment()["PATH"]) is None:
                raise Unsupported(
                    "this machine",
                    f"network namespaces need the program `{program}`, and it is not installed",
                    "install util-linux and iproute2, or use local hosts",
                )
        users: list[str] = []
        if os.geteuid() != 0:
            user, group = f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}"
            users = ["-U", user, group, "--keep-caps"] if keep_user else ["-U", "-r"]
        lab = await asyncio.to_thread(cls._spawn, addresses, top, users, init)
        try:
            await asyncio.to_thread(lab._await_ready)
            yield lab
        finally:
            await asyncio.shield(asyncio.to_thread(lab._end))

    @classmethod
    def _spawn(
        cls,
        addresses: dict[str, str],
        top: Path,
        users: list[str],
        init: Mapping[str, Sequence[str]] | None,
    ) -> Lab:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        driver = os.pidfd_open(os.getpid())
        plan = {
            "control": theirs.fileno(),
            "driver": driver,
            "socket": str(_socket_path(top)),
            "address": f"{_NETWORK}.254",
            "prefix": 24,
            "nodes": [
                {"name": name, "address": each, "init": list((init or {}).get(name, ()))}
                for name, each in addresses.items()
            ],
        }
        command = [
            *("unshare", *users, "-n", "-m", "-p", "-u", "-f", "--mount-proc", "--kill-child"),
            *(sys.executable, "-I", "-S", _keeper.__file__, json.dumps(plan)),
        ]
        with (top / "keeper.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs.fileno(), driver),
                start_new_session=True,
                env=environment(),
            )
        theirs.close()
        os.close(driver)
        return cls(process, ours, top, addresses, bool(users))

    def _await_ready(self) -> None:
        self._control.settimeout(_RAISE_TIMEOUT_S)
        try:
            answer: dict[str, Any] = json.loads(self._control.recv(65536) or b"{}")
        except TimeoutError:
            answer = {"error": f"not ready after {_RAISE_TIMEOUT_S:g} s"}
        if "nodes" not in answer:
            said = (self._top / "keeper.log").read_text(errors="replace").strip()
            raise Unsupported(
                "this machine",
                f"cannot raise network namespaces: {answer.get('error') or said or 'no answer'}",
                _advice(said),
            )
        self._control.settimeout(None)
        outer = _outer_pids(self._process.pid, set(answer["nodes"].values()))
        self._holders = {name: outer[pid] for name, pid in answer["nodes"].items()}

    def host(self, name: str, journal: Journal | None) -> NamespaceHost:
        """The host of this name."""
        holder = self._holders[name]
        start = start_time(holder)
        assert start is not None, f"the holder of {name} died"
        return NamespaceHost(
            name,
            self._addresses[name],
            str(self._top / name),
            holder,
            start,
            str(_socket_path(self._top)),
            self._in_user_namespace,
            journal,
        )

    @property
    def pid(self) -> int:
        """The process that ends last, after the keeper and all that lives in the lab."""
        return self._process.pid

    @property
    def socket_path(self) -> Path:
        """Where the keeper hands out sockets."""
        return _socket_path(self._top)

    def _end(self) -> None:
        """End the keeper; when it has gone, so has everything in its pid namespace."""
        self._control.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # the keeper dies with its `unshare`
            self._process.wait(_END_TIMEOUT_S)


def node_addresses(names: Sequence[str]) -> dict[str, str]:
    """The address of each node."""
    return {name: f"{_NETWORK}.{i}" for i, name in enumerate(names, start=1)}


def namespace_host(spec: HostSpec) -> NamespaceHost:
    """The host again, from what `NamespaceHost.spec` gave."""
    return NamespaceHost(
        spec["name"],
        spec["address"],
        spec["directory"],
        spec["holder"],
        spec["start"],
        spec["keeper_socket"],
        spec["in_user_namespace"],
    )


def lab_socket(path: str) -> socket.socket:
    """A TCP socket made inside the lab whose keeper listens at `path`; not yet connected.

    Blocks for a fraction of a millisecond; raises `OSError` if the lab is gone.
    """
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as keeper:
            keeper.settimeout(_ASK_TIMEOUT_S)
            keeper.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
            keeper.send(b"socket")
            said, descriptors, _, _ = socket.recv_fds(keeper, 64, 1)
    finally:
        os.close(directory)
    if not descriptors:
        raise ConnectionAbortedError(f"the lab at {path} gave no socket: {said!r}")
    return socket.socket(fileno=descriptors[0])


def _outer_pids(unshare: int, inner: set[int]) -> dict[int, int]:
    """Pids as the driver sees them, by pid inside the namespace that `unshare` has made."""
    found: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            status = _fields(Path(entry.path, "status").read_text())
            pids = status["NSpid"].split()
            if len(pids) < 2 or int(pids[-1]) not in inner:
                continue
            keeper = _fields(Path(f"/proc/{status['PPid']}/status").read_text())
            if int(keeper["PPid"]) == unshare:
                found[int(pids[-1])] = int(entry.name)
    if found.keys() != inner:
        raise Unsupported(
            "this machine",
            "the lab's processes are not visible in /proc",
            "mount /proc without hidepid, or run as root",
        )
    return found


def _fields(status: str) -> dict[str, str]:
    return {key: value.strip() for key, _, value in (x.partition(":") for x in status.split("\n"))}


def _socket_path(top: Path) -> Path:
    return top / "keeper.sock"


def _advice(said: str) -> str:
    if any(x in said for x in ("not permitted", "Permission denied", "No space left")):
        return (
            "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
            "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces), "
            "run as root, or use local hosts"
        )
    return "use local hosts or SSH hosts"

"""Remote hosts over SSH.

`ssh("lab.toml")` logs in to every host of the lab file, makes a directory of the run's own
on each, and gives the hosts; see `cluster._labfile` for the file, `cluster._link` for the
connection and `cluster._lane` for how commands travel.  Daemons and directories are
journalled before the host is touched, for they outlive the driver.

Clients of the system under test do not travel over SSH: `dial` opens a TCP connection of
its own, on the same way as SSH took (directly, by the proxy command, or via a keeper).  Behind
a jump host there is no such way, and a channel of the jump host's connection takes its place.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import ipaddress
import os
import posixpath
import socket
import stat
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Final, TypeVar

import paramiko

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
from cluster._journal import Journal
from cluster._labfile import SshSettings, as_spec, read_lab, settings_from
from cluster._link import Link
from cluster._local import connect
from cluster._login import open_way
from cluster._namespaces import lab_socket
from cluster._posix import WHO, PosixHost, at_work, refuse_failure
from cluster._relay import relayed
from cluster._transfer import DIGEST, get, put, put_bytes

_T = TypeVar("_T")
_TRANSFER_TIMEOUT_S: Final = 60.0
_TIDY_TIMEOUT_S: Final = 5.0
_THREADS: Final = 10
_CAP_NET_ADMIN: Final = 1 << 12


class SshHost(PosixHost):
    """A remote host; `capabilities` are known after `greet`."""

    kind: HostKind = "ssh"

    def __init__(
        self, settings: SshSettings, directory: str, *, journal: Journal | None = None
    ) -> None:
        # With a proxy or a jump host, names mean something only on its far side.
        outer, far = settings.address, settings.proxy_command or settings.jump
        self._outer_address = outer if far else _numeric(outer, settings.name)
        inner = settings.internal or self._outer_address
        super().__init__(settings.name, inner, directory, journal)
        self.settings = settings
        self._link = Link(settings)
        self._threads = concurrent.futures.ThreadPoolExecutor(
            _THREADS, thread_name_prefix=f"ssh-{settings.name}"
        )
        self._privileged: bool | None = None
        self._sudo = False

    @property
    def capabilities(self) -> frozenset[str]:
        """What the login may do: "network" and "root" need root, or a sudo without password."""
        can = {"signals", "files"}
        if self._privileged or self._sudo:
            can |= {"network", "root"}
        return frozenset(can)

    def is_gone(self) -> bool:
        """Is there no such host any more?  Only known of those in namespaces of this machine."""
        if self.settings.via is None:
            return False
        try:
            lab_socket(self.settings.via.removeprefix("unix:")).close()
        except (FileNotFoundError, ConnectionRefusedError):
            return True
        return False

    async def greet(self) -> None:
        """Log in, and learn what we may do there."""
        who = (await self.run(["sh", "-c", WHO])).text.split()
        capabilities = int(who[1], 16) if len(who) > 1 else 0
        self._privileged = who[0] == "0" or bool(capabilities & _CAP_NET_ADMIN)
        if self.settings.sudo and not self._privileged:
            tried = await self.run(["sudo", "-n", "--", "true"], check=False)
            if tried.code != 0:
                raise Unsupported(
                    self.name,
                    f"sudo asks {self.settings.user} for a password",
                    "allow it without one (NOPASSWD), log in as root, or drop sudo = true",
                )
            self._sudo = True

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes = b"",
        timeout_s: float = COMMAND_TIMEOUT_S,
        check: bool = True,
        sudo: bool = False,
    ) -> Completed:
        """Run a command on the host; one that runs out of time is killed there."""
        command = tuple(argv)
        if any("\0" in word for word in command):
            raise ValueError("a command's arguments cannot contain NUL")
        if sudo:
            command = await self._as_root(command)
        by_sudo = sudo and self._sudo
        cancelled = threading.Event()
        try:
            done = await self._blocking(
                lambda: self._link.run(command, input, timeout_s, cancelled, sudo=by_sudo)
            )
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return refuse_failure(self.name, done) if check else done

    async def upload(self, local: str, remote: str, *, progress: Progress | None = None) -> None:
        """Copy a file there; it appears under its name only when its SHA-256 is right."""
        mode = stat.S_IMODE(os.stat(local).st_mode)

        abandoned = threading.Event()

        def bring(part: str) -> tuple[int, str]:
            with self._link.sftp(_TRANSFER_TIMEOUT_S) as session:
                return put(session, local, part, progress, abandoned)

        async with self._appearing(remote, mode) as part:
            with _setting_at_exit(abandoned):
                size, digest = await self._blocking(lambda: bring(part))
            if await self._digest(part, size) != digest:
                raise HostError(
                    self.name, f"{remote} arrived damaged (SHA-256 differs)", "see the host's disk"
                )

    async def download(self, remote: str, local: str, *, progress: Progress | None = None) -> None:
        """Copy a file here; what it grows by meanwhile is left out."""
        part = f"{local}.{uuid.uuid4().hex[:8]}.new"
        abandoned = threading.Event()

        def fetch() -> tuple[int, str]:
            with self._link.sftp(_TRANSFER_TIMEOUT_S) as session:
                return get(session, remote, part, progress, abandoned)

        try:
            with _setting_at_exit(abandoned):
                size, digest = await self._blocking(fetch)
            if await self._digest(remote, size) != digest:
                raise HostError(
                    self.name,
                    f"{remote} arrived damaged, or was changed while it was read (SHA-256 differs)",
                    "fetch it again when nothing writes to it",
                )
            os.replace(part, local)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)

    async def write(self, remote: str, data: bytes, mode: int = 0o644) -> None:
        """Write a file; it appears under its name only when it is whole."""

        def bring(part: str) -> None:
            with self._link.sftp(_TRANSFER_TIMEOUT_S) as session:
                put_bytes(session, data, part)

        async with self._appearing(remote, mode) as part:
            await self._blocking(lambda: bring(part))

    async def dial(self, port: int, *, timeout_s: float = DIAL_TIMEOUT_S) -> socket.socket:
        """Connect to a port of the host, on the way that SSH takes."""
        # Not by our own threads: commands that wait for a silent host may hold them all.
        settings = self.settings
        if settings.jump is not None:
            return await asyncio.to_thread(self._dial_by_jump, port, timeout_s)
        if settings.proxy_command:
            way = await asyncio.to_thread(open_way, settings, port, timeout_s)
            assert isinstance(way, socket.socket)
            way.setblocking(False)
            return way
        if settings.via is not None:
            sock = await asyncio.to_thread(lab_socket, settings.via.removeprefix("unix:"))
        else:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        return await connect(sock, (self._outer_address, port), timeout_s)

    def spec(self) -> HostSpec:
        """This host as JSON; names the key's file, holds no secret."""
        return {
            "kind": "ssh",
            "name": self.name,
            "directory": self.directory,
            "settings": as_spec(self.settings),
        }

    async def close(self) -> None:
        """Close the connection; daemons go on."""
        await asyncio.to_thread(self._link.close)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _as_root(self, command: tuple[str, ...]) -> tuple[str, ...]:
        if self._privileged is None:
            await self.greet()
        if self._privileged:
            return command
        if self._sudo:
            return ("sudo", "-n", "--", *command)
        raise Unsupported(
            self.name,
            f"`{command[0]}` needs root, and the login is {self.settings.user}",
            "log in as root, or write sudo = true in the lab file",
        )

    async def _blocking(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _dial_by_jump(self, port: int, timeout_s: float) -> socket.socket:
        """Whatever goes wrong is an `OSError`: nothing was sent to the service."""
        try:
            login = self._link.login(time.monotonic() + timeout_s)
            channel = open_way(self.settings, port, timeout_s, login.through)
        except paramiko.ChannelException as error:
            raise ConnectionRefusedError(f"{self.settings.address} port {port}: {error}") from error
        except (HostError, EOFError, paramiko.SSHException) as error:
            raise ConnectionError(f"{self.settings.address} port {port}: {error}") from error
        assert isinstance(channel, paramiko.Channel)
        sock = relayed(channel)
        sock.setblocking(False)
        return sock

    @contextlib.asynccontextmanager
    async def _appearing(self, remote: str, mode: int) -> AsyncIterator[str]:
        """A name to write under; when the body is done the file gets its own name."""
        part = f"{remote}.{uuid.uuid4().hex[:8]}.new"
        try:
            yield part
            await self.run(["chmod", f"{mode:o}", "--", part])
            await self.run(["mv", "-f", "--", part, remote])
        except BaseException:
            with contextlib.suppress(HostError):
                await self.run(["rm", "-f", "--", part], check=False, timeout_s=_TIDY_TIMEOUT_S)
            raise

    async def _digest(self, remote: str, size: int) -> str:
        done = await self.run(["sh", "-c", DIGEST, "momus-digest", remote, str(size)])
        return (done.text.split() or ["?"])[0]


@contextlib.asynccontextmanager
async def ssh(
    lab: str | os.PathLike[str] | Sequence[SshSettings],
    *,
    journal: Journal | None = None,
    keep: bool = False,
) -> AsyncIterator[list[SshHost]]:
    """Log in to the hosts of a lab file, all at once.

    On each host a directory of our own is made, and removed in the end unless told to
    `keep` it.  Daemons that still run then are stopped.
    """
    settings = read_lab(lab) if isinstance(lab, (str, os.PathLike)) else list(lab)
    run = journal.run if journal else "lab"
    unique = f"momus-{run}-{uuid.uuid4().hex[:8]}"
    hosts = [
        SshHost(each, posixpath.join(each.directory, f"{unique}-{each.name}"), journal=journal)
        for each in settings
    ]
    async with at_work(hosts, run, keep=keep):
        yield hosts


@contextlib.contextmanager
def _setting_at_exit(event: threading.Event) -> Iterator[None]:
    try:
        yield
    finally:
        event.set()


def ssh_host(spec: HostSpec) -> SshHost:
    """The host again, from what `SshHost.spec` gave."""
    return SshHost(settings_from(spec["settings"]), spec["directory"])


def _numeric(address: str, name: str) -> str:
    """The address as a number, for firewall rules and servers want no names."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(address))
    try:
        return str(socket.getaddrinfo(address, None, socket.AF_INET)[0][4][0])
    except OSError as error:
        raise HostError(name, f"{address} has no address: {error}", "see the lab file") from error

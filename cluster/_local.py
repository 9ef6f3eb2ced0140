"""Plain local processes on loopback: the lab for machines that forbid everything else.

All hosts share the address 127.0.0.1, so each has its own free ports (`port`), and no
network between them that could be cut: kill and pause work, partitions do not, and the
host says so by lacking the capability "network".
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from cluster._host import (
    COMMAND_TIMEOUT_S,
    DIAL_TIMEOUT_S,
    OUTPUT_BYTES_MAX,
    Completed,
    HostError,
    HostKind,
    HostSpec,
    Progress,
    Unsupported,
)
from cluster._journal import Journal
from cluster._posix import SBIN, PosixHost, refuse_failure, timed_out
from cluster._redaction import spoken

LOOPBACK: Final = "127.0.0.1"
_DRAIN_TIMEOUT_S: Final = 5.0
_PORTS: Final = range(15_000, 32_000)
"""Below the range from which the kernel takes the local ports of outgoing connections."""


class LocalHost(PosixHost):
    """A share of the driver's own machine."""

    kind: HostKind = "local"

    def __init__(self, name: str, directory: str, *, journal: Journal | None = None) -> None:
        super().__init__(name, LOOPBACK, directory, journal)
        self._ports: dict[int, int] = {}

    @property
    def capabilities(self) -> frozenset[str]:
        """No "network": hosts on loopback cannot be parted."""
        can = {"signals", "files"}
        if os.geteuid() == 0:
            can.add("root")
        return frozenset(can)

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes = b"",
        timeout_s: float = COMMAND_TIMEOUT_S,
        check: bool = True,
        sudo: bool = False,
    ) -> Completed:
        """Run a command on this machine."""
        command = list(argv)
        if sudo and os.geteuid() != 0:
            if shutil.which("sudo") is None:
                raise Unsupported(self.name, "commands as root need sudo", "run as root")
            command = ["sudo", "-n", "--", *command]
        return await spawn(self.name, command, tuple(argv), input, timeout_s, check)

    async def upload(self, local: str, remote: str, *, progress: Progress | None = None) -> None:
        """Copy a file."""
        await asyncio.to_thread(_copy, local, remote, progress)

    async def download(self, remote: str, local: str, *, progress: Progress | None = None) -> None:
        """Copy a file."""
        await asyncio.to_thread(_copy, remote, local, progress)

    def port(self, standard: int) -> int:
        """A free port, the same one whenever asked for the same standard port."""
        if standard not in self._ports:
            self._ports[standard] = free_port()
        return self._ports[standard]

    async def dial(self, port: int, *, timeout_s: float = DIAL_TIMEOUT_S) -> socket.socket:
        """Connect over loopback."""
        return await connect(
            socket.socket(socket.AF_INET, socket.SOCK_STREAM), (self.address, port), timeout_s
        )

    def spec(self) -> HostSpec:
        """This host as JSON."""
        return {"kind": "local", "name": self.name, "directory": self.directory}


@contextlib.asynccontextmanager
async def local(
    n: int,
    *,
    directory: str | os.PathLike[str] | None = None,
    journal: Journal | None = None,
    keep: bool = False,
) -> AsyncIterator[list[LocalHost]]:
    """Local hosts ``n1`` to ``n<n>``.

    Their directories are made in a lab directory of their own below `directory` (the
    system's place for temporary files) and removed in the end unless told to `keep` them.
    Daemons that still run then are stopped.
    """
    refuse_other_systems("local hosts")
    async with lab_directory(directory, journal=journal, keep=keep) as top:
        hosts = [LocalHost(f"n{i}", str(top / f"n{i}"), journal=journal) for i in range(1, n + 1)]
        for host in hosts:
            Path(host.directory).mkdir()
        try:
            yield hosts
        finally:
            for host in hosts:
                await host.stop_daemons()


@contextlib.asynccontextmanager
async def lab_directory(
    below: str | os.PathLike[str] | None, *, journal: Journal | None, keep: bool
) -> AsyncIterator[Path]:
    """A fresh directory for the lab's hosts; its removal is journalled before it is made."""
    owner = journal.run if journal else "lab"
    top = Path(below or tempfile.gettempdir()).absolute() / f"momus-{owner}-{uuid.uuid4().hex[:8]}"
    driver = LocalHost("driver", str(top), journal=journal)
    await driver.make_directory(owner)
    try:
        yield top
    finally:
        await driver.remove_directory(owner, keep=keep)


async def spawn(
    host: str,
    command: Sequence[str],
    argv: tuple[str, ...],
    input: bytes,
    timeout_s: float,
    check: bool,
) -> Completed:
    """Run `command` on the driver's machine on behalf of `host`, which was asked for `argv`.

    On a time-out or a cancellation the command's whole process group is killed.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE if input else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env=environment(),
        )
    except OSError as error:
        code = 127 if isinstance(error, FileNotFoundError) else 126
        done = Completed(argv, code, b"", str(error).encode())
        return refuse_failure(host, done) if check else done
    try:
        async with asyncio.timeout(timeout_s):
            stdout, stderr = await _conversed(process, input)
    except TimeoutError:
        raise timed_out(host, argv, timeout_s) from None
    except _TooMuch:
        raise HostError(
            host,
            f"`{spoken(argv)}` put out more than {OUTPUT_BYTES_MAX} bytes",
            "write to a file, and download that",
        ) from None
    finally:
        if process.returncode is None:
            await _kill(process)
    assert process.returncode is not None
    done = Completed(argv, process.returncode, stdout, stderr)
    return refuse_failure(host, done) if check else done


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill the whole process group, and wait until it has ended."""
    assert process.stdout is not None
    assert process.stderr is not None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # asyncio does not call a process ended before its output has been read.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_TIMEOUT_S):
            for stream in (process.stdout, process.stderr):
                while await stream.read(1 << 16):
                    pass
            await process.wait()


class _TooMuch(Exception):
    """A command talks without end."""


async def _conversed(process: asyncio.subprocess.Process, input: bytes) -> tuple[bytes, bytes]:
    """What the process puts out until it has ended; as `communicate`, but with a limit."""
    assert process.stdout is not None
    assert process.stderr is not None

    async def tell() -> None:
        if process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(input)
                await process.stdin.drain()
            process.stdin.close()

    async def hear(stream: asyncio.StreamReader) -> bytes:
        heard = bytearray()
        while chunk := await stream.read(1 << 16):
            heard += chunk
            if len(heard) > OUTPUT_BYTES_MAX:
                raise _TooMuch
        return bytes(heard)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(tell())
            out, err = (
                group.create_task(hear(process.stdout)),
                group.create_task(hear(process.stderr)),
            )
            group.create_task(process.wait())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return out.result(), err.result()


async def connect(sock: socket.socket, address: tuple[str, int], timeout_s: float) -> socket.socket:
    """Connect a fresh stream socket; closes it if that fails."""
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


_handed_out: set[int] = set()


def free_port() -> int:
    """A TCP port of loopback that nobody listens on, and that we have not handed out yet."""
    # Not part of any run's choices, hence not from the run's seed: two runs with the same
    # seed at the same time must not want the same ports.
    for port in random.SystemRandom().sample(_PORTS, 1000):
        if port in _handed_out:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise Unsupported(
        "this machine",
        f"1000 tries found no free port from {_PORTS.start} to {_PORTS.stop}",
        "end other servers, or use namespaces",
    )


def environment() -> dict[str, str]:
    """The driver's environment, with the directories of system programs in PATH."""
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '/usr/bin:/bin')}:{SBIN}"}


def refuse_other_systems(what: str) -> None:
    """Hosts on this machine lean on Linux's /proc."""
    if not sys.platform.startswith("linux"):
        raise Unsupported(
            "this machine", f"{what} need Linux, this is {sys.platform}", "use SSH hosts"
        )


def _copy(source: str, target: str, progress: Progress | None) -> None:
    """Copy with permission bits; the target appears only when it is whole."""
    part = f"{target}.{uuid.uuid4().hex[:8]}.new"
    try:
        shutil.copyfile(source, part)
        shutil.copymode(source, part)
        size = os.path.getsize(part)
        os.replace(part, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
    if progress is not None:
        progress(size, size)

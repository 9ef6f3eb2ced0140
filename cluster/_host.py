"""Where things happen: the `Host`, one machine of the lab as the test sees it.

A host runs commands, keeps daemons, moves files and can be dialled.  There are three
kinds, an SSH host, a network namespace and a plain local process, and whatever is
written once against `Host` works on all of them, or is told which capability is missing
by `Unsupported`.

A command is always a list of arguments.  No host ever builds a shell string from data:
where a shell is needed its text is constant and the data are its arguments.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

HostKind: TypeAlias = str
"""``ssh``, ``netns``, ``local``, ``command``, or the name of a transport that was plugged in."""
HostSpec: TypeAlias = dict[str, Any]
"""A host as JSON; `host_from_spec` makes a host of it again, in another process."""

Progress: TypeAlias = Callable[[int, int], object]
"""Told how many bytes of a file have been moved, and of how many; perhaps in another thread."""

COMMAND_TIMEOUT_S: Final = 30.0
DIAL_TIMEOUT_S: Final = 5.0
OUTPUT_BYTES_MAX: Final = 256 << 20
"""What a command may put out; more is an error, for it would have to be kept in memory."""


class HostError(Exception):
    """A host did not do what it was asked.

    The message says on which host, what was tried and what came of it, and what to try
    next; the three parts are attributes, too.  What a host has said may be in it, and must not
    be able to repaint a terminal: control characters are replaced.
    """

    def __init__(self, host: str, what: str, try_next: str) -> None:
        what, try_next = tame(what), tame(try_next)
        super().__init__(f"{host}: {what}; {try_next}")
        self.host = host
        self.what = what
        self.try_next = try_next


def tame(text: str) -> str:
    """The text without control characters; lines and tabs stay."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


class Unsupported(HostError):
    """The host lacks a capability; the message says which, and where to find it."""


@dataclass(frozen=True)
class Completed:
    """A command that ran to its end."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """The standard output as text, without white space around it."""
        return self.stdout.decode("utf-8", "replace").strip()


@dataclass(frozen=True)
class Daemon:
    """A process that outlives the command that started it.

    A pid alone is reused sooner or later; with the `start` time (clock ticks since boot)
    and the `boot` id it names this process and no other, for ever.
    """

    name: str
    pid: int
    start: int
    boot: str


@runtime_checkable
class Host(Protocol):
    """One machine of the lab.

    `address` is where the other hosts reach it; `directory` is its own writable
    directory; `capabilities` is a subset of ``{"network", "root", "signals", "files"}``:
    its own network that can be cut, commands as root, signals to daemons, moving files.
    """

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def kind(self) -> HostKind: ...
    @property
    def directory(self) -> str: ...
    @property
    def capabilities(self) -> frozenset[str]: ...

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes = b"",
        timeout_s: float = COMMAND_TIMEOUT_S,
        check: bool = True,
        sudo: bool = False,
    ) -> Completed:
        """Run a command to its end.

        With `check` an exit code other than 0 is a `HostError`; so is a time-out, always.
        """
        ...

    async def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Daemon:
        """Start a daemon in its own session; output goes to ``directory/<name>.log``."""
        ...

    async def signal(self, name: str, signal: str) -> bool:
        """Signal the daemon and its children ("KILL", "STOP"...); False if it is not alive."""
        ...

    async def alive(self, name: str) -> bool:
        """Is the daemon we started under this name still there (and not a zombie)?"""
        ...

    async def stop(self, name: str, timeout_s: float = 10.0) -> None:
        """Ask the daemon to end, and kill it if it has not after `timeout_s`."""
        ...

    async def upload(self, local: str, remote: str, *, progress: Progress | None = None) -> None:
        """Copy a file of the driver to the host, keeping its permission bits."""
        ...

    async def download(self, remote: str, local: str, *, progress: Progress | None = None) -> None:
        """Copy a file of the host to the driver."""
        ...

    async def write(self, remote: str, data: bytes, mode: int = 0o644) -> None:
        """Write a file on the host."""
        ...

    async def read(self, remote: str) -> bytes:
        """The content of a file on the host."""
        ...

    def port(self, standard: int) -> int:
        """The port that stands for `standard` here: itself, unless hosts share an address."""
        ...

    async def dial(self, port: int, *, timeout_s: float = DIAL_TIMEOUT_S) -> socket.socket:
        """Connect from the driver to a port of the host; a non-blocking stream socket.

        Raises `OSError` (`ConnectionRefusedError`, `TimeoutError`...): whatever it
        raises, not a byte was sent to the service.
        """
        ...

    def spec(self) -> HostSpec:
        """This host as JSON, for `host_from_spec`."""
        ...

    async def close(self) -> None:
        """Let go of connections; daemons go on."""
        ...

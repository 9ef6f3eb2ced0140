"""Hosts that are reached by a command: ``docker exec``, ``kubectl exec``, ``nsenter``...

    transport = "command"
    command = ["docker", "exec", "-i", "%n"]     # what stands before every command

    [[hosts]]
    name = "lab-n1-1"
    address = "172.18.0.2"

``%n`` is the host's name, ``%a`` its address.  Whatever carries standard input and output and
the exit code will do, and no shell is involved on this side.  Clients connect to the address;
where the driver has no route there, `dial_command` names a command whose standard input and
output are the connection, ``%p`` being the port (``kubectl exec -i %n -- nc 127.0.0.1 %p``).

Such commands often leave behind what they started when they are killed.  So each command
carries a random word in its environment, by which all that descends from it is found and
killed when time is up.

This is also the worked example of a transport; see `cluster._transports`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import os
import secrets
import socket
import stat
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from cluster._host import (
    COMMAND_TIMEOUT_S,
    DIAL_TIMEOUT_S,
    Completed,
    HostError,
    HostSpec,
    Progress,
    Unsupported,
)
from cluster._journal import Journal
from cluster._local import connect, environment, spawn
from cluster._login import filled_in, piped
from cluster._posix import WHO, PosixHost
from cluster._transfer import CHUNK, DIGEST

_TRANSFER_TIMEOUT_S: Final = 600.0
_KILL_TIMEOUT_S: Final = 10.0
_CAP_NET_ADMIN: Final = 1 << 12
_OPTIONS: Final = {"command", "address", "dial_command"}

# $1 the word that everything the command started has in its environment.
_KILL: Final = """
for each in /proc/[0-9]*; do
    tr '\\0' '\\n' 2>/dev/null < "$each/environ" | grep -qx "MOMUS_COMMAND=$1" &&
    kill -s KILL "${each#/proc/}" 2>/dev/null
done
:
"""


class CommandHost(PosixHost):
    """A host behind a command; `capabilities` are known after `greet`."""

    kind = "command"

    def __init__(
        self, name: str, options: Mapping[str, Any], directory: str, journal: Journal | None = None
    ) -> None:
        self.options = _checked(name, options)
        super().__init__(name, str(self.options["address"]), directory, journal)
        self._before = self._words(self.options["command"])
        self._may: frozenset[str] = frozenset()

    @property
    def capabilities(self) -> frozenset[str]:
        """ "root" for the superuser there, "network" where it may change the network."""
        return frozenset({"signals", "files"}) | self._may

    async def greet(self) -> None:
        """See that the host is there, and what we may do."""
        who = (await self.run(["sh", "-c", WHO])).text.split()
        may = {"root"} if who[0] == "0" else set()
        if len(who) > 1 and int(who[1], 16) & _CAP_NET_ADMIN:
            may.add("network")
        self._may = frozenset(may)

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes = b"",
        timeout_s: float = COMMAND_TIMEOUT_S,
        check: bool = True,
        sudo: bool = False,
    ) -> Completed:
        """Run a command there; one that runs out of time is killed there."""
        if any("\0" in word for word in argv):
            raise ValueError("a command's arguments cannot contain NUL")
        if sudo and "root" not in self._may:
            raise Unsupported(
                self.name, f"`{argv[0]}` needs root, and we are not", "use a command that is root"
            )
        async with self._tracked(argv) as command:
            return await spawn(self.name, command, tuple(argv), input, timeout_s, check)

    async def upload(self, local: str, remote: str, *, progress: Progress | None = None) -> None:
        """Copy a file there; it appears under its name only when its SHA-256 is right."""
        part = f"{remote}.{uuid.uuid4().hex[:8]}.new"
        mode = f"{stat.S_IMODE(os.stat(local).st_mode):o}"
        size, digest = await self._stream(["sh", "-c", 'cat > "$1"', "sh", part], local, progress)
        await self._same(part, size, digest)
        await self.run(["chmod", mode, "--", part])
        await self.run(["mv", "-f", "--", part, remote])

    async def download(self, remote: str, local: str, *, progress: Progress | None = None) -> None:
        """Copy a file here, as long as it is when its end is reached."""
        part = f"{local}.{uuid.uuid4().hex[:8]}.new"
        digest, done = hashlib.sha256(), 0
        try:
            async with self._tracked(["cat", "--", remote]) as command, _timed(self.name, remote):
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    start_new_session=True,
                    env=environment(),
                )
                assert process.stdout is not None
                assert process.stderr is not None
                with _ended(process), open(part, "wb") as target:
                    while chunk := await process.stdout.read(CHUNK):
                        digest.update(chunk)
                        target.write(chunk)
                        done += len(chunk)
                        if progress is not None:
                            progress(done, done)
                    said = (await process.stderr.read()).decode("utf-8", "replace").strip()
                    if await process.wait() != 0:
                        raise HostError(self.name, f"cannot read {remote}: {said}", "see it there")
            await self._same(remote, done, digest.hexdigest())
            os.replace(part, local)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)

    async def dial(self, port: int, *, timeout_s: float = DIAL_TIMEOUT_S) -> socket.socket:
        """Connect to the address, or by the dial command."""
        if self.options.get("dial_command"):
            way = piped(self._words(self.options["dial_command"], {"%p": str(port)}))
            way.setblocking(False)
            return way
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        return await connect(
            socket.socket(family, socket.SOCK_STREAM), (self.address, port), timeout_s
        )

    def spec(self) -> HostSpec:
        """This host as JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "directory": self.directory,
            "options": self.options,
        }

    def _words(self, words: Sequence[str], more: Mapping[str, str] | None = None) -> list[str]:
        stands_for = {"%n": self.name, "%a": self.address, "%%": "%", **(more or {})}
        return [filled_in(word, stands_for) for word in words]

    @contextlib.asynccontextmanager
    async def _tracked(self, argv: Sequence[str]) -> AsyncIterator[list[str]]:
        """The whole command; if the body does not end in good order, it is killed there."""
        word = secrets.token_hex(16)
        try:
            yield [*self._before, "env", f"MOMUS_COMMAND={word}", *argv]
        except BaseException:
            kill = [*self._before, "sh", "-c", _KILL, "momus-kill", word]
            with contextlib.suppress(HostError):
                await asyncio.shield(
                    spawn(self.name, kill, tuple(kill), b"", _KILL_TIMEOUT_S, False)
                )
            raise

    async def _stream(
        self, argv: Sequence[str], local: str, progress: Progress | None
    ) -> tuple[int, str]:
        """Run a command with a file as its input; how many bytes, and their SHA-256."""
        digest, done, size = hashlib.sha256(), 0, os.path.getsize(local)
        async with self._tracked(argv) as command, _timed(self.name, local):
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                env=environment(),
            )
            assert process.stdin is not None
            assert process.stderr is not None
            with _ended(process), open(local, "rb") as source:
                with contextlib.suppress(ConnectionError):  # told by the exit code
                    while chunk := source.read(CHUNK):
                        digest.update(chunk)
                        process.stdin.write(chunk)
                        await process.stdin.drain()
                        done += len(chunk)
                        if progress is not None:
                            progress(done, size)
                process.stdin.close()
                said = (await process.stderr.read()).decode("utf-8", "replace").strip()
                if await process.wait() != 0:
                    raise HostError(self.name, f"cannot write there: {said}", "see it there")
        return done, digest.hexdigest()

    async def _same(self, remote: str, size: int, digest: str) -> None:
        there = await self.run(["sh", "-c", DIGEST, "momus-digest", remote, str(size)])
        if there.text.split()[:1] != [digest]:
            raise HostError(
                self.name, f"{remote} arrived damaged (SHA-256 differs)", "copy it again"
            )


def _checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    strangers = options.keys() - _OPTIONS
    if strangers:
        raise ValueError(
            f"{name}: {min(strangers)!r} is not known here; there are {', '.join(sorted(_OPTIONS))}"
        )
    for key in ("command", "dial_command"):
        words = options.get(key, [])
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError(f"{name}: {key} is a list of strings")
    if not options.get("command"):
        raise ValueError(f'{name}: no command; write command = ["docker", "exec", "-i", "%n"]')
    try:
        ipaddress.ip_address(options.get("address", ""))
    except ValueError:
        raise ValueError(
            f"{name}: address is the IP address at which the other hosts reach it, "
            f"not {options.get('address')!r}"
        ) from None
    return dict(options)


@contextlib.asynccontextmanager
async def _timed(host: str, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_TRANSFER_TIMEOUT_S):
            yield
    except TimeoutError:
        raise HostError(
            host, f"copying {what} took more than {_TRANSFER_TIMEOUT_S:g} s", "see the way there"
        ) from None


@contextlib.contextmanager
def _ended(process: asyncio.subprocess.Process) -> Any:
    """The process does not outlive the body."""
    try:
        yield
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

"""One SSH connection, and the lanes on which commands run over it.

A *lane* is a remote ``sh`` that stays: it reads one command after the other from its
channel, and frames each answer with a random word that no output can guess.  Against a
new channel per command this saves the remote user's start-up files, which sshd's shell
reads every time (measured: 120 to 300 ms with a usual set of version managers in
``.bashrc``, 2 ms without), is deaf to whatever they print, and knows the pid of what it
runs: a command that ran out of time is killed with its whole process group.

Everything here blocks, and is meant to run in worker threads; every wait has a deadline.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import shlex
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

import paramiko

from cluster._host import Completed, HostError
from cluster._labfile import SshSettings
from cluster._login import log_in
from cluster._posix import SBIN, timed_out

_LANES_MAX: Final = 8
"""sshd allows 10 sessions per connection (MaxSessions); one is for file transfer."""
_INPUT_BYTES_MAX: Final = 1 << 20
_OUTPUT_BYTES_MAX: Final = 256 << 20
_CHUNK: Final = 1 << 16


class Link:
    """The connection to one host; made when first needed, and again after it broke.

    Invariant: a lane is either idle in `_idle` or lent to exactly one command; a lane
    whose command did not end in good order is closed, never lent again.
    """

    def __init__(self, settings: SshSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._client: paramiko.SSHClient | None = None
        self._idle: list[Lane] = []
        self._free = threading.BoundedSemaphore(_LANES_MAX)
        self._closed = False

    def run(
        self, argv: tuple[str, ...], input: bytes, timeout_s: float, cancelled: threading.Event
    ) -> Completed:
        """Run a command on a lane; an idle lane that turns out dead is replaced, once."""
        deadline = time.monotonic() + timeout_s
        if not self._free.acquire(timeout=timeout_s):
            raise timed_out(self.settings.name, argv, timeout_s)
        try:
            lane = self._lane(deadline)
            try:
                done = lane.run(argv, input, deadline, cancelled)
            except TimeoutError:
                self._kill(lane)
                raise timed_out(self.settings.name, argv, timeout_s) from None
            except (OSError, EOFError, paramiko.SSHException) as error:
                lane.close()
                raise self.broken(f"the connection broke during `{argv[0]}`", error) from error
            self._idle.append(lane)
            return done
        finally:
            self._free.release()

    @contextlib.contextmanager
    def sftp(self, timeout_s: float) -> Iterator[paramiko.SFTPClient]:
        """A file transfer session; each of its waits is bounded by `timeout_s`."""
        try:
            channel = self._transport().open_session(timeout=timeout_s)
            channel.settimeout(timeout_s)
            channel.invoke_subsystem("sftp")
            session = paramiko.SFTPClient(channel)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self.broken("no file transfer (sftp)", error) from error
        try:
            yield session
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self.broken("the file transfer failed", error) from error
        finally:
            session.close()

    def broken(self, what: str, error: BaseException) -> HostError:
        """The error to raise for trouble with this connection."""
        said = str(error) or type(error).__name__
        where = f"{self.settings.user}@{self.settings.address} port {self.settings.port}"
        return HostError(
            self.settings.name,
            f"{what}: {said}",
            f"try `ssh` to {where} by hand, with the same key",
        )

    def close(self) -> None:
        """Close the connection for good."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()
                self._client = None
            self._idle.clear()

    def _lane(self, deadline: float) -> Lane:
        while True:
            try:
                lane = self._idle.pop()
            except IndexError:
                return self._new_lane(deadline)
            if lane.usable:
                return lane
            lane.close()

    def _new_lane(self, deadline: float) -> Lane:
        transport = self._transport()
        left = max(deadline - time.monotonic(), 0.1)
        try:
            return Lane(transport.open_session(timeout=left), deadline)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self.broken("no session", error) from error

    def _kill(self, lane: Lane) -> None:
        """Kill what a lane still runs; as far as the host lets us."""
        lane.close()
        with contextlib.suppress(HostError, OSError, EOFError, TimeoutError, paramiko.SSHException):
            deadline = time.monotonic() + 5
            helper = self._new_lane(deadline)
            # The shell's own `kill`: that of procps takes `-10` for a signal.
            kill = ("sh", "-c", 'kill -s KILL -- "-$1"', "momus-kill", str(lane.pid))
            helper.run(kill, b"", deadline, threading.Event())
            self._idle.append(helper)

    def _transport(self) -> paramiko.Transport:
        with self._lock:
            if self._closed:
                raise HostError(self.settings.name, "it was closed", "make the host again")
            if self._client is not None:
                transport = self._client.get_transport()
                if transport is not None and transport.is_active():
                    return transport
                self._client.close()
                self._client = None
            self._client = log_in(self.settings)
            transport = self._client.get_transport()
            assert transport is not None
            return transport


class Lane:
    """A remote ``sh`` that runs one command at a time."""

    def __init__(self, channel: paramiko.Channel, deadline: float) -> None:
        self._channel = channel
        self._word = secrets.token_hex(16).encode()
        channel.exec_command("exec sh")
        hello = f"PATH=$PATH:{SBIN}; export PATH; printf '%s %s\\n' {self._word.decode()} $$\n"
        channel.settimeout(max(deadline - time.monotonic(), 0.1))
        channel.sendall(hello.encode())
        said = self._until_word(deadline)
        self.pid = int(said.split()[0])

    @property
    def usable(self) -> bool:
        """Is the shell still there, as far as we have heard?"""
        return not (self._channel.closed or self._channel.eof_received)

    def run(
        self, argv: tuple[str, ...], input: bytes, deadline: float, cancelled: threading.Event
    ) -> Completed:
        """Run a command; raises `TimeoutError`, `OSError`, `EOFError` or `SSHException`."""
        if len(input) > _INPUT_BYTES_MAX:
            raise ValueError(f"{len(input)} bytes of input; upload a file for more than 1 MiB")
        self._channel.settimeout(max(deadline - time.monotonic(), 0.1))
        self._channel.sendall(_line(argv, input, self._word.decode()))
        end = b"\n" + self._word
        out, err = bytearray(), bytearray()
        while True:
            code = _after(out, end)
            if code is not None and err.endswith(end):
                break
            if cancelled.is_set():
                raise TimeoutError
            self._receive(out, err, deadline)
            if len(out) + len(err) > _OUTPUT_BYTES_MAX:
                raise OSError(f"more than {_OUTPUT_BYTES_MAX} bytes of output")
        stdout = bytes(out[: out.rindex(end)])
        return Completed(argv, int(code), stdout, bytes(err[: -len(end)]))

    def close(self) -> None:
        """End the shell."""
        self._channel.close()

    def _receive(self, out: bytearray, err: bytearray, deadline: float) -> None:
        """Take in what has come, or wait a moment for it."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        ready, _, _ = select.select([self._channel], [], [], min(left, 0.5))
        if not ready:
            return
        got = False
        while self._channel.recv_ready():
            out += self._channel.recv(_CHUNK)
            got = True
        while self._channel.recv_stderr_ready():
            err += self._channel.recv_stderr(_CHUNK)
            got = True
        if not got and (self._channel.eof_received or self._channel.closed):
            raise EOFError("the remote shell ended")

    def _until_word(self, deadline: float) -> bytes:
        """What stands behind our word; all before it is what start-up files printed."""
        out, err = bytearray(), bytearray()
        while (rest := _after(out, self._word)) is None:
            self._receive(out, err, deadline)
        return rest


def _line(argv: Sequence[str], input: bytes, word: str) -> bytes:
    """One command for the lane; every argument is quoted, the rest is constant.

    The input is spelled in octal, for a NUL or a newline survives nothing else in a shell.
    """
    command = f"( exec {shlex.join(argv)} )"
    if input:
        octal = "".join(f"\\0{byte:03o}" for byte in input)
        command = f"printf %b '{octal}' | {command}"
    else:
        command += " </dev/null"
    return f"{command}; printf '\\n{word}%s\\n' $?; printf '\\n{word}' >&2\n".encode()


def _after(output: bytearray, word: bytes) -> bytes | None:
    """The rest of the line behind `word`, once that line is complete."""
    at = output.rfind(word, max(0, len(output) - len(word) - 64))
    if at < 0 or not output.endswith(b"\n"):
        return None
    return bytes(output[at + len(word) :]).strip()

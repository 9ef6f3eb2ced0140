"""Lanes, on which commands run over an SSH connection.

A *lane* is a remote ``sh`` that stays: it reads one command after the other from its
channel, and frames each answer with a random word that no output can guess.  Against a
new channel per command this saves the remote user's start-up files, which sshd's shell
reads every time (measured: 120 to 300 ms with a usual set of version managers in
``.bashrc``, 2 ms without), is deaf to whatever they print, and knows the pid of what it
runs: a command that ran out of time is killed with its whole process group.

Everything here blocks, and is meant to run in worker threads; every wait has a deadline.
"""

from __future__ import annotations

import secrets
import shlex
import threading
import time
from collections.abc import Sequence
from typing import Final

import paramiko

from cluster._host import OUTPUT_BYTES_MAX, Completed
from cluster._posix import SBIN

_INPUT_BYTES_MAX: Final = 1 << 20
_CHUNK: Final = 1 << 16
_LOOK_EVERY_S: Final = 0.5
"""How soon a cancellation is noticed."""


class _Arrival:
    """Something has come since we last looked: told by paramiko's buffers, taken back by us alone.

    Paramiko's own descriptor (`Channel.fileno`) is set by its thread and cleared by ours without
    a lock.  What came on one stream just as we had emptied the other stayed unannounced then: with
    threads switched every 10 us, so did the ends of 92 of 25,519 commands with output on both.
    """

    def __init__(self) -> None:
        self._come = threading.Event()
        self.set = self._come.set

    def clear(self) -> None:
        """A buffer is empty; that says nothing of the other one."""

    def wait(self, timeout_s: float) -> None:
        """Until something has come; from here on whatever comes is something new."""
        self._come.wait(timeout_s)
        self._come.clear()


class Lane:
    """A remote ``sh`` that runs one command at a time."""

    def __init__(self, channel: paramiko.Channel, deadline: float) -> None:
        self._channel = channel
        self._word = secrets.token_hex(16).encode()
        self._arrival = _Arrival()
        channel.in_buffer.set_event(self._arrival)  # type: ignore[arg-type]
        channel.in_stderr_buffer.set_event(self._arrival)  # type: ignore[arg-type]
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
            if len(out) + len(err) > OUTPUT_BYTES_MAX:
                raise OSError(f"more than {OUTPUT_BYTES_MAX} bytes of output")
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
        self._arrival.wait(min(left, _LOOK_EVERY_S))
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

"""What a lane's shell answers is taken in, in whatever moments it comes."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue

import paramiko
import pytest

from cluster._lane import Lane

WORD = re.compile(rb"[0-9a-f]{32}")
COMMANDS = 3000


class Answering(paramiko.Channel):
    """A channel of paramiko to nowhere: answers are fed by a thread, as a connection's are.

    Its descriptor never becomes readable.  Paramiko's may stay so for a while, though something
    has come, since one thread sets it for both streams while another one clears it.
    """

    def __init__(self) -> None:
        super().__init__(0)
        self.ends = os.pipe()
        self.lines: SimpleQueue[bytes] = SimpleQueue()
        self.thread = threading.Thread(target=self.answer)
        self.thread.start()

    def fileno(self) -> int:
        return self.ends[0]

    def exec_command(self, command: object) -> None: ...

    def sendall(self, s: bytes | bytearray) -> None:
        self.lines.put(bytes(s))

    def answer(self) -> None:
        while line := self.lines.get():
            found = WORD.search(line)
            assert found is not None
            if line.startswith(b"PATH="):
                self.in_buffer.feed(found[0] + b" 77\n")
            elif b"exit" in line:
                self._handle_eof(paramiko.Message())  # type: ignore[attr-defined]
            else:
                self.in_buffer.feed(b"hello")
                self.in_stderr_buffer.feed(b"\n")
                self.in_buffer.feed(b"\n" + found[0] + b"0\n")
                self.in_stderr_buffer.feed(found[0])


@pytest.fixture
def channel() -> Iterator[Answering]:
    made, usual = Answering(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads meet in awkward moments
    yield made
    sys.setswitchinterval(usual)
    made.lines.put(b"")
    made.thread.join()
    for end in made.ends:
        os.close(end)


def soon() -> float:
    return time.monotonic() + 10


def test_no_answer_is_missed_though_both_streams_have_some(channel: Answering) -> None:
    lane = Lane(channel, soon())
    assert lane.pid == 77
    for _ in range(COMMANDS):
        done = lane.run(("echo", "hello"), b"", soon(), threading.Event())
        assert (done.code, done.stdout, done.stderr) == (0, b"hello", b"")


def test_a_shell_that_ends_is_an_error_at_once(channel: Answering) -> None:
    lane = Lane(channel, soon())
    with pytest.raises(EOFError, match="the remote shell ended"):
        lane.run(("exit",), b"", soon(), threading.Event())
    assert not lane.usable

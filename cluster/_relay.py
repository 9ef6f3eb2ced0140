"""A channel of an SSH connection as an ordinary socket.

Clients of the system under test want sockets, which an event loop can wait for; behind a jump
host there are only channels.  So one end of a socket pair is given out, and two threads carry
bytes between the other end and the channel, one for each direction, since a full direction
must not block the other.  They end when either side does.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

import paramiko

_CHUNK: Final = 1 << 16


def relayed(channel: paramiko.Channel) -> socket.socket:
    """The channel as a socket; closing the socket closes the channel."""
    given, ours = socket.socketpair()
    for carry in (_towards_channel, _from_channel):
        threading.Thread(target=carry, args=(ours, channel), daemon=True, name="ssh-relay").start()
    return given


def _towards_channel(ours: socket.socket, channel: paramiko.Channel) -> None:
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while data := ours.recv(_CHUNK):
            channel.sendall(data)
    # Whoever closed the socket wants no answer any more.
    channel.close()


def _from_channel(ours: socket.socket, channel: paramiko.Channel) -> None:
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while data := channel.recv(_CHUNK):
            ours.sendall(data)
    # Wakes the other thread, which may be the last to use the socket; the collector closes it.
    with contextlib.suppress(OSError):
        ours.shutdown(socket.SHUT_RDWR)

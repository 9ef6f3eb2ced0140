"""Messages on a TCP connection: each with its length before it, the first one is a greeting.

Whoever connects greets with its name.  What does not begin like one of us, or claims to be
longer than any message may be, is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Final

MESSAGE_BYTES_MAX: Final = 64 << 20
UNACKNOWLEDGED_MS_MAX: Final = 1000
"""After this long without an acknowledgement a connection is given up, as one would never
know of a partition else; and TCP's own patience grows to minutes."""

_LENGTH: Final = struct.Struct(">I")
_GREETING: Final = b"momus world 1 "


def framed(message: bytes) -> bytes:
    """The message as it travels; ValueError if it is too long."""
    if len(message) > MESSAGE_BYTES_MAX:
        raise ValueError(f"a message of {len(message)} bytes; at most {MESSAGE_BYTES_MAX} may be")
    return _LENGTH.pack(len(message)) + message


def greeting(name: str) -> bytes:
    """The first message of whoever connects."""
    return framed(_GREETING + name.encode())


def greeted(message: bytes) -> str | None:
    """The name in a greeting, None if it is none."""
    if not message.startswith(_GREETING):
        return None
    try:
        return message[len(_GREETING) :].decode()
    except UnicodeDecodeError:
        return None


class Frames:
    """Takes bytes as they come and gives whole messages; ValueError for one that is too long."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now, in order."""
        held = self._held
        held += data
        found: list[bytes] = []
        at = 0
        while len(held) - at >= _LENGTH.size:
            [length] = _LENGTH.unpack_from(held, at)
            if length > MESSAGE_BYTES_MAX:
                raise ValueError(f"a message of {length} bytes is announced")
            end = at + _LENGTH.size + length
            if len(held) < end:
                break
            found.append(bytes(held[at + _LENGTH.size : end]))
            at = end
        if at:
            del held[:at]
        return found


class Wire(asyncio.Protocol):
    """One connection: whole messages in, whole messages out.

    `on_message` is called for each, `on_open` and `on_close` once.  It is `clogged` while the
    other side takes nothing.
    """

    def __init__(
        self,
        on_message: Callable[[Wire, bytes], object],
        on_open: Callable[[Wire], object],
        on_close: Callable[[Wire], object],
    ) -> None:
        self._on_message = on_message
        self._on_open = on_open
        self._on_close = on_close
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self.clogged = False
        self.on_flow: Callable[[], object] | None = None
        self.peer: str | None = None

    @property
    def open(self) -> bool:
        """May something be written?"""
        return self._transport is not None and not self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Write what is framed already, if the connection is open."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def cut(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        patient(transport.get_extra_info("socket"))
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._frames.feed(data)
        except ValueError:
            self.cut()
            return
        for message in messages:
            self._on_message(self, message)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._on_close(self)

    def pause_writing(self) -> None:
        self.clogged = True

    def resume_writing(self) -> None:
        self.clogged = False
        if self.on_flow is not None:
            self.on_flow()


def patient(sock: socket.socket | None) -> None:
    """No waiting to fill packets, and an end to a connection that nobody answers on."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS_MAX)

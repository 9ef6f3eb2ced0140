"""One HTTP/1.1 connection, used by one client, one request at a time.

A test client must know exactly how far a request came, since its honesty depends on it:
`NotSent` says that not one byte of the request left (the operation certainly did not
happen), any other exception that some may have (nobody knows).  General HTTP libraries
pool connections and retry by themselves, and blur just that.  Besides, the sockets come
from `Host.dial`, which may have made them in another network namespace.

There is no pipelining, no redirect and no compression.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

_HEAD_BYTES_MAX: Final = 64 * 1024
_BODY_BYTES_MAX: Final = 256 * 1024 * 1024


class NotSent(ConnectionError):
    """The request was not sent: it certainly had no effect."""


class BadResponse(ConnectionError):
    """What came back is no HTTP response."""


@dataclass(frozen=True)
class Response:
    """Status and body."""

    status: int
    body: bytes


class Connection:
    """Keeps at most one connection open, and makes a new one when it was lost.

    Invariant: between requests the stream stands at the beginning of a response.  Every
    request that ends otherwise than by a whole response closes the stream, so that a late
    answer is never taken for that of the next request.  `dial` and `authority` are where to.
    """

    def __init__(self, dial: Callable[[], Awaitable[socket.socket]], authority: str) -> None:
        self.dial = dial
        self.authority = authority
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes, *, timeout_s: float) -> Response:
        """POST a JSON body; raises `NotSent`, `TimeoutError`, or another `OSError`."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self.authority}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return await self._request(head.encode("ascii") + body, timeout_s)

    async def get(self, path: str, *, timeout_s: float, body: bytes = b"") -> Response:
        """GET, perhaps with a JSON body, which some servers want; raises as `post` does."""
        return await self._bare("GET", path, timeout_s, body)

    async def delete(self, path: str, *, timeout_s: float) -> Response:
        """DELETE; raises as `post` does."""
        return await self._bare("DELETE", path, timeout_s)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._stream is not None:
            writer = self._stream[1]
            self._stream = None
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()

    async def _bare(self, method: str, path: str, timeout_s: float, body: bytes = b"") -> Response:
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.authority}\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n" if body else "\r\n"
        return await self._request(head.encode("ascii") + body, timeout_s)

    async def _request(self, message: bytes, timeout_s: float) -> Response:
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                reader, writer = await self._connected()
        except OSError as error:  # a time-out is one, too
            raise NotSent(f"not connected: {error or type(error).__name__}") from error
        whole = False
        try:
            async with asyncio.timeout_at(deadline):
                writer.write(message)
                response, whole = await _read_response(reader)
                return response
        finally:
            if not whole:
                self._abandon()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._stream is not None:
            reader = self._stream[0]
            # The server may have closed an idle connection: no request was lost with it.
            if not reader.at_eof() and reader.exception() is None:
                return self._stream
            self._abandon()
        sock = await self.dial()
        try:
            self._stream = await asyncio.open_connection(sock=sock, limit=_HEAD_BYTES_MAX)
        except BaseException:
            sock.close()
            raise
        return self._stream

    def _abandon(self) -> None:
        if self._stream is not None:
            self._stream[1].transport.abort()
            self._stream = None


async def _read_response(reader: asyncio.StreamReader) -> tuple[Response, bool]:
    """The response, and whether the connection may be used again."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the server closed the connection unanswered") from error
    except asyncio.LimitOverrunError as error:
        raise BadResponse(f"a response head of more than {_HEAD_BYTES_MAX} bytes") from error
    status_line, *lines = head[:-4].split(b"\r\n")
    parts = status_line.split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
        raise BadResponse(f"no HTTP response: {status_line[:100]!r}")
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip()
    keep = headers.get(b"connection", b"").lower() != b"close" and parts[0] == b"HTTP/1.1"
    if parts[1] == b"204":  # by its nature without a body, and without a word about it
        return Response(204, b""), keep
    try:
        body, ended = await _read_body(reader, headers)
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the server closed the connection amid its answer") from error
    except (ValueError, asyncio.LimitOverrunError) as error:
        raise BadResponse(f"a broken HTTP body: {error}") from error
    return Response(int(parts[1]), body), keep and not ended


async def _read_body(
    reader: asyncio.StreamReader, headers: dict[bytes, bytes]
) -> tuple[bytes, bool]:
    """The body, and whether the connection ended with it."""
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        chunks: list[bytes] = []
        total = 0
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            total = _bounded(total + size)
            chunks.append((await reader.readexactly(size + 2))[:-2])
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers
        return b"".join(chunks), False
    if b"content-length" in headers:
        return await reader.readexactly(_bounded(int(headers[b"content-length"]))), False
    body = await reader.read(_BODY_BYTES_MAX)
    return body, True


def _bounded(size: int) -> int:
    if not 0 <= size <= _BODY_BYTES_MAX:
        raise ValueError(f"{size} bytes are more than the {_BODY_BYTES_MAX} allowed")
    return size

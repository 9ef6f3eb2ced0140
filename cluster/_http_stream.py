"""One HTTP/1.1 request whose answer is a stream of lines that ends when somebody has enough."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from cluster._http import BadResponse, Connection, NotSent

_LINE_BYTES_MAX: Final = 16 * 1024 * 1024


@contextlib.asynccontextmanager
async def lines_of(
    where: Connection, path: str, body: bytes, *, timeout_s: float
) -> AsyncIterator[AsyncIterator[bytes]]:
    """POST a JSON body; the lines of the answer as they come, without their ends.

    A connection of its own is made to where `where` leads.
    `timeout_s` is for the connection and the head of the answer.  Raises `NotSent` if not one
    byte was sent, else another `OSError`; whoever takes a line waits as long as he likes.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    try:
        async with asyncio.timeout_at(deadline):
            sock = await where.dial()
    except OSError as error:
        raise NotSent(f"not connected: {error or type(error).__name__}") from error
    try:
        reader, writer = await asyncio.open_connection(sock=sock, limit=_LINE_BYTES_MAX)
    except BaseException:
        sock.close()
        raise
    try:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {where.authority}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode("ascii") + body)
        async with asyncio.timeout_at(deadline):
            status = await _head(reader)
        if status != 200:
            raise BadResponse(f"HTTP {status} to {path}")
        yield _lines(reader)
    finally:
        writer.transport.abort()


async def _head(reader: asyncio.StreamReader) -> int:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the server closed the connection unanswered") from error
    parts = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
        raise BadResponse(f"no HTTP response: {head[:100]!r}")
    if b"chunked" not in head.lower():
        raise BadResponse(f"no stream: {head[:100]!r}")
    return int(parts[1])


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    rest = b""
    try:
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            rest += (await reader.readexactly(size + 2))[:-2]
            *whole, rest = rest.split(b"\n")
            for line in whole:
                if line:
                    yield line
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the server closed the connection amid its answer") from error
    except (ValueError, asyncio.LimitOverrunError) as error:
        raise BadResponse(f"a broken stream: {error}") from error

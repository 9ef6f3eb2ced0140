"""As much of an HTTP/1.1 server as a JSON API for programs needs, every size bounded."""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

HEAD_BYTES_MAX: Final = 16 * 1024
BODY_BYTES_MAX: Final = 1024 * 1024
READ_TIMEOUT_S: Final = 10.0
IDLE_TIMEOUT_S: Final = 300.0
ANSWER_TIMEOUT_S: Final = 25.0
CLIENTS_MAX: Final = 256


class Refused(Exception):
    """The request is answered by an error; `status` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Request:
    """A request whose body has been read."""

    method: str
    path: str
    agent: str
    body: bytes

    def json(self) -> Any:
        """The body as JSON, whatever its content type says; raises `Refused`."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Refused(f"bad request body: {error}", 400) from error


Answer: TypeAlias = tuple[int, Any]
"""A status and a body: JSON, plain text if it is a string, or None for none."""
Answerer: TypeAlias = Callable[[Request], Awaitable[Answer]]


class Server:
    """Serves `answer` to any number of clients up to `CLIENTS_MAX`."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self._clients = 0

    async def start(self, host: str, port: int) -> asyncio.Server:
        """Listen; raises `OSError`."""
        return await asyncio.start_server(self._serve, host, port, limit=HEAD_BYTES_MAX)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients <= CLIENTS_MAX:
                await self._converse(reader, writer)
        except (OSError, EOFError, ValueError):
            pass  # the client went, or speaks no HTTP; TimeoutError is an OSError
        finally:
            self._clients -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep = True
        while keep:
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                head = await _head(reader)
            if head is None:
                return
            async with asyncio.timeout(READ_TIMEOUT_S):
                request, keep = await _request(head, reader)
            status, body = await self._answered(request)
            writer.write(_response(status, body, keep))
            await writer.drain()

    async def _answered(self, request: Request) -> Answer:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await self._answer(request)
        except Refused as error:
            return error.status, {"error": str(error), "status": error.status}
        except OSError as error:  # most often a port that is taken
            said = str(error) or type(error).__name__
            return 500, {"error": said, "status": 500}


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    except asyncio.LimitOverrunError as error:
        raise ValueError(f"a request head of more than {HEAD_BYTES_MAX} bytes") from error


async def _request(head: bytes, reader: asyncio.StreamReader) -> tuple[Request, bool]:
    """The request, and whether its connection is to be kept."""
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, path, version = first.split(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunked(reader)
    else:
        body = await reader.readexactly(_bounded(int(headers.get("content-length", "0"))))
    keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    return Request(method, path, headers.get("user-agent", ""), body), keep


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        _bounded(len(body) + size)
        body += (await reader.readexactly(size + 2))[:-2]
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return body


def _bounded(size: int) -> int:
    if not 0 <= size <= BODY_BYTES_MAX:
        raise ValueError(f"a request of {size} bytes; {BODY_BYTES_MAX} are allowed")
    return size


def _response(status: int, body: Any, keep: bool) -> bytes:
    kind, data = "application/json", b""
    if isinstance(body, str):
        kind, data = "text/plain;charset=utf-8", body.encode()
    elif body is not None:
        data = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}"]
    if status != http.HTTPStatus.NO_CONTENT:
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
    lines += [] if keep else ["Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data

"""The admin surface of a real node: a few questions over HTTP, answered in JSON.

`GET /admin/...` is answered by what the program serves, and `POST /admin/...` is an order to it.
Of the process itself `/admin/process` tells how long it has lived and which crash points it has
passed, `/admin/told` what it told last, and `/admin/told/40` all but the first 40 things.
`POST /admin/crash-at {"point": ..., "nth": 1}` arms a crash point.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Final

from simulation.real._world import RealWorld

if TYPE_CHECKING:
    from histories import Json

_HEAD_BYTES_MAX: Final = 16 * 1024
_BODY_BYTES_MAX: Final = 1 << 20
_REQUEST_TIMEOUT_S: Final = 60.0
_TOLD: Final = "/admin/told/"
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
}


class AdminSurface:
    """Answers for one node."""

    def __init__(self, world: RealWorld) -> None:
        self._world = world
        self._began = time.monotonic()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen at this address; `OSError` if that is not possible."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_HEAD_BYTES_MAX)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            keep = True
            while keep:
                async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    method, path, length, keep = _understood(head)
                    body = await reader.readexactly(length)
                status, said = self._answered(method, path, body)
                writer.write(_response(status, said))
                await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass  # it has gone, or said nothing for long
        except ValueError as error:
            writer.write(_response(400, {"error": str(error)}))
        finally:
            writer.close()

    def _answered(self, method: str, path: str, body: bytes) -> tuple[int, Json]:
        world = self._world
        if method == "POST" and path == "/admin/crash-at":
            try:
                said = json.loads(body)
                world.arm(str(said["point"]), int(said.get("nth", 1)))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                return 400, {"error": f"no crash point: {error}"}
            return 200, {"armed": said["point"]}
        if method == "POST":
            return self._ordered(path, body)
        if method != "GET":
            return 405, {"error": f"{method} is not known here"}
        if path == "/admin/process":
            reached: dict[str, Json] = {**world.reached}
            lived_s = time.monotonic() - self._began
            said = {"node": world.name, "lived_s": lived_s, "wall": world.clock.wall()}
            return 200, {**said, "reached": reached}
        if path == "/admin/told":
            return 200, list(world.told)
        if path.startswith(_TOLD) and path.removeprefix(_TOLD).isdecimal():
            told = world.told_since(int(path.removeprefix(_TOLD)))
            if told is None:
                return 410, {"error": "it does not remember all of that; see its file"}
            return 200, {"count": world.told_count, "told": list(told)}
        try:
            return 200, world.answer(path)
        except LookupError:
            return 404, {"error": f"nothing is known of {path}"}

    def _ordered(self, path: str, body: bytes) -> tuple[int, Json]:
        try:
            order = json.loads(body)
        except ValueError as error:
            return 400, {"error": f"an order is JSON: {error}"}
        if not isinstance(order, dict):
            return 400, {"error": "an order is a JSON object"}
        try:
            said = self._world.obey(path, order)
        except LookupError:
            return 404, {"error": f"there is no order {path}"}
        return 409 if isinstance(said, dict) and "error" in said else 200, said


def _understood(head: bytes) -> tuple[str, str, int, bool]:
    """Method, path, length of the body, and whether the connection goes on; or ValueError."""
    line, *fields = head[:-4].decode("latin-1").split("\r\n")
    parts = line.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise ValueError(f"no HTTP request: {line[:100]!r}")
    headers = {}
    for field in fields:
        name, _, value = field.partition(":")
        headers[name.strip().lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= _BODY_BYTES_MAX:
        raise ValueError(f"a body of {length} bytes")
    keep = parts[2] == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    return parts[0], parts[1], length, keep


def _response(status: int, said: Json) -> bytes:
    body = json.dumps(said).encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body

"""Clients that write to etcd and watch what is written.

A watch is one stream that goes on for a while; the next one of the same client goes on behind
the last event that it was told.  A stream that breaks tells what it told until then.
"""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from typing import Any, Final, Self

import msgspec

from cluster._etcd_client import (
    Connect,
    EtcdClient,
    NothingDone,
    Reads,
    base64_of,
    covering,
    decoded,
    json_of,
)
from cluster._http import BadResponse
from cluster._http_stream import lines_of
from histories import Json, Op

WATCH_S: Final = 0.3
"""How long a watch looks."""
_PREFIX: Final = b"w/"


class EtcdWatch(EtcdClient):
    """`write` a key, told as ``[revision, value]``; `watch` all keys; `final-watch` all of them.

    A ``watch`` begins with what is written from now on, or behind the client's last one, and
    ends after `WATCH_S`.  A ``final-watch`` begins with the first revision of all, or behind the
    last one, and ends when it was told the newest write that there is; it fails if that does not
    come in time.
    """

    reading = frozenset({"watch", "final-watch"})

    def __init__(self, connect: Connect, reads: Reads, timeout_s: float) -> None:
        super().__init__(connect, reads, timeout_s)
        self._node = ""
        self._next: int | None = None

    async def open(self, node: str) -> Self:
        """As every client; a watch has a connection of its own."""
        client = await super().open(node)
        client._node = node
        return client

    async def _answer(self, op: Op) -> Op:
        match op.f:
            case "write":
                key = base64_of(_PREFIX + json_of(op.key))
                put = {"key": key, "value": base64_of(json_of(op.value))}
                answer = await self._call("kv/put", put)
                return op.ok([int(answer["header"]["revision"]), op.value])
            case "watch":
                return op.ok(self._told(*await self._watched(self._next, None, WATCH_S)))
            case "final-watch":
                newest = await self._newest()
                begin = 1 if self._next is None else self._next
                events: list[list[Json]] = []
                if newest >= begin:
                    _, events = await self._watched(begin, newest, self._timeout_s)
                    if not events or events[-1][0] < newest:
                        raise NothingDone(f"revision {newest} was not told in time")
                return op.ok(self._told(begin, events))
        raise ValueError(f"an etcd watch has no operation {op.f!r}; use write, watch, final-watch")

    def _told(self, begin: int | None, events: list[list[Json]]) -> Json:
        if events:
            self._next = int(events[-1][0]) + 1
        elif begin is not None:
            self._next = begin
        return {"from": begin, "events": events}

    async def _newest(self) -> int:
        """The revision of the newest write."""
        newest = {"limit": 1, "sort_order": "DESCEND", "sort_target": "MOD"}
        found = await self._looked({**covering(_PREFIX), **newest})
        return int(found[0]["mod_revision"]) if found else 0

    async def _watched(
        self, begin: int | None, until: int | None, seconds: float
    ) -> tuple[int | None, list[list[Any]]]:
        """From which revision on, and the events, up to the revision `until` or so long."""
        create = {**covering(_PREFIX), "start_revision": str(begin or 0)}
        body = msgspec.json.encode({"create_request": create})
        events: list[list[Any]] = []
        where = self._connect(self._node)
        async with lines_of(where, "/v3/watch", body, timeout_s=self._timeout_s) as lines:
            # What was told counts, however the stream ends.
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(seconds):
                    async for line in lines:
                        told = _result(line)
                        if told.get("created") and begin is None:
                            begin = int(told["header"]["revision"]) + 1
                        events += [_event(event) for event in told.get("events", ())]
                        if until is not None and events and events[-1][0] >= until:
                            break
        return begin, events


def _result(line: bytes) -> dict[str, Any]:
    message = msgspec.json.decode(line)
    result = message.get("result") if isinstance(message, dict) else None
    if not isinstance(result, dict) or result.get("canceled"):
        raise BadResponse(f"the watch was cancelled: {line[:200]!r}")
    return result


def _event(event: dict[str, Any]) -> list[Any]:
    kv = event["kv"]
    key = msgspec.json.decode(base64.b64decode(kv["key"])[len(_PREFIX) :])
    value = None if event.get("type") == "DELETE" else decoded(kv["value"])
    return [int(kv["mod_revision"]), key, value]

"""Clients of etcd that look, and then change in one transaction what has not changed since.

Such a change is tried again as long as others are faster and there is time.  A transaction
whose conditions did not hold certainly changed nothing; so an operation is in doubt (``info``)
only if the answer to a transaction itself did not come.
"""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from cluster._etcd_client import (
    Connect,
    EtcdApiError,
    EtcdClient,
    NothingDone,
    Reads,
    base64_of,
    covering,
    decoded,
    json_of,
)
from cluster._http import NotSent
from histories import Json, Op

Found = list[dict[str, Any]]


class Transacting(EtcdClient):
    """What these clients share: the tries."""

    async def _tries(self) -> AsyncIterator[int]:
        """Numbers from 0 while there is time; then `NothingDone`, for no try succeeded."""
        until = time.monotonic() + self._timeout_s
        number = 0
        while time.monotonic() < until:
            yield number
            number += 1
        raise NothingDone(f"others were faster {number} times")

    async def _changed(self, compare: Found, puts: Mapping[bytes, Json]) -> dict[str, Any] | None:
        """The answer if all `puts` were made, None if a condition did not hold."""
        success = [
            {"request_put": {"key": base64_of(key), "value": base64_of(json_of(value))}}
            for key, value in puts.items()
        ]
        answer = await self._call("kv/txn", {"compare": compare, "success": success})
        return answer if answer.get("succeeded") else None


class EtcdIds(EtcdClient):
    """Unique ids: `generate` answers the revision of a put."""

    async def _answer(self, op: Op) -> Op:
        if op.f != "generate":
            raise ValueError(f"an etcd id has no operation {op.f!r}; use generate")
        answer = await self._call("kv/put", {"key": base64_of(b"ids"), "value": ""})
        return op.ok(int(answer["header"]["revision"]))


class EtcdCounter(Transacting):
    """A counter, under the operation's key: `add` an integer, `read` the sum."""

    async def _answer(self, op: Op) -> Op:
        name = b"c/" + json_of(op.key)
        key = base64_of(name)
        match op.f:
            case "read":
                return op.ok(_number(await self._range({"key": key})))
            case "add":
                async for _ in self._tries():
                    found = await self._looked({"key": key})
                    total = _number(found) + op.value
                    if await self._changed([_unchanged(key, found)], {name: total}):
                        return op.ok(op.value)
        raise ValueError(f"an etcd counter has no operation {op.f!r}; use add, read")


class EtcdBank(Transacting):
    """Accounts that have what `accounts` says at first: `transfer` between them, `read` all.

    A transfer for which there is not enough money answers false.
    """

    def __init__(
        self,
        connect: Connect,
        reads: Reads,
        timeout_s: float,
        accounts: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(connect, reads, timeout_s)
        self._accounts = dict(accounts or {})

    async def open(self, node: str) -> Self:
        """As every client, with the same accounts."""
        client = await super().open(node)
        client._accounts = self._accounts
        return client

    async def setup(self) -> None:
        """Open all accounts at once, unless they are there; a spare node may not be able to."""
        puts = {_account(name): balance for name, balance in self._accounts.items()}
        if not puts:
            return
        try:
            await self._changed([_unchanged(base64_of(key), []) for key in puts], puts)
        except NotSent:
            return
        except EtcdApiError as error:
            if not error.definite:
                raise

    async def _answer(self, op: Op) -> Op:
        match op.f:
            case "read":
                found = await self._range(covering(b"b/"))
                names = [base64.b64decode(kv["key"])[2:].decode() for kv in found]
                balances = [decoded(kv["value"]) for kv in found]
                return op.ok(dict(zip(names, balances, strict=True)))
            case "transfer":
                return await self._transfer(op)
        raise ValueError(f"an etcd bank has no operation {op.f!r}; use transfer, read")

    async def _transfer(self, op: Op) -> Op:
        giver, taker = _account(op.value["from"]), _account(op.value["to"])
        amount = op.value["amount"]
        async for _ in self._tries():
            # One range shows both accounts at one moment.
            held = {base64.b64decode(kv["key"]): kv for kv in await self._looked(covering(b"b/"))}
            if giver not in held or taker not in held:
                raise NothingDone("there is no such account")
            has = _number([held[giver]])
            if has < amount:
                return op.ok(False)
            puts = {giver: has - amount, taker: _number([held[taker]]) + amount}
            compare = [_unchanged(base64_of(key), [held[key]]) for key in puts]
            if await self._changed(compare, puts):
                return op.ok(op.value)
        raise AssertionError


class EtcdLog(Transacting):
    """Logs, one under each key: `append` answers the offset, `poll` what came since the last one.

    A record is an etcd key that ends with its offset.
    """

    def __init__(self, connect: Connect, reads: Reads, timeout_s: float) -> None:
        super().__init__(connect, reads, timeout_s)
        self._next: dict[bytes, int] = {}

    reading = frozenset({"poll"})

    async def _answer(self, op: Op) -> Op:
        prefix = b"l/" + json_of(op.key) + b"/"
        match op.f:
            case "append":
                return await self._append(op, prefix)
            case "poll":
                begin = self._next.get(prefix, 0)
                request = {**covering(prefix), "key": base64_of(_record(prefix, begin))}
                records = [_told(prefix, kv) for kv in await self._range(request)]
                if records:
                    self._next[prefix] = records[-1][0] + 1
                return op.ok(records)
        raise ValueError(f"an etcd log has no operation {op.f!r}; use append, poll")

    async def _append(self, op: Op, prefix: bytes) -> Op:
        newest = {"limit": 1, "sort_order": "DESCEND", "sort_target": "KEY"}
        async for _ in self._tries():
            last = await self._looked({**covering(prefix), **newest})
            offset = _told(prefix, last[0])[0] + 1 if last else 0
            key = _record(prefix, offset)
            if await self._changed([_unchanged(base64_of(key), [])], {key: op.value}):
                return op.ok([offset, op.value])
        raise AssertionError


def _number(found: Found) -> int:
    """The number in a key, 0 if it is not there."""
    value = decoded(found[0]["value"]) if found else 0
    if type(value) is not int:
        raise ValueError(f"an integer should be here, not {value!r}")
    return value


def _unchanged(key: str, found: Found) -> dict[str, Any]:
    """The condition that a key is as it was found, or not there."""
    revision = found[0]["mod_revision"] if found else "0"
    return {"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": revision}


def _account(name: str) -> bytes:
    return b"b/" + name.encode()


def _record(prefix: bytes, offset: int) -> bytes:
    return prefix + b"%016d" % offset


def _told(prefix: bytes, kv: dict[str, Any]) -> list[Any]:
    offset = int(base64.b64decode(kv["key"])[len(prefix) :])
    return [offset, decoded(kv["value"])]

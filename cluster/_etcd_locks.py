"""Clients of etcd's locks: a key that is there as long as a lease lives.

Whoever wants a lock asks for a lease, and then creates the lock's key with it, if nobody has.
So the lock is the client's from then on, until it revokes the lease or the lease runs out, no
earlier than `LEASE_S` seconds after the acquire began: a client that is lost does not keep the
lock for ever, and one that sleeps for longer than that has lost it.
"""

from __future__ import annotations

import contextlib
from typing import Final

from cluster._etcd_client import (
    Connect,
    EtcdApiError,
    EtcdClient,
    NothingDone,
    Reads,
    base64_of,
    json_of,
)
from cluster._http import NotSent
from histories import Op

LEASE_S: Final = 5
_NOT_FOUND: Final = 5


class EtcdLock(EtcdClient):
    """Locks: `acquire` and `release` the lock of the operation's key.

    An acquire of what somebody else holds is a ``fail``, and so is a release of what this
    client does not hold.
    """

    def __init__(self, connect: Connect, reads: Reads, timeout_s: float) -> None:
        super().__init__(connect, reads, timeout_s)
        self._leases: dict[str, str] = {}

    async def _answer(self, op: Op) -> Op:
        key = base64_of(b"k/" + json_of(op.key))
        match op.f:
            case "acquire":
                return await self._acquire(op, key)
            case "release":
                return await self._release(op, key)
        raise ValueError(f"an etcd lock has no operation {op.f!r}; use acquire, release")

    async def _acquire(self, op: Op, key: str) -> Op:
        if await self._looked({"key": key, "keys_only": True}):
            raise NothingDone("somebody holds it")
        try:
            lease = (await self._call("lease/grant", {"TTL": LEASE_S}))["ID"]
        except (OSError, EtcdApiError) as error:
            raise NothingDone(f"asking for a lease: {error or type(error).__name__}") from error
        free = {"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0"}
        put = {"request_put": {"key": key, "value": "", "lease": lease}}
        answer = await self._call("kv/txn", {"compare": [free], "success": [put]})
        if answer.get("succeeded"):
            self._leases[key] = lease
            return op.ok(op.value)
        with contextlib.suppress(OSError, EtcdApiError):  # else it runs out by itself
            await self._call("lease/revoke", {"ID": lease})
        raise NothingDone("somebody was faster")

    async def _release(self, op: Op, key: str) -> Op:
        lease = self._leases.get(key)
        if lease is None:
            raise NothingDone("this client does not hold it")
        self._leases.pop(key)
        try:
            await self._call("lease/revoke", {"ID": lease})
        except NotSent:
            self._leases[key] = lease
            raise
        except EtcdApiError as error:
            if error.definite:
                self._leases[key] = lease
            if error.code != _NOT_FOUND:
                raise
            return op.ok("the lease had run out")
        return op.ok(op.value)

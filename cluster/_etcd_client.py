"""Clients of etcd's JSON gateway, honest about what they know.

How an operation ends:

- not one byte was sent (refused, no route): ``fail``, it certainly did not happen;
- a read that got no answer, or an error: ``fail``, since it had no effect and saw nothing;
- a write, CAS or add whose answer is an error that etcd gives before it proposes anything
  to Raft (see `_BEFORE_PROPOSAL`): ``fail``;
- any other error, a time-out or a lost connection after sending: ``info``, nobody knows.
  "request timed out" and "leader changed" are of this kind: the proposal may yet commit, and
  so it may after the "server stopped" of a member that was removed meanwhile;
- a CAS whose compare did not match: ``ok`` with value False, an observation of the value.

An absent key reads as None; writing None deletes it, so that the two are one state.

What all clients share is here, with registers and sets; the other workloads' are in
`_etcd_transactions`, `_etcd_locks` and `_etcd_watches`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final, Literal, Self, TypeAlias

import msgspec

from cluster._http import Connection, NotSent
from histories import Json, Op

Reads: TypeAlias = Literal["linearizable", "serializable"]
Connect: TypeAlias = Callable[[str], Connection]

_INVALID_ARGUMENT: Final = 3
_RESOURCE_EXHAUSTED: Final = 8
_FAILED_PRECONDITION: Final = 9
_UNAVAILABLE: Final = 14
_BEFORE_PROPOSAL: Final = frozenset(
    {
        (_INVALID_ARGUMENT, "etcdserver: key is not provided"),
        (_INVALID_ARGUMENT, "etcdserver: value is provided"),
        (_INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request"),
        (_INVALID_ARGUMENT, "etcdserver: too many operations in txn request"),
        (_INVALID_ARGUMENT, "etcdserver: request is too large"),
        (_RESOURCE_EXHAUSTED, "etcdserver: too many requests"),
        (_UNAVAILABLE, "etcdserver: rpc not supported for learner"),  # 3.5
        (_FAILED_PRECONDITION, "etcdserver: rpc not supported for learner"),  # 3.6
    }
)
"""gRPC code and message of errors that etcd returns from its checks before a proposal."""


class EtcdApiError(Exception):
    """etcd answered, with an error."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"HTTP {status}, gRPC code {code}: {message}")
        self.code = code
        self.message = message

    @property
    def definite(self) -> bool:
        """The request certainly had no effect, and never will."""
        return (self.code, self.message) in _BEFORE_PROPOSAL


class Gateway:
    """etcd's API over one connection: JSON in, JSON out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def call(self, method: str, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """POST to ``/v3/<method>``; raises `OSError` as `Connection` does, or `EtcdApiError`."""
        body = msgspec.json.encode(request)
        response = await self._connection.post(f"/v3/{method}", body, timeout_s=timeout_s)
        try:
            answer = msgspec.json.decode(response.body)
        except msgspec.DecodeError:
            answer = None
        if response.status == 200 and isinstance(answer, dict):
            return answer
        said = answer if isinstance(answer, dict) else {}
        message = said.get("message") or said.get("error") or response.body[:200].decode("latin-1")
        code = said.get("code")
        raise EtcdApiError(response.status, code if isinstance(code, int) else -1, str(message))

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


class NothingDone(Exception):
    """The operation ended before it had asked for any change."""


class EtcdClient:
    """What all clients share: one node, one connection, and the mapping of outcomes."""

    definite: tuple[type[BaseException], ...] = (NotSent,)
    reading: frozenset[str] = frozenset({"read"})

    def __init__(self, connect: Connect, reads: Reads, timeout_s: float) -> None:
        self._connect = connect
        self._reads: Reads = reads
        self._timeout_s = timeout_s
        self._gateway: Gateway | None = None

    async def open(self, node: str) -> Self:
        """A client that speaks to the member of this node, and to no other."""
        client = type(self)(self._connect, self._reads, self._timeout_s)
        client._gateway = Gateway(self._connect(node))
        return client

    async def setup(self) -> None:
        """etcd needs no tables."""

    async def invoke(self, op: Op) -> Op:
        """Do the operation; see the module's text for how it may end."""
        try:
            return await self._answer(op)
        except (NotSent, NothingDone) as error:
            return op.fail(str(error))
        except EtcdApiError as error:
            doubtful = op.f not in self.reading and not error.definite
            return op.info(str(error)) if doubtful else op.fail(str(error))
        except OSError as error:
            said = str(error) or type(error).__name__
            return op.fail(said) if op.f in self.reading else op.info(said)

    async def teardown(self) -> None:
        """Nothing was set up."""

    async def close(self) -> None:
        """Close the connection."""
        if self._gateway is not None:
            await self._gateway.close()

    async def _answer(self, op: Op) -> Op:
        raise NotImplementedError

    async def _call(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        if self._gateway is None:
            raise RuntimeError("this client is not open; use what open(node) returns")
        return await self._gateway.call(method, request, self._timeout_s)

    async def _looked(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """What a linearizable range finds; whatever goes wrong is `NothingDone`."""
        try:
            found: list[dict[str, Any]] = (await self._call("kv/range", request)).get("kvs", [])
        except (OSError, EtcdApiError) as error:
            raise NothingDone(f"looking: {error or type(error).__name__}") from error
        return found

    async def _range(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        if self._reads == "serializable":
            request["serializable"] = True
        found: list[dict[str, Any]] = (await self._call("kv/range", request)).get("kvs", [])
        return found


class EtcdRegister(EtcdClient):
    """Registers: `read`, `write` and `cas` ([from, to]) of the operation's key."""

    async def _answer(self, op: Op) -> Op:
        key = base64_of(b"r/" + json_of(op.key))
        match op.f:
            case "read":
                found = await self._range({"key": key})
                return op.ok(decoded(found[0].get("value", "")) if found else None)
            case "write":
                await self._call(*_write(key, op.value))
                return op.ok(op.value)
            case "cas":
                old, new = op.value
                method, request = _write(key, new)
                change = {_REQUEST_OF[method]: request}
                txn = {"compare": [_compare(key, old)], "success": [change]}
                answer = await self._call("kv/txn", txn)
                return op.ok(op.value if answer.get("succeeded") else False)
        raise ValueError(f"an etcd register has no operation {op.f!r}; use read, write, cas")


def covering(prefix: bytes) -> dict[str, Any]:
    """The fields of a request that is about all keys with this prefix."""
    end = prefix[:-1] + bytes([prefix[-1] + 1])
    return {"key": base64_of(prefix), "range_end": base64_of(end)}


class EtcdSet(EtcdClient):
    """Sets: `add` an element, `read` them all; one etcd key per element.

    The operation's key names the set, so that there can be several.
    """

    async def _answer(self, op: Op) -> Op:
        prefix = b"s/" + json_of(op.key) + b"/"
        match op.f:
            case "add":
                key = base64_of(prefix + json_of(op.value))
                await self._call("kv/put", {"key": key, "value": ""})
                return op.ok(op.value)
            case "read":
                found = await self._range({**covering(prefix), "keys_only": True})
                names = [base64.b64decode(kv["key"]) for kv in found]
                return op.ok([msgspec.json.decode(name[len(prefix) :]) for name in names])
        raise ValueError(f"an etcd set has no operation {op.f!r}; use add, read")


_REQUEST_OF: Final = {"kv/put": "request_put", "kv/deleterange": "request_delete_range"}


def _write(key: str, value: Json) -> tuple[str, dict[str, Any]]:
    """The method and request that make the register hold `value`."""
    if value is None:
        return "kv/deleterange", {"key": key}
    return "kv/put", {"key": key, "value": base64_of(json_of(value))}


def _compare(key: str, value: Json) -> dict[str, Any]:
    """The condition that the register holds `value`."""
    if value is None:  # a key that does not exist was created at revision 0
        return {"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0"}
    return {
        "key": key,
        "target": "VALUE",
        "result": "EQUAL",
        "value": base64_of(json_of(value)),
    }


def json_of(value: Json) -> bytes:
    """Equal values have equal bytes, as etcd compares bytes."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value, order="sorted")


def decoded(value: str) -> Json:
    """The JSON value in base64."""
    return msgspec.json.decode(base64.b64decode(value))


def base64_of(data: bytes) -> str:
    """Bytes as the gateway takes them."""
    return base64.b64encode(data).decode("ascii")

"""How etcd's clients end an operation, by what a gateway answers that is made up."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cluster._etcd_client import EtcdClient
from cluster._etcd_locks import EtcdLock
from cluster._etcd_transactions import EtcdBank, EtcdCounter, EtcdIds, EtcdLog
from cluster._etcd_watches import EtcdWatch
from cluster._http import Connection, NotSent, Response
from histories import Op

Answers = Mapping[str, Sequence[Any]]

TIMED_OUT = (503, {"code": 14, "message": "etcdserver: request timed out"})
TOO_MANY = (429, {"code": 8, "message": "etcdserver: too many requests"})
NO_LEASE = (404, {"code": 5, "message": "etcdserver: requested lease not found"})
NOTHING: tuple[int, Any] = (200, {})
DONE = (200, {"succeeded": True, "header": {"revision": "7"}})
LEASE = (200, {"ID": "77", "TTL": "5"})


def kv(key: str, value: Any) -> dict[str, Any]:
    text = base64.b64encode(json.dumps(value).encode()).decode()
    return {"key": base64.b64encode(key.encode()).decode(), "value": text, "mod_revision": "3"}


ACCOUNTS = (200, {"kvs": [kv("b/a", 10), kv("b/b", 0)]})
MOVE = Op("transfer", {"from": "a", "to": "b", "amount": 4})


class Scripted:
    """A connection that answers each path by the next of its answers, the last one for ever."""

    def __init__(self, answers: Answers) -> None:
        self.answers = {path: list(each) for path, each in answers.items()}
        self.asked: list[tuple[str, Any]] = []

    async def post(self, path: str, body: bytes, *, timeout_s: float) -> Response:  # noqa: ARG002
        self.asked.append((path.removeprefix("/v3/"), json.loads(body)))
        left = self.answers[self.asked[-1][0]]
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return Response(answer[0], json.dumps(answer[1]).encode())

    async def close(self) -> None: ...


def ended(kind: type[EtcdClient], answers: Answers, *ops: Op, timeout_s: float = 0.2) -> Op:
    """How the last of these operations ends."""

    async def main() -> Op:
        client = await kind(lambda _: Scripted(answers), "linearizable", timeout_s).open("n1")  # type: ignore[arg-type,return-value]
        for op in ops:
            done = await client.invoke(op)
        return done

    return asyncio.run(main())


CHANGES = [
    (EtcdCounter, NOTHING, Op("add", 3)),
    (EtcdBank, ACCOUNTS, MOVE),
    (EtcdLog, NOTHING, Op("append", "x", "p")),
    (EtcdLock, NOTHING, Op("acquire", None, "l")),
]


@pytest.mark.parametrize(("kind", "found", "op"), CHANGES)
@pytest.mark.parametrize("trouble", [TIMED_OUT, ConnectionResetError("lost"), TimeoutError()])
def test_a_change_that_was_asked_for_and_not_answered_is_in_doubt(
    kind: type[EtcdClient], found: Any, op: Op, trouble: Any
) -> None:
    answers = {"kv/range": [found], "lease/grant": [LEASE], "kv/txn": [trouble]}
    assert ended(kind, answers, op).type == "info"


@pytest.mark.parametrize(("kind", "found", "op"), CHANGES)
@pytest.mark.parametrize("trouble", [TIMED_OUT, ConnectionResetError("lost"), TimeoutError()])
def test_who_could_not_even_look_has_changed_nothing(
    kind: type[EtcdClient], found: Any, op: Op, trouble: Any
) -> None:
    del found
    assert ended(kind, {"kv/range": [trouble]}, op).type == "fail"


@pytest.mark.parametrize(("kind", "found", "op"), CHANGES)
@pytest.mark.parametrize("trouble", [TOO_MANY, NotSent("not connected")])
def test_a_change_that_never_reached_the_log_failed(
    kind: type[EtcdClient], found: Any, op: Op, trouble: Any
) -> None:
    answers = {"kv/range": [found], "lease/grant": [LEASE], "kv/txn": [trouble]}
    assert ended(kind, answers, op).type == "fail"


@pytest.mark.parametrize(("kind", "found", "op"), CHANGES[:3])
def test_who_is_overtaken_tries_again_until_there_is_no_time(
    kind: type[EtcdClient], found: Any, op: Op
) -> None:
    answers = {"kv/range": [found], "kv/txn": [NOTHING, NOTHING, DONE]}
    assert ended(kind, answers, op).type == "ok"
    never = ended(kind, {"kv/range": [found], "kv/txn": [NOTHING]}, op)
    assert never.type == "fail"
    assert "others were faster" in str(never.error)


def test_a_transfer_without_enough_money_is_an_observation() -> None:
    poor = Op("transfer", {"from": "b", "to": "a", "amount": 1})
    done = ended(EtcdBank, {"kv/range": [ACCOUNTS]}, poor)
    assert (done.type, done.value) == ("ok", False)


def test_a_lock_that_somebody_holds_or_was_faster_to_get_is_refused() -> None:
    held = {"kv/range": [(200, {"kvs": [kv("k", "")]})]}
    assert ended(EtcdLock, held, Op("acquire", None, "l")).error == "somebody holds it"
    slow = {"kv/range": [NOTHING], "lease/grant": [LEASE], "lease/revoke": [NOTHING]}
    taken = ended(EtcdLock, {**slow, "kv/txn": [NOTHING]}, Op("acquire", None, "l"))
    assert (taken.type, taken.error) == ("fail", "somebody was faster")


@pytest.mark.parametrize(
    ("answer", "kind", "value"),
    [
        (NOTHING, "ok", None),
        (NO_LEASE, "ok", "the lease had run out"),
        (TIMED_OUT, "info", None),
        (NotSent("not connected"), "fail", None),
    ],
)
def test_how_a_release_ends(answer: Any, kind: str, value: Any) -> None:
    answers = {
        "kv/range": [NOTHING],
        "lease/grant": [LEASE],
        "kv/txn": [DONE],
        "lease/revoke": [answer],
    }
    done = ended(EtcdLock, answers, Op("acquire", None, "l"), Op("release", None, "l"))
    assert (done.type, done.value) == (kind, value)


def test_a_release_that_was_not_sent_can_be_tried_again() -> None:
    answers: Answers = {
        "kv/range": [NOTHING],
        "lease/grant": [LEASE],
        "kv/txn": [DONE],
        "lease/revoke": [NotSent("not connected"), NOTHING],
    }
    release = Op("release", None, "l")
    assert ended(EtcdLock, answers, Op("acquire", None, "l"), release, release).type == "ok"


def test_ids_are_revisions_and_unknown_operations_are_refused() -> None:
    assert ended(EtcdIds, {"kv/put": [DONE]}, Op("generate")).value == 7
    for kind in (EtcdIds, EtcdCounter, EtcdBank, EtcdLog, EtcdLock, EtcdWatch):
        with pytest.raises(ValueError, match="has no operation 'dance'"):
            ended(kind, {}, Op("dance"))


CREATED = b'{"result":{"header":{"revision":"4"},"created":true}}\n'


def event(revision: int, value: Any) -> bytes:
    told = {**kv('w/"x"', value), "mod_revision": str(revision)}
    return json.dumps({"result": {"events": [{"kv": told}]}}).encode() + b"\n"


def watched(pieces: Sequence[bytes], *ops: Op, broken: bool = False) -> tuple[Op, list[Any]]:
    """How the last operation ends on a stream of these pieces, and what was asked for."""
    asked: list[Any] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(x for x in head.split(b"\r\n") if x.startswith(b"Content-Length"))
        asked.append(json.loads(await reader.readexactly(int(length.split(b":")[1]))))
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
        if not broken:
            await reader.read()
        writer.close()

    async def main() -> Op:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def dial() -> Any:
            import socket

            sock = socket.socket()
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
            return sock

        client = await EtcdWatch(lambda _: Connection(dial, "test"), "linearizable", 5.0).open("n")
        for op in ops:
            done = await client.invoke(op)
        server.close()
        return done

    return asyncio.run(main()), asked


def test_a_watch_tells_from_where_it_began_and_goes_on_behind_its_last_event() -> None:
    stream = CREATED + event(5, 1) + event(7, 2)
    pieces = [stream[:70], stream[70:90], stream[90:]]
    done, asked = watched(pieces, Op("watch"), Op("watch"))
    assert done.value == {"from": 8, "events": [[5, "x", 1], [7, "x", 2]]}, "whatever it is told"
    starts = [each["create_request"]["start_revision"] for each in asked]
    assert starts == ["0", "8"]
    first, _ = watched(pieces, Op("watch"))
    assert first.value == {"from": 5, "events": [[5, "x", 1], [7, "x", 2]]}


def test_a_watch_that_breaks_tells_what_it_told() -> None:
    done, _ = watched([CREATED, event(5, 1), event(6, 2)[:20]], Op("watch"), broken=True)
    assert (done.type, done.value) == ("ok", {"from": 5, "events": [[5, "x", 1]]})
    assert watched([], Op("watch"), broken=True)[0].value == {"from": None, "events": []}

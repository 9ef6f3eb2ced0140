"""etcd on every kind of host, and a client that never claims more than it knows."""

import asyncio
import contextlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from cluster import (
    Connection,
    Etcd,
    HasPrimaries,
    HostError,
    Observable,
    System,
)
from cluster._etcd_client import EtcdRegister, EtcdSet
from histories import Op


@contextlib.asynccontextmanager
async def cluster(labs: Any, kind: str, program: Path, n: int = 3) -> Any:
    """A running etcd: the system, its hosts."""
    async with labs(kind, n) as hosts:
        etcd = Etcd(binary=program)
        try:
            await etcd.setup(hosts)
            yield etcd, hosts
        finally:
            await etcd.teardown()


@pytest.mark.parametrize("kind", ["netns", "local", "ssh"])
def test_a_cluster_comes_up_works_and_goes(labs: Any, kind: str, etcd_program: Path) -> None:
    async def main() -> None:
        async with cluster(labs, kind, etcd_program) as (etcd, hosts):
            assert isinstance(etcd, System)
            assert isinstance(etcd, HasPrimaries)
            assert isinstance(etcd, Observable)
            [leader] = await etcd.primaries()
            seen = [await etcd.observe(host) for host in hosts]
            assert sorted(each["role"] for each in seen) == ["follower", "follower", "leader"]
            assert len({each["term"] for each in seen}) == 1
            assert leader in {"n1", "n2", "n3"}
            one, two = await etcd.client().open("n1"), await etcd.client().open("n2")
            assert (await one.invoke(Op("write", 1, "x"))).type == "ok"
            assert (await two.invoke(Op("read", None, "x"))).value == 1
            await one.close()
            await two.close()
            log = await hosts[0].read(etcd.logs(hosts[0])[0])
            assert b"ready to serve client requests" in log
        assert [await host.alive("etcd") for host in hosts if host.kind == "local"] == [
            False for host in hosts if host.kind == "local"
        ]

    asyncio.run(main())


def test_registers_read_write_and_compare(labs: Any, etcd_program: Path) -> None:
    async def main() -> None:
        async with cluster(labs, "local", etcd_program) as (etcd, _):
            client = await etcd.client().open("n1")

            async def does(f: str, value: Any = None, key: Any = "k") -> tuple[str, Any]:
                done = await client.invoke(Op(f, value, key, process=7))
                assert done.process == 7
                return done.type, done.value

            assert await does("read") == ("ok", None)
            assert await does("cas", [None, 1]) == ("ok", [None, 1])
            assert await does("cas", [None, 2]) == ("ok", False)  # it holds 1
            assert await does("cas", [1, {"a": [1, "ü"]}]) == ("ok", [1, {"a": [1, "ü"]}])
            assert await does("read") == ("ok", {"a": [1, "ü"]})
            assert await does("cas", [{"a": [1, "ü"]}, 3]) == ("ok", [{"a": [1, "ü"]}, 3])
            assert await does("write", None) == ("ok", None)
            assert await does("read") == ("ok", None)
            assert await does("cas", [3, 4]) == ("ok", False)  # nothing is there
            assert await does("write", 0, key=["other", 1]) == ("ok", 0)
            assert await does("read", key=["other", 1]) == ("ok", 0)
            assert await does("read") == ("ok", None)
            with pytest.raises(ValueError, match="no operation 'append'"):
                await does("append", 1)
            await client.close()

    asyncio.run(main())


def test_sets_add_and_read(labs: Any, etcd_program: Path) -> None:
    async def main() -> None:
        async with cluster(labs, "local", etcd_program) as (etcd, _):
            client = await etcd.client(workload="set").open("n2")
            for element in (3, 1, "a/b", 20):
                assert (await client.invoke(Op("add", element, "s"))).type == "ok"
            assert (await client.invoke(Op("add", 9, "s2"))).type == "ok"
            read = await client.invoke(Op("read", None, "s"))
            assert sorted(read.value, key=str) == [1, 20, 3, "a/b"]
            assert (await client.invoke(Op("read", None, None))).value == []
            await client.close()

    asyncio.run(main())


def test_a_killed_member_comes_back_with_its_data(labs: Any, etcd_program: Path) -> None:
    async def main() -> None:
        async with cluster(labs, "netns", etcd_program) as (etcd, hosts):
            client = await etcd.client().open("n1")
            assert (await client.invoke(Op("write", 1, "x"))).type == "ok"
            await etcd.kill(hosts[0])
            assert not await etcd.alive(hosts[0])
            await client.invoke(Op("read", None, "x"))  # may find the connection lost, or refused
            refused = await client.invoke(Op("write", 2, "x"))
            assert refused.type == "fail"  # nothing was sent
            with pytest.raises(HostError, match=r"n1: etcd is not ready .* its process has ended"):
                await etcd.ready(0.2)
            await etcd.start(hosts[0])
            await etcd.start(hosts[0])  # a second start changes nothing
            await etcd.ready(30)
            assert (await client.invoke(Op("read", None, "x"))).value == 1
            await client.close()

    asyncio.run(main())


def test_without_a_majority_writes_are_in_doubt_and_only_stale_reads_answer(
    labs: Any, etcd_program: Path
) -> None:
    async def main() -> None:
        async with cluster(labs, "netns", etcd_program) as (etcd, hosts):
            before = await etcd.client().open("n1")
            assert (await before.invoke(Op("write", 1, "x"))).type == "ok"
            for host in hosts[1:]:
                await etcd.pause(host)
            strict = await etcd.client(timeout_s=0.5).open("n1")
            stale = await etcd.client(timeout_s=2, reads="serializable").open("n1")
            paused = await etcd.client(timeout_s=0.5).open("n2")
            assert (await strict.invoke(Op("write", 2, "x"))).type == "info"
            assert (await paused.invoke(Op("write", 3, "x"))).type == "info"
            assert (await strict.invoke(Op("read", None, "x"))).type == "fail"
            assert (await stale.invoke(Op("read", None, "x"))).value == 1
            for host in hosts[1:]:
                await etcd.resume(host)
            await etcd.ready(30)
            for client in (before, strict, stale, paused):
                await client.close()

    asyncio.run(main())


Answer = tuple[int, dict[str, Any]]


async def outcome(op: Op, status: int, body: dict[str, Any], kind: Any = EtcdRegister) -> str:
    """How a client ends `op` when etcd's gateway gives this answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(x for x in head.split(b"\r\n") if x.startswith(b"Content-Length"))
            await reader.readexactly(int(length.split(b":")[1]))
            data = json.dumps(body).encode()
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(data)))
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def connect(_node: str) -> Connection:
        return Connection(lambda: dialled(port), "test")

    client = await kind(connect, "linearizable", 5.0).open("n1")
    done: Op = await client.invoke(op)
    await client.close()
    server.close()
    return done.type


async def dialled(port: int) -> Any:
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return sock


DOUBTFUL = [
    (503, {"error": "x", "code": 14, "message": "etcdserver: request timed out"}),
    (503, {"error": "x", "code": 14, "message": "etcdserver: leader changed"}),
    (503, {"error": "x", "code": 14, "message": "etcdserver: no leader"}),
    (503, {"error": "x", "code": 14, "message": "etcdserver: server stopped"}),
    (504, {"error": "x", "code": 4, "message": "context deadline exceeded"}),
    (429, {"error": "x", "code": 8, "message": "etcdserver: mvcc: database space exceeded"}),
    (500, {"error": "x", "code": 2, "message": "something new"}),
    (500, {}),
]
DEFINITE = [
    (429, {"error": "x", "code": 8, "message": "etcdserver: too many requests"}),
    (400, {"error": "x", "code": 3, "message": "etcdserver: key is not provided"}),
    (503, {"error": "x", "code": 14, "message": "etcdserver: rpc not supported for learner"}),
    (400, {"code": 9, "message": "etcdserver: rpc not supported for learner", "details": []}),
]
CHANGES = [Op("write", 1, "x"), Op("write", None, "x"), Op("cas", [1, 2], "x")]


@pytest.mark.parametrize("answer", DOUBTFUL)
def test_after_an_unclear_error_nobody_knows(answer: Answer) -> None:
    for op in CHANGES:
        assert asyncio.run(outcome(op, *answer)) == "info"
    assert asyncio.run(outcome(Op("add", 1, "s"), *answer, kind=EtcdSet)) == "info"
    assert asyncio.run(outcome(Op("read", None, "x"), *answer)) == "fail"


@pytest.mark.parametrize("answer", DEFINITE)
def test_what_was_refused_before_the_proposal_did_not_happen(answer: Answer) -> None:
    for op in CHANGES:
        assert asyncio.run(outcome(op, *answer)) == "fail"


def test_an_operation_cut_off_by_the_runner_leaves_no_answer_behind(
    labs: Any, etcd_program: Path
) -> None:
    async def main() -> None:
        async with cluster(labs, "netns", etcd_program) as (etcd, hosts):
            client = await etcd.client(timeout_s=30).open("n1")
            assert (await client.invoke(Op("write", 1, "x"))).type == "ok"
            assert (await client.invoke(Op("write", "old", "y"))).type == "ok"
            await etcd.pause(hosts[0])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await client.invoke(Op("read", None, "y"))
            await etcd.resume(hosts[0])
            await etcd.ready(30)
            assert (await client.invoke(Op("read", None, "x"))).value == 1
            await client.close()

    asyncio.run(main())


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="election_ms"):
        Etcd(heartbeat_ms=100, election_ms=200)
    etcd = Etcd()
    with pytest.raises(ValueError, match="workload 'queue'"):
        etcd.client(workload="queue")
    with pytest.raises(ValueError, match="unknown options of the etcd client: color"):
        etcd.client(color="red")
    with pytest.raises(ValueError, match="no member on 'n9'"):
        asyncio.run(etcd.client().open("n9"))

"""The HTTP connection knows how far a request came, and never mixes up answers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest

from cluster import BadResponse, Connection, NotSent

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Handler: TypeAlias = Callable[[Reader, Writer], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Connection]:
    """A connection to a server which treats every TCP connection with `handler`."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = Connection(lambda: dial(port), "test")
    try:
        yield connection
    finally:
        await connection.close()
        server.close()


async def dial(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    return sock


async def request(reader: Reader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return await reader.readexactly(int(length[0].split(b":")[1])) if length else b""


def plain(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_requests_follow_each_other_on_one_connection() -> None:
    connections = []

    async def echo(reader: Reader, writer: Writer) -> None:
        connections.append(writer)
        try:
            while True:
                writer.write(plain(await request(reader)))
        except asyncio.IncompleteReadError:
            writer.close()

    async def main() -> None:
        async with serving(echo) as connection:
            for body in (b"one", b"", b"x" * 200_000):
                response = await connection.post("/", body, timeout_s=5)
                assert (response.status, response.body) == (200, body)
            assert len(connections) == 1

    asyncio.run(main())


def test_a_refused_connection_says_that_nothing_was_sent() -> None:
    async def main() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            with pytest.raises(NotSent):
                await Connection(lambda: dial(port), "test").post("/", b"", timeout_s=5)

    asyncio.run(main())


def test_a_dial_that_takes_too_long_says_that_nothing_was_sent() -> None:
    async def never() -> socket.socket:
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        with pytest.raises(NotSent):
            await Connection(never, "test").post("/", b"", timeout_s=0.05)

    asyncio.run(main())


def test_no_answer_in_time_is_doubt_and_a_late_answer_is_never_anothers() -> None:
    answers = iter([b"late", b"fresh"])
    release = asyncio.Event()

    async def slow(reader: Reader, writer: Writer) -> None:
        await request(reader)
        answer = next(answers)
        if answer == b"late":
            await release.wait()
        writer.write(plain(answer))

    async def main() -> None:
        async with serving(slow) as connection:
            with pytest.raises(TimeoutError) as caught:
                await connection.post("/", b"1", timeout_s=0.1)
            assert not isinstance(caught.value, NotSent)
            release.set()
            assert (await connection.post("/", b"2", timeout_s=5)).body == b"fresh"

    asyncio.run(main())


def test_a_cancelled_request_gives_its_connection_up() -> None:
    count = 0

    async def hang_once(reader: Reader, writer: Writer) -> None:
        nonlocal count
        count += 1
        await request(reader)
        if count > 1:
            writer.write(plain(b"second"))

    async def main() -> None:
        async with serving(hang_once) as connection:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await connection.post("/", b"1", timeout_s=5)
            assert (await connection.post("/", b"2", timeout_s=5)).body == b"second"

    asyncio.run(main())


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
def test_a_connection_lost_after_sending_is_doubt(answer: bytes) -> None:
    async def lose(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(answer)
        writer.close()

    async def main() -> None:
        async with serving(lose) as connection:
            with pytest.raises(ConnectionResetError):
                await connection.post("/", b"1", timeout_s=5)

    asyncio.run(main())


def test_a_connection_closed_between_requests_is_made_again() -> None:
    async def once(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(plain(b"ok"))
        writer.close()

    async def main() -> None:
        async with serving(once) as connection:
            for _ in range(3):
                assert (await connection.post("/", b"", timeout_s=5)).body == b"ok"
                await asyncio.sleep(0.01)  # let the end of the connection arrive

    asyncio.run(main())


def test_chunked_and_closing_bodies_are_read_whole() -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"
    )
    closing = b"HTTP/1.0 503 Busy\r\n\r\nto the end"
    answers = iter([chunked, plain(b"after"), closing])

    async def serve(reader: Reader, writer: Writer) -> None:
        try:
            while True:
                await request(reader)
                answer = next(answers)
                writer.write(answer)
                if answer is closing:
                    writer.close()
                    return
        except asyncio.IncompleteReadError:
            writer.close()

    async def main() -> None:
        async with serving(serve) as connection:
            assert (await connection.get("/", timeout_s=5)).body == b"abcdefg"
            assert (await connection.get("/", timeout_s=5)).body == b"after"
            last = await connection.get("/", timeout_s=5)
            assert (last.status, last.body) == (503, b"to the end")

    asyncio.run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
    ],
)
def test_what_is_no_http_is_called_so(answer: bytes) -> None:
    async def babble(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(answer)

    async def main() -> None:
        async with serving(babble) as connection:
            with pytest.raises(BadResponse):
                await connection.get("/", timeout_s=5)

    asyncio.run(main())

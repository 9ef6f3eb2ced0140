"""Our own proxy as a program: how it begins and ends, and what it does not put up with."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cluster import Connection, Toxic, Toxiproxy, ToxiproxyError, free_port
from cluster._proxy_server import archive
from cluster.proxy import _api, _http
from cluster.proxy._toxics import Slicer

TIMEOUT_S = 30


@pytest.fixture
def momus_proxy() -> Iterator[Any]:
    """Start ``momus proxy`` with arguments; the process, once it has told where it is."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "momus", "proxy", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_command_serves_what_its_configuration_names_and_ends_by_sigterm(
    momus_proxy: Any, tmp_path: Path
) -> None:
    config = tmp_path / "proxies.json"
    config.write_text(json.dumps([{"name": "a", "listen": "127.0.0.1:0", "upstream": "b:1"}]))
    port = free_port()
    where = ["--host", "127.0.0.1", "--port", str(port)]
    process, said = momus_proxy(*where, "--config", str(config), "--seed", "3")
    assert said == f"the proxy's API is at http://127.0.0.1:{port}; seed 3\n"

    async def names() -> list[str]:
        async def dial() -> socket.socket:
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setblocking(False)
            return sock

        api = Toxiproxy(Connection(dial, "proxy"))
        try:
            return list(await api.proxies())
        finally:
            await api.close()

    assert asyncio.run(names()) == ["a"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(TIMEOUT_S) == 0


@pytest.mark.parametrize(
    ("config", "complaint"),
    [("{", "bad request body"), ('[{"name": "a"}]', "missing required field: upstream")],
)
def test_the_command_refuses_a_configuration_that_makes_no_sense(
    momus_proxy: Any, tmp_path: Path, config: str, complaint: str
) -> None:
    path = tmp_path / "proxies.json"
    path.write_text(config)
    process, _ = momus_proxy("--port", "0", "--config", str(path))
    assert process.wait(TIMEOUT_S) == 2
    assert complaint in process.stderr.read()


def test_the_archive_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    path = tmp_path / "proxy.pyz"
    path.write_bytes(archive())
    assert path.read_bytes() == archive()
    with zipfile.ZipFile(path) as bundle:
        assert "cluster/proxy/_api.py" in bundle.namelist()
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(path), "--help"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert "--seed" in done.stdout


def order(path: str, body: Any, method: str = "POST") -> Any:
    """What a fresh API answers to one request."""
    api = _api.Api(Random(0))
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asyncio.run(api.answer(_http.Request(method, path, "", data)))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/proxies", [], 400),
        ("/proxies", b"\xff", 400),
        ("/proxies", {"name": 1, "upstream": "a:1"}, 400),
        ("/proxies", {"name": "a", "upstream": "a:1", "enabled": "yes"}, 400),
        ("/populate", {}, 400),
        ("/populate", [{}] * 1001, 400),
        ("/nowhere", {}, 404),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(path: str, body: Any, status: int) -> None:
    with pytest.raises(_http.Refused) as refused:
        order(path, body)
    assert refused.value.status == status


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:http", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_an_error_of_the_system(listen: str) -> None:
    with pytest.raises(OSError, match="write host:port"):
        order("/proxies", {"name": "a", "listen": listen, "upstream": "b:1"})


@pytest.mark.parametrize("program", ["built-in"], indirect=True)
def test_attributes_below_zero_are_refused(play: Any) -> None:
    """Toxiproxy takes them, and panics when data come."""

    async def scenario(world: Any) -> None:
        await world.proxy()
        with pytest.raises(ToxiproxyError, match="rate must be an integer from 0"):
            await world.api.add("p", Toxic("bandwidth", {"rate": -1}))

    play(scenario)


@pytest.mark.parametrize("program", ["built-in"], indirect=True)
def test_a_request_beyond_all_bounds_ends_the_connection(server: Any, play: Any) -> None:
    async def scenario(world: Any) -> None:
        for head in (
            b"POST /proxies HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
            b"POST /proxies HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"GET /" + b"x" * 100_000,
            b"what?\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(head)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
        assert await world.api.proxies() == {}

    play(scenario)


@pytest.mark.parametrize("average", [0, 1, 7, 100])
@pytest.mark.parametrize("variation", [0, 1, 50])
def test_slices_are_never_empty_never_too_long_and_leave_nothing_out(
    average: int, variation: int
) -> None:
    random = Random(average * 1000 + variation)
    for size in range(300):
        ends = Slicer(average, variation)._ends(size, random)
        sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
        assert sum(sizes) == size
        assert size == 0 or all(0 < each <= max(average + variation, 1) for each in sizes)

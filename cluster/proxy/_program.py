"""The proxy as a program of its own: ``python momus-proxy.pyz --host 127.0.0.1 --port 8474``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random, SystemRandom
from typing import Final

from cluster.proxy._api import Api
from cluster.proxy._http import Request, Server

API_PORT: Final = 8474
"""Toxiproxy's."""


async def serve(
    host: str,
    port: int,
    *,
    config: Path | None = None,
    seed: int | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the API at `host` and `port` until SIGTERM or SIGINT; raises `OSError`, `ValueError`.

    `config` is a JSON file with a list of proxies to begin with.  `seed` decides what
    toxics draw (jitter, slices, toxicity); which connection draws when is not its to say.
    """
    chosen = SystemRandom().randrange(2**32) if seed is None else seed
    api = Api(Random(chosen))
    if config is not None:
        status, told = await api.answer(Request("POST", "/populate", "", config.read_bytes()))
        assert status == 201, told
    server = await Server(api.answer).start(host, port)
    bound = server.sockets[0].getsockname()
    say(f"the proxy's API is at http://{host}:{bound[1]}; seed {chosen}")
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, over.set)
    try:
        await over.wait()
    finally:
        server.close()
        await api.close()


def main() -> int:
    """The command line; 0 after SIGTERM, 1 if it cannot begin."""
    parser = argparse.ArgumentParser(description="A TCP proxy with the HTTP API of Toxiproxy.")
    parser.add_argument("--host", default="localhost", help="where the API listens")
    parser.add_argument("--port", type=int, default=API_PORT, help="where the API listens")
    parser.add_argument("--config", type=Path, help="a JSON file with proxies to begin with")
    parser.add_argument("--seed", type=int, help="of what toxics draw")
    given = parser.parse_args()
    try:
        asyncio.run(serve(given.host, given.port, config=given.config, seed=given.seed, say=_say))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

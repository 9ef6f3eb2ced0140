"""``momus proxy``: our own proxy in the foreground, for tests of one's own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from cluster.proxy._http import Refused
from cluster.proxy._program import serve
from momus._exits import ExitCode, Refusal, one_line


def run_proxy(*, host: str, port: int, config: Path | None, seed: int | None) -> int:
    """Serve until a signal says to end; `Refusal` where that cannot begin."""
    try:
        asyncio.run(serve(host, port, config=config, seed=seed, say=click.echo))
    except (OSError, Refused) as error:
        where = f"{config}: " if isinstance(error, Refused) else ""
        raise Refusal(
            f"{where}{one_line(error)}; try another --port, or another --config"
        ) from error
    return ExitCode.VALID

"""What a run shows while it runs: a live panel on a terminal, a line now and then elsewhere.

Everything goes to standard error; standard output is for the verdict.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import click

from momus._meter import Figures, Meter

if TYPE_CHECKING:
    from rich.table import Table

LIVE_INTERVAL_S = 0.25
LINE_INTERVAL_S = 5.0


def say(text: str) -> None:
    """One plain line about what the run is doing; nobody may be there to read it any more."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


@contextlib.asynccontextmanager
async def showing(meter: Meter, title: str, *, quiet: bool = False) -> AsyncIterator[None]:
    """Show `meter` while the body runs; the display's own trouble never reaches the run."""
    if quiet:
        yield
        return
    show = _live if sys.stderr.isatty() else _lines
    task = asyncio.create_task(show(meter, title))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


async def _lines(meter: Meter, title: str) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(LINE_INTERVAL_S)
        say(f"{title}: {meter.figures(time.monotonic() - began).line()}")


async def _live(meter: Meter, title: str) -> None:
    from rich.console import Console
    from rich.live import Live

    began = time.monotonic()
    console = Console(stderr=True)
    try:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while True:
                figures = meter.figures(time.monotonic() - began)
                live.update(_panel(figures, title), refresh=True)
                await asyncio.sleep(LIVE_INTERVAL_S)
    finally:
        say(f"{title}: {meter.figures(time.monotonic() - began).line()}")


def _panel(figures: Figures, title: str) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    total = figures.now_s + figures.left_s
    table = Table.grid(padding=(0, 2))
    table.add_row(Text(title, style="bold"), ProgressBar(total, figures.now_s, width=40))
    table.add_row("time", f"{figures.now_s:.0f} s, {figures.left_s:.0f} s left")
    table.add_row(
        "operations",
        f"{figures.ok:,} ok, {figures.fail:,} fail, {figures.info:,} info, {figures.open} open",
    )
    table.add_row("rate", f"{figures.rate_hz:,.0f}/s")
    if figures.median_ms is not None:
        table.add_row("latency", f"{figures.median_ms:.1f} ms median, {figures.p99_ms:.0f} ms p99")
    fault = Text(figures.faults or "none", style="red" if figures.faults else "dim")
    table.add_row("fault", fault)
    return table

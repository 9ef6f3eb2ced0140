"""What a campaign shows while it goes on: a live line on a terminal, else one every 5 seconds."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from momus._progress import LINE_INTERVAL_S, LIVE_INTERVAL_S, say

if TYPE_CHECKING:
    from simulation import Result

_END_LIMIT_S = 2.0


class Tally:
    """How far a campaign is; read by another thread, so it is only ever added to."""

    def __init__(self, planned: int) -> None:
        self.planned = planned
        self.endings: Counter[str] = Counter()
        self.began = time.monotonic()

    def add(self, result: Result) -> None:
        """One more was played."""
        self.endings[result.ending] += 1

    def line(self) -> str:
        """How far it is, in one line."""
        played = sum(self.endings.values())
        seconds = max(time.monotonic() - self.began, 1e-9)
        rate = played / seconds
        told = ", ".join(f"{count:,} {ending}" for ending, count in self.endings.items())
        left = f", {(self.planned - played) / rate:,.0f} s left" if played else ""
        return f"{played:,} of {self.planned:,} ({told or 'starting'}), {rate:.1f}/s{left}"


@contextlib.contextmanager
def showing(tally: Tally, title: str, *, quiet: bool = False) -> Iterator[None]:
    """Show `tally` while the body runs."""
    if quiet:
        yield
        return
    over = threading.Event()
    show = _live if sys.stderr.isatty() else _lines
    thread = threading.Thread(target=show, args=(tally, title, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_END_LIMIT_S)


def _lines(tally: Tally, title: str, over: threading.Event) -> None:
    while not over.wait(LINE_INTERVAL_S):
        say(f"{title}: {tally.line()}")


def _live(tally: Tally, title: str, over: threading.Event) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        while not over.wait(LIVE_INTERVAL_S):
            row = Table.grid(padding=(0, 2))
            bar = ProgressBar(tally.planned, sum(tally.endings.values()), width=30)
            row.add_row(Text(title, style="bold"), bar, tally.line())
            live.update(row, refresh=True)

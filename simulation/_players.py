"""Cases played by processes of their own, several at a time, each for so long and no longer.

Cases and results travel as lines of JSON.  A player that does not answer in time is killed, and
another one takes its place; a player that dies has broken the case it was playing.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

import msgspec

from simulation._player import DEAF_TO, READY
from simulation._results import Result, failed
from simulation.scenario import Case

CASE_LIMIT_S: Final = 60.0
"""A case that takes longer than this, in real time, is taken for one that never ends."""

_START_LIMIT_S: Final = 120.0
_END_LIMIT_S: Final = 10.0
_CHUNK_BYTES: Final = 1 << 16


class PlayerFailed(RuntimeError):
    """A process that should play cases could not be started."""


@dataclass
class _Player:
    """One process.  `case` is what it plays since `since`; `ready` once it has said so."""

    process: subprocess.Popen[bytes]
    since: float
    ready: bool = False
    case: Case | None = None
    heard: bytearray = field(default_factory=bytearray)


class Players:
    """So many processes as `jobs` says; use it in a ``with``, which ends them all.

    `playing` holds, by its pipe, every process that was started and has not been ended.
    """

    def __init__(self, jobs: int | None = None, *, case_limit_s: float = CASE_LIMIT_S) -> None:
        self.jobs = jobs or len(os.sched_getaffinity(0))
        self.case_limit_s = case_limit_s
        self.playing: dict[int, _Player] = {}
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Players:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pipe in list(self.playing):
            self._end(pipe)
        self._selector.close()

    def results(self, cases: Iterable[Case]) -> Generator[Result]:
        """The results, as they come; cases are taken when somebody is free to play them.

        Raises `PlayerFailed` where no process can be started.
        """
        waiting = iter(cases)
        upcoming = next(waiting, None)
        try:
            while True:
                while upcoming is not None and self.begin(upcoming):
                    upcoming = next(waiting, None)
                if not self._busy():
                    return
                yield from self.ended()
        finally:
            for pipe in self._busy():  # nobody waits for these any more
                self._end(pipe)

    def begin(self, case: Case) -> bool:
        """Have somebody play it whose result comes by `ended`; False if nobody is free."""
        free = self._free()
        if free is not None:
            self._give(free, case)
        return free is not None

    def _busy(self) -> list[int]:
        return [pipe for pipe, player in self.playing.items() if player.case is not None]

    def _free(self) -> int | None:
        for pipe, player in self.playing.items():
            if player.case is None:
                return pipe
        return self._start() if len(self.playing) < self.jobs else None

    def _start(self) -> int:
        paths = [os.path.abspath(path or ".") for path in sys.path]
        # Known before an interrupt may come, and itself deaf to it: whoever starts it ends it.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, DEAF_TO)
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "simulation._player", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )
            assert process.stdout is not None
            pipe = process.stdout.fileno()
            self._selector.register(pipe, selectors.EVENT_READ)
            self.playing[pipe] = _Player(process, time.monotonic())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return pipe

    def _give(self, pipe: int, case: Case) -> None:
        player = self.playing[pipe]
        player.case = case
        if player.ready:
            self._ask(player)

    def _ask(self, player: _Player) -> None:
        stdin = player.process.stdin
        assert stdin is not None
        assert player.case is not None
        player.since = time.monotonic()
        with contextlib.suppress(BrokenPipeError):  # it is dead; its other pipe tells
            stdin.write(msgspec.json.encode(player.case) + b"\n")
            stdin.flush()

    def ended(self, patience_s: float = math.inf) -> Iterator[Result]:
        """What comes next: answers, deaths, the end of somebody's time, or of our patience."""
        now = time.monotonic()
        first = min((self._deadline(self.playing[pipe]) for pipe in self._busy()), default=now)
        for key, _ in self._selector.select(max(0.0, min(first - now, patience_s))):
            result = self._heard(key.fd)
            if result is not None:
                yield result
        now = time.monotonic()
        for pipe in self._busy():
            player = self.playing[pipe]
            if now < self._deadline(player) or player.case is None:
                continue
            case, ready = player.case, player.ready
            self._end(pipe)
            if not ready:
                raise PlayerFailed(f"no process was ready to play within {_START_LIMIT_S:.0f} s")
            yield failed(case, "hung", f"It did not end within {self.case_limit_s:g} s.")

    def _deadline(self, player: _Player) -> float:
        return player.since + (self.case_limit_s if player.ready else _START_LIMIT_S)

    def _heard(self, pipe: int) -> Result | None:
        player = self.playing[pipe]
        chunk = os.read(pipe, _CHUNK_BYTES)
        player.heard += chunk
        if chunk and not player.heard.endswith(b"\n"):
            return None
        case, heard = player.case, bytes(player.heard)
        player.heard.clear()
        if not chunk:
            ready = player.ready
            with contextlib.suppress(subprocess.TimeoutExpired):  # it is about to end by itself
                player.process.wait(_END_LIMIT_S)
            code = self._end(pipe)
            if not ready:
                raise PlayerFailed(f"the process that should play ended at once, with {code}")
            return None if case is None else failed(case, "broke", f"Its process ended with {code}")
        if not player.ready:
            assert heard == READY, heard
            player.ready = True
            if case is not None:
                self._ask(player)
            return None
        player.case = None
        return msgspec.json.decode(heard, type=Result)

    def _end(self, pipe: int) -> int:
        """Kill a player and forget it; the code that it ended with.

        It is forgotten last, so that an interrupt in between leaves it to be ended once more.
        """
        player = self.playing[pipe]
        player.process.kill()
        code = player.process.wait(_END_LIMIT_S)
        with contextlib.suppress(KeyError):
            self._selector.unregister(pipe)
        for stream in (player.process.stdin, player.process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        del self.playing[pipe]
        return code

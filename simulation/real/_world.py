"""The `World` of a real process: the kernel's clocks, TCP, a folder.

What would end a node in the simulated world ends this process: an error that nobody handled,
wherever it was raised, is written to the log and the process exits; a crash point that was
armed is SIGKILL to itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final, NoReturn

from simulation.real._config import Config
from simulation.real._disk import FolderDisk
from simulation.real._network import TcpNetwork
from simulation.real._objects import FolderObjects, NoObjects

if TYPE_CHECKING:
    from histories import Json
    from simulation.world import Disk, Network, Objects

EXIT_ERROR: Final = 70
TOLD_KEPT: Final = 1000
"""How many of the last things it told the process remembers."""


class RealWorld:
    """One life of one node; made inside its running event loop.  `life` counts them from 1."""

    def __init__(self, config: Config, life: int) -> None:
        self.name: str = config.node
        self.nodes: tuple[str, ...] = config.nodes
        self.clock = RealClock()
        self.tcp = TcpNetwork(config.node, config.peers)
        self.network: Network = self.tcp
        self.disk: Disk = FolderDisk(config.data)
        self.objects: Objects = FolderObjects(config.objects) if config.objects else NoObjects()
        self.random = Random(f"{config.seed}/{config.node}/{life}")
        before = _lines_of(config.told)
        self.told: deque[dict[str, Json]] = deque(before[-TOLD_KEPT:], maxlen=TOLD_KEPT)
        self.told_count = len(before)
        self.reached: dict[str, int] = {}
        self._armed: dict[str, int] = {}
        self._answer: Callable[[str], Json] | None = None
        self._obey: Callable[[str, dict[str, Any]], Json] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._unhandled)
        self._tasks: set[asyncio.Task[None]] = set()
        self._record = os.open(config.told, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def spawn(self, work: Coroutine[Any, Any, None], name: str = "") -> asyncio.Task[None]:
        """See `world.World`."""
        task = self._loop.create_task(work, name=f"{self.name}: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def forever(self) -> None:
        """See `world.World`."""
        await self._loop.create_future()

    def reach(self, point: str) -> None:
        """See `world.World`."""
        self.reached[point] = self.reached.get(point, 0) + 1
        left = self._armed.get(point)
        if left is None:
            return
        if left > 1:
            self._armed[point] = left - 1
            return
        os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()  # it comes, and nothing after this happens

    def arm(self, point: str, nth: int) -> None:
        """Die when this crash point is reached for the n-th time from now; 0: not any more."""
        if nth > 0:
            self._armed[point] = nth
        else:
            self._armed.pop(point, None)

    def tell(self, event: str, **facts: Json) -> None:
        """See `world.World`: a line of the file, with both clocks."""
        said: dict[str, Json] = {
            "event": event,
            **facts,
            "node": self.name,
            "monotonic": time.monotonic(),
            "wall": time.time(),
        }
        self.told.append(said)
        self.told_count += 1
        os.write(self._record, json.dumps(said).encode() + b"\n")

    def told_since(self, count: int) -> list[dict[str, Json]] | None:
        """All it told, in earlier lives, too, but the first `count`; None if that is forgotten."""
        wanted = max(0, self.told_count - count)
        return list(self.told)[len(self.told) - wanted :] if wanted <= len(self.told) else None

    def serve(
        self,
        answer: Callable[[str], Json],
        obey: Callable[[str, dict[str, Any]], Json] | None = None,
    ) -> None:
        """See `world.World`."""
        self._answer, self._obey = answer, obey

    def answer(self, path: str) -> Json:
        """What the program answers; LookupError if it does not know the path."""
        if self._answer is None:
            raise LookupError(path)
        return self._answer(path)

    def obey(self, path: str, order: dict[str, Any]) -> Json:
        """What the program answers to an order; LookupError if it does not know the path."""
        if self._obey is None:
            raise LookupError(path)
        return self._obey(path, order)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.die(error)

    def _unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.die(context.get("exception") or RuntimeError(context["message"]))

    def die(self, error: BaseException) -> NoReturn:
        """Tell it, write it to the log and end the process, at once and without ceremony."""
        traceback.print_exception(error, file=sys.stderr)
        sys.stderr.flush()
        with contextlib.suppress(OSError):
            self.tell("died", why=f"{type(error).__name__}: {error}")
        os._exit(EXIT_ERROR)


class RealClock:
    """The kernel's clocks; see `world.Clock`."""

    def monotonic(self) -> float:
        """See `world.Clock`."""
        return time.monotonic()

    def wall(self) -> float:
        """See `world.Clock`."""
        return time.time()

    def later(self, delay_s: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """See `world.Clock`."""
        return asyncio.get_running_loop().call_later(delay_s, callback)

    async def sleep(self, delay_s: float) -> None:
        """See `world.Clock`."""
        await asyncio.sleep(delay_s)


def _lines_of(path: str) -> list[dict[str, Json]]:
    """What earlier lives told; a line that was torn by the end of one is left out."""
    try:
        lines = Path(path).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]

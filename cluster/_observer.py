"""The observer: asks every node, again and again, what it thinks, and tells the run.

Each answer is one event of process ``observer``, named ``observe``, of type ``ok``, with the
`node` that was asked and

    {"asked": 1200000000, "role": "leader", "term": 3, ...}

as its value: what the node said, and when it was asked (ns since the run began).  What it said
held at some moment between then and the event's own time.  A node that did not answer is an
event, too, of type ``fail``, with only ``asked`` in its value and the reason as its `error`.

What members of a `Telling` system told since they were asked last comes first, each thing an event
with what was told for its value.  These held at some moment since the question before.

A node is asked by one question at a time.  A round that comes while it still owes an answer
leaves it out, and its next event counts such rounds (``missed``).  So a node that hangs
costs one waiting task, and the others are asked at their rhythm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from cluster._host import Host, HostError
from cluster._system import Observable, Telling
from histories import OBSERVER, EventType, Json, Op

ANSWER_TIMEOUT_S: Final = 1.0
ROUNDS_HZ_MAX: Final = 100.0

_log = logging.getLogger("momus.observer")


class Observer:
    """Watches `hosts` through what their system tells of itself, `rate_hz` times a second.

    The first round comes at once.  Whatever a question raises counts as no answer.  Raises
    ValueError for a rate that is not above zero, or above `ROUNDS_HZ_MAX`.
    """

    def __init__(
        self,
        system: Observable,
        hosts: Sequence[Host],
        rate_hz: float = 2.0,
        *,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        if not 0 < rate_hz <= ROUNDS_HZ_MAX:
            raise ValueError(
                f"an observer asks more than 0 and at most {ROUNDS_HZ_MAX:g} times a second, "
                f"not {rate_hz:g}"
            )
        self._system = system
        self._hosts = tuple(hosts)
        self._period_s = 1 / rate_hz
        self._timeout_s = timeout_s
        self._missed = dict.fromkeys((host.name for host in hosts), 0)

    async def watch(self, tell: Callable[[Op], object], now: Callable[[], int]) -> None:
        """Ask until cancelled; `now` is the time of the run in ns.  Leaves no task behind."""
        loop = asyncio.get_running_loop()
        asking: dict[str, asyncio.Task[None]] = {}
        due = loop.time()
        try:
            while True:
                for host in self._hosts:
                    task = asking.get(host.name)
                    if task is not None and not task.done():
                        self._missed[host.name] += 1
                        continue
                    asking[host.name] = loop.create_task(self._ask(host, tell, now))
                # Rounds that this machine was too busy for are left out, not caught up with.
                due = max(due + self._period_s, loop.time())
                await asyncio.sleep(due - loop.time())
        finally:
            for task in asking.values():
                task.cancel()
            await asyncio.gather(*asking.values(), return_exceptions=True)

    async def _ask(self, host: Host, tell: Callable[[Op], object], now: Callable[[], int]) -> None:
        asked = now()
        said: dict[str, Json] = {}
        error: str | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                # First what has led to it: news must not come behind two states that are newer.
                if isinstance(self._system, Telling):
                    for each in await self._system.news(host):
                        tell(Op("observe", dict(each), None, "ok", OBSERVER, None, None, host.name))
                said = await self._system.observe(host)
        except TimeoutError:
            error = f"no answer within {self._timeout_s:g} s"
        except (HostError, OSError) as trouble:
            error = f"{type(trouble).__name__}: {trouble}"
        except Exception as trouble:  # an answer that cannot be read is no answer either
            _log.warning("%s could not be observed", host.name, exc_info=trouble)
            error = f"{type(trouble).__name__}: {trouble}"
        missed = self._missed[host.name]
        self._missed[host.name] = 0
        value = {**said, "asked": asked, **({"missed": missed} if missed else {})}
        outcome: EventType = "ok" if error is None else "fail"
        tell(Op("observe", value, None, outcome, OBSERVER, None, error, host.name))

"""`Ordering`: an order to a system's admin surface as a fault, so that schedules give it.

It breaks nothing, but sets the system to work: a shard moves, members change.  The order goes by
`POST /admin/<name>` to one node after the other until one obeys.  The receipt says who obeyed and
what the nodes told before and after.  Until it is stopped, which does not undo it, what they tell
must show some time that it was carried out; it is looked at all the time, for a leader that was
asked for may be struck by the next fault.  An order that nobody obeyed, or that did not show, is
declined: the cluster was in no state for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final, TypeAlias

from cluster import BadResponse
from histories import Json
from nemesis import Declined, Field, Order, Proof
from nemesis.targets import Observations
from simulation.real._processes import Processes

THING: Final = "order"
PATIENCE_S: Final = 2.0
"""For somebody to obey, and, when it is stopped, for what was ordered to show."""
_PAUSE_S: Final = 0.05
_LOOK_S: Final = 0.2

Told: TypeAlias = Mapping[str, Json]
"""What a cluster tells of itself, in the words of the system."""
Draw: TypeAlias = Callable[[Sequence[str], Random], dict[str, Json]]
"""An order for these nodes."""
Shows: TypeAlias = Callable[[Mapping[str, Json], Told, Told], bool]
"""Of an order and of what was told before and now: was it carried out?"""
Tell: TypeAlias = Callable[[Mapping[str, Json]], Told]
"""Sums up what nodes told of their state, by node."""


class Ordering:
    """See above; `tell` and `shows` are the system's."""

    lane = "orders"
    intact = frozenset({"quiet"})
    broken = frozenset({"obeyed", "carried out"})

    def __init__(self, system: Processes, name: str, draw: Draw, tell: Tell, shows: Shows) -> None:
        self.name: Final = name
        self._system = system
        self._draw = draw
        self._tell = tell
        self._shows = shows
        self._obeyed_by: str | None = None
        self._watch: asyncio.Task[None] | None = None
        self._before: Told = {}
        self._field: Field | None = None

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:  # noqa: ARG002
        """See `nemesis.Fault`."""
        return self._draw(nodes, random)

    async def setup(self, field: Field) -> None:
        """See `nemesis.Fault`."""
        self._field = field

    async def read(self, value: Json) -> Order:
        """See `nemesis.Fault`."""
        if not isinstance(value, dict):
            raise ValueError(f'start-{self.name} needs {{"shard": "s1", ...}}, not {value!r}')
        return Order(frozenset({THING}), (), value)

    async def prove(self, things: frozenset[str]) -> Proof:
        """What the nodes tell now."""
        state = "quiet"
        evidence: dict[str, Json] = {"told": dict(await self._told())}
        if self._watch is not None:
            state = "carried out" if self._watch.done() else "obeyed"
            evidence["obeyed_by"] = self._obeyed_by
        return Proof(dict.fromkeys(sorted(things), state), evidence)

    async def inject(self, order: Order) -> dict[str, str]:
        """Order it; `Declined` if nobody obeys."""
        self._before = await self._told()
        answers: dict[str, str] = {}
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for node in self._nodes:
                why_not = await self._ask(node, order)
                if why_not is None:
                    await self._end_watch()
                    self._obeyed_by = node
                    self._watch = asyncio.create_task(self._until_it_shows(order.detail))
                    return {}
                answers[node] = why_not
            await asyncio.sleep(_PAUSE_S)
        told = "; ".join(f"{node}: {why}" for node, why in answers.items())
        raise Declined(f"nobody obeyed the order {self.name} for {PATIENCE_S:g} s: {told}")

    async def heal(self) -> dict[str, str]:
        """Wait a little until it shows; `Declined` if it does not."""
        if self._watch is None:
            return {}
        await asyncio.wait([self._watch], timeout=PATIENCE_S)
        if not await self._end_watch():
            raise Declined(
                f"{self._obeyed_by} obeyed the order {self.name}, but {PATIENCE_S:g} s after "
                "its end nothing had shown it"
            )
        return {}

    async def _until_it_shows(self, order: Mapping[str, Json]) -> None:
        while not self._shows(order, self._before, await self._told()):
            await asyncio.sleep(_LOOK_S)

    async def _end_watch(self) -> bool:
        """Look no more; whether it had shown.  Raises what was wrong with the look."""
        watch, self._watch = self._watch, None
        if watch is None:
            return False
        if watch.done():
            watch.result()
            return True
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        return False

    @property
    def _nodes(self) -> Sequence[str]:
        assert self._field is not None, "setup() comes before everything else"
        return self._field.nodes

    async def _ask(self, node: str, order: Order) -> str | None:
        """Why the node does not obey; None if it does."""
        assert self._field is not None
        host = self._field.hosts[node]
        try:
            said = await self._system.order(host, f"/admin/{self.name}", dict(order.detail))
        except (OSError, LookupError, BadResponse) as error:
            return str(error) or type(error).__name__
        why_not = said.get("error") if isinstance(said, dict) else None
        return None if why_not is None else str(why_not)

    async def _told(self) -> Told:
        assert self._field is not None
        hosts = self._field.hosts
        answers = await asyncio.gather(
            *map(self._system.observe, hosts.values()), return_exceptions=True
        )
        told: dict[str, Json] = {}
        for node, answer in zip(hosts, answers, strict=True):
            if isinstance(answer, dict):
                told[node] = answer
        return self._tell(told)

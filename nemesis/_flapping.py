"""`Flapping`: a partition that comes and goes, at a period.

The links of a grudge are cut and opened by turns, by the filters of a `Partition`, until it is
stopped.  It is one strike all the time: its undo is in the journal from before the first cut,
and bars every later one, so a driver that dies in either phase leaves nothing that `momus heal`
would not find, and no cut that could come after it.

It is proven by a row of postcards that lasts longer than two periods: of a link that flaps
some arrive, and between them a hole of many in a row is missing.  Postcards that are late
because a host is busy arrive all the same, so a hole is no accident of load.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Final

from cluster import Host, HostError
from histories import Json
from nemesis import targets as targets_module
from nemesis._debts import UNDO_TIMEOUT_S, on_each, to_its_end
from nemesis._fault import Order, Proof
from nemesis._filters import FILTER_NAMES, Strike
from nemesis._partition import USUAL_SHAPES, Partition
from nemesis._postcards import Seen, Traffic, measure
from nemesis.grudges import Link, from_json, links
from nemesis.targets import Observations, Target

PHASE_S: Final = (0.5, 60.0)
_PER_S: Final = 40
"""Postcards a second on each link."""
_PERIODS: Final = 2.2
_TRIES_MAX: Final = 3
_HOLE_SHARE: Final = 0.5
"""Of the time of a cut: opening and cutting take their time, and hosts do not do it at once."""
_ARROW: Final = "->"


class Flapping(Partition):
    """Cuts links for `cut_s` and opens them for `open_s`, over and over, until it is stopped.

    Shapes, targets and filters are those of a `Partition`.  Raises ValueError for phases
    under half a second, which no probe could tell, or over a minute.
    """

    intact = frozenset({"open"})
    broken = frozenset({"flapping"})

    def __init__(
        self,
        shapes: str | Sequence[str] = USUAL_SHAPES,
        targets: Target = targets_module.one,
        *,
        cut_s: float = 1.0,
        open_s: float = 1.0,
        system: object = None,
        filters: Sequence[str] = FILTER_NAMES,
        name: str = "flapping",
    ) -> None:
        super().__init__(shapes, targets, system=system, filters=filters, name=name)
        self._phases = _phases({"cut_s": cut_s, "open_s": open_s})
        self._strikes: dict[str, list[Strike]] = {}
        self._enough = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """A shape and its grudge, as for a partition, and how long each phase lasts."""
        return {**super().choose(nodes, random, observed), **self._phases}

    async def read(self, value: Json) -> Order:
        """The grudge and the phases in the operation's value."""
        order = await super().read(value)
        given = _phases({key: value[key] for key in self._phases if key in value})
        return Order(order.things, order.targets, {**order.detail, **self._phases, **given})

    async def prove(self, things: frozenset[str]) -> Proof:
        """The state of every link between the nodes, watched for two periods and more."""
        states: dict[Link, str] = {}
        holes: dict[str, Json] = {}
        failures: dict[str, str] = {}
        window_s = _PERIODS * sum(self._phases.values())
        traffic = Traffic(
            math.ceil(window_s * _PER_S),
            per_s=_PER_S * (len(self.field.nodes) - 1),
            # Long enough that the last word gets through between two cuts.
            linger_s=1.5 * self._phases["cut_s"],
            delay_s=self._phases["cut_s"],
        )
        for _ in range(_TRIES_MAX):
            seen, failures = await measure(
                self.field.hosts, self._addresses, self.field.journal.run, traffic
            )
            for link, each in seen.items():
                if states.get(link) != self._expected(link):
                    states[link] = self._judge(each)
                    if _ARROW.join(link) in things:
                        holes[_ARROW.join(link)] = round(each.hole / _PER_S, 2)
            if failures or all(state == self._expected(each) for each, state in states.items()):
                break
        filters = sorted({each.name for each in self._filters.values()})
        evidence: dict[str, Json] = {"filters": filters, "hole_s": holes}
        if failures:
            evidence["errors"] = failures
        every = ((s, n) for s in self.field.nodes for n in self.field.nodes if s != n)
        return Proof({_ARROW.join(link): states.get(link, "unknown") for link in every}, evidence)

    async def inject(self, order: Order) -> dict[str, str]:
        """Cut for the first time, on all hosts at once, and go on from there."""
        phases = _phases({key: order.detail[key] for key in self._phases})
        await self._end_loop()
        self._phases = phases
        self._cut |= links(from_json(order.detail["grudge"], self.field.nodes))
        for node, addresses in self._rules(self._cut).items():
            host = self.field.hosts[node]
            strike = Strike(self._run, host.directory, tuple(addresses))
            note: dict[str, Json] = {"filter": self._filters[node].name, "addresses": addresses}
            await self.debts.owe(host, [self._filters[node].undo(strike)], note, sudo=True)
            self._strikes[node] = [*self._strikes.get(node, []), strike]
        failed = await self._on_all(self._close)
        self._enough = asyncio.Event()
        self._loop = asyncio.create_task(self._flap(self._enough))
        return failed

    async def heal(self) -> dict[str, str]:
        """Let the loop come to the end of its phase, and open the links for good."""
        await self._end_loop()
        failed = await super().heal()
        if not failed:
            self._strikes = {}
        return failed

    @property
    def _run(self) -> str:
        # Rules of a name of their own, so that a partition at the same time stays as it is.
        return f"{super()._run}/{self.name}"

    def _expected(self, link: Link) -> str:
        return "flapping" if link in self._cut else "open"

    def _judge(self, seen: Seen) -> str:
        if not seen.got:
            return "cut"
        if seen.hole >= _HOLE_SHARE * self._phases["cut_s"] * _PER_S:
            return "flapping"
        return "open" if seen.met else "unknown"

    async def _flap(self, enough: asyncio.Event) -> None:
        while True:
            if await _over(enough, self._phases["cut_s"]):
                return
            await self._on_all(self._open)
            if await _over(enough, self._phases["open_s"]):
                return
            await self._on_all(self._close)

    async def _on_all(self, act: Callable[[Host], Awaitable[None]]) -> dict[str, str]:
        """On all hosts with links to cut; one that fails may fare better the next time."""
        return await on_each([self.field.hosts[node] for node in self._strikes], act)

    async def _close(self, host: Host) -> None:
        block = self._filters[host.name].block(self._strikes[host.name][-1])
        await host.run(block, sudo=True, timeout_s=UNDO_TIMEOUT_S)

    async def _open(self, host: Host) -> None:
        lift = self._filters[host.name].lift(self._strikes[host.name][-1])
        await host.run(lift, sudo=True, timeout_s=UNDO_TIMEOUT_S)

    async def _end_loop(self) -> None:
        if self._loop is None:
            return
        self._enough.set()
        loop, self._loop = self._loop, None
        try:
            await to_its_end(loop)
        except (HostError, OSError):  # what it did not undo the debts will
            return


async def _over(enough: asyncio.Event, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await enough.wait()
    except TimeoutError:
        return False
    return True


def _phases(given: Mapping[str, Json]) -> dict[str, float]:
    least, most = PHASE_S
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{key} of a flapping partition must be a number, not {value!r}")
        if not least <= value <= most:
            raise ValueError(
                f"{key} of a flapping partition must be from {least:g} to {most:g} s, so that "
                f"both phases can be seen; not {value:g}"
            )
    return {key: float(value) for key, value in given.items()}

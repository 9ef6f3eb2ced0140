"""`ClockFault`: clocks that are wrong, jump, go back and forth, or drift.

The clock that is struck is the daemon's, by libfaketime, or its whole host's (see
`_clock_ways`), and which it was stands in the receipt.  A keeper on the host does the work
(see `_clock_program`); it puts the clock right by itself when the driver is gone, so that
even a host that nobody can reach any more is not left with a wrong clock for long.

It is proven by reading that clock against the driver's, give or take half of what the
reading took.  Before any load each clock is read once, and what it was ahead then counts as
right: hosts need not agree with the driver.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import posixpath
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from cluster import Host, HostError
from histories import Json
from nemesis import _clock_program
from nemesis import targets as targets_module
from nemesis._clock_ways import Reading, Way, measure, refuse_shared, way_of
from nemesis._debts import ask_each, on_each
from nemesis._fault import Field, Order, Proof, nodes_named, require
from nemesis._of_hosts import OfHosts
from nemesis._processes import daemon_of
from nemesis._programs import strike_command, undo_command
from nemesis.targets import Observations, Target

TRUE: Final = "true"
TOLERANCE_S: Final = 0.05
NATURAL_DRIFT: Final = 2e-4
"""How fast clocks of two machines may part by themselves."""
LEASE_S: Final = 30.0
_RENEWALS: Final = 6
_WATCH_S: Final = 10.0
_POLL_S: Final = 0.02


@dataclass(frozen=True)
class _Range:
    """What a schedule may draw: from `low` to `high`, either sign if `signed`; and the usual.

    Drawn evenly by order of magnitude.
    """

    usual: float
    low: float
    high: float
    signed: bool = False
    least: float = 0.0
    """Less than this no probe could tell."""

    def draw(self, random: Random) -> float:
        size = math.exp(random.uniform(math.log(self.low), math.log(self.high)))
        return round(size * (random.choice((-1, 1)) if self.signed else 1), 3)


@dataclass(frozen=True)
class _Kind:
    word: str
    how: str
    settings: Mapping[str, _Range]


_LEAST_S: Final = 0.25
CLOCK_FAULTS: Final[Mapping[str, _Kind]] = {
    "skew": _Kind("skewed", "hold", {"offset_s": _Range(5.0, 0.5, 300.0, True, _LEAST_S)}),
    "jump": _Kind("jumped", "hold", {"offset_s": _Range(3600.0, 60.0, 86400.0, True, _LEAST_S)}),
    "strobe": _Kind(
        "strobing",
        "strobe",
        {
            "offset_s": _Range(1.0, 0.5, 60.0, True, _LEAST_S),
            "period_s": _Range(0.5, 0.2, 4.0, False, 0.1),
        },
    ),
    "drift": _Kind("drifting", "drift", {"rate": _Range(0.05, 0.02, 0.5, True, 0.01)}),
}
"""The kinds: a constant offset; one step from where the clock is; right and wrong in turns
of half a period; seconds gained (or lost) per second."""


class ClockFault(OfHosts):
    """The clocks of the targets are moved; `kind` is one of `CLOCK_FAULTS`.

    `settings` fix what a schedule would draw (``offset_s``, ``period_s``, ``rate``).  `way`
    is ``"libfaketime"``, ``"host clock"``, or None for the first of them that a host allows.
    `despite_ntp` sets the clocks of hosts though an NTP daemon runs there.  Raises ValueError
    for a kind or settings unknown, or too small to be proven.
    """

    lane = "clock"
    intact = frozenset({TRUE})

    def __init__(
        self,
        kind: str,
        system: Any,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        settings: Mapping[str, float] | None = None,
        way: str | None = None,
        daemon: str | None = None,
        despite_ntp: bool = False,
        lease_s: float = LEASE_S,
        at_most_s: float = 3600.0,
        name: str | None = None,
    ) -> None:
        if kind not in CLOCK_FAULTS:
            raise ValueError(f"no clock does {kind!r}; known are {', '.join(CLOCK_FAULTS)}")
        if way not in (None, "libfaketime", "host clock"):
            raise ValueError(f'ways are "libfaketime" and "host clock", not {way!r}')
        super().__init__(kind if name is None else name, targets)
        self._kind = CLOCK_FAULTS[kind]
        self._adds = kind == "jump"
        self.broken = frozenset({self._kind.word})
        self._fixed = dict(settings or {})
        self._checked(self._fixed)
        self._clocked = system
        self._daemon = daemon or daemon_of(system)
        self._wanted_way = way
        self._despite_ntp = despite_ntp
        self._lease_s = lease_s
        self._at_most_s = at_most_s
        self._ways: dict[str, Way] = {}
        self._base: dict[str, Reading] = {}
        self._right: dict[str, dict[str, Any]] = {}
        self._struck: dict[str, dict[str, float]] = {}
        self._last: dict[str, dict[str, float]] = {}
        self._leases: dict[str, asyncio.Task[None]] = {}

    def _system(self) -> object:
        return self._clocked

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """The nodes, and how far or fast their clocks go wrong."""
        value = super().choose(nodes, random, observed)
        drawn = {name: each.draw(random) for name, each in self._kind.settings.items()}
        return {**value, **drawn, **self._fixed}

    async def setup(self, field: Field) -> None:
        """Find the way for each host, and what its clock says while it is right."""
        await super().setup(field)
        for host in field.hosts.values():
            require(host, "files", self.name)

        async def find(host: Host) -> tuple[Way, Reading]:
            # Strikes by root would make this file root's, and then bar those without root.
            await host.run(["touch", "--", posixpath.join(host.directory, "strikes-undone")])
            way = await way_of(
                host, self._clocked, self._daemon, self._wanted_way, despite_ntp=self._despite_ntp
            )
            return way, await measure(way, TOLERANCE_S)

        for name, found in (await ask_each(field.hosts.values(), find)).items():
            if isinstance(found, Exception):
                raise found
            self._ways[name], self._base[name] = found
        await refuse_shared(self._ways)

    async def read(self, value: Json) -> Order:
        """The nodes that the value names, and the settings in it, else the usual ones."""
        nodes = await nodes_named(value, self.field.nodes, self._clocked)
        given = value if isinstance(value, dict) else {}
        own = {name: given[name] for name in self._kind.settings if name in given}
        return Order(frozenset(nodes), tuple(nodes), dict(self._checked({**self._fixed, **own})))

    async def prove(self, things: frozenset[str]) -> Proof:
        """Read these clocks against the driver's."""
        looked = await ask_each(self._hosts(things), self._look)
        states: dict[str, str] = {}
        evidence: dict[str, dict[str, Json]] = {
            key: {} for key in ("ways", "asked", "ahead_s", "give_or_take_s")
        }
        errors: dict[str, Json] = {}
        for node, found in looked.items():
            evidence["ways"][node] = self._ways[node].name
            if self._ways[node].beside:
                evidence.setdefault("beside", {})[node] = self._ways[node].beside
            if isinstance(found, Exception):
                states[node], errors[node] = "unknown", str(found)
                continue
            states[node], reading = found
            evidence["asked"][node] = reading.asked
            evidence["ahead_s"][node] = round(reading.ahead_s - self._base[node].ahead_s, 4)
            slop_s = reading.give_or_take_s + self._base[node].give_or_take_s
            evidence["give_or_take_s"][node] = round(slop_s, 4)
        return Proof(states, {**evidence, **({"errors": errors} if errors else {})})

    async def inject(self, order: Order) -> dict[str, str]:
        """Leave a keeper on each target, which moves the clock."""

        async def strike(host: Host) -> None:
            node, way = host.name, self._ways[host.name]
            if node not in self._right:
                self._right[node] = await way.right()
            settings = {name: float(each) for name, each in order.detail.items()}
            if self._adds and node in self._struck:
                settings["offset_s"] += self._struck[node]["offset_s"]
            place = (host.directory, f"{self.name}-{uuid.uuid4().hex}")
            clock = {"directory": host.directory, **self._right[node]}
            undo = undo_command(host, _clock_program, place, {"do": "undo", **clock})
            note: dict[str, Json] = {"way": way.name, **settings}
            await self.debts.owe(host, [undo], note, sudo=way.sudo)
            await self._renew(host)
            orders: dict[str, Json] = {
                "do": "keep",
                "how": self._kind.how,
                "lease_s": self._lease_s,
                "at_most_s": self._at_most_s,
                **clock,
                **settings,
            }
            self._struck[node] = self._last[node] = settings
            await host.run(strike_command(host, _clock_program, place, orders), sudo=way.sudo)
            if node not in self._leases:
                self._leases[node] = asyncio.create_task(self._hold_lease(host))

        return await on_each(self._hosts(order.targets), strike)

    async def heal(self) -> dict[str, str]:
        """End the keepers, and put the clocks right."""
        failed = await self.debts.pay()
        for node in [each for each in self._struck if each not in failed]:
            del self._struck[node], self._right[node]
        for node in [each for each in self._leases if each not in failed]:
            lease = self._leases.pop(node)
            lease.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await lease
        return failed

    async def _hold_lease(self, host: Host) -> None:
        """Tell the keeper again and again that we are there."""
        while True:
            await asyncio.sleep(self._lease_s / _RENEWALS)
            with contextlib.suppress(HostError, OSError):  # the proof tells if it was too long
                await self._renew(host)

    async def _renew(self, host: Host) -> None:
        path = posixpath.join(host.directory, "clock-lease")
        await host.write(path, uuid.uuid4().hex.encode())

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Json]:
        """The settings with `given` in place of the usual; ValueError if no probe could tell."""
        ranges = self._kind.settings
        settings = {name: each.usual for name, each in ranges.items()} | dict(given)
        strangers = sorted(settings.keys() - ranges.keys())
        if strangers:
            raise ValueError(
                f"{self.name} has the settings {', '.join(ranges)}, not {', '.join(strangers)}"
            )
        for name, each in ranges.items():
            size = settings[name]
            if isinstance(size, bool) or not isinstance(size, int | float):
                raise ValueError(f"{self.name}: {name} is a number, not {size!r}")
            if not math.isfinite(size) or abs(size) < each.least or (size < 0 and not each.signed):
                raise ValueError(
                    f"{self.name}: {name} is at least {each.least:g}, or no probe could tell it "
                    f"from a clock that is right; not {size!r}"
                )
        return dict(settings)

    async def _look(self, host: Host) -> tuple[str, Reading]:
        """In one word, what the clock does, and the reading that showed it."""
        settings = self._struck.get(host.name)
        offset_s = abs(self._last.get(host.name, {}).get("offset_s", 0.0))
        watch = _Watch(self._ways[host.name], self._base[host.name], offset_s)
        if settings is None:
            return await watch.for_truth(1.25 * self._last.get(host.name, {}).get("period_s", 0.0))
        if self._kind.how == "drift":
            return await watch.for_drift(settings["rate"], self._kind.word)
        if self._kind.how == "strobe":
            return await watch.for_strobe(**settings, word=self._kind.word)
        reading = await watch.read()
        states = [TRUE] * watch.is_near(reading, 0.0)
        states += [self._kind.word] * watch.is_near(reading, settings["offset_s"])
        return states[0] if len(states) == 1 else "unknown" if states else "off", reading


@dataclass(frozen=True)
class _Watch:
    """Looks at one clock; all offsets are from what it was ahead while it was right."""

    way: Way
    base: Reading
    offset_s: float

    async def read(self) -> Reading:
        """As exact as it takes to tell the offset from none."""
        return await measure(self.way, min(5 * TOLERANCE_S, max(TOLERANCE_S, self.offset_s / 8)))

    def is_near(self, reading: Reading, offset_s: float) -> bool:
        natural_s = NATURAL_DRIFT * (reading.at_s - self.base.at_s)
        tolerance_s = TOLERANCE_S + self.base.give_or_take_s + natural_s
        return reading.is_near(self.base.ahead_s + offset_s, tolerance_s)

    async def for_truth(self, watch_s: float) -> tuple[str, Reading]:
        """Is the clock right, and does it stay so while we watch?"""
        until = time.monotonic() + watch_s
        while self.is_near(reading := await self.read(), 0.0):
            if time.monotonic() >= until:
                return TRUE, reading
            await asyncio.sleep(_POLL_S)
        return "off", reading

    async def for_strobe(self, offset_s: float, period_s: float, word: str) -> tuple[str, Reading]:
        """Is the clock seen right and seen wrong, within a few periods?"""
        until = time.monotonic() + 3 * period_s + _WATCH_S / 2
        seen: dict[str, Reading] = {}
        while True:
            reading = await self.read()
            right, wrong = self.is_near(reading, 0.0), self.is_near(reading, offset_s)
            if right != wrong:
                seen["right" if right else "wrong"] = reading
            if len(seen) == 2:
                return word, seen["wrong"]
            if time.monotonic() > until:
                return (TRUE if "right" in seen else "off" if seen else "unknown"), reading
            await asyncio.sleep(min(_POLL_S, period_s / 8))

    async def for_drift(self, rate: float, word: str) -> tuple[str, Reading]:
        """Does the clock gain (or lose) what it should while we watch?"""
        first = reading = await self.read()
        until = time.monotonic() + _WATCH_S
        while time.monotonic() < until:
            await asyncio.sleep(_POLL_S)
            reading = await self.read()
            wanted_s = rate * (reading.at_s - first.at_s)
            gained_s = reading.ahead_s - first.ahead_s
            steps_s = 2 * _clock_program.TICK_S * abs(rate)  # it moves in steps
            slop_s = reading.give_or_take_s + first.give_or_take_s + steps_s
            if abs(wanted_s) > 4 * slop_s:
                if abs(gained_s - wanted_s) <= 2 * slop_s:
                    return word, reading
                break
        return TRUE if self.is_near(reading, 0.0) else "off", reading

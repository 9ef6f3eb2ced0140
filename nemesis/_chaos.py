"""Chaos: several faults in force together, drawn by weight.

Every now and then a fault starts, each is in force for a while of its own, and up to `at_once`
of them are at the same time.  What may not be in force together is kept apart by three rules:

- *No fault twice.*  ``stop-kill`` heals everything that kill has struck, so a second kill could
  not have an end of its own; and nothing is killed twice.
- *In one lane only different nodes.*  Faults of a lane get into each other's way on one node: a
  process that is killed cannot be paused.  On different nodes they do not, since a fault
  strikes, proves and heals node by node.  A link belongs to both its nodes, so a partition
  takes part in the lane with every node that it cuts off from any other; and a fault of which
  only the cluster will say whom it strikes ("its primaries") may strike any node.  One whose
  healing needs the rest of the system (`heals_last`) takes all nodes: without a majority no
  member comes back.
- *Across lanes anything goes*: a network that is cut says nothing of processes.

Nodes are drawn again until they fit (which leaves those that fit as likely as they were among
each other); where that seems hopeless, another fault is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Final

import msgspec

from generators import PENDING, Context, Emitted, Generator
from generators import nemesis as on_nemesis
from histories import NEMESIS, OBSERVER, Event, Json, Op
from nemesis._chance import chance
from nemesis._fault import Fault, targets_of
from nemesis._picture import Picture
from nemesis._schedule import drawn_wait, nodes_of, ns, weights_of

AT_ONCE: Final = 3
_TRIES: Final = 16


class Strike(msgspec.Struct, frozen=True):
    """A fault in force on these nodes until `stop_ns`; None while it has not quite begun."""

    fault: str
    lane: str
    nodes: frozenset[str]
    stop_ns: int | None = None


class Chaos(msgspec.Struct, frozen=True):
    """Invariant: strikes `in_force` are of different faults, and in one lane on different nodes.

    `due_ns` is when the next fault may start; `under_way` the operation that has not completed;
    `orders` how many were given.  `drawn` remembers, for one source of randomness, the start
    that comes next (None: nothing fits), since runners ask again and again.
    """

    faults: tuple[Fault, ...]
    weights: tuple[float, ...]
    at_once: int
    quiet_ns: int
    strike_ns: int
    due_ns: int
    in_force: tuple[Strike, ...] = ()
    under_way: str | None = None
    orders: int = 0
    picture: Picture = Picture()
    drawn: list[tuple[Random, tuple[Json, Strike] | None]] = []

    def op(self, ctx: Context) -> Emitted:
        if self.under_way is not None or not ctx.free:
            return PENDING, self
        stop = min(self.in_force, key=lambda strike: strike.stop_ns or 0, default=None)
        stop_ns = None if stop is None else stop.stop_ns or 0
        if len(self.in_force) < self.at_once and (stop_ns is None or self.due_ns < stop_ns):
            start = self._next_start(ctx)
            if start is not None:
                value, strike = start
                op = self._order(ctx, f"start-{strike.fault}", value, self.due_ns)
                return op, self._ordered(op, in_force=(*self.in_force, strike))
        if stop is None or stop_ns is None:
            return PENDING, self
        op = self._order(ctx, f"stop-{stop.fault}", None, stop_ns)
        return op, self._ordered(op)

    def update(self, ctx: Context, event: Event) -> Generator:
        if event.process == OBSERVER:
            return msgspec.structs.replace(self, drawn=[], picture=self.picture.after(event))
        if event.process != NEMESIS or event.type == "invoke" or event.f != self.under_way:
            return self
        verb, _, name = event.f.partition("-")
        mine = next(strike for strike in self.in_force if strike.fault == name)
        others = tuple(strike for strike in self.in_force if strike is not mine)
        due_ns = self.due_ns
        if verb == "start":
            due_ns = event.time + drawn_wait(self._chance(ctx, "quiet"), self.quiet_ns)
            stop_ns = event.time + drawn_wait(self._chance(ctx, "strike"), self.strike_ns)
            others = (*others, msgspec.structs.replace(mine, stop_ns=stop_ns))
        return msgspec.structs.replace(
            self, drawn=[], under_way=None, in_force=others, due_ns=due_ns
        )

    def _next_start(self, ctx: Context) -> tuple[Json, Strike] | None:
        if not self.drawn or self.drawn[0][0] is not ctx.random:
            self.drawn[:] = [(ctx.random, self._draw(ctx))]
        return self.drawn[0][1]

    def _draw(self, ctx: Context) -> tuple[Json, Strike] | None:
        """A fault that can strike now, and whom; None if there is none that fits."""
        random, nodes = self._chance(ctx, "order"), nodes_of(ctx)
        busy = {strike.fault for strike in self.in_force}
        left = [
            (fault, weight)
            for fault, weight in zip(self.faults, self.weights, strict=True)
            if fault.name not in busy
        ]
        while left:
            [at] = random.choices(range(len(left)), [weight for _, weight in left])
            fault, _ = left.pop(at)
            taken = {
                node
                for strike in self.in_force
                if strike.lane == fault.lane
                for node in strike.nodes
            }
            for _ in range(_TRIES if len(taken) < len(nodes) else 0):
                value = fault.choose(nodes, random, self.picture.observations)
                whole = getattr(fault, "heals_last", False)
                struck = frozenset(nodes) if whole else struck_by(value, nodes)
                if not struck & taken:
                    return value, Strike(fault.name, fault.lane, struck)
        return None

    def _order(self, ctx: Context, f: str, value: Json, due_ns: int) -> Op:
        return Op(f=f, value=value, process=NEMESIS, time=max(due_ns, ctx.time))

    def _ordered(self, op: Op, **changes: Json) -> Chaos:
        return msgspec.structs.replace(
            self, drawn=[], under_way=op.f, orders=self.orders + 1, **changes
        )

    def _chance(self, ctx: Context, purpose: str) -> Random:
        return chance(ctx, "chaos", purpose, self.orders)


def chaos(
    faults: Iterable[Fault],
    interval_s: float = 10.0,
    *,
    strike_s: float | None = None,
    first_s: float | None = None,
    weights: Mapping[str, float] | None = None,
    at_once: int = AT_ONCE,
) -> Generator | None:
    """Faults that start every `interval_s` and are in force for `strike_s`, several together.

    Both are means of a wait drawn between half and one and a half times that long.  `strike_s`
    is so long, unless given, that half of `at_once` and a half are in force on the average
    (two of three).  `weights` says by name how often a fault is drawn (1 unless given) among
    those that can strike at that moment.  The first comes after `first_s` (`interval_s` unless
    given).  Raises ValueError for negative times, for `at_once` below 1, and for weights that
    `schedule` would refuse.
    """
    chosen = tuple({fault.name: fault for fault in faults}.values())
    weight = weights_of(chosen, weights)
    strike = interval_s * (at_once + 1) / 2 if strike_s is None else strike_s
    first = interval_s if first_s is None else first_s
    if at_once < 1:
        raise ValueError(f"at least one fault is in force at once, not {at_once}")
    if min(interval_s, strike, first) < 0:
        raise ValueError("a schedule cannot wait for a negative time")
    if not chosen:
        return None
    return on_nemesis(
        Chaos(chosen, tuple(weight.values()), at_once, ns(interval_s), ns(strike), due_ns=ns(first))
    )


def struck_by(value: Json, nodes: Sequence[str]) -> frozenset[str]:
    """Which of the nodes a start operation with this value may touch; all, if it cannot tell."""
    if isinstance(value, dict) and isinstance(value.get("grudge"), dict):
        grudge = value["grudge"]
        return frozenset(grudge) | {node for each in grudge.values() for node in each}
    targets = targets_of(value)
    if isinstance(targets, str) and targets in nodes:
        return frozenset((targets,))
    if isinstance(targets, list | tuple):
        return frozenset(targets)
    return frozenset(nodes)

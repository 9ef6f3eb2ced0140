"""When to strike: schedules, which are generators like any other.

A schedule is played by the nemesis worker.  It emits ``start-<fault>`` and ``stop-<fault>``
operations in turn, and whatever is random about them (which fault, which nodes, how long)
is drawn from the run's seed and written into the operation: the history tells exactly what
was ordered, and the same operations can be ordered again.

`schedule` draws at random; `turns` goes round; `script` plays a fixed list; `final` heals
everything and belongs at the end of every test, in front of the last reads.  `chaos` and
`when` have files of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from random import Random

import msgspec

from generators import (
    PENDING,
    Context,
    Emitted,
    Generator,
    GeneratorError,
    Liftable,
    any_of,
)
from generators import lift as lift_generator
from generators import nemesis as on_nemesis
from histories import NEMESIS, OBSERVER, Event, Json, Op
from nemesis._chance import chance
from nemesis._fault import Fault
from nemesis._picture import Picture

_SHORTEST, _LONGEST = 0.5, 1.5


class Lane(msgspec.Struct, frozen=True):
    """Faults that never overlap: one of them starts, stops, and then comes the next.

    `weights` are how often each fault is drawn, if not all alike.  `due_ns` is when the next
    operation is due; None while one is under way.  `striking` is the fault in force, and
    `orders` how many were given.  With `in_turns` nothing is drawn: the faults come in their
    order, and waits are as long as their mean.  `drawn` remembers, for one source of
    randomness, the operation drawn for `due_ns`: runners ask again and again before it is
    time, and drawing is dear.
    """

    name: str
    faults: tuple[Fault, ...]
    quiet_ns: int
    strike_ns: int
    due_ns: int | None
    striking: str | None = None
    orders: int = 0
    weights: tuple[float, ...] = ()
    in_turns: bool = False
    picture: Picture = Picture()
    drawn: list[tuple[Random, Op]] = []

    def op(self, ctx: Context) -> Emitted:
        if self.due_ns is None or not ctx.free:
            return PENDING, self
        if not self.drawn or self.drawn[0][0] is not ctx.random:
            self.drawn[:] = [(ctx.random, self._draw(ctx))]
        drawn = self.drawn[0][1]
        time = max(self.due_ns, ctx.time)
        op = Op(f=drawn.f, value=drawn.value, process=NEMESIS, time=time)
        started = op.f.removeprefix("start-") if op.f.startswith("start-") else None
        return op, self._next(due_ns=None, striking=started, orders=self.orders + 1)

    def update(self, ctx: Context, event: Event) -> Generator:
        if event.process == OBSERVER:
            return self._next(picture=self.picture.after(event))
        if self.due_ns is not None or event.process != NEMESIS or event.type == "invoke":
            return self
        mean_ns = self.quiet_ns if self.striking is None else self.strike_ns
        if self.in_turns:
            return self._next(due_ns=event.time + mean_ns)
        return self._next(due_ns=event.time + drawn_wait(self._chance(ctx, "wait"), mean_ns))

    def _draw(self, ctx: Context) -> Op:
        if self.striking is not None:
            return Op(f=f"stop-{self.striking}")
        nodes = nodes_of(ctx)
        random = self._chance(ctx, "order")
        if self.in_turns:
            fault = self.faults[self.orders // 2 % len(self.faults)]
        elif self.weights:
            fault = random.choices(self.faults, self.weights)[0]
        else:  # as ever, so that the same seed still means the same faults
            fault = random.choice(self.faults)
        value = fault.choose(nodes, random, self.picture.observations)
        return Op(f=f"start-{fault.name}", value=value)

    def _chance(self, ctx: Context, purpose: str) -> Random:
        return chance(ctx, "schedule", self.name, purpose, self.orders)

    def _next(self, **changes: Json) -> Lane:
        return msgspec.structs.replace(self, drawn=[], **changes)


def schedule(
    faults: Iterable[Fault],
    interval_s: float = 10.0,
    *,
    strike_s: float | None = None,
    first_s: float | None = None,
    overlap: bool = True,
    weights: Mapping[str, float] | None = None,
) -> Generator | None:
    """Random faults, endlessly: quiet for `interval_s`, then one in force for `strike_s`.

    Both are means of a wait drawn between half and one and a half times that long, and
    `strike_s` is as long as `interval_s` unless given.  The first fault comes `first_s`
    (`interval_s` unless given) after the run began.  With `overlap`, faults of processes
    and of the network each have a rhythm of their own and may be in force together.
    `weights` says by name how often a fault is drawn against the others of its rhythm (1
    unless given).  Raises ValueError for negative times, for weights that are not above
    zero and for weights of faults that are not there.
    """
    chosen = list(faults)
    weight = weights_of(chosen, weights)
    by_lane: dict[str, list[Fault]] = {}
    for fault in chosen:
        by_lane.setdefault(fault.lane if overlap else "all", []).append(fault)
    strike = interval_s if strike_s is None else strike_s
    first = interval_s if first_s is None else first_s
    if min(interval_s, strike, first) < 0:
        raise ValueError("a schedule cannot wait for a negative time")
    lanes = [
        Lane(
            name,
            tuple(lane),
            quiet_ns=ns(interval_s),
            strike_ns=ns(strike),
            due_ns=ns(first + number * interval_s / len(by_lane)),
            weights=tuple(weight[fault.name] for fault in lane) if weights else (),
        )
        for number, (name, lane) in enumerate(by_lane.items())
    ]
    return on_nemesis(any_of(*lanes))


def turns(faults: Iterable[Fault], interval_s: float = 10.0) -> Generator | None:
    """The faults one after the other in this order, and again: quiet, then in force.

    Both last `interval_s`; whom a fault strikes is drawn all the same.
    """
    chosen = tuple(faults)
    if interval_s < 0:
        raise ValueError("a schedule cannot wait for a negative time")
    wait_ns = ns(interval_s)
    lane = Lane("turns", chosen, wait_ns, wait_ns, due_ns=wait_ns, in_turns=True)
    return on_nemesis(lane if chosen else None)


def script(steps: Iterable[tuple[float, str, Json]]) -> Generator | None:
    """A fixed list of (seconds since the run began, f, value), played in this order.

    A step whose time has passed, because the ones before it took long, is played at once.
    """
    return on_nemesis(
        [Op(f=f, value=value, process=NEMESIS, time=ns(at_s)) for at_s, f, value in steps]
    )


def replay(events: Iterable[Event]) -> Generator | None:
    """The script that a recorded run has played: the same orders at the same times.

    Orders which the cluster completed ("strike the primaries") are played as they were
    ordered, not as they were completed.
    """
    return script(
        (event.time / 1e9, event.f, event.value)
        for event in events
        if event.process == NEMESIS and event.type == "invoke"
    )


def final(faults: Iterable[Fault]) -> Generator | None:
    """Stop every fault, one after the other, whether or not it is in force.

    Those whose healing needs a system that is otherwise whole (`heals_last`) are the last.
    """
    in_order = sorted(faults, key=lambda fault: bool(getattr(fault, "heals_last", False)))
    stops: Liftable = [Op(f=f"stop-{fault.name}", process=NEMESIS) for fault in in_order]
    return on_nemesis(lift_generator(stops))


def weights_of(faults: Sequence[Fault], weights: Mapping[str, float] | None) -> dict[str, float]:
    """How often each fault is drawn, by name; ValueError where the weights make no sense."""
    given = dict(weights or {})
    names = [fault.name for fault in faults]
    strangers = given.keys() - set(names)
    if strangers or not all(0 < each < math.inf for each in given.values()):
        raise ValueError(
            f"weights are numbers above zero of the faults of the schedule "
            f"({', '.join(names)}), not {given!r}"
        )
    return {name: given.get(name, 1.0) for name in names}


def nodes_of(ctx: Context) -> tuple[str, ...]:
    """The nodes to choose among; `GeneratorError` where the test names none."""
    nodes = ctx.meta.get("nodes")
    if not nodes:
        raise GeneratorError(
            "a schedule of faults chooses among the nodes of the test, and this test names "
            'none; give its context meta={"nodes": [...]}'
        )
    return tuple(nodes)


def drawn_wait(random: Random, mean_ns: int) -> int:
    """A wait, in ns, between half and one and a half times its mean."""
    return round(random.uniform(_SHORTEST, _LONGEST) * mean_ns)


def ns(seconds: float) -> int:
    """Seconds in the unit of the clock."""
    return round(seconds * 1_000_000_000)

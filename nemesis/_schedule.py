"""When to strike: schedules, which are generators like any other.

A schedule is played by the nemesis worker.  It emits ``start-<fault>`` and ``stop-<fault>``
operations in turn, and whatever is random about them (which fault, which nodes, how long)
is drawn from the context's seeded source and written into the operation: the history tells
exactly what was ordered, and the same operations can be ordered again.

`schedule` draws at random; `script` plays a fixed list; `final` heals everything and
belongs at the end of every test, in front of the last reads.
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
from nemesis._fault import Fault
from nemesis.targets import Observations

_SHORTEST, _LONGEST = 0.5, 1.5


class Lane(msgspec.Struct, frozen=True):
    """Faults that never overlap: one of them starts, stops, and then comes the next.

    `weights` are how often each fault is drawn, if not all alike.  `due_ns` is when the next
    operation is due; None while one is under way.  `striking` is the fault in force.
    `drawn` remembers, for one source of randomness, the operation drawn for `due_ns`:
    runners ask again and again before it is time, and drawing is dear.
    """

    faults: tuple[Fault, ...]
    quiet_ns: int
    strike_ns: int
    due_ns: int | None
    striking: str | None = None
    weights: tuple[float, ...] = ()
    observed: Observations = {}
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
        return op, self._next(due_ns=None, striking=started)

    def update(self, ctx: Context, event: Event) -> Generator:
        if event.process == OBSERVER and isinstance(event.value, dict):
            return self._next(observed={**self.observed, **event.value})
        if self.due_ns is not None or event.process != NEMESIS or event.type == "invoke":
            return self
        mean_ns = self.quiet_ns if self.striking is None else self.strike_ns
        wait_ns = round(ctx.random.uniform(_SHORTEST, _LONGEST) * mean_ns)
        return self._next(due_ns=event.time + wait_ns)

    def _draw(self, ctx: Context) -> Op:
        if self.striking is not None:
            return Op(f=f"stop-{self.striking}")
        nodes = _nodes(ctx)
        # Without weights as ever, so that the same seed still means the same faults.
        fault = (
            ctx.random.choices(self.faults, self.weights)[0]
            if self.weights
            else ctx.random.choice(self.faults)
        )
        return Op(f=f"start-{fault.name}", value=fault.choose(nodes, ctx.random, self.observed))

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
    weight = dict(weights or {})
    strangers = sorted(weight.keys() - {fault.name for fault in chosen})
    if strangers or not all(0 < each < math.inf for each in weight.values()):
        raise ValueError(
            f"weights are numbers above zero of the faults of the schedule "
            f"({', '.join(fault.name for fault in chosen)}), not {weight!r}"
        )
    by_lane: dict[str, list[Fault]] = {}
    for fault in chosen:
        by_lane.setdefault(fault.lane if overlap else "all", []).append(fault)
    strike = interval_s if strike_s is None else strike_s
    first = interval_s if first_s is None else first_s
    if min(interval_s, strike, first) < 0:
        raise ValueError("a schedule cannot wait for a negative time")
    lanes = [
        Lane(
            tuple(lane),
            quiet_ns=_ns(interval_s),
            strike_ns=_ns(strike),
            due_ns=_ns(first + number * interval_s / len(by_lane)),
            weights=tuple(weight.get(fault.name, 1.0) for fault in lane) if weight else (),
        )
        for number, lane in enumerate(by_lane.values())
    ]
    return on_nemesis(any_of(*lanes))


def script(steps: Iterable[tuple[float, str, Json]]) -> Generator | None:
    """A fixed list of (seconds since the run began, f, value), played in this order.

    A step whose time has passed, because the ones before it took long, is played at once.
    """
    return on_nemesis(
        [Op(f=f, value=value, process=NEMESIS, time=_ns(at_s)) for at_s, f, value in steps]
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
    """Stop every fault, one after the other, whether or not it is in force."""
    stops: Liftable = [Op(f=f"stop-{fault.name}", process=NEMESIS) for fault in faults]
    return on_nemesis(lift_generator(stops))


def _nodes(ctx: Context) -> Sequence[str]:
    nodes = ctx.meta.get("nodes")
    if not nodes:
        raise GeneratorError(
            "a schedule of faults chooses among the nodes of the test, and this test names "
            'none; give its context meta={"nodes": [...]}'
        )
    return tuple(nodes)


def _ns(seconds: float) -> int:
    return round(seconds * 1_000_000_000)

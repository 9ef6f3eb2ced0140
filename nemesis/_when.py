"""`when`: a fault that waits for something to happen.

    when(
        primary_elected(),
        after_s=2.0,
        while_=observed("sending_snapshot"),
        do=start("kill", targets="primaries"),
        strike_s=3.0,
        times=5,
    )

kills the primary 2 s after it was elected, as soon as somebody sends a snapshot from then on,
starts it again 3 s later, and does so five times at most.

The generator goes round: it waits for the *moment*; is *armed* from then on, for `after_s` and
until `while_` holds; strikes; stops after `strike_s`; and rests for `quiet_s`, however often
the moment comes meanwhile.  A moment that comes again arms it anew: "2 s after it was elected"
means the last election.  One that comes during a strike, which may well have set it off, or
during a rest, counts when the rest is over.

Whom it strikes is chosen when it strikes and stands in the operation, with the reason
(``when``): a replay orders the same without waiting for anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import msgspec

from generators import PENDING, Context, Emitted, Generator
from generators import nemesis as on_nemesis
from histories import NEMESIS, Event, Json, Op
from nemesis import targets as targets_module
from nemesis._chance import chance
from nemesis._conditions import Moment, State, always, becomes
from nemesis._fault import Fault
from nemesis._picture import Picture
from nemesis._schedule import nodes_of, ns
from nemesis.targets import Observations, Target

Choose: TypeAlias = Callable[[Sequence[str], Random, Observations], Json]


@dataclass(frozen=True)
class Start:
    """A fault to start, and how its value is chosen."""

    fault: str
    choose: Choose


def start(fault: str | Fault, targets: str | Target | None = None) -> Start:
    """A fault to start: one with targets of its own, or one by name with `targets`.

    Targets are a `Target` or how one is written: ``primaries``, ``one``, ``n1,n2``.  A fault
    that orders more than nodes (a partition: its grudge) must be given itself.  Raises
    ValueError where targets are missing, or too many.
    """
    if not isinstance(fault, str):
        if targets is not None:
            raise ValueError(f"the fault {fault.name!r} has targets of its own; give no others")
        return Start(fault.name, fault.choose)
    if targets is None:
        raise ValueError(f"whom shall {fault!r} strike? give targets, or the fault itself")
    target = targets_module.parse(targets) if isinstance(targets, str) else targets

    def choose(nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        chosen = target(nodes, random, observed)
        return {"targets": None if chosen is None else list(chosen), "choice": target.name}

    return Start(fault, choose)


class When(msgspec.Struct, frozen=True):
    """`armed_ns` is when it may strike at the earliest; None: nothing has happened.

    `under_way` is the operation that has not completed, `stop_ns` when the fault in force is to
    be stopped, `rest_ns` when the rest is over, `left` how many strikes are left (None: any
    number).  `orders` counts strikes, `drawn` remembers the value of the next.
    """

    moment: Moment
    do: Start
    reason: str
    after_ns: int
    while_: State
    strike_ns: int | None
    quiet_ns: int
    left: int | None
    orders: int = 0
    armed_ns: int | None = None
    under_way: str | None = None
    stop_ns: int | None = None
    rest_ns: int = 0
    picture: Picture = Picture()
    drawn: list[tuple[Random, Json]] = []

    def op(self, ctx: Context) -> Emitted:
        if self.left == 0 and self.under_way is None and self.stop_ns is None:
            return None
        if self.under_way is not None or not ctx.free:
            return PENDING, self
        if self.stop_ns is not None:
            return self._order(ctx, f"stop-{self.do.fault}", None, self.stop_ns)
        if self.armed_ns is None or not self._may_strike():
            return PENDING, self
        if not self.drawn or self.drawn[0][0] is not ctx.random:
            self.drawn[:] = [(ctx.random, self._draw(ctx))]
        value = self.drawn[0][1]
        if self._strikes_nobody(value):
            return PENDING, self
        due_ns = max(self.armed_ns, self.rest_ns)
        return self._order(ctx, f"start-{self.do.fault}", value, due_ns, armed_ns=None)

    def update(self, ctx: Context, event: Event) -> Generator:  # noqa: ARG002
        picture = self.picture.after(event)
        now = self
        if event.process == NEMESIS and event.type != "invoke" and event.f == self.under_way:
            now = self._completed(event)
        if self.moment.happened(self.picture, picture, event):
            now = msgspec.structs.replace(now, armed_ns=event.time + self.after_ns)
        if picture is self.picture and now is self:
            return self
        return msgspec.structs.replace(now, drawn=[], picture=picture)

    def _may_strike(self) -> bool:
        # Somebody else may have struck with the same fault, and its stop would end both.
        return self.do.fault not in self.picture.in_force and self.while_.holds(self.picture)

    def _strikes_nobody(self, value: Json) -> bool:
        """Nobody is there to be struck; or only the cluster knows, of whom we would have heard."""
        if not isinstance(value, dict) or "targets" not in value:
            return False
        targets = value["targets"]
        return not targets and (targets is not None or bool(self.picture.nodes))

    def _draw(self, ctx: Context) -> Json:
        random = chance(ctx, "when", self.reason, self.do.fault, self.orders)
        value = self.do.choose(nodes_of(ctx), random, self.picture.observations)
        return {**value, "when": self.reason} if isinstance(value, dict) else value

    def _order(self, ctx: Context, f: str, value: Json, due_ns: int, **changes: Json) -> Emitted:
        op = Op(f=f, value=value, process=NEMESIS, time=max(due_ns, ctx.time))
        return op, msgspec.structs.replace(self, under_way=f, drawn=[], **changes)

    def _completed(self, event: Event) -> When:
        if event.f.startswith("stop-"):
            rest_ns = event.time + self.quiet_ns
            return msgspec.structs.replace(self, under_way=None, stop_ns=None, rest_ns=rest_ns)
        return msgspec.structs.replace(
            self,
            under_way=None,
            stop_ns=None if self.strike_ns is None else event.time + self.strike_ns,
            rest_ns=event.time + self.quiet_ns,
            left=None if self.left is None else self.left - 1,
            orders=self.orders + 1,
        )


def when(
    condition: Moment | State,
    *,
    do: Start,
    after_s: float = 0.0,
    while_: State = always,
    strike_s: float | None = 5.0,
    quiet_s: float = 5.0,
    times: int | None = None,
) -> Generator | None:
    """A fault that strikes `after_s` after `condition` came about, while `while_` holds.

    A state comes about when it begins to hold, and must still hold when it strikes.  The fault
    is stopped after `strike_s`; None leaves that to the end of the run, and a fault that is in
    force is not started again.  There are at least `quiet_s` between two strikes, and at most
    `times` strikes (None: any number).  Raises ValueError for negative times.
    """
    if min(after_s, strike_s or 0.0, quiet_s) < 0 or (times is not None and times < 0):
        raise ValueError("a schedule cannot wait for a negative time, nor strike so often")
    moment = becomes(condition) if isinstance(condition, State) else condition
    reason = condition.name
    reason += f", {after_s:g} s after" if after_s else ""
    reason += "" if while_ is always else f", while {while_.name}"
    holding = while_ & condition if isinstance(condition, State) else while_
    return on_nemesis(
        When(
            moment,
            do,
            reason,
            ns(after_s),
            holding,
            None if strike_s is None else ns(strike_s),
            ns(quiet_s),
            times,
        )
    )

"""A story: what goes wrong, whom it meets and when; and the scenario that it makes.

    story(
        "leader-failure",
        "The leader is killed once, and what was acknowledged stays.",
        trouble("kill", at(targets.primaries), at_s=2.0, lasts_s=2.0),
    )

Times vary with the seed: a trouble begins up to `SPREAD_S` before or after its time, and lasts
between half and one and a half times as long, unless it says otherwise.  Whom it meets is chosen
when it begins, by what nodes have told until then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

import msgspec

from checker.evidence import Availability, Checker
from generators import PENDING, Context, Generator, Liftable
from generators import nemesis as on_nemesis
from generators._protocol import Emitted
from histories import NEMESIS, OBSERVER, Event, Json, Op
from nemesis import Fault
from nemesis._chance import chance
from nemesis._picture import Picture
from nemesis._schedule import nodes_of, ns
from simulation import faults
from simulation._cluster import SimulatedCluster
from simulation._network import Weather
from simulation.raftkv._judges import covered, judges
from simulation.raftkv._suites._judging import Recovers, nobody_died
from simulation.raftkv._suites._load import Registers, afterwards
from simulation.raftkv._suites._whom import Choose
from simulation.scenario import Scenario, Setting

SPREAD_S: Final = 0.4
LASTING: Final = (0.5, 1.5)
ON_TIME: Final[dict[str, Any]] = {"spread_s": 0.0, "lasting": (1.0, 1.0)}
"""For a trouble whose times do not vary."""

RECOVERY_S: Final = 3.0
AFTER_S: Final = 3.3
SLOW: Final = Weather(delay_s=0.001, jitter_s=0.02)
"""A network in which messages overtake each other all the time."""
RESTARTING: Final = frozenset({"kill", "crash", "crash-point"})

Make = Callable[[SimulatedCluster], Fault]

FAULTS: Final[Mapping[str, Make]] = {
    "clock-drift": faults.clock_drift,
    "clock-jump": faults.clock_jump,
    "clock-skew": faults.clock_skew,
    "crash": faults.crash,
    "disk-fill": faults.disk_fill,
    "disk-slow": lambda cluster: faults.disk_slow(cluster, slowness=50.0),
    "disk-sync-errors": lambda cluster: faults.disk_sync_errors(cluster, share=0.2),
    "disk-write-errors": lambda cluster: faults.disk_write_errors(cluster, share=0.2),
    "flapping": lambda cluster: faults.flapping(cluster, cut_s=0.5, open_s=0.4),
    "kill": faults.kill,
    "packet-delay": lambda cluster: faults.packet_delay(cluster, delay_s=0.03, jitter_s=0.05),
    "packet-duplicate": lambda cluster: faults.packet_duplicate(cluster, clients=True),
    "packet-loss": lambda cluster: faults.packet_loss(cluster, loss=0.1, clients=True),
    "packet-reorder": lambda cluster: faults.packet_reorder(cluster, hold_s=0.6, clients=True),
    "partition": faults.partition,
    "pause": faults.pause,
    "slow-cpu": lambda cluster: faults.slow_cpu(cluster, step_s=0.002),
}
"""The faults that stories know, by name; a story may bring others."""


@dataclass(frozen=True)
class Trouble:
    """A fault that strikes `whom` at `at_s`, and is over `lasts_s` later.

    Without `lasts_s` it is over when the next one of its kind is, or when all is healed.
    `spread_s` is how much sooner or later it may begin, `lasting` how many times as long as said
    it may last.
    """

    fault: str
    whom: Choose
    at_s: float
    lasts_s: float | None
    spread_s: float = SPREAD_S
    lasting: tuple[float, float] = LASTING

    def steps(self, random: Random) -> list[Step]:
        """Its beginning and its end."""
        begin_s = max(0.1, self.at_s + random.uniform(-self.spread_s, self.spread_s))
        steps = [Step(ns(begin_s), f"start-{self.fault}", self.whom)]
        if self.lasts_s is not None:
            end_s = begin_s + self.lasts_s * random.uniform(*self.lasting)
            steps.append(Step(ns(end_s), f"stop-{self.fault}"))
        return steps


def trouble(
    fault: str,
    whom: Choose,
    at_s: float,
    lasts_s: float | None = None,
    spread_s: float = SPREAD_S,
    lasting: tuple[float, float] = LASTING,
) -> Trouble:
    """See `Trouble`."""
    return Trouble(fault, whom, at_s, lasts_s, spread_s, lasting)


def again(times: int, every_s: float, *troubles: Trouble) -> list[Trouble]:
    """The same so many times."""
    return [
        replace(each, at_s=each.at_s + turn * every_s) for turn in range(times) for each in troubles
    ]


class Step(msgspec.Struct, frozen=True):
    """One order, and how its value is chosen."""

    at_ns: int
    f: str
    whom: Choose | None = None


class Story(msgspec.Struct, frozen=True):
    """The steps that are left, in their order; `picture` is what was told of the cluster.

    `drawn` remembers the order drawn for the next one, for one source of randomness.
    """

    steps: tuple[Step, ...]
    picture: Picture = Picture()
    drawn: list[tuple[Random, Json]] = []

    def op(self, ctx: Context) -> Emitted:
        if not self.steps:
            return None
        if not ctx.free:
            return PENDING, self
        step = self.steps[0]
        if not self.drawn or self.drawn[0][0] is not ctx.random:
            self.drawn[:] = [(ctx.random, self._draw(ctx, step))]
        time = max(step.at_ns, ctx.time)
        op = Op(step.f, self.drawn[0][1], process=NEMESIS, time=time)
        return op, msgspec.structs.replace(self, steps=self.steps[1:], drawn=[])

    def update(self, ctx: Context, event: Event) -> Generator:  # noqa: ARG002
        if event.process not in (OBSERVER, NEMESIS):
            return self
        return msgspec.structs.replace(self, picture=self.picture.after(event), drawn=[])

    def _draw(self, ctx: Context, step: Step) -> Json:
        if step.whom is None:
            return None
        random = chance(ctx, "story", len(self.steps))
        return step.whom(nodes_of(ctx), random, self.picture.observations)


def story(
    name: str,
    sentence: str,
    *troubles: Trouble,
    keys: int = 5,
    bytes_each: int = 0,
    recovery_s: float = RECOVERY_S,
    may_die: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    restarts: bool | None = None,
    weather: Weather | None = None,
    also: Mapping[str, Checker] | None = None,
    makes: Mapping[str, Make] | None = None,
    **more: Any,
) -> Scenario:
    """A scenario of these troubles.

    `may_die` are the reasons for which a node may die by itself, `also` are more checkers
    and `without` fewer, `makes` more faults, or others for those of `FAULTS`; `restarts` says
    whether some node certainly starts again.  `weather` is that of the network where nothing is
    wrong.
    """
    known = {**FAULTS, **(makes or {})}
    used = sorted({each.fault for each in troubles})
    if restarts is None:
        restarts = bool(RESTARTING & {*used}) or bool(may_die)

    def checkers(setting: Setting | None = None) -> Mapping[str, Checker]:  # noqa: ARG001
        found = dict(judges(restarts=restarts))
        search = found.pop("linearizable")
        named: dict[str, Checker] = {
            **found,
            **(also or {}),
            "linearizable": search,
            "recovers": Recovers(recovery_s),
            "nobody-died": nobody_died(may_die),
            "availability": Availability(),
        }
        return {each: checker for each, checker in named.items() if each not in without}

    def chosen_faults(setting: Setting) -> Sequence[Fault]:
        if weather is not None:
            setting.cluster.network.fair = weather
        return [known[each](setting.cluster) for each in used]

    def schedule(setting: Setting, chosen: Sequence[Fault]) -> Liftable:  # noqa: ARG001
        random = Random(f"{setting.case.seed}/{name}")
        steps = [step for each in troubles for step in each.steps(random)]
        return on_nemesis(Story(tuple(sorted(steps, key=lambda step: step.at_ns))))

    rate_hz: float = more.pop("rate_hz", 50.0)
    usual: dict[str, Any] = {
        "load": lambda _: Registers(keys, bytes_each=bytes_each),
        "final": lambda _: afterwards(keys, AFTER_S + recovery_s - RECOVERY_S, rate_hz, bytes_each),
        "checkers": checkers,
        "invariants": covered(checkers(), more.get("options", {})),
        "faults": chosen_faults,
        "schedule": schedule,
        "rate_hz": rate_hz,
        "time_limit_s": 8.0,
        "settle_s": 0.0,
        **more,
    }
    return Scenario(name, sentence, **usual)

"""What a simulated system brings along: its program, its bugs, and the scenarios that find them.

A `System` is a program (see `world`), a client for it, and two tables: of `Bug`s that can be
switched on one at a time, and of `Scenario`s.  A scenario says what clients do, what breaks
meanwhile and who judges.  A `Case` is one run of one scenario, down to the last bit: it is what
a campaign tries, what `momus replay` takes, and what shrinking makes smaller.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import msgspec

from checker.evidence import Checker
from generators import Client, Liftable
from histories import Json
from nemesis import Fault
from simulation._cluster import SimulatedCluster
from simulation.world import Program


@dataclass(frozen=True)
class Bug:
    """A mistake that can be switched on; `like` names a real system that had one like it.

    For the audit: `scenarios` are those that should find it, the likeliest first, and `checkers`
    those of which one should complain; any, if there are none.
    """

    name: str
    sentence: str
    like: str = ""
    scenarios: tuple[str, ...] = ()
    checkers: tuple[str, ...] = ()


class Strike(msgspec.Struct, frozen=True):
    """One order to the nemesis: at `at_s` since the run began, ``start-kill`` with its value."""

    at_s: float
    f: str
    value: Json = None


class Ask(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation of a client: at `at_s` since the run began, or as soon as its `thread` can.

    Thread ``i`` talks to node ``i % len(nodes)``.
    """

    at_s: float
    thread: int
    f: str
    key: Json = None
    value: Json = None


class Case(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run: the same case gives the same history, byte by byte.

    What is None is as the scenario has it.  `strikes` replaces the scenario's own schedule of
    faults, `operations` limits how many are invoked in all, `time_limit_s` how long the load
    lasts, `nodes` how many machines there are, `settle_s` how long they are left alone in the
    end.  `asks` replaces the load and `final_asks` the last operations, by those that they say;
    without a `time_limit_s` such a load lasts as long as it takes.
    """

    system: str
    scenario: str
    seed: int
    bug: str | None = None
    nodes: int | None = None
    operations: int | None = None
    time_limit_s: float | None = None
    strikes: tuple[Strike, ...] | None = None
    settle_s: float | None = None
    asks: tuple[Ask, ...] | None = None
    final_asks: tuple[Ask, ...] | None = None

    def command(self, verb: str) -> str:
        """The line that replays or shrinks a case which is as its scenario has it."""
        words = ["momus", verb, self.system, "--scenario", self.scenario]
        if self.bug is not None:
            words += ["--bug", self.bug]
        return shlex.join([*words, "--seed", str(self.seed)])


@dataclass(frozen=True)
class Setting:
    """What a scenario's parts are made from: the case, and the cluster it will be played on."""

    case: Case
    cluster: SimulatedCluster

    @property
    def nodes(self) -> tuple[str, ...]:
        return self.cluster.nodes


Make: TypeAlias = Callable[[Setting], Any]


@dataclass(frozen=True)
class Scenario:
    """A story: what clients do, what breaks, who judges.

    `load` and `final` are generators of client operations, during the faults and after all has
    been healed and `settle_s` have passed; `faults` are what the nemesis knows and `schedule` is
    when it strikes.  `checkers` judge the history, by name.  `options` go to the system's program.

    For the audit: `invariants` are the names of those checkers that this scenario puts to the
    test, and not only has along; all that judge something in it, if there are none.
    """

    name: str
    sentence: str
    load: Callable[[Setting], Liftable]
    checkers: Callable[[Setting], Mapping[str, Checker]]
    faults: Callable[[Setting], Sequence[Fault]] = lambda _: ()
    schedule: Callable[[Setting, Sequence[Fault]], Liftable] = lambda _setting, _faults: None
    final: Callable[[Setting], Liftable] = lambda _: None
    nodes: int = 3
    concurrency: int = 5
    time_limit_s: float = 10.0
    settle_s: float = 3.0
    rate_hz: float | None = 50.0
    op_timeout_s: float = 1.0
    options: Mapping[str, Json] = field(default_factory=dict)
    invariants: tuple[str, ...] = ()


class System(Protocol):
    """A system that lives in the simulated world."""

    @property
    def name(self) -> str: ...
    @property
    def bugs(self) -> Mapping[str, Bug]: ...
    @property
    def scenarios(self) -> Mapping[str, Scenario]: ...
    @property
    def points(self) -> Sequence[str]:
        """Its crash points."""
        ...

    def program(
        self, nodes: Sequence[str], bug: str | None, options: Mapping[str, Json]
    ) -> Program:
        """What each node runs; raises ValueError for a bug that it does not have."""
        ...

    def client(self, setting: Setting) -> Client:
        """An unopened client, which talks to nodes over the cluster's network."""
        ...

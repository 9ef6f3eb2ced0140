"""raftkv as a `System`: its program, its client, its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from histories import Json
from simulation.raftkv._bugs import BUGS
from simulation.raftkv._client import Client
from simulation.raftkv._node import program
from simulation.raftkv._options import options_of
from simulation.raftkv._scenarios import SCENARIOS
from simulation.raftkv._suites import SUITES
from simulation.scenario import Bug, Scenario, Setting
from simulation.world import Program

if TYPE_CHECKING:
    from simulation.real import Twin

POINTS = (
    "before vote persisted",
    "after vote persisted",
    "after vote sent",
    "before wal sync",
    "after wal sync",
    "before wal rename",
    "after wal rename",
    "before snapshot rename",
    "after snapshot rename",
    "before ack",
    "mid migration: source frozen",
    "mid migration: target installed",
    "mid migration: source closed",
    "mid migration: target active",
)


@dataclass(frozen=True)
class Raftkv:
    """The first reference system."""

    name: str = "raftkv"
    bugs: Mapping[str, Bug] = field(default_factory=lambda: BUGS)
    scenarios: Mapping[str, Scenario] = field(default_factory=lambda: {**SCENARIOS, **SUITES})
    points: Sequence[str] = POINTS

    @property
    def twins(self) -> Mapping[str, Twin]:
        """What its own faults are with real processes."""
        from simulation.raftkv._twins import TWINS

        return TWINS

    def program(
        self,
        nodes: Sequence[str],
        bug: str | None,
        options: Mapping[str, Json],
    ) -> Program:
        """See `simulation.System`."""
        if bug is not None and bug not in self.bugs:
            raise ValueError(f"raftkv has no bug {bug!r}; it has {', '.join(sorted(self.bugs))}")
        return program(nodes, bug, options)

    def client(self, setting: Setting) -> Client:
        """See `simulation.System`."""
        scenario = self.scenarios.get(setting.case.scenario)  # real processes may have none
        options = options_of({} if scenario is None else scenario.options)
        return Client(setting.nodes, setting.cluster.endpoint, reads_here=options.follower_reads)


SYSTEM = Raftkv()

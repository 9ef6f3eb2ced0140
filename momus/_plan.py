"""A run before it is run: everything the user decided, checked, as one value.

A plan can be printed, stored (`meta` goes into ``test.json`` and the history's header)
and made again from the same words; with its seed it says all that momus decides.  What
the operating system and the network decide is not in it, honestly.
"""

from __future__ import annotations

import math
import platform
import random
import shlex
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cluster import ROUNDS_HZ_MAX
from momus._exits import Refusal
from momus._faults import TARGETS, USUAL, Kind
from momus._script import faults_of, steps_of
from momus._systems import READS, SYSTEMS, kinds_of, scene_of
from momus._version import version
from momus._whereabouts import Whereabouts
from nemesis import AT_ONCE

LABS = ("namespaces", "local", "hosts")
SCHEDULES = ("random", "turns", "chaos", "scenario")
SEEDS = 2**32
MINIMUMS_OF_SCENARIOS = (("window", 0.0),)
"""As in the simulation: in some of them nobody can work while a fault is in force."""
PROGRAMS = ("proxy", "binary", "upgrade_to")
"""What in a plan is the path of a program."""


@dataclass(frozen=True)
class Plan:
    """What to run, where, under which faults, for how long, and where to store it.

    Durations are in seconds, `rate_hz` counts operations of all clients together.  `bug` is a
    known bug of the system, switched on; a `scenario` of it gives what clients do, in place of the
    workload, and whom its faults strike.  `binary` is the system's program, and `upgrade_to` a
    newer one; None: the usual, and none.  Only the first `members` of the nodes belong to the
    system from the beginning, the others are spare; 0 stands for all, but for two of five where a
    fault needs spare ones.  `targets` are the nodes that faults strike; None: what the scenario
    says, or a minority.  `schedule` is one of `SCHEDULES`: at random, in turns in the order
    given, chaos, in which up to `at_once` faults are in force together, or the scenario's own, as
    slow as the time limit lets it be; `weights` are how often a fault is drawn, where not all are
    alike.  `proxy` is the toxiproxy-server for faults that need
    one; None: our own.
    With a `script`, a file of orders, the faults strike as that says, and with `replay`, the
    folder of a run, as they did in that run.
    `observe_hz` is how often a second every node is asked what it thinks (0: never).
    `minimums` are what has to succeed for the run to be valid, see `checker.evidence.Vacuity`.
    `concurrency` 0 and `seed` -1 stand for "choose"; `settled` chooses.
    """

    system: str
    bug: str | None = None
    scenario: str | None = None
    workload: str = "register"
    reads: str = "linearizable"
    lab: str = "namespaces"
    hosts: Whereabouts | None = None
    nodes: int = 3
    members: int = 0
    binary: Path | None = None
    upgrade_to: Path | None = None
    faults: tuple[str, ...] = USUAL
    targets: str | None = None
    interval_s: float = 5.0
    schedule: str = "random"
    weights: tuple[tuple[str, float], ...] = ()
    at_once: int = AT_ONCE
    script: Path | None = None
    proxy: Path | None = None
    replay: Path | None = None
    time_limit_s: float = 30.0
    rate_hz: float = 200.0
    concurrency: int = 0
    keys: int = 0
    ops_per_key: int = 200
    op_timeout_s: float = 2.0
    observe_hz: float = 2.0
    minimums: tuple[tuple[str, float], ...] = ()
    seed: int = -1
    store: Path = field(default_factory=lambda: Path("store"))

    def settled(self) -> Plan:
        """The plan with nothing left open; raises `Refusal` where it makes no sense."""
        _one_of("system", self.system, tuple(SYSTEMS))
        kind = SYSTEMS[self.system]
        _one_of("workload", self.workload, kind.workloads)
        _one_of("--reads", self.reads, kind.reads)
        _one_of("lab", self.lab, LABS)
        for fault in self.faults:
            _one_of("fault", fault, tuple(kinds_of(self.system)))
        if self.targets is not None:
            _one_of("--targets", self.targets, TARGETS)
        _one_of("--schedule", self.schedule, SCHEDULES)
        kind.refuse_what_it_lacks(self)
        if self.schedule == "scenario":
            self._refuse_another_schedule()
        self._refuse_odd_weights()
        self._refuse_strange_steps()
        grounded = [fault for fault in self.faults if self._kind(fault).own_network]
        if self.lab == "local" and grounded:
            raise Refusal(
                f"local processes share one loopback, so there is nothing to {grounded[0]}; "
                "try --faults kill,pause, or leave out --local to use network namespaces"
            )
        if self.nodes < 2 and "partition" in self.faults:
            raise Refusal("one node alone cannot be partitioned; try --faults kill,pause")
        if self.lab == "hosts" and self.hosts is None:
            raise Refusal("the hosts have no name yet; try --lab lab.toml")
        if self.nodes < 1 or self.concurrency < 0 or self.time_limit_s <= 0:
            raise Refusal("nodes and time limit must be above zero, and concurrency not below")
        if not 0 <= self.observe_hz <= ROUNDS_HZ_MAX:
            raise Refusal(
                f"nodes are asked at most {ROUNDS_HZ_MAX:g} times a second; "
                "try --observe 2, or 0 for never"
            )
        members = self.members or self._members()
        if members > self.nodes:
            raise Refusal(f"{self.nodes} nodes have no {members} members; try fewer --members")
        growing = [fault for fault in self.faults if self._kind(fault).spare]
        if growing and members == self.nodes:
            raise Refusal(f"{growing[0]} needs a spare node; try --nodes {self.nodes + 1}")
        upgrading = [fault for fault in self.faults if self._kind(fault).versions]
        if upgrading and self.upgrade_to is None:
            raise Refusal(f"{upgrading[0]} needs a newer program; try --upgrade-to PROGRAM")
        concurrency = self.concurrency or 4 * self.nodes
        seed = self.seed if self.seed >= 0 else random.SystemRandom().randrange(SEEDS)
        minimums = self.minimums or (() if self.scenario is None else MINIMUMS_OF_SCENARIOS)
        return replace(self, concurrency=concurrency, seed=seed, members=members, minimums=minimums)

    def _kind(self, fault: str) -> Kind:
        return kinds_of(self.system)[fault]

    def _members(self) -> int:
        """All nodes are members, unless a fault needs spare ones: then an odd number, or two."""
        if self.nodes < 2 or not any(self._kind(fault).spare for fault in self.faults):
            return self.nodes
        return self.nodes - 1 if self.nodes < 4 else (self.nodes - 2) | 1

    def _refuse_odd_weights(self) -> None:
        if self.at_once < 1:
            raise Refusal("chaos has at least one fault in force; try --at-once 3")
        if self.weights and self.schedule in ("turns", "scenario"):
            raise Refusal(
                f"faults of --schedule {self.schedule} are not drawn, so --weights say nothing; "
                "leave it out"
            )
        for name, weight in self.weights:
            if name not in self.faults:
                _one_of("fault of --weights", name, self.faults)
            if not 0 < weight < math.inf:
                raise Refusal(f"the weight of {name} is a number above zero, not {weight:g}")

    def _refuse_another_schedule(self) -> None:
        scene = scene_of(self)
        if scene is None:
            raise Refusal("--schedule scenario is that of a --scenario; name one")
        missing = [fault for fault in scene.faults if fault not in self.faults]
        if missing or self.targets is not None:
            what = "--targets" if self.targets is not None else f"--faults without {missing[0]}"
            raise Refusal(
                f"{self.scenario} says itself what strikes whom, so {what} needs another "
                "--schedule; try random"
            )

    def _refuse_strange_steps(self) -> None:
        known = kinds_of(self.system)
        told = faults_of(steps_of(self.script, known)) if self.script else ()
        strangers = {*told} - {*self.faults}
        if strangers:
            raise Refusal(
                f"{self.script} speaks of {', '.join(sorted(strangers))}, which is not among "
                "--faults; add it there, or leave --faults out"
            )

    @property
    def proxied(self) -> bool:
        """Does any of its faults need proxies in front of the system?"""
        return any(self._kind(fault).proxied for fault in self.faults)

    @property
    def on_disk(self) -> bool:
        """Does any of its faults need a disk of ours under the system?"""
        return any(self._kind(fault).disk for fault in self.faults)

    @property
    def own_clocks(self) -> bool:
        """Does any of its faults need a clock for each daemon?"""
        return any(self._kind(fault).clock for fault in self.faults)

    @property
    def name(self) -> str:
        """The test's name, under which the store keeps its runs."""
        reads = "" if self.reads == READS[0] else f"-{self.reads}"
        bug = "" if self.bug is None else f"-{self.bug}"
        return f"{self.system}-{self.scenario or self.workload}{reads}{bug}"

    def meta(self) -> dict[str, Any]:
        """The plan as JSON, with what produced it."""
        found = asdict(self)
        found["faults"] = list(self.faults)
        found["weights"] = dict(self.weights)
        found["minimums"] = dict(self.minimums)
        found["store"] = str(self.store)
        found["replay"] = None if self.replay is None else str(self.replay)
        found["script"] = None if self.script is None else str(self.script)
        for name in PROGRAMS:
            found[name] = None if found[name] is None else str(found[name])
        found["hosts"] = [] if self.hosts is None else self.hosts.words()
        return {
            "name": self.name,
            **found,
            "momus": version(),
            "python": platform.python_version(),
        }

    def command(self) -> str:
        """The command line that makes this plan again."""
        where = self.hosts.words() if self.hosts else []
        if self.replay is not None:
            words = ["momus", "run", self.system, "--replay", str(self.replay), *where]
            return shlex.join([*words, "--seed", str(self.seed)])
        words = ["momus", "run", self.system, "--workload", self.workload, "--reads", self.reads]
        words += {
            "namespaces": ["--nodes", str(self.nodes)],
            "local": ["--local", "--nodes", str(self.nodes)],
            "hosts": where,
        }[self.lab]
        words += ["--faults", ",".join(self.faults) or "none"]
        words += ["--interval", f"{self.interval_s:g}", "--time-limit", f"{self.time_limit_s:g}"]
        if self.script is not None:
            words += ["--script", str(self.script)]
        else:
            words += ["--schedule", self.schedule]
        words += ["--targets", self.targets] if self.targets is not None else []
        words += ["--at-once", str(self.at_once)] if self.schedule == "chaos" else []
        if self.weights:
            words += ["--weights", ",".join(f"{name}={each:g}" for name, each in self.weights)]
        words += ["--keys", str(self.keys)] if self.keys else []
        words += ["--bug", self.bug] if self.bug is not None else []
        words += ["--scenario", self.scenario] if self.scenario is not None else []
        words += ["--members", str(self.members)] if self.members != self.nodes else []
        for name in PROGRAMS:
            if program := getattr(self, name):
                words += [f"--{name.replace('_', '-')}", str(program)]
        words += ["--rate", f"{self.rate_hz:g}", "--concurrency", str(self.concurrency)]
        words += ["--op-timeout", f"{self.op_timeout_s:g}", "--observe", f"{self.observe_hz:g}"]
        if self.minimums:
            words += ["--minimums", ",".join(f"{name}={each:g}" for name, each in self.minimums)]
        words += ["--ops-per-key", str(self.ops_per_key), "--seed", str(self.seed)]
        return shlex.join(words)


def _one_of(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise Refusal(f"unknown {what} {name!r}; try one of {', '.join(known)}")

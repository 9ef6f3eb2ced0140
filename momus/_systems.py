"""The systems that `momus run` knows, a row each: how it is made, and what may be asked of it.

etcd is one; the others are those of `momus sim`, here as real processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cluster
from momus import _faults as faults
from momus._exits import Refusal

if TYPE_CHECKING:
    from momus._plan import Plan
    from simulation.real import Scene

WORKLOADS: Final = ("register", "set", "unique-ids", "counter", "bank", "lock", "log", "watch")
READS: Final = ("linearizable", "serializable")

WITHIN_S: Final = 2.5
"""How long after healing nodes may differ; less than they are left alone for."""


@dataclass(frozen=True)
class Kind:
    """A row.  `watched` are invariants of what its nodes say, as the command line names them.

    A `simulated` one has bugs to switch on, but no programs to choose, no spare members, and no
    proxies in front.
    """

    make: Callable[[Plan], cluster.System]
    workloads: tuple[str, ...]
    reads: tuple[str, ...]
    watched: tuple[str, ...]
    simulated: bool = False

    def refuse_what_it_lacks(self, plan: Plan) -> None:
        """Raise `Refusal` where a plan asks for what there is not."""
        scene_of(plan)
        if not self.simulated:
            if plan.bug is not None:
                raise Refusal(f"{plan.system} has no bugs to switch on; leave --bug out")
            if "crash-point" in plan.faults:
                raise Refusal(f"{plan.system} has no crash points; leave crash-point out")
            return
        lacks = {
            "--binary": plan.binary is not None,
            "--upgrade-to": plan.upgrade_to is not None,
            "--members": plan.members not in (0, plan.nodes),
            "faults of proxies": plan.proxied,
        }
        for what, wanted in lacks.items():
            if wanted:
                raise Refusal(f"{plan.system} does not know {what}; leave that out")
        _refuse_strange_bugs(plan)


def _refuse_strange_bugs(plan: Plan) -> None:
    if plan.bug is None:
        return
    from simulation import system_of

    bugs = system_of(plan.system).bugs
    if plan.bug not in bugs:
        raise Refusal(f"unknown bug {plan.bug!r}; try one of {', '.join(sorted(bugs))}")


def kinds_of(system: str) -> Mapping[str, faults.Kind]:
    """The faults that may be ordered of a system: those that we have, and those it brings along."""
    if system not in SYSTEMS or not SYSTEMS[system].simulated:
        return faults.KINDS
    from simulation import system_of
    from simulation.real import twins_of

    brought = {
        twin.name: faults.Kind(twin.make)
        for twin in twins_of(system_of(system)).values()
        if twin.make is not None
    }
    return {**faults.KINDS, **brought}


def scene_of(plan: Plan) -> Scene | None:
    """The scene that the plan names; `Refusal` if there is none such."""
    return None if plan.scenario is None else scene_named(plan.system, plan.scenario)


def scene_named(system: str, scenario: str) -> Scene:
    """The scene of a system; `Refusal` if there is none such."""
    if system not in SYSTEMS or not SYSTEMS[system].simulated:
        raise Refusal(f"{system} has no scenarios; try momus run raftkv --scenario {scenario}")
    from simulation import real

    try:
        return real.scene_of(system, scenario)
    except ValueError as error:
        raise Refusal(str(error)) from error


def _etcd(plan: Plan) -> cluster.System:
    front = cluster.ProxyFront(server=plan.proxy, seed=plan.seed) if plan.proxied else None
    return cluster.Etcd(
        binary=plan.binary,
        upgrade_to=plan.upgrade_to,
        members=plan.members or None,
        front=front,
        disk=cluster.FaultyDisk() if plan.on_disk else None,
    )


def _raftkv(plan: Plan) -> cluster.System:
    from simulation import system_of
    from simulation.real import Processes

    scene = scene_of(plan)
    return Processes(
        system_of(plan.system),
        "simulation.raftkv:program",
        bug=plan.bug,
        options=None if scene is None else scene.scenario.options,
        seed=plan.seed,
        disk=cluster.FaultyDisk() if plan.on_disk else None,
        clock=cluster.FakedClock() if plan.own_clocks else None,
        points=scene.points if scene is not None and scene.points else None,
    )


# A term that is told may not have reached the disk yet, so it counts once it was told twice; and
# a member of etcd that joins again is another one.
SYSTEMS: Final[Mapping[str, Kind]] = {
    "etcd": Kind(
        _etcd,
        WORKLOADS,
        READS,
        (
            "at-most-one-primary:per=term",
            'terms-never-go-back:per=["node","member"]:steady=true',
            f"convergence:within_s={WITHIN_S:g}",
        ),
    ),
    "raftkv": Kind(
        _raftkv,
        ("register",),
        ("linearizable",),
        ("at-most-one-primary", 'terms-never-go-back:per=["node","group"]:steady=true'),
        simulated=True,
    ),
}

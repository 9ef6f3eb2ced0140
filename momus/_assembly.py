"""From a plan to its parts: the lab, the system, the workload, the nemesis, the test.

Everything a plan names by a word is looked up here, and here alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final

import cluster
import generators
import nemesis
from cluster import Host, Journal, System
from generators import Generator, Test, Workload
from momus._plan import Plan
from momus._replay import orders_of
from momus._script import steps_of
from momus._systems import SYSTEMS, kinds_of, scene_of

if TYPE_CHECKING:
    from simulation import Case
    from simulation.real import Scene

SETTLE_S: Final = 3.0
"""Between the healing of the faults and the last reads, for the system to recover."""


def lab_of(plan: Plan, journal: Journal) -> AbstractAsyncContextManager[Sequence[Host]]:
    """The lab of the plan, not yet raised."""
    match plan.lab:
        case "local":
            return cluster.local(plan.nodes, journal=journal)
        case "namespaces":
            return cluster.namespaces(plan.nodes, journal=journal)
    assert plan.hosts is not None, "a settled plan for hosts that are there names them"
    return cluster.lab(plan.hosts.read(), journal=journal)


def system_of(plan: Plan) -> System:
    """The system under test."""
    return SYSTEMS[plan.system].make(plan)


def workload_of(plan: Plan) -> Workload:
    """What the clients do; the workload also says how its history is to be judged."""
    scene = scene_of(plan)
    if scene is None:
        return WORKLOADS[plan.workload](plan)
    from simulation import real

    return real.workload_of(scene, _case(plan, scene), _names(plan))


def _case(plan: Plan, scene: Scene) -> Case:
    from simulation import Case

    return Case(plan.system, scene.scenario.name, plan.seed, plan.bug)


def _names(plan: Plan) -> tuple[str, ...]:
    return tuple(f"n{number + 1}" for number in range(plan.nodes))


def _faults(plan: Plan, system: System) -> list[nemesis.Fault]:
    """The faults, each with the nodes that it may strike."""
    # One or two nodes have no minority to do without.
    usual = getattr(nemesis.targets, plan.targets or ("minority" if plan.nodes > 2 else "one"))
    scene = scene_of(plan)
    chosen = {} if scene is None or plan.targets is not None else scene.faults
    kinds = kinds_of(plan.system)
    return [kinds[name].make(system, chosen.get(name) or usual) for name in plan.faults]


def _register(plan: Plan) -> Workload:
    """A key is worked on from every node, by a reader and a writer on each.

    Where writes may be lost by order of ours, no value is written twice, so that each is missed.
    """
    return generators.register(
        [f"r{number}" for number in range(plan.keys)] if plan.keys else None,
        ops_per_key=plan.ops_per_key,
        threads_per_key=2 * plan.nodes,
        distinct=SYSTEMS[plan.system].simulated,
        seed=plan.seed,
    )


def _watch(plan: Plan) -> Workload:
    """A quarter of the clients watch, the others write."""
    return generators.watch(watchers=max(1, plan.concurrency // 4))


WORKLOADS: Final[Mapping[str, Callable[[Plan], Workload]]] = {
    "register": _register,
    "set": lambda _plan: generators.set_workload(reads=0.02),
    "unique-ids": lambda _plan: generators.unique_ids(),
    "counter": lambda _plan: generators.counter(),
    "bank": lambda _plan: generators.bank(),
    "lock": lambda _plan: generators.lock(lease_s=cluster.ETCD_LEASE_S),
    "log": lambda _plan: generators.log_workload(),
    "watch": _watch,
}


def asides_of(plan: Plan) -> tuple[str, ...]:
    """What a run is judged by besides its workload's own checkers.

    Invariants are about what nodes said, so only where they are asked.
    """
    watched = SYSTEMS[plan.system].watched if plan.observe_hz else ()
    return ("availability", *watched)


def _schedule(
    plan: Plan, faults: Sequence[nemesis.Fault], nodes: tuple[str, ...]
) -> Generator | None:
    """When the nemesis strikes."""
    if not faults:
        return None
    if plan.replay is not None:
        return nemesis.replay(orders_of(plan.replay))
    if plan.script is not None:
        return nemesis.script(steps_of(plan.script, kinds_of(plan.system)))
    weights = dict(plan.weights)
    match plan.schedule:
        case "turns":
            return nemesis.turns(faults, plan.interval_s)
        case "chaos":
            at_once = plan.at_once
            return nemesis.chaos(faults, plan.interval_s, weights=weights, at_once=at_once)
        case "scenario":
            from simulation import real

            scene = scene_of(plan)
            assert scene is not None, "a settled plan has one"
            slower = plan.time_limit_s / scene.scenario.time_limit_s
            return real.strikes_of(scene, _case(plan, scene), nodes, slower)
    return nemesis.schedule(faults, plan.interval_s, weights=weights)


def _observer(plan: Plan, system: System, hosts: Sequence[Host]) -> cluster.Observer | None:
    """Who asks the nodes what they think; nobody where the system does not tell."""
    if not plan.observe_hz or not isinstance(system, cluster.Observable):
        return None
    return cluster.Observer(system, hosts, plan.observe_hz)


def assemble(plan: Plan, system: System, hosts: Sequence[Host], journal: Journal) -> Test:
    """The test: clients at their workload under faults; then everything healed, and last reads."""
    faults = _faults(plan, system)
    workload = workload_of(plan)
    nodes = tuple(host.name for host in hosts)
    generator = generators.compose(
        workload,
        time_limit_s=plan.time_limit_s,
        rate=plan.rate_hz or None,
        faults=_schedule(plan, faults, nodes),
        heal=nemesis.final(faults) if faults else None,
        settle_s=SETTLE_S,
        quiet=plan.observe_hz > 0,
    )
    return Test(
        name=plan.name,
        nodes=nodes,
        client=system.client(
            workload=plan.workload,
            reads=plan.reads,
            timeout_s=plan.op_timeout_s,
            **workload.client,
        ),
        generator=generator,
        nemesis=nemesis.Nemesis(faults, hosts, journal) if faults else None,
        observer=_observer(plan, system, hosts),
        concurrency=plan.concurrency,
        seed=plan.seed,
        op_timeout_s=plan.op_timeout_s + 1.0,
    )

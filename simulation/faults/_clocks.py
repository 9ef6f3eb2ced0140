"""Faults of clocks: off by an amount, stepped from where they are, too fast or too slow.

Skew and jumps move the wall clock alone; drift moves both, for they have one crystal.  Healing
sets the wall clock right, as a time service does: in one step.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from simulation._cluster import SimulatedCluster
from simulation._machine import Machine
from simulation.faults._of_machines import USUAL, Numbers, OfMachines, Targets, drawn

TOLERANCE_S: Final = 1e-3


def clock_skew(
    cluster: SimulatedCluster, among: Targets = USUAL, *, offset_s: float | None = None
) -> OfMachines:
    """The wall clock is off by `offset_s`: drawn unless given, half a second to five minutes."""

    def strike(machine: Machine, order: Numbers) -> None:
        machine.skew_s = order["offset_s"]

    return _of_wall(
        "clock-skew", cluster, among, strike, "skewed", _drawing("offset_s", offset_s, 0.5, 300.0)
    )


def clock_jump(
    cluster: SimulatedCluster, among: Targets = USUAL, *, offset_s: float | None = None
) -> OfMachines:
    """The wall clock steps forwards or back: drawn unless given, a second to an hour."""

    def strike(machine: Machine, order: Numbers) -> None:
        machine.skew_s += order["offset_s"]

    return _of_wall(
        "clock-jump", cluster, among, strike, "jumped", _drawing("offset_s", offset_s, 1.0, 3600.0)
    )


def clock_drift(
    cluster: SimulatedCluster, among: Targets = USUAL, *, rate: float | None = None
) -> OfMachines:
    """Clocks gain (or lose) `rate` seconds a second: drawn unless given, 2 to 50 %."""

    def strike(machine: Machine, order: Numbers) -> None:
        machine.rate = 1.0 + order["rate"]

    def mend(machine: Machine) -> None:
        machine.rate = 1.0
        _set_right(machine)

    return OfMachines(
        "clock-drift",
        cluster,
        strike,
        mend,
        lambda machine: "true" if machine.rate == 1.0 else "drifting",
        "drifting",
        intact="true",
        lane="clock",
        among=among,
        numbers=_drawing("rate", rate, 0.02, 0.5),
    )


def _of_wall(
    name: str,
    cluster: SimulatedCluster,
    among: Targets,
    strike: Callable[[Machine, Numbers], None],
    broken: str,
    numbers: Callable[[Random], Numbers],
) -> OfMachines:
    def look(machine: Machine) -> str:
        off_s = machine.clock.off_s(machine.around.loop.time())
        return "true" if abs(off_s) < TOLERANCE_S else broken

    return OfMachines(
        name,
        cluster,
        strike,
        _set_right,
        look,
        broken,
        intact="true",
        lane="clock",
        among=among,
        numbers=numbers,
    )


def _set_right(machine: Machine) -> None:
    machine.clock.set_right(machine.around.loop.time())


def _drawing(key: str, given: float | None, low: float, high: float) -> Callable[[Random], Numbers]:
    def numbers(random: Random) -> Numbers:
        return {key: drawn(random, low, high, signed=True) if given is None else given}

    return numbers

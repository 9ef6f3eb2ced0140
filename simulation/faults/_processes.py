"""Faults of processes: ended, stopped, slowed down, short of memory."""

from __future__ import annotations

from random import Random

from simulation._cluster import SimulatedCluster
from simulation._machine import Machine
from simulation.faults._of_machines import USUAL, Numbers, OfMachines, Targets, drawn


def kill(cluster: SimulatedCluster, among: Targets = USUAL) -> OfMachines:
    """SIGKILL, and a new start."""
    return OfMachines("kill", cluster, _kill, Machine.start, _state, "gone", among=among)


def crash(cluster: SimulatedCluster, among: Targets = USUAL) -> OfMachines:
    """Loss of power, and a new start: un-synced writes are lost or torn."""
    return OfMachines("crash", cluster, _crash, Machine.start, _state, "gone", among=among)


def pause(cluster: SimulatedCluster, among: Targets = USUAL) -> OfMachines:
    """SIGSTOP and SIGCONT."""
    return OfMachines("pause", cluster, _pause, Machine.resume, _state, "paused", among=among)


def slow_cpu(
    cluster: SimulatedCluster, among: Targets = USUAL, *, step_s: float | None = None
) -> OfMachines:
    """Every step of a process takes `step_s` (drawn unless given: 0.1 to 5 ms)."""

    def numbers(random: Random) -> Numbers:
        return {"step_s": drawn(random, 1e-4, 5e-3) if step_s is None else step_s}

    def strike(machine: Machine, order: Numbers) -> None:
        machine.slow(order["step_s"])

    return OfMachines(
        "slow-cpu",
        cluster,
        strike,
        lambda machine: machine.slow(0.0),
        lambda machine: "slow" if machine.step_s else "quick",
        "slow",
        intact="quick",
        lane="cpu",
        among=among,
        numbers=numbers,
    )


def memory_limit(
    cluster: SimulatedCluster, among: Targets = USUAL, *, memory_bytes: int = 256 * 1024
) -> OfMachines:
    """A process that needs more memory is killed; healing lifts the limit.

    What counts is what the world can see: messages and timers that wait for a process that is
    paused or slow, and its tasks.
    """

    return OfMachines(
        "memory-limit",
        cluster,
        lambda machine, order: machine.limit(int(order["memory_bytes"])),
        lambda machine: machine.limit(None),
        lambda machine: "free" if machine.memory_bytes is None else "limited",
        "limited",
        intact="free",
        among=among,
        numbers=lambda _: {"memory_bytes": memory_bytes},
    )


def _state(machine: Machine) -> str:
    return machine.state


def _kill(machine: Machine, _: Numbers) -> None:
    machine.kill()


def _crash(machine: Machine, _: Numbers) -> None:
    machine.crash()


def _pause(machine: Machine, _: Numbers) -> None:
    machine.pause()

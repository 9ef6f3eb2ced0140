"""Faults of disks: full, slow, failing, and damaging what they were given to keep.

Healing makes the device work again.  Bits that turned over silently stay as they are: no disk
gives them back; and what a disk lost or put elsewhere is not found again either.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from simulation._cluster import SimulatedCluster
from simulation._disk import SimulatedDisk
from simulation._machine import Machine
from simulation.faults._of_machines import USUAL, Numbers, OfMachines, Targets, drawn


def disk_fill(cluster: SimulatedCluster, among: Targets = USUAL) -> OfMachines:
    """ENOSPC for whatever needs room."""

    def fill(disk: SimulatedDisk, _: Numbers) -> None:
        disk.full = True

    def empty(disk: SimulatedDisk) -> None:
        disk.full = False

    return _of_disks("disk-fill", cluster, among, fill, empty, lambda disk: disk.full, "full")


def disk_slow(
    cluster: SimulatedCluster, among: Targets = USUAL, *, slowness: float | None = None
) -> OfMachines:
    """Everything takes `slowness` times as long (drawn unless given: 10 to 1000)."""

    def strike(disk: SimulatedDisk, order: Numbers) -> None:
        disk.slowness = max(order["slowness"], 1.001)

    def mend(disk: SimulatedDisk) -> None:
        disk.slowness = 1.0

    return _of_disks(
        "disk-slow",
        cluster,
        among,
        strike,
        mend,
        lambda disk: disk.slowness != 1.0,
        "slow",
        lambda random: {"slowness": drawn(random, 10, 1000) if slowness is None else slowness},
    )


def disk_read_errors(
    cluster: SimulatedCluster, among: Targets = USUAL, *, share: float = 0.1
) -> OfMachines:
    """EIO for a share of all reads."""
    return _errors("read", "unreadable", cluster, among, share)


def disk_write_errors(
    cluster: SimulatedCluster, among: Targets = USUAL, *, share: float = 0.1
) -> OfMachines:
    """EIO for a share of all writes, renames and removals; nothing is written then."""
    return _errors("write", "unwritable", cluster, among, share)


def disk_sync_errors(
    cluster: SimulatedCluster, among: Targets = USUAL, *, share: float = 0.1
) -> OfMachines:
    """EIO for a share of all syncs: what was to be synced may be lost, and no later sync tells."""
    return _errors("sync", "unsyncable", cluster, among, share)


def disk_bit_flips(
    cluster: SimulatedCluster,
    among: Targets = USUAL,
    *,
    bits: int = 1,
    noticed: bool = False,
) -> OfMachines:
    """So many bits turn over, each in some file.

    `noticed` by the device, a damaged file cannot be read until it is healed or written anew;
    else it is read as it is, also after healing.
    """

    def numbers(random: Random) -> Numbers:
        return {"bits": bits, "noticed": int(noticed), "seed": random.randrange(1 << 30)}

    def strike(disk: SimulatedDisk, order: Numbers) -> None:
        chance = Random(int(order["seed"]))
        for _ in range(int(order["bits"])):
            disk.flip(chance, noticed=bool(order["noticed"]))

    return _of_disks(
        "disk-bit-flips",
        cluster,
        among,
        strike,
        SimulatedDisk.readable,
        lambda disk: bool(disk.flipped),
        "flipped",
        numbers,
    )


def disk_misdirect(
    cluster: SimulatedCluster, among: Targets = USUAL, *, share: float = 0.1
) -> OfMachines:
    """A share of all appends lands in another place, over what was there, and nobody is told."""

    def strike(disk: SimulatedDisk, order: Numbers) -> None:
        disk.strays = order["share"]

    def mend(disk: SimulatedDisk) -> None:
        disk.strays = 0.0

    return _of_disks(
        "disk-misdirect",
        cluster,
        among,
        strike,
        mend,
        lambda disk: bool(disk.strays),
        "misdirecting",
        lambda _: {"share": share},
    )


def _errors(
    kind: str, word: str, cluster: SimulatedCluster, among: Targets, share: float
) -> OfMachines:
    def strike(disk: SimulatedDisk, order: Numbers) -> None:
        disk.errors[kind] = order["share"]

    def mend(disk: SimulatedDisk) -> None:
        disk.errors.pop(kind, None)

    return _of_disks(
        f"disk-{kind}-errors",
        cluster,
        among,
        strike,
        mend,
        lambda disk: bool(disk.errors.get(kind)),
        word,
        lambda _: {"share": share},
    )


def _of_disks(
    name: str,
    cluster: SimulatedCluster,
    among: Targets,
    strike: Callable[[SimulatedDisk, Numbers], object],
    mend: Callable[[SimulatedDisk], object],
    is_broken: Callable[[SimulatedDisk], bool],
    broken: str,
    numbers: Callable[[Random], Numbers] = lambda _: {},
) -> OfMachines:
    def on_strike(machine: Machine, order: Numbers) -> None:
        strike(machine.disk, order)

    return OfMachines(
        name,
        cluster,
        on_strike,
        lambda machine: mend(machine.disk),
        lambda machine: broken if is_broken(machine.disk) else "well",
        broken,
        intact="well",
        lane="disk",
        among=among,
        numbers=numbers,
    )

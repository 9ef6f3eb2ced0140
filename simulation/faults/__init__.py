"""Faults of the simulated world, called as in a lab, each with a receipt.

    faults = [kill(cluster), partition(cluster), clock_drift(cluster)]

They are made for one cluster, so a scenario makes them of its `Setting`.  Whatever is drawn is in
the order, as in a lab: the same order does the same again.
"""

from simulation.faults._clocks import clock_drift, clock_jump, clock_skew
from simulation.faults._disks import (
    disk_bit_flips,
    disk_fill,
    disk_misdirect,
    disk_read_errors,
    disk_slow,
    disk_sync_errors,
    disk_write_errors,
)
from simulation.faults._links import (
    OfLinks,
    flapping,
    packet_delay,
    packet_duplicate,
    packet_loss,
    packet_rate,
    packet_reorder,
    partition,
)
from simulation.faults._objects import OfObjects, objects_errors, objects_outage, objects_slow
from simulation.faults._of_machines import OfMachines
from simulation.faults._points import CrashPoint, crash_point
from simulation.faults._processes import crash, kill, memory_limit, pause, slow_cpu

__all__ = [
    "CrashPoint",
    "OfLinks",
    "OfMachines",
    "OfObjects",
    "clock_drift",
    "clock_jump",
    "clock_skew",
    "crash",
    "crash_point",
    "disk_bit_flips",
    "disk_fill",
    "disk_misdirect",
    "disk_read_errors",
    "disk_slow",
    "disk_sync_errors",
    "disk_write_errors",
    "flapping",
    "kill",
    "memory_limit",
    "objects_errors",
    "objects_outage",
    "objects_slow",
    "packet_delay",
    "packet_duplicate",
    "packet_loss",
    "packet_rate",
    "packet_reorder",
    "partition",
    "pause",
    "slow_cpu",
]

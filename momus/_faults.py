"""The faults that `momus run --faults` knows, a row each: how it is made and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import nemesis
from nemesis import Fault, Target


@dataclass(frozen=True)
class Kind:
    """A row: `make` gets the system under test and the targets that a schedule chooses from.

    `own_network` faults need nodes with a network of their own, so they are refused for
    local processes; `proxied` ones need a proxy in front of every member, `disk` ones a disk
    of ours under it, `spare` ones a node that is no member yet, `versions` ones a newer
    program, `points` ones a system of ours with crash points in its code, and `clock` ones a
    clock for each daemon, where hosts share one.
    """

    make: Callable[[Any, Any], Fault]
    own_network: bool = False
    proxied: bool = False
    disk: bool = False
    spare: bool = False
    versions: bool = False
    points: bool = False
    clock: bool = False


def _packets(name: str, system: Any, targets: Target) -> Fault:
    return nemesis.PacketFault(name, targets, system=system)


def _crash_point(system: Any, targets: Target) -> Fault:
    from simulation.real import CrashPoint

    return CrashPoint(system, system.points, targets)


KINDS: Final[Mapping[str, Kind]] = {
    "kill": Kind(nemesis.Kill),
    "pause": Kind(nemesis.Pause),
    "restart": Kind(nemesis.Restart),
    "rolling-restart": Kind(lambda system, _targets: nemesis.RollingRestart(system)),
    "crash-loop": Kind(nemesis.CrashLoop),
    "member-remove": Kind(lambda system, _targets: nemesis.MemberRemove(system)),
    "member-replace": Kind(lambda system, _targets: nemesis.MemberReplace(system)),
    "member-shrink": Kind(lambda system, _targets: nemesis.MemberShrink(system)),
    "member-grow": Kind(lambda system, _targets: nemesis.MemberGrow(system), spare=True),
    "forced-leave": Kind(lambda system, _targets: nemesis.ForcedLeave(system)),
    "upgrade": Kind(lambda system, _targets: nemesis.Upgrade(system), versions=True),
    "mixed-versions": Kind(lambda system, _targets: nemesis.MixedVersions(system), versions=True),
    "reload": Kind(lambda system, _targets: nemesis.Reload(system)),
    "partition": Kind(lambda _system, _targets: nemesis.Partition(), own_network=True),
    "cpu-quota": Kind(nemesis.CpuQuota),
    "memory-limit": Kind(nemesis.MemoryLimit),
    "memory-balloon": Kind(lambda system, targets: nemesis.MemoryBalloon(targets, system=system)),
    "io-throttle": Kind(nemesis.IoThrottle),
    "file-descriptors": Kind(nemesis.FileDescriptors),
    "process-table": Kind(nemesis.ProcessTable),
    "flapping": Kind(lambda _system, _targets: nemesis.Flapping(), own_network=True),
    "reset-connections": Kind(
        lambda system, targets: nemesis.ResetConnections(targets, system=system), own_network=True
    ),
    "dns-failure": Kind(
        lambda system, targets: nemesis.DnsFailure(targets, system=system), own_network=True
    ),
    **{name: Kind(partial(_packets, name), own_network=True) for name in nemesis.PACKET_FAULTS},
    **{
        name: Kind(partial(nemesis.ProxyFault, name), proxied=True) for name in nemesis.PROXY_FAULTS
    },
    **{name: Kind(partial(nemesis.DiskFault, name), disk=True) for name in nemesis.DISK_RULES},
    **{name: Kind(partial(nemesis.DiskDamage, name), disk=True) for name in nemesis.DISK_DAMAGE},
    "disk-lose-unsynced": Kind(nemesis.LoseUnsynced, disk=True),
    "crash-point": Kind(_crash_point, disk=True, points=True),
    **{name: Kind(partial(nemesis.ClockFault, name), clock=True) for name in nemesis.CLOCK_FAULTS},
}

TARGETS: Final = ("one", "minority", "majority", "primaries", "all")
"""Which nodes faults may be told to strike, by their names in `nemesis.targets`."""

USUAL: Final = ("kill", "pause", "partition")
"""What strikes if nobody says otherwise."""

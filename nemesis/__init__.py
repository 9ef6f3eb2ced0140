"""What to break, proof that it broke, and how to mend it.

A *schedule* (a generator) orders faults, the `Nemesis` obeys and writes a receipt for each,
and the undo of everything is in the journal before any host is touched:

    faults = [Kill(system), Pause(system, targets.minority), Partition()]
    nemesis = Nemesis(faults, hosts, journal)
    generator = clients(load, schedule(faults, interval_s=10))   # and at the end: final(faults)

`targets` and `grudges` are the pure functions by which schedules choose nodes and links.
"""

from cluster import Unsupported
from nemesis import grudges, targets
from nemesis._balloon import MemoryBalloon
from nemesis._chaos import AT_ONCE, chaos
from nemesis._clocks import CLOCK_FAULTS, ClockFault
from nemesis._conditions import (
    Moment,
    State,
    always,
    becomes,
    healed,
    in_force,
    no_primary,
    observed,
    primary_elected,
    struck,
)
from nemesis._descriptors import FileDescriptors
from nemesis._disk_damage import DISK_DAMAGE, DiskDamage
from nemesis._disk_loss import LoseUnsynced
from nemesis._disk_rules import DISK_RULES, DiskFault
from nemesis._fault import Declined, Fault, Field, Order, Proof
from nemesis._flapping import Flapping
from nemesis._membership import (
    ForcedLeave,
    MemberGrow,
    MemberRemove,
    MemberReplace,
    MemberShrink,
)
from nemesis._names import DnsFailure
from nemesis._nemesis import Nemesis, NotHealed
from nemesis._packets import PACKET_FAULTS, PacketFault, ResetConnections
from nemesis._partition import Partition
from nemesis._processes import Kill, Pause
from nemesis._proxied import PROXY_FAULTS, ProxyFault
from nemesis._quotas import CpuQuota, IoThrottle, MemoryLimit, ProcessTable
from nemesis._restarts import CrashLoop, Restart, RollingRestart
from nemesis._schedule import final, replay, schedule, script, turns
from nemesis._upgrades import MixedVersions, Reload, Upgrade
from nemesis._when import start, when
from nemesis.grudges import Grudge
from nemesis.targets import Target

__all__ = [
    "AT_ONCE",
    "CLOCK_FAULTS",
    "DISK_DAMAGE",
    "DISK_RULES",
    "PACKET_FAULTS",
    "PROXY_FAULTS",
    "ClockFault",
    "CpuQuota",
    "CrashLoop",
    "Declined",
    "DiskDamage",
    "DiskFault",
    "DnsFailure",
    "Fault",
    "Field",
    "FileDescriptors",
    "Flapping",
    "ForcedLeave",
    "Grudge",
    "IoThrottle",
    "Kill",
    "LoseUnsynced",
    "MemberGrow",
    "MemberRemove",
    "MemberReplace",
    "MemberShrink",
    "MemoryBalloon",
    "MemoryLimit",
    "MixedVersions",
    "Moment",
    "Nemesis",
    "NotHealed",
    "Order",
    "PacketFault",
    "Partition",
    "Pause",
    "ProcessTable",
    "Proof",
    "ProxyFault",
    "Reload",
    "ResetConnections",
    "Restart",
    "RollingRestart",
    "State",
    "Target",
    "Unsupported",
    "Upgrade",
    "always",
    "becomes",
    "chaos",
    "final",
    "grudges",
    "healed",
    "in_force",
    "no_primary",
    "observed",
    "primary_elected",
    "replay",
    "schedule",
    "script",
    "start",
    "struck",
    "targets",
    "turns",
    "when",
]

"""The faults by control groups: quotas of CPU and disk, limits of memory and processes."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cluster import Host, HostError
from histories import Json
from nemesis import _cgroup_program, _strain_program
from nemesis._cgroups import Group, OfCgroups, Setting
from nemesis._pressed import MIB, Family
from nemesis._programs import ask

_PERIOD_US: Final = 100_000
_PROBE_S: Final = 5.0
_MARGIN: Final = 32 * MIB
_TRIAL_BYTES: Final = 64 * MIB
_STEP: Final = 1 << 14


async def _probe(group: Group, kind: str, **request: Json) -> dict[str, Any]:
    asked = {"kind": kind, "group": group.path, "seconds": _PROBE_S, **request}
    return await ask(group.host, _strain_program, asked, sudo=True, timeout_s=6 * _PROBE_S)


class CpuQuota(OfCgroups):
    """The daemon gets `cpus` (a number of CPUs, 0.2 of one unless given) and no more."""

    controller = "cpu"
    word = "throttled"
    defaults = MappingProxyType({"cpus": 0.2})
    least = MappingProxyType({"cpus": 0.01})

    usual_name = "cpu-quota"

    async def settings(
        self, group: Group, attributes: Mapping[str, Any], members: Family | None
    ) -> list[Setting]:
        """A quota per period of 100 ms; it must be less than all CPUs."""
        cpus = float(attributes["cpus"])
        if members is not None and cpus >= members.cpus:
            raise HostError(
                group.host.name,
                f"a quota of {cpus:g} CPUs is none: it has {members.cpus}",
                "order less",
            )
        quota = str(round(cpus * _PERIOD_US))
        # A group weighs as much as one process outside of it; on a busy machine it would get
        # less than its quota, and be throttled never.
        if group.version == 2:
            return [("cpu.max", f"{quota} {_PERIOD_US}", True), ("cpu.weight", "1000", False)]
        return [
            ("cpu.cfs_period_us", str(_PERIOD_US), True),
            ("cpu.cfs_quota_us", quota, True),
            ("cpu.shares", "10240", False),
        ]

    async def strain(self, group: Group, attributes: Mapping[str, Any]) -> tuple[bool, Json]:
        """Burn CPU: does the kernel count that it throttled the group?"""
        counter = posixpath.join(group.path, "cpu.stat")
        workers = math.ceil(attributes["cpus"]) + 1
        seen = await _probe(group, "burn", counter=counter, workers=workers)
        return seen["throttled"] >= 2, seen


class MemoryLimit(OfCgroups):
    """The daemon gets no more than `megabytes` of memory (256 MiB unless given), or is killed.

    What it had before the strike stays charged to where it was and does not count.  A limit
    below what it uses is refused unless ``below_use`` is 1.  How many processes the kernel
    has killed for it, our probes aside, is in the receipt.
    """

    controller = "memory"
    word = "limited"
    defaults = MappingProxyType({"megabytes": 256, "below_use": 0})
    least = MappingProxyType({"megabytes": 16, "below_use": 0})

    usual_name = "memory-limit"

    def __init__(self, system: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(system, *args, **kwargs)
        self._probes_killed: dict[str, int] = {}

    async def settings(
        self, group: Group, attributes: Mapping[str, Any], members: Family | None
    ) -> list[Setting]:
        """The limit, of memory and of swap."""
        size = attributes["megabytes"] * MIB
        if members is not None:
            self._probes_killed[group.host.name] = 0
            used = sum(each.resident for each in members.members)
            if used > size and not attributes["below_use"]:
                raise HostError(
                    group.host.name,
                    f"the daemon uses {used / MIB:.0f} MiB, more than the limit of "
                    f"{size / MIB:.0f} MiB",
                    "order more megabytes, or below_use = 1",
                )
            if size + _MARGIN > members.available:
                raise HostError(
                    group.host.name,
                    f"{members.available / MIB:.0f} MiB of memory are available, so a limit of "
                    f"{size / MIB:.0f} MiB cannot be tried",
                    "order less",
                )
        else:
            size = min(size, _TRIAL_BYTES)
        if group.version == 2:
            return [("memory.max", str(size), True), ("memory.swap.max", "0", False)]
        return [
            ("memory.limit_in_bytes", str(size), True),
            ("memory.memsw.limit_in_bytes", str(size), False),
        ]

    async def strain(self, group: Group, attributes: Mapping[str, Any]) -> tuple[bool, Json]:
        """Touch more memory than there may be: is the probe killed for it?"""
        node = group.host.name
        seen = await _probe(group, "allocate", size=attributes["megabytes"] * MIB + _MARGIN)
        held = seen["killed"] and seen["got"] < seen["wanted"]
        self._probes_killed[node] = self._probes_killed.get(node, 0) + int(seen["killed"])
        return held, seen

    async def look(self, host: Host) -> tuple[str, dict[str, Json]]:
        """As always; and was the daemon killed for its memory?"""
        state, seen = await super().look(host)
        if host.name in self._probes_killed:
            seen["killed_for_memory"] = await self._killed(self._groups[host.name])
        return state, seen

    async def _killed(self, group: Group) -> int:
        """How many processes were killed for memory in the group, without our probes."""
        file = "memory.events" if group.version == 2 else "memory.oom_control"
        text = (await self.read_group(group, file))["files"].get(file, "")
        counts = dict(line.split()[:2] for line in text.splitlines())
        return max(0, int(counts.get("oom_kill", 0)) - self._probes_killed.get(group.host.name, 0))


class ProcessTable(OfCgroups):
    """The daemon can fork no more, and start no thread; `spare` are left to it (none)."""

    controller = "pids"
    word = "exhausted"
    defaults = MappingProxyType({"spare": 0})
    least = MappingProxyType({"spare": 0})

    usual_name = "process-table"

    async def settings(
        self, group: Group, attributes: Mapping[str, Any], members: Family | None
    ) -> list[Setting]:
        """As many as there are, threads included."""
        del group
        now = sum(each.threads for each in members.members) if members else 1
        return [("pids.max", str(now + attributes["spare"]), True)]

    async def strain(self, group: Group, attributes: Mapping[str, Any]) -> tuple[bool, Json]:
        """Fork until the kernel refuses."""
        seen = await _probe(group, "fork", size=attributes["spare"] + 8)
        found = (await self.read_group(group, "pids.events"))["files"].get("pids.events", "")
        return seen["refused"], {**seen, "events": " ".join(found.split())}


class IoThrottle(OfCgroups):
    """The daemon reads and writes its disk at `kilobytes_per_s` each (1024 unless given).

    With version 1 only what goes past the page cache, and what is synced, is throttled.
    """

    controller = "io"
    word = "throttled"
    defaults = MappingProxyType({"kilobytes_per_s": 1024})
    least = MappingProxyType({"kilobytes_per_s": 64})

    usual_name = "io-throttle"

    async def settings(
        self, group: Group, attributes: Mapping[str, Any], members: Family | None
    ) -> list[Setting]:
        """Bytes per second of the disk on which the host's directory is."""
        del members
        request = {"do": "disk", "directory": group.host.directory}
        disk = (await ask(group.host, _cgroup_program, request, sudo=True))["disk"]
        rate = attributes["kilobytes_per_s"] * 1024
        if group.version == 2:
            return [("io.max", f"{disk} rbps={rate} wbps={rate}", True)]
        return [
            (f"blkio.throttle.{way}_bps_device", f"{disk} {rate}", True)
            for way in ("read", "write")
        ]

    async def strain(self, group: Group, attributes: Mapping[str, Any]) -> tuple[bool, Json]:
        """Write for half a second's worth, outside of the group and inside."""
        rate = attributes["kilobytes_per_s"] * 1024
        size = max(rate // 2 // _STEP, 4) * _STEP
        seen = await _probe(group, "write", directory=group.host.directory, size=size)
        least_s = size / rate / 2
        held = seen["outside"] > 0 and seen["inside"] > max(least_s, 2 * seen["outside"])
        return held, {**seen, "bytes": size}

"""The two ways to a wrong clock, and which of them a host allows.

**libfaketime**: the daemon was started with a clock of its own (`cluster.FakedClock`), and
its file is rewritten.  Nothing else on the host notices, so it works in namespaces, in
containers, on one machine, and without root.

**host clock**: CLOCK_REALTIME of the whole host is set, as root.  All programs are reached,
whatever they are written in.  It must be a clock of the host's own: one that the driver or
another node shares would move theirs, too, and one that an NTP daemon looks after would be
set right behind our backs, and wrong again after we have healed it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from cluster import Clocked, FakedClock, Host, HostError, TellsTime, Unsupported
from cluster._faked_clock import not_worn, unreachable
from nemesis import _clock_program
from nemesis._programs import ask

READING_S: Final = 20.0

# $2 the driver's boot.  The first line tells, a line "mend: " names the command that helps.
CAN_SET: Final = """
[ "$2" != "$(cat /proc/sys/kernel/random/boot_id)" ] ||
    { echo "it is the clock of the driver, too"; exit 1; }
read -r inside outside many < /proc/self/uid_map
while read -r name value; do [ "$name" = CapEff: ] && may=$value; done < /proc/self/status
[ "$many" = 4294967295 ] && [ $((0x$may >> 25 & 1)) = 1 ] ||
    { echo "we may not set it (CAP_SYS_TIME)"; exit 1; }
for each in /proc/[0-9]*/comm; do
    read -r name < "$each" && case $name in chronyd|ntpd|openntpd|systemd-timesyn)
        echo "$name runs, and would set it right"
        echo "mend: timedatectl set-ntp false"
        exit 4;;
    esac
done 2>/dev/null
echo "can be set"
"""
"""Whether the host's clock is its own, may be set, and is left alone by others."""
_NTP: Final = 4

# $1 pid file: the program that the daemon is.
_PROGRAM_OF: Final = """
read -r pid start boot 2>/dev/null < "$1" && readlink "/proc/$pid/exe"
"""


@dataclass(frozen=True)
class Reading:
    """How far a clock is ahead of the driver's, give or take so much, and who said so."""

    ahead_s: float
    give_or_take_s: float
    asked: str
    at_s: float
    """The driver's own monotonic clock when it was read."""

    def is_near(self, ahead_s: float, tolerance_s: float) -> bool:
        """May the clock be so far ahead?"""
        return abs(self.ahead_s - ahead_s) <= self.give_or_take_s + tolerance_s


class Way(Protocol):
    """One way to move the clock of one host; `name` is how receipts call it.

    `beside` says who else sets that clock, if anybody does and we were told not to mind.
    """

    name: str
    host: Host
    sudo: bool
    beside: str

    async def right(self) -> dict[str, Any]:
        """The clock as `_clock_program` knows it; asked while it is right."""
        ...

    async def now(self) -> tuple[float, str]:
        """What the clock says, in seconds since 1970, and who was asked."""
        ...


class DaemonsClock:
    """The clock of one daemon under libfaketime."""

    name = "libfaketime"
    sudo = False
    beside = ""

    def __init__(self, host: Host, clock: FakedClock, daemon: str, system: object) -> None:
        self.host = host
        self._clock = clock
        self._daemon = daemon
        self._system = system

    async def right(self) -> dict[str, Any]:
        """The daemon's file."""
        return {"file": self._clock.file(self.host, self._daemon)}

    async def now(self) -> tuple[float, str]:
        """The member itself tells; where it cannot, or is silent, a program in its dress."""
        if isinstance(self._system, TellsTime):
            try:
                return await self._system.told_time(self.host), self._daemon
            except (HostError, OSError):
                pass  # killed or paused by another fault, or not listening yet
        dress = await self._clock.environment(self.host, self._daemon)
        request = {"do": "read", "dress": dress}
        answer = await ask(self.host, _clock_program, request, timeout_s=READING_S)
        return float(answer["now"]), "a probe in its dress"


class HostsClock:
    """The clock of a whole host."""

    name = "host clock"
    sudo = True

    def __init__(self, host: Host, beside: str = "") -> None:
        self.host = host
        self.beside = beside

    async def right(self) -> dict[str, Any]:
        """What the clock is beyond BOOTTIME, and in which boot."""
        return await ask(self.host, _clock_program, {"do": "base"})

    async def now(self) -> tuple[float, str]:
        """The kernel tells."""
        answer = await ask(self.host, _clock_program, {"do": "read"}, timeout_s=READING_S)
        return float(answer["now"]), "its kernel"


async def way_of(
    host: Host, system: object, daemon: str, wanted: str | None, *, despite_ntp: bool
) -> Way:
    """The way for this host: its daemon's clock where that can be moved, else its own.

    Raises `Unsupported` with the reason if there is none.
    """
    clock = system.clock if isinstance(system, Clocked) else None
    if wanted == HostsClock.name or (wanted is None and clock is None):
        code, why = await _cannot_set(host)
        if code == 0 or (code == _NTP and despite_ntp):
            return HostsClock(host, why)
        if wanted is None:
            why += f"; and {daemon} there {await _cannot_fake(host, daemon)}"
        raise Unsupported(
            host.name,
            f"its clock cannot be set: {why}",
            "use machines of their own, or give the system a FakedClock, or leave it out",
        )
    if clock is None:
        why = await _cannot_fake(host, daemon)
    else:
        await clock.library(host)
        why = await not_worn(host, daemon)
    if why:
        raise Unsupported(
            host.name,
            f"the clock of {daemon} cannot be moved: it {why}",
            "have the system start it by FakedClock.start where libfaketime can reach it, or set "
            "the clocks of whole hosts",
        )
    assert clock is not None
    return DaemonsClock(host, clock, daemon, system)


async def refuse_shared(ways: Mapping[str, Way]) -> None:
    """Raise `Unsupported` if two nodes have one clock, as containers on one machine do."""
    seen: dict[str, str] = {}
    for name, way in ways.items():
        if isinstance(way, HostsClock):
            boot = str((await way.right())["boot"])
            if boot in seen:
                raise Unsupported(
                    name,
                    f"it has one clock with {seen[boot]}, which would be moved, too",
                    "use machines of their own, or give the system a FakedClock",
                )
            seen[boot] = name


async def measure(way: Way, within_s: float, tries: int = 5) -> Reading:
    """Read the clock until it is known to `within_s`; the quickest of all readings counts."""
    readings: list[Reading] = []
    while not readings or (len(readings) < tries and _best(readings).give_or_take_s > within_s):
        before, began = time.time(), time.monotonic()
        now, asked = await way.now()
        took_s = time.monotonic() - began
        middle_s = before + took_s / 2
        readings.append(Reading(now - middle_s, took_s / 2, asked, began + took_s / 2))
    return _best(readings)


def _best(readings: Sequence[Reading]) -> Reading:
    return min(readings, key=lambda reading: reading.give_or_take_s)


async def _cannot_set(host: Host) -> tuple[int, str]:
    """The exit code of `CAN_SET`, and why the host's clock cannot be set; "" if it can."""
    if "root" not in host.capabilities:
        return 1, "that needs root"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    script = ["sh", "-c", CAN_SET, "momus-clock", host.directory, boot]
    done = await host.run(script, sudo=True, check=False)
    if done.code == 0:
        return 0, ""
    lines = done.text.splitlines() or [done.stderr.decode("utf-8", "replace").strip()]
    mend = f" ({lines[1].removeprefix('mend: ')})" if len(lines) > 1 else ""
    return done.code, lines[0] + mend


async def _cannot_fake(host: Host, daemon: str) -> str:
    """Why libfaketime does not rule this daemon."""
    pid_file = f"{host.directory}/{daemon}.pid"
    done = await host.run(["sh", "-c", _PROGRAM_OF, "momus-program", pid_file], check=False)
    why = await unreachable(host, done.text) if done.code == 0 and done.text else ""
    if why:
        return f"is beyond libfaketime: {why}"
    return "was started without libfaketime"

"""What a host can do, and the command that gives it what it lacks.

Each capability is a `Check`: a constant shell script that answers by its exit code, with a
line on its standard output for what it found or what is missing, and perhaps a line "mend: "
with the command that helps.  Nothing is changed on the host: what must be tried to be known
(packet filters, netem) is tried in a network namespace that ends with the script, or, like a
control group, is removed by it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster import HostError, PosixHost, Settings, SshSettings, host_at
from cluster._faked_clock import LIBRARY
from nemesis import _cgroup_program
from nemesis._clock_ways import CAN_SET
from nemesis._programs import text_of

TIMEOUT_S: Final = 20.0
OFFSET_MAX_S: Final = 0.5
DISK_MIN_MIB: Final = 1024
_OFFSET_SAMPLES: Final = 5


@dataclass(frozen=True)
class Finding:
    """Whether a host can do something, what was seen, what wants it, and how to mend it."""

    capability: str
    yes: bool
    detail: str
    needed_by: str
    mend: str
    required: bool = False


@dataclass(frozen=True)
class Check:
    """One capability; `package` maps package managers to what they call what is missing."""

    capability: str
    needed_by: str
    script: str
    root: bool = False
    required: bool = False
    package: Mapping[str, str] | None = None
    mend: str = ""


_INSTALL: Final = {
    "apt-get": "apt-get install -y {}",
    "dnf": "dnf install -y {}",
    "apk": "apk add {}",
    "zypper": "zypper install -y {}",
    "pacman": "pacman -S --noconfirm {}",
}
_MANAGER: Final = """
for each in apt-get dnf apk zypper pacman; do
    command -v "$each" >/dev/null && { echo "$each"; break; }
done
cat /proc/sys/kernel/random/boot_id
"""


def _everywhere(name: str, **others: str) -> dict[str, str]:
    return {manager: others.get(manager.replace("-", "_"), name) for manager in _INSTALL}


CHECKS: Final = (
    Check(
        "tools",
        "everything",
        """
        for each in setsid env cat head sha256sum mkdir mv chmod tr grep; do
            command -v "$each" >/dev/null || missing="$missing $each"
        done
        [ -z "$missing" ] || { echo "missing:$missing"; exit 1; }
        uname -sr
        """,
        required=True,
        package=_everywhere("coreutils util-linux grep"),
    ),
    Check(
        "disk",
        "data and logs",
        f"""
        set -- $(df -Pk -- "$1" | tail -n 1)
        echo "$(($4 / 1024)) MiB free on $6"
        [ $(($4 / 1024)) -ge {DISK_MIN_MIB} ]
        """,
        required=True,
        mend="df -h  # free some, or write directory = ... in the lab file",
    ),
    Check(
        "python3",
        "proofs of partitions and pressure",
        """
        command -v python3 >/dev/null || { echo "no python3"; exit 1; }
        python3 -c 'import sys; print(sys.version.split()[0]); sys.exit(sys.version_info < (3, 6))'
        """,
        package=_everywhere("python3", pacman="python"),
    ),
    Check(
        "packet filter",
        "partition",
        """
        why="neither iptables nor nft"
        for each in iptables nft; do
            command -v "$each" >/dev/null || continue
            if [ "$each" = nft ]; then set -- list tables; else set -- -w 5 -S; fi
            if said=$(unshare -n "$each" "$@" 2>&1) || said=$("$each" "$@" 2>&1); then
                "$each" --version
                exit 0
            fi
            why="$each: $said"
        done
        echo "$why"
        exit 1
        """,
        root=True,
        package=_everywhere("iptables"),
    ),
    Check(
        "tc netem",
        "latency, loss, bandwidth",
        """
        command -v tc >/dev/null || { echo "no tc"; exit 1; }
        said=$(unshare -n tc qdisc add dev lo root netem delay 1ms 2>&1) ||
            { echo "the kernel refuses netem: $said"; exit 2; }
        tc -V
        """,
        root=True,
        package=_everywhere("iproute2", dnf="iproute-tc"),
        mend="modprobe sch_netem",
    ),
    Check(
        "cgroups",
        "quotas and limits of CPU, memory, disk, processes",
        # The very program that the faults use, so that both always agree.
        f"""
        command -v python3 >/dev/null || {{ echo "no python3"; exit 1; }}
        exec python3 -I -S - '{{"do": "survey", "name": "momus-doctor"}}' <<'END_OF_PROGRAM'
{text_of(_cgroup_program)}
END_OF_PROGRAM
        """,
        root=True,
        package=_everywhere("python3", pacman="python"),
        mend="mount -t cgroup2 none /sys/fs/cgroup  # or boot with "
        "systemd.unified_cgroup_hierarchy=1",
    ),
    Check(
        "fuse",
        "faults of the disk",
        """
        grep -qw fuse /proc/filesystems || { echo "the kernel has no FUSE"; exit 2; }
        [ -c /dev/fuse ] || { echo "no /dev/fuse"; exit 2; }
        (: <>/dev/fuse) 2>/dev/null || { echo "/dev/fuse cannot be opened"; exit 2; }
        command -v fusermount3 || command -v fusermount || command -v mount
        """,
        root=True,
        package=_everywhere("fuse3"),
        mend="modprobe fuse",
    ),
    Check(
        "clock",
        "skew, jump, strobe, drift",
        CAN_SET,
        root=True,
        mend="# a machine of its own; or per process, by libfaketime",
    ),
    Check(
        "libfaketime",
        "the clock of one process",
        LIBRARY,
        package=_everywhere("libfaketime", apt_get="faketime"),
    ),
)

CAPABILITIES: Final = (
    "ssh",
    "files",
    "sudo",
    *(check.capability for check in CHECKS),
    "clock offset",
)
"""In the order in which they are told; "ssh" is the login, whatever the transport."""


async def check_up(settings: Settings) -> list[Finding]:
    """All findings about one host; only the first, if nobody can log in there."""
    try:
        host = host_at(settings)
    except HostError as error:
        return [_no_login(error)]
    try:
        login, root = await _greet(host, settings)
        if not login.yes:
            return [login]
        about = (await host.run(["sh", "-c", _MANAGER], timeout_s=TIMEOUT_S)).text.split()
        manager = about[0] if len(about) > 1 else ""
        found = await asyncio.gather(
            _files(host, settings),
            *(_try(host, settings, check, manager, root.yes) for check in CHECKS),
            _offset(host),
        )
        return [login, found[0], root, *found[1:]]
    except HostError as error:
        return [_no_login(error)]
    finally:
        await host.close()


async def _greet(host: PosixHost, settings: Settings) -> tuple[Finding, Finding]:
    """The login, and root."""
    needed_by = "faults of network, clock, disk, pressure"
    began, why = time.monotonic(), "the login is no root"
    mend = "# log in as root, or allow sudo without a password and write sudo = true"
    try:
        await host.greet()
    except HostError as error:
        why = error.what
        if "sudo" not in error.what:
            return _no_login(error), Finding("sudo", False, "no login", needed_by, "")
        assert isinstance(settings, SshSettings)
        rule = f"{settings.user} ALL=(ALL) NOPASSWD: ALL"
        mend = f"echo '{rule}' > /etc/sudoers.d/momus  # as root"
    took_ms = (time.monotonic() - began) * 1000
    login = Finding("ssh", True, f"in {took_ms:.0f} ms", "everything", "", required=True)
    root = "root" in host.capabilities
    return login, Finding("sudo", root, "" if root else why, needed_by, "" if root else mend)


def _no_login(error: HostError) -> Finding:
    return Finding("ssh", False, error.what, "everything", f"# {error.try_next}", required=True)


async def _try(
    host: PosixHost, settings: Settings, check: Check, manager: str, root: bool
) -> Finding:
    """Run one check's script."""
    if check.root and not root:
        return _finding(check, False, "needs root", "# see sudo")
    argv = ["sh", "-c", check.script, "momus-doctor", settings.directory, _boot()]
    try:
        done = await host.run(argv, sudo=check.root, check=False, timeout_s=TIMEOUT_S)
    except HostError as error:
        return _finding(check, False, error.what, f"# {error.try_next}")
    lines = done.text.splitlines() or done.stderr.decode("utf-8", "replace").splitlines()
    detail = lines[0] if lines else ""
    if done.code == 0:
        return _finding(check, True, detail, "")
    told = next((line[6:] for line in lines if line.startswith("mend: ")), "")
    # A script that ends with 2 has found the program, and the kernel wanting.
    install = _INSTALL[manager].format(check.package[manager]) if check.package and manager else ""
    mend = told or (check.mend if done.code == 2 else install) or check.mend or install
    sudo = "sudo " if isinstance(settings, SshSettings) and settings.user != "root" else ""
    return _finding(check, False, detail, mend if mend.startswith("#") else sudo + mend)


def _finding(check: Check, yes: bool, detail: str, mend: str) -> Finding:
    return Finding(check.capability, yes, detail, check.needed_by, mend, check.required)


async def _files(host: PosixHost, settings: Settings) -> Finding:
    """Write a file, read it back, remove it."""
    path = f"{settings.directory}/momus-doctor-{time.time_ns()}"
    needed_by = "programs and logs"
    try:
        try:
            await host.write(path, b"momus")
            same = await host.read(path) == b"momus"
        finally:
            await host.run(["rm", "-f", "--", path], check=False)
    except HostError as error:
        mend = f"mkdir -p {settings.directory}  # or write directory = ...; sshd needs sftp"
        return Finding("files", False, error.what, needed_by, mend, required=True)
    detail = f"in {settings.directory}" if same else "a file came back changed"
    return Finding("files", same, detail, needed_by, "" if same else "# see the disk", True)


async def _offset(host: PosixHost) -> Finding:
    """By how much the host's clock differs from ours; the quickest answer counts."""
    samples = []
    needed_by = "reading the logs of several hosts"
    for _ in range(_OFFSET_SAMPLES):
        before = time.time()
        said = (await host.run(["date", "+%s.%N"], check=False, timeout_s=TIMEOUT_S)).text
        after = time.time()
        if re.fullmatch(r"\d+(\.\d+)?", said):
            samples.append((after - before, float(said) - (before + after) / 2))
    if not samples:
        return Finding("clock offset", False, f"`date` said {said!r}", needed_by, "date +%s.%N")
    took_s, offset_s = min(samples)
    direction = "ahead" if offset_s >= 0 else "behind"
    detail = f"{abs(offset_s) * 1000:.1f} ms {direction}, give or take {took_s * 500:.1f} ms"
    yes = abs(offset_s) <= OFFSET_MAX_S + took_s / 2
    mend = "" if yes else "timedatectl set-ntp true"
    return Finding("clock offset", yes, detail, needed_by, mend)


async def check_up_all(hosts: Sequence[Settings]) -> dict[str, list[Finding]]:
    """The findings of each host, by name; all hosts at once."""
    found = await asyncio.gather(*map(check_up, hosts))
    return {host.name: each for host, each in zip(hosts, found, strict=True)}


def _boot() -> str:
    """Which boot of which machine the driver runs in."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()

"""What a host looks like from inside, as one line of JSON; run there, by Python 3 alone.

Nothing of momus is imported, since hosts have none: the text of this file goes to the host's
Python over standard input.  ``argv[1]`` (JSON) names the directories to list, and the marks
by which files and control groups of runs are known.  What changes by itself (packet counts,
process ids, ages) is left out.
"""

from __future__ import annotations

import ctypes
import glob
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/ld.so.preload")
SYSCTLS = (
    "net/ipv4/*",
    "net/ipv4/conf/*/rp_filter",
    "net/core/*mem*",
    "net/core/somaxconn",
    "net/core/default_qdisc",
    "kernel/pid_max",
    "kernel/threads-max",
    "fs/file-max",
    "fs/nr_open",
    "vm/overcommit_*",
    "vm/dirty_*",
)
LIMITS = (
    *("cpu.max", "cpu.weight", "memory.max", "memory.high", "pids.max", "io.max", "cpuset.cpus"),
    *("cpu.cfs_quota_us", "cpu.shares", "memory.limit_in_bytes", "freezer.state"),
    "blkio.throttle.*_device",
)
SHARED = ("/tmp", "/var/tmp", "/dev/shm", "/run")
TIMEOUT_S = 20


def main() -> None:
    """Look, and tell."""
    asked = json.loads(sys.argv[1])
    told = {
        "iptables": filters("iptables-save") + filters("iptables-legacy-save"),
        "ip6tables": filters("ip6tables-save") + filters("ip6tables-legacy-save"),
        "nft": lines("nft", "-s", "list", "ruleset"),
        "rules": lines("ip", "-4", "rule") + lines("ip", "-6", "rule"),
        "routes": routes("-4") + routes("-6"),
        "links": sorted(links()),
        "addresses": addresses(),
        "queues": queues(),
        "mounts": mounts(),
        "processes": sorted(processes()),
        "groups": groups(asked["marks"]),
        "system": dict(sysctls()),
        "files": {path: digest(path) for path in FILES},
        "listing": sorted({each for top in asked["directories"] for each in listing(top)}),
        "marked": sorted(marked(asked["marks"])),
        "clock": {"tick": clock()[0], "frequency": clock()[1], "offsets": read(OFFSETS)},
    }
    print(json.dumps(told))


OFFSETS = "/proc/self/timens_offsets"


def read(path: str) -> str | None:
    """A small file, or None."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return None


def lines(*argv: str) -> list[str]:
    """What a command says, line by line; nothing where there is no such command."""
    try:
        done = subprocess.run(argv, capture_output=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.decode("utf-8", "replace").splitlines()


def filters(command: str) -> list[str]:
    """The rules of a packet filter, in order, without comments and counters."""
    kept = (line for line in lines(command) if not line.startswith("#"))
    return [re.sub(r"\[\d+:\d+\]", "[]", line) for line in kept]


def routes(family: str) -> list[str]:
    """All tables, without what ages.

    Nor what the kernel makes of a link's own address, which is told among the addresses: it
    comes a second or two after the link, when the address is known to be nobody else's.
    """
    return sorted(
        re.sub(r"expires \S+|age \S+", "", line)
        for line in lines("ip", family, "route", "show", "table", "all")
        if not re.match(r"(local|anycast) fe80:.* proto kernel\b", line)
    )


def links() -> Iterator[str]:
    """Every device with its size, queue and state, without its number."""
    for line in lines("ip", "-o", "link"):
        yield re.sub(r"^\d+: ", "", re.sub(r"link-netns\S* \S+", "", line))


def addresses() -> list[str]:
    return sorted(
        re.sub(r"^\d+: |valid_lft \S+|preferred_lft \S+", "", line)
        for line in lines("ip", "-o", "address")
    )


def queues() -> dict[str, list[str]]:
    """Disciplines, classes and filters of all devices; numbers of packets are not asked for."""
    found = {"qdisc": sorted(lines("tc", "qdisc", "show"))}
    for device in sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else ():
        for what in ("class", "filter"):
            said = lines("tc", what, "show", "dev", device)
            if said:
                found[f"{what} {device}"] = said
    return found


def mounts() -> list[str]:
    """What is mounted where, as the kernel tells, without the numbers of mounts."""
    told = []
    for line in (read("/proc/self/mountinfo") or "").splitlines():
        _number, _parent, _device, root, place, options, *rest = line.split()
        rest = [each for each in rest if not re.match(r"(shared|master):", each)]
        told.append(" ".join([root, place, options, *rest]))
    return sorted(told)


def processes() -> Iterator[str]:
    """All processes of this network, but for ourselves and the logins that brought us."""
    ours, here = ancestry(), inode("self")
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in ours or inode(name) != here:
            continue
        command = (read(f"/proc/{name}/cmdline") or "").replace("\0", " ").strip()
        stat = read(f"/proc/{name}/stat")
        if stat is None or not command:
            continue
        fields = stat[stat.rindex(")") + 2 :].split()
        if fields[0] in "ZX" or is_login(command, fields[1]):
            continue
        state = "stopped" if fields[0] in "Tt" else "running"
        limits = hashlib.sha256((read(f"/proc/{name}/limits") or "").encode()).hexdigest()[:12]
        preloaded = [
            each
            for each in (read(f"/proc/{name}/environ") or "").split("\0")
            if each.startswith(("LD_", "FAKETIME"))
        ]
        places = sorted((read(f"/proc/{name}/cgroup") or "").splitlines())
        yield " | ".join(
            [
                command,
                state,
                f"nice {fields[16]}",
                "oom {}".format(read(f"/proc/{name}/oom_score_adj")),
                f"limits {limits}",
                "time {}".format(inode(name, "time")),
                ",".join(preloaded),
                re.sub(r"\d+", "#", ",".join(places)),
            ]
        )


def is_login(command: str, parent: str) -> bool:
    """A session of sshd and its shells, which end with the connection; the listener is none."""
    above = read(f"/proc/{parent}/cmdline") or ""
    return any(
        each.startswith(("sshd: ", "sshd-session: ")) and "[listener]" not in each
        for each in (command, above if command == "sh" else "")
    )


def ancestry() -> set[int]:
    """Ourselves and all who started us, up to the server that let us in."""
    found: set[int] = set()
    pid = os.getpid()
    while pid > 1 and "[listener]" not in (read(f"/proc/{pid}/cmdline") or ""):
        found.add(pid)
        stat = read(f"/proc/{pid}/stat")
        if stat is None:
            break
        pid = int(stat[stat.rindex(")") + 2 :].split()[1])
    return found


def inode(process: str, kind: str = "net") -> int:
    try:
        return os.stat(f"/proc/{process}/ns/{kind}").st_ino
    except OSError:
        return 0


def groups(marks: list[str]) -> dict[str, dict[str, str | None]]:
    """Control groups of runs, which should not be there, with their limits."""
    found = {}
    for top, directories, _ in os.walk("/sys/fs/cgroup"):
        for name in directories:
            path = os.path.join(top, name)
            if any(mark in path for mark in marks):
                limits = [each for kind in LIMITS for each in glob.glob(os.path.join(path, kind))]
                found[path] = {os.path.basename(each): read(each) for each in sorted(limits)}
    return found


def sysctls() -> Iterator[tuple[str, str | None]]:
    """What may be set in /proc/sys, by name."""
    for pattern in SYSCTLS:
        for path in sorted(glob.glob("/proc/sys/" + pattern)):
            if os.path.isfile(path):
                yield path, read(path)


def digest(path: str) -> str | None:
    """Content, mode and owner of a file in one line; None if there is none."""
    try:
        found = os.stat(path)
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()[:16]
    except OSError:
        return None
    return f"{content} {found.st_mode:o} {found.st_uid}:{found.st_gid}"


def listing(top: str) -> Iterator[str]:
    """All names below a directory; numbers count as one another, since logs are rotated.

    The lists of strikes and starts that may no longer be made are no traces of any.
    """
    for where, directories, files in os.walk(top):
        for name in set(directories + files) - {"strikes-undone", "starts-barred"}:
            yield re.sub(r"[0-9a-f]{8,}|\d+", "#", os.path.relpath(os.path.join(where, name), top))


def marked(marks: list[str]) -> Iterator[str]:
    """Files of runs in places that all share."""
    for top in SHARED:
        for pattern in ("*", "*/*"):
            for path in glob.glob(os.path.join(top, pattern)):
                if any(mark in path for mark in marks):
                    yield path


def clock() -> tuple[int, float]:
    """The tick (µs) and the frequency (ppm) to which the kernel's clock is set."""

    class Timex(ctypes.Structure):
        _fields_ = (
            [("modes", ctypes.c_uint)]
            + [(name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")]
            + [("status", ctypes.c_int)]
            + [(name, ctypes.c_long) for name in ("constant", "precision", "tolerance")]
            + [("seconds", ctypes.c_long), ("fraction", ctypes.c_long), ("tick", ctypes.c_long)]
            + [("rest", ctypes.c_byte * 256)]
        )

    found = Timex()
    ctypes.CDLL(None).adjtimex(ctypes.byref(found))
    return found.tick, found.freq / 65536


if __name__ == "__main__":
    main()

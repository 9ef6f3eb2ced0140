"""What of a run is left on this machine: two pictures of it, and what the second has more.

A picture names processes, packet filters, queues, routing rules, links, mounts, namespaces,
control groups and the lab's directories, as the kernel's own tools tell them; the clock is
compared with the monotonic one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_COMMANDS = (
    ["iptables-save"],
    ["ip6tables-save"],
    ["nft", "list", "ruleset"],
    ["tc", "qdisc", "show"],
    ["ip", "rule", "show"],
    ["ip", "-brief", "link", "show"],
    ["ip", "netns", "list"],
    ["losetup", "--list", "--noheadings"],
)
_CLOCK_STEP_S = 0.5


def picture(folder: Path) -> set[str]:
    """Everything there is now that a run might leave behind; `folder` is where labs are."""
    return {
        *_told(),
        *_processes(),
        *_mounts(),
        *_groups(),
        *(f"file {path}" for path in folder.iterdir() if path.name != "store"),
        f"clock {round((time.time() - time.monotonic()) / _CLOCK_STEP_S)}",
    }


def left(before: set[str], folder: Path, patience_s: float = 20.0) -> list[str]:
    """What is there that was not there `before`, or no longer there, after some patience."""
    deadline = time.monotonic() + patience_s
    while True:
        now = picture(folder)
        clock = _moved(before, now)
        found = [f"left behind: {each}" for each in sorted(now - before) if each[:6] != "clock "]
        found += [f"no longer there: {each}" for each in sorted(before - now) if _lasting(each)]
        found += ["the clock was moved"] if clock else []
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def _lasting(each: str) -> bool:
    """Is this a setting, which stays, rather than a process, which may end?"""
    return not each.startswith(("process ", "namespace ", "clock ", "file ", "group "))


def _moved(before: set[str], now: set[str]) -> bool:
    steps = [int(each.split()[1]) for has in (before, now) for each in has if each[:6] == "clock "]
    return abs(steps[0] - steps[1]) > 1


def _told() -> Iterator[str]:
    for argv in _COMMANDS:
        if shutil.which(argv[0]) is None:
            continue
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        for line in done.stdout.splitlines():
            words = line.split("[")[0] if line.startswith(":") else line  # without counters
            if words.strip() and not words.startswith("#"):
                yield f"{argv[0]}: {words.strip()}"


def _processes() -> Iterator[str]:
    """Other processes by command line, and the namespaces that they are in."""
    for entry in Path("/proc").glob("[0-9]*"):
        if entry.name == str(os.getpid()):
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            spaces = [os.readlink(entry / "ns" / kind) for kind in ("net", "mnt", "user", "uts")]
        except OSError:
            continue
        if command:
            yield f"process {entry.name}: {command[:200]}"
        yield from (f"namespace {space}" for space in spaces)


def _mounts() -> Iterator[str]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        yield f"mount {line}"


def _groups() -> Iterator[str]:
    """Control groups that bear our name, in whatever hierarchy."""
    for top, names, _files in os.walk("/sys/fs/cgroup"):
        yield from (f"group {top}/{name}" for name in names if "momus" in name)

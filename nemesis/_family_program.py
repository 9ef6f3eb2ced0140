"""The program that tells of a daemon and all its processes, as the kernel shows them.

The family of a daemon are the processes of its process group and session, and all their
descendants, since databases fork, and some of their children found groups of their own.

Request: ``{"pid_file": path}``, the file in which the daemon's pid, start time and boot id
stand.  Answer: ``{"leader": [pid, start, boot] or null, "processes": {pid: {...}}, "boot": id,
"available": bytes of memory, "cpus": number}``.  Of each process (zombies are left out) its
``start`` time in clock ticks since boot, its ``cgroups`` (the text of its cgroup file),
``threads``, ``resident`` bytes, the ``soft`` and ``hard`` limit of open files (-1: none), how
many files are ``open``, and the lowest number that is ``unused`` (-1: we may not look).
"""

import json
import os
import sys
from typing import Any


def stat_of(pid: int) -> "list[str]":
    """The fields of the stat file from the state on; the command before may hold anything."""
    with open("/proc/%d/stat" % pid) as file:  # noqa: UP031
        line = file.read()
    return line[line.rindex(")") + 2 :].split()


def family(leader: int) -> "dict[int, int]":
    """The start times of all living processes of the family, by pid."""
    seen = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                state, parent, group, session = stat_of(int(entry))[:4]
                start = stat_of(int(entry))[19]
            except (OSError, ValueError):
                continue
            seen[int(entry)] = (state, int(parent), int(group), int(session), int(start))
    members = {pid for pid, each in seen.items() if pid == leader or leader in each[2:4]}
    grown = True
    while grown:
        children = {pid for pid, each in seen.items() if each[1] in members}
        grown = not children <= members
        members |= children
    return {pid: seen[pid][4] for pid in members if seen[pid][0] not in "ZX"}


def describe(pid: int, start: int) -> "dict[str, Any]":
    """What is told of a process; raises OSError if it has ended."""
    folder = "/proc/%d/" % pid  # noqa: UP031
    with open(folder + "cgroup") as file:
        cgroups = file.read()
    told: dict[str, Any] = {"start": start, "cgroups": cgroups, "threads": 1, "resident": 0}
    with open(folder + "status") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name == "Threads":
                told["threads"] = int(value)
            elif name == "VmRSS":
                told["resident"] = int(value.split()[0]) * 1024
    with open(folder + "limits") as file:
        for line in file:
            if line.startswith("Max open files"):
                soft, hard = line.split()[3:5]
                told["soft"], told["hard"] = (
                    -1 if each == "unlimited" else int(each) for each in (soft, hard)
                )
    try:
        numbers = {int(each) for each in os.listdir(folder + "fd")}
        told["open"] = len(numbers)
        told["unused"] = min(set(range(len(numbers) + 1)) - numbers)
    except PermissionError:
        told["open"] = told["unused"] = -1
    return told


def available() -> int:
    """The bytes of memory that could be had without swapping."""
    with open("/proc/meminfo") as file:
        sizes = dict(line.split()[:2] for line in file)
    return int(sizes["MemAvailable:"]) * 1024


def look(pid_file: str) -> "dict[str, Any]":
    """The answer."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        now = file.read().strip()
    nobody: dict[str, Any] = {
        "leader": None,
        "processes": {},
        "boot": now,
        "available": available(),
        "cpus": os.cpu_count(),
    }
    try:
        with open(pid_file) as file:
            pid, start, boot = file.read().split()
        # A forged file must not have us take process 1 for a daemon, and all for its family.
        if int(pid) <= 1 or boot != now or stat_of(int(pid))[19] != start:
            return nobody
    except (OSError, ValueError):
        return nobody
    processes = {}
    for each, began in family(int(pid)).items():
        try:
            processes[each] = describe(each, began)
        except OSError:
            continue
    if int(pid) not in processes:
        return nobody
    return dict(nobody, leader=[int(pid), int(start), boot], processes=processes)


if __name__ == "__main__":
    print(json.dumps(look(**json.loads(sys.argv[1]))))

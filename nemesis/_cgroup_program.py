"""The program that puts processes of a host into a control group of ours, and back again.

It knows both versions.  Version 2 has one tree with controllers that are switched on level
by level; version 1 has a tree for each controller.  Where the tree of a controller is not
mounted it is mounted under a name of ours, which is undone, too.  A new tree of version 1 is
never made, since that would take the controller away from version 2.

A group is a directory below the root of its tree, under a name that only one fault of one run
on one host uses.  Where the controller was off at the root and is switched on by us the name
says so (``.switched-io``), and the last such group to go switches it off again.  Processes are
named by pid and start time, so that a stranger that inherited the pid is not moved.

Request: ``{"do": "find", "enter", "leave", "look" or "disk", ...}`` with the arguments of the
function of that name.  Answer: what the function returns.  With ``{"do": "survey", "name":
...}`` it answers in a line of plain words, and exits with 2 if something is missing.
"""

import errno
import json
import os
import subprocess
import sys
import time
from typing import Any

MINE = "momus-"
SWITCHED = ".switched-"
_POLL_S = 0.02
_V1_NAMES = {"io": "blkio"}


def find(
    controller: str,
    name: str,
    mountinfo: str = "/proc/self/mountinfo",
    known: str = "/proc/cgroups",
) -> "dict[str, Any]":
    """The way to groups of this controller ("cpu", "memory", "io", "pids").

    ``version``; ``controller`` as it is called there; ``at``: where the tree is mounted; ``root``:
    which group of the tree is seen there; ``mount``: what to mount at ``at`` first, or null;
    ``point``: where we mount if we must; ``name`` of the group.  LookupError: there is none.
    """
    old = _V1_NAMES.get(controller, controller)
    point = "/run/%s.cgroup" % name  # noqa: UP031
    way: dict[str, Any] = {
        "version": 2,
        "controller": controller,
        "at": point,
        "root": "/",
        "mount": None,
        "point": point,
        "name": name,
    }
    mounts = _mounts(mountinfo)
    for kind, at, root, _ in mounts:
        if kind == "cgroup2" and controller in _words(at + "/cgroup.controllers"):
            on = controller in _words(at + "/cgroup.subtree_control") and not _switched(
                at, controller
            )
            return dict(way, at=at, root=root, name=name if on else name + SWITCHED + controller)
    for kind, at, root, options in mounts:
        if kind == "cgroup" and old in options.split(","):
            return dict(way, version=1, controller=old, at=at, root=root)
    trees = _trees(known)
    if old not in trees:
        raise LookupError("the kernel has no controller %s" % old)  # noqa: UP031
    if trees[old]:
        options = ",".join(sorted(each for each, tree in trees.items() if tree == trees[old]))
        return dict(way, version=1, controller=old, mount=["cgroup", options])
    if any(kind == "cgroup2" for kind, _, _, _ in mounts):
        raise LookupError("the controller %s is not given to us" % controller)  # noqa: UP031
    return dict(way, mount=["cgroup2", ""], name=name + SWITCHED + controller)


def _mounts(mountinfo: str) -> "list[tuple[str, str, str, str]]":
    """Type, place, root and options of every mounted tree of control groups."""
    found = []
    with open(mountinfo) as file:
        for line in file:
            left, _, right = line.partition(" - ")
            root, at = (_unescaped(each) for each in left.split()[3:5])
            kind, _, options = right.split(maxsplit=2)
            if kind in ("cgroup", "cgroup2"):
                found.append((kind, at, root, options.strip()))
    return found


def _unescaped(path: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, char)
    return path


def _trees(known: str) -> "dict[str, int]":
    """The number of the tree of every controller that is enabled; 0: in none of version 1."""
    with open(known) as file:
        rows = [line.split() for line in file if not line.startswith("#")]
    return {name: int(tree) for name, tree, _, enabled in rows if enabled == "1"}


def _words(path: str) -> "list[str]":
    try:
        with open(path) as file:
            return file.read().split()
    except OSError:
        return []


def origin_of(way: "dict[str, Any]", cgroups: str) -> str:
    """The group that a process is in, from the text of its cgroup file."""
    for line in cgroups.splitlines():
        _, controllers, path = line.split(":", 2)
        if way["version"] == 2 and not controllers:
            return path
        if way["version"] == 1 and way["controller"] in controllers.split(","):
            return path
    return "/"


def enter(
    way: "dict[str, Any]",
    name: str,
    settings: "list[tuple[str, str, bool]]",
    processes: "list[tuple[int, int]]",
) -> "dict[str, Any]":
    """Make the group, write its settings, move these processes (pid, start) into it.

    A setting is ``[file, value, needed]``; one that is not needed may be missing.
    """
    at, group = way["at"], os.path.join(way["at"], name)
    if way["mount"] is not None and not os.path.ismount(at):
        kind, options = way["mount"]
        os.makedirs(at, exist_ok=True)
        more = ["-o", options] if options else []
        subprocess.run(["mount", "-t", kind, *more, "none", at], check=True)
    os.makedirs(group, exist_ok=True)  # first: its name tells others who switched it on
    if way["version"] == 2 and way["controller"] not in _words(at + "/cgroup.subtree_control"):
        _put(at + "/cgroup.subtree_control", "+" + way["controller"])
    for file, value, needed in settings:
        path = os.path.join(group, file)
        if needed or os.path.exists(path):
            _put(path, value)
    for pid, start in processes:
        if _start_of(pid) == start:
            try:
                _put(group + "/cgroup.procs", str(pid))
            except ProcessLookupError:
                continue
    return {"entered": True}


def leave(
    way: "dict[str, Any]",
    name: str,
    origins: "list[tuple[int, int, str]]",
    origin: str,
    patience_s: float = 10.0,
) -> "dict[str, Any]":
    """Move everything in the group to where it came from, and remove the group.

    `origins` are ``[pid, start, group]``; what was born in our group goes to `origin`.
    """
    at, group = way["at"], os.path.join(way["at"], name)
    came_from = {(pid, start): path for pid, start, path in origins}
    deadline = time.monotonic() + patience_s
    while os.path.isdir(group):
        for pid in _pids(group):
            _send_home(way, pid, came_from.get((pid, _start_of(pid)), origin))
        try:
            os.rmdir(group)
        except FileNotFoundError:
            break
        except OSError as error:
            # What is about to end, or was born just now, keeps it for a moment.
            if error.errno not in (errno.EBUSY, errno.ENOTEMPTY) or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
    if way["version"] == 2 and SWITCHED in name and os.path.isdir(at):
        _switch_off(at, way["controller"])
    if os.path.ismount(way["point"]):
        subprocess.run(["umount", way["point"]], check=True)
    if os.path.isdir(way["point"]):
        os.rmdir(way["point"])
    return {"left": True}


def _send_home(way: "dict[str, Any]", pid: int, path: str) -> None:
    """Into the group it came from, or the nearest above that there still is and that takes it."""
    root = way["root"].rstrip("/")
    path = path[len(root) :] if path == root or path.startswith(root + "/") else path
    parts = [part for part in path.split("/") if part]
    while True:
        try:
            _put(os.path.join(way["at"], *parts, "cgroup.procs"), str(pid))
            return
        except ProcessLookupError:
            return
        except OSError:
            if not parts:
                raise
            parts.pop()


def _switch_off(at: str, controller: str) -> None:
    """What nobody had switched on before us; unless another group of ours still needs it."""
    try:
        if not _switched(at, controller) and controller in _words(at + "/cgroup.subtree_control"):
            _put(at + "/cgroup.subtree_control", "-" + controller)
    except OSError as error:
        if error.errno != errno.EBUSY:  # somebody else has come to use it
            raise


def look(way: "dict[str, Any]", name: str, files: "list[str]") -> "dict[str, Any]":
    """The pids in the group, the text of these files of it, and whether it is there."""
    group = os.path.join(way["at"], name)
    told = {}
    for file in files:
        try:
            with open(os.path.join(group, file)) as opened:
                told[file] = opened.read()
        except OSError:
            continue
    return {"there": os.path.isdir(group), "pids": _pids(group), "files": told}


def disk(directory: str) -> "dict[str, Any]":
    """The number of the whole disk on which the directory is; LookupError if on none."""
    device = os.stat(directory).st_dev
    number = "%d:%d" % (os.major(device), os.minor(device))  # noqa: UP031
    folder = "/sys/dev/block/" + number
    if not os.path.exists(folder):
        what = "%s is not on a disk (device %s)" % (directory, number)  # noqa: UP031
        raise LookupError(what)
    if os.path.exists(folder + "/partition"):
        with open(os.path.realpath(folder) + "/../dev") as file:
            number = file.read().strip()
    return {"disk": number}


def _pids(group: str) -> "list[int]":
    return [int(each) for each in _words(group + "/cgroup.procs")]


def _start_of(pid: int) -> int:
    try:
        with open("/proc/%d/stat" % pid) as file:  # noqa: UP031
            line = file.read()
    except OSError:
        return -1
    return int(line[line.rindex(")") + 2 :].split()[19])


def _switched(at: str, controller: str) -> "list[str]":
    """The groups of ours for which the controller was switched on."""
    end = SWITCHED + controller
    return [each for each in os.listdir(at) if each.startswith(MINE) and each.endswith(end)]


def _put(path: str, text: str) -> None:
    # Unbuffered: each write is one order to the kernel, and its refusal must come from here.
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text.encode())
    except OSError as error:
        raise type(error)(error.errno, os.strerror(error.errno or 0), path) from None
    finally:
        os.close(file)


def survey(name: str) -> int:
    """Tell of every controller which version it has, and what is missing; 0 if nothing is."""
    versions, missing = [], []
    for controller in ("cpu", "memory", "io", "pids"):
        try:
            way = find(controller, name)
            if way["mount"] is None:
                group = os.path.join(way["at"], "%s-%s" % (name, os.urandom(4).hex()))  # noqa: UP031
                os.mkdir(group)
                os.rmdir(group)
            versions.append("%s v%d" % (controller, way["version"]))  # noqa: UP031
        except (OSError, LookupError) as error:
            missing.append(str(error))
    print("; ".join(missing) or ", ".join(versions))
    return 2 if missing else 0


_DO: Any = {"find": find, "enter": enter, "leave": leave, "look": look, "disk": disk}


def main(request: "dict[str, Any]") -> None:
    """Do what is asked; what cannot be done is told in one line."""
    if request["do"] == "survey":
        sys.exit(survey(request["name"]))
    do = _DO[request.pop("do")]
    try:
        print(json.dumps(do(**request)))
    except (OSError, LookupError, subprocess.CalledProcessError) as error:
        sys.stderr.write("%s\n" % error)  # noqa: UP031
        sys.exit(1)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

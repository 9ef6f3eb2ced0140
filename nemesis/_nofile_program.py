"""The program that lowers a process's limit of open files, restores it, and knocks.

Only the soft limit is touched: what a process may open from now on, not what is open.
Processes are named by pid and start time, so that a stranger that inherited the pid keeps
its limits.

Request: ``{"do": "lower", "restore", "knock" or "try", ...}`` with the arguments of the function of
that name.  Answer: what the function returns.
"""

import contextlib
import json
import os
import resource
import signal
import socket
import sys
import time
from typing import Any

_POLL_S = 0.05
_LISTENS, _ESTABLISHED = "0A", "01"


def _stat_of(pid: int) -> "list[str]":
    """The fields of the stat file from the state on; nothing if there is no such process."""
    try:
        with open("/proc/%d/stat" % pid) as file:  # noqa: UP031
            line = file.read()
    except OSError:
        return []
    return line[line.rindex(")") + 2 :].split()


def _start_of(pid: int) -> int:
    fields = _stat_of(pid)
    return int(fields[19]) if fields else -1


def _set_soft(pid: int, soft: int) -> None:
    """Never above the hard limit, which is left as it is."""
    with contextlib.suppress(ProcessLookupError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY:
            soft = hard if soft == resource.RLIM_INFINITY else min(soft, hard)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def lower(limits: "list[tuple[int, int, int]]") -> "dict[str, Any]":
    """Set the soft limits ``[pid, start, soft]``."""
    for pid, start, soft in limits:
        if _start_of(pid) == start:
            _set_soft(pid, soft)
    return {"lowered": len(limits)}


def restore(
    boot: str, leader: "tuple[int, int]", limits: "list[tuple[int, int, int, int]]"
) -> "dict[str, Any]":
    """Give back the soft limits of ``[pid, start, soft, lowered]``.

    Processes of the leader's group and session that were born since have inherited a lowered
    limit; they get the leader's.
    """
    with open("/proc/sys/kernel/random/boot_id") as file:
        if file.read().strip() != boot:
            return {"restored": 0}
    were = {(pid, start): soft for pid, start, soft, _ in limits}
    lowered = {low for _, _, _, low in limits}
    usual = were.get((leader[0], leader[1]), limits[0][2])
    ours = _start_of(leader[0]) in (leader[1], -1)
    for entry in os.listdir("/proc"):
        fields = _stat_of(int(entry)) if entry.isdigit() else []
        if not fields or fields[0] in "ZX":
            continue
        pid, who = int(entry), (int(entry), int(fields[19]))
        if who in were:
            _set_soft(pid, were[who])
        elif ours and str(leader[0]) in fields[2:4]:
            with contextlib.suppress(ProcessLookupError):
                if resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] in lowered:
                    _set_soft(pid, usual)
    return {"restored": len(limits)}


def knock(pids: "list[int]", most: int, seconds: float) -> "dict[str, Any]":
    """Connect to the daemon until a connection is not accepted; ``unserved`` tells if one was not.

    A connection that nobody has accepted belongs to no process: the kernel shows it with
    the inode 0.
    """
    where = next(filter(None, map(_listening, pids)), None)
    if where is None:
        return {"listens": None, "unserved": False, "opened": 0}
    host, port = where
    held: list[socket.socket] = []
    try:
        while len(held) < most:
            held.append(socket.create_connection((host, port), timeout=seconds))
            if _is_unserved(pids[0], port, held[-1].getsockname()[1], seconds):
                return {"listens": port, "unserved": True, "opened": len(held)}
    except OSError:
        return {"listens": port, "unserved": False, "opened": len(held)}
    finally:
        for each in held:
            each.close()
    return {"listens": port, "unserved": False, "opened": len(held)}


def _is_unserved(pid: int, port: int, from_port: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for local, remote, state, inode in _sockets(pid):
            if state == _ESTABLISHED and (local[1], remote[1]) == (port, from_port) and inode:
                return False
        time.sleep(_POLL_S)
    return True


def _listening(pid: int) -> "tuple[str, int] | None":
    """An address at which this process listens."""
    inodes = set()
    folder = "/proc/%d/fd/" % pid  # noqa: UP031
    for number in os.listdir(folder):
        with contextlib.suppress(OSError):
            kind, _, name = os.readlink(folder + number).partition(":")
            if kind == "socket":
                inodes.add(int(name.strip("[]")))
    for local, _, state, inode in _sockets(pid):
        if state == _LISTENS and inode in inodes:
            return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(local[0], local[0]), local[1]
    return None


def _sockets(pid: int) -> "list[tuple[tuple[str, int], tuple[str, int], str, int]]":
    """Local and remote address, state and inode of all TCP sockets of the process's network."""
    found = []
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open("/proc/%d/net/%s" % (pid, name)) as file:  # noqa: UP031
            for line in list(file)[1:]:
                fields = line.split()
                here, there = _address(fields[1]), _address(fields[2])
                found.append((here, there, fields[3], int(fields[9])))
    return found


def _address(text: str) -> "tuple[str, int]":
    """As the kernel writes it: words in the machine's byte order, in hexadecimal."""
    digits, _, port = text.partition(":")
    words = [bytes.fromhex(digits[at : at + 8]) for at in range(0, len(digits), 8)]
    data = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    family = socket.AF_INET if len(data) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, data), int(port, 16)


def attempt() -> "dict[str, Any]":
    """Lower the limit of a child of ours, and see that it is lowered."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        signal.pause()
        os._exit(0)
    try:
        _set_soft(pid, 3)
        return {"lowered": resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] == 3}
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


_DO: Any = {"lower": lower, "restore": restore, "knock": knock, "try": attempt}


def main(request: "dict[str, Any]") -> None:
    """Do what is asked; what cannot be done is told in one line."""
    do = _DO[request.pop("do")]
    try:
        print(json.dumps(do(**request)))
    except (OSError, ValueError) as error:
        sys.stderr.write("%s\n" % error)  # noqa: UP031
        sys.exit(1)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

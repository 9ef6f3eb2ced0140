"""The program that tries the limits of a control group from inside.

A child of it joins the group and does what the limit forbids; the program watches from
outside and tells what came of it.  Children end by themselves when their time is up, so
that nothing is left if the program is killed.

Request: ``{"kind": "burn", "allocate", "fork" or "write", "group": directory of the group (null:
none), ...}`` with the arguments of the function of that name.
"""

import errno
import json
import mmap
import os
import signal
import struct
import sys
import tempfile
import time
from typing import Any

_MIB = 1 << 20
_POLL_S = 0.02


def _join(group: "str | None") -> None:
    if group is not None:
        with open(group + "/cgroup.procs", "w") as file:
            file.write(str(os.getpid()))


def _child(group: "str | None", seconds: float, act: Any) -> "tuple[int, int]":
    """Fork; in there join the group and act, telling numbers through a pipe: (pid, pipe)."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return pid, ours
    code = 1
    try:
        os.close(ours)
        signal.alarm(int(seconds) + 2)
        _join(group)
        act(lambda number: os.write(theirs, struct.pack("q", number)))
        code = 0
    finally:
        os._exit(code)


def _numbers(pipe: int) -> "list[int]":
    """All that the child tells until it ends."""
    data = b""
    while True:
        chunk = os.read(pipe, 4096)
        if not chunk:
            return [each for (each,) in struct.iter_unpack("q", data[: len(data) // 8 * 8])]
        data += chunk


def burn(group: "str | None", counter: str, workers: int, seconds: float) -> "dict[str, Any]":
    """Burn CPU until the group was throttled twice more, or time is up.

    `counter` is the file of the group in which ``nr_throttled`` stands.
    """

    def forever(_tell: Any) -> None:
        while True:
            pass

    before, began = _throttled(counter), time.monotonic()
    children = [_child(group, seconds, forever) for _ in range(workers)]
    try:
        while _throttled(counter) < before + 2 and time.monotonic() < began + seconds:
            time.sleep(_POLL_S)
    finally:
        for pid, _ in children:
            os.kill(pid, signal.SIGKILL)
    took = time.monotonic() - began
    spent = 0.0
    for pid, _ in children:
        usage = os.wait4(pid, 0)[2]
        spent += usage.ru_utime + usage.ru_stime
    return {
        "throttled": _throttled(counter) - before,
        "cpus": round(spent / took, 3),
        "seconds": round(took, 3),
    }


def _throttled(counter: str) -> int:
    with open(counter) as file:
        counts = dict(line.split()[:2] for line in file)
    return int(counts.get("nr_throttled", 0))


def allocate(group: "str | None", size: int, seconds: float) -> "dict[str, Any]":
    """Touch `size` bytes of memory; how many it got, and whether it was killed for it."""

    def touch(tell: Any) -> None:
        # Whatever the kernel kills for memory, let it be this process and no other.
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        block, held = os.urandom(_MIB), []  # type: bytes, list[mmap.mmap]
        for number in range(size // _MIB):
            held.append(mmap.mmap(-1, _MIB))
            held[-1].write(block)
            tell((number + 1) * _MIB)

    pid, pipe = _child(group, seconds, touch)
    got = _numbers(pipe)
    _, status = os.waitpid(pid, 0)
    return {"got": got[-1] if got else 0, "killed": os.WIFSIGNALED(status), "wanted": size}


def fork(group: "str | None", size: int, seconds: float) -> "dict[str, Any]":
    """Fork up to `size` processes; how many there were before the kernel said no."""

    def multiply(tell: Any) -> None:
        children = []  # type: list[int]
        refused = 0  # type: int | None
        try:
            while len(children) < size:
                pid = os.fork()
                if pid == 0:
                    signal.alarm(int(seconds) + 2)
                    signal.pause()
                    os._exit(0)
                children.append(pid)
        except OSError as error:
            refused = error.errno
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        tell(len(children))
        tell(refused or 0)

    pid, pipe = _child(group, seconds, multiply)
    told = _numbers(pipe)
    os.waitpid(pid, 0)
    made, refused = told if len(told) == 2 else (-1, 0)
    return {"made": made, "refused": refused == errno.EAGAIN}


def write(group: "str | None", directory: str, size: int, seconds: float) -> "dict[str, Any]":
    """Write `size` bytes to the disk in `directory`, outside of the group and inside.

    Answers the seconds of both; -1 where it failed.
    """
    told = {}
    for name, where, tries in (("outside", None, 2), ("inside", group, 1)):
        took = []
        for _ in range(tries):
            pid, pipe = _child(where, seconds, lambda tell: tell(_timed(directory, size, seconds)))
            numbers = _numbers(pipe)
            os.waitpid(pid, 0)
            took.append(numbers[0] / 1e6 if numbers else -1.0)
        told[name] = min(took)
    return told


def _timed(directory: str, size: int, seconds: float) -> int:
    """The microseconds that it takes to write so many bytes past the page cache."""
    handle, path = tempfile.mkstemp(prefix="momus-probe-", dir=directory)
    os.unlink(path)
    step = 1 << 14
    block = mmap.mmap(-1, step)  # O_DIRECT wants aligned memory
    block.write(os.urandom(step))
    began = time.monotonic()
    try:
        again = os.open("/proc/self/fd/%d" % handle, os.O_WRONLY | os.O_DIRECT)  # noqa: UP031
    except OSError:  # some file systems cannot
        again = os.open("/proc/self/fd/%d" % handle, os.O_WRONLY | os.O_DSYNC)  # noqa: UP031
    for _ in range(size // step):
        os.write(again, block)
        if time.monotonic() > began + seconds:
            break
    os.fdatasync(again)
    return int((time.monotonic() - began) * 1e6)


if __name__ == "__main__":
    _request = json.loads(sys.argv[1])
    _kinds = {"burn": burn, "allocate": allocate, "fork": fork, "write": write}  # type: Any
    print(json.dumps(_kinds[_request.pop("kind")](**_request)))

"""The program that keeps a clock wrong on a host, and puts it right again.

A clock is either the host's own (CLOCK_REALTIME) or that of one daemon under libfaketime,
which obeys a file.  How far a host's clock is ahead is counted against CLOCK_BOOTTIME: what
the one is beyond the other (`base_s`) changes only when somebody sets the clock, so putting
it right is exact however long it was wrong.  What NTP has slewed meanwhile stays.

`keep` leaves a keeper behind, a process that moves the clock as ordered (holds it, strobes
between right and wrong, drifts) and puts it right by itself when it is told to end, when the
driver has not renewed the lease for `lease_s`, and after `at_most_s`.  Another `keep` takes
over from it without a moment of right time in between.

`undo` ends the keeper and puts the clock right, whether a keeper is there or not; if nothing
was begun it changes nothing.  A reboot has ended the keeper and read the host's clock anew
from its hardware, where we have never written, so then `undo` leaves the host's clock alone.

Argument: one JSON object.  Output: one JSON object.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

TICK_S = 0.05
LOOK_S = 0.2
BOOTTIME = getattr(time, "CLOCK_BOOTTIME", 7)
RIGHT_S = 0.005
END_S = 5.0


class HostClock:
    """The clock of the whole host, which is right when it is `base_s` beyond BOOTTIME."""

    def __init__(self, base_s: float, boot: str) -> None:
        self.base_s = base_s
        self.boot = boot

    def put(self, ahead_s: float) -> None:
        """Set the clock so many seconds before the right time."""
        time.clock_settime(
            time.CLOCK_REALTIME, time.clock_gettime(BOOTTIME) + self.base_s + ahead_s
        )

    def right(self) -> bool:
        """Put it right; was it wrong?  In another boot nothing is known, and nothing done."""
        if boot_id() != self.boot or abs(base()["base_s"] - self.base_s) <= RIGHT_S:
            return False
        self.put(0.0)
        return True


class FileClock:
    """The clock of a daemon under libfaketime, which reads this file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def put(self, ahead_s: float) -> None:
        """The whole file at once: a clock that is read meanwhile finds the old or the new."""
        with open(self.path + ".new", "w") as file:
            file.write("%+.9f\n" % ahead_s if ahead_s else "+0\n")  # noqa: UP031
        os.replace(self.path + ".new", self.path)

    def right(self) -> bool:
        """Put it right; was it wrong?"""
        try:
            with open(self.path) as file:
                wrong = file.read().strip() != "+0"
        except FileNotFoundError:
            return False
        if wrong:
            self.put(0.0)
        return wrong


def clock_of(order: "dict[str, Any]") -> "HostClock | FileClock":
    """The clock that an order is about."""
    if "file" in order:
        return FileClock(order["file"])
    return HostClock(order["base_s"], order["boot"])


def ahead_at(order: "dict[str, Any]", t_s: float) -> "tuple[float, float]":
    """How far ahead the clock is to be `t_s` after the strike, and when it changes next."""
    if order["how"] == "strobe":
        half_s = order["period_s"] / 2
        turn = int(t_s / half_s)
        return (0.0 if turn % 2 else order["offset_s"]), (turn + 1) * half_s
    if order["how"] == "drift":
        return order["rate"] * t_s, t_s + TICK_S
    return order["offset_s"], t_s + LOOK_S


def boot_id() -> str:
    """Which boot of which machine this is."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def base() -> "dict[str, Any]":
    """What the clock is beyond BOOTTIME: the quickest of a few looks at both."""
    looks = []
    for _ in range(9):
        before = time.clock_gettime(BOOTTIME)
        now = time.clock_gettime(time.CLOCK_REALTIME)
        after = time.clock_gettime(BOOTTIME)
        looks.append((after - before, now - (before + after) / 2))
    return {"base_s": min(looks)[1], "boot": boot_id()}


def started(pid: int) -> str:
    """When this process started, in clock ticks since boot; "" if it is no more."""
    try:
        with open("/proc/%d/stat" % pid) as file:  # noqa: UP031
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


class Enough(Exception):
    """The keeper is told to end."""


def tell_begun() -> None:
    """Let the strike return."""
    os.write(9, b"ok")
    os.close(9)


def tell_to_end(_signal: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Enough


def end_keeper(directory: str) -> None:
    """Kill the keeper in this directory, if there is one, and wait until it has gone."""
    path = os.path.join(directory, "clock-keeper")
    try:
        with open(path) as file:
            pid, start, boot = file.read().split()
    except (OSError, ValueError):
        return
    if boot == boot_id() and int(pid) > 1 and started(int(pid)) == start:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
        deadline = time.monotonic() + END_S
        while started(int(pid)) == start:
            if time.monotonic() > deadline:
                sys.exit("the keeper of the clock, pid %s, survived SIGKILL" % pid)  # noqa: UP031
            time.sleep(0.01)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def keep(order: "dict[str, Any]") -> "dict[str, Any]":
    """Leave a keeper behind; the clock is wrong when this returns."""
    directory = order["directory"]
    end_keeper(directory)
    with open(os.path.join(directory, "clock-struck"), "w") as file:
        file.write(boot_id() + "\n")
    told, tell = os.pipe()
    if os.fork() == 0:
        try:
            keeper(order, tell)
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(told) as answers:
        answer = answers.read()
    if answer != "ok":
        sys.exit("the clock could not be moved: " + (answer or "the keeper ended"))
    return {"boot": boot_id()}


def keeper(order: "dict[str, Any]", tell: int) -> None:
    """Move the clock until it is enough, then put it right."""
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, tell_to_end)
    # Whatever we inherited (pipes of the shell, the lock on strikes) is not ours to hold.
    os.dup2(tell, 9)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(3, 9)
    os.closerange(10, 1024)
    clock = clock_of(order)
    try:
        try:
            path = os.path.join(order["directory"], "clock-keeper")
            with open(path, "w") as file:
                file.write("%d %s %s\n" % (os.getpid(), started(os.getpid()), boot_id()))  # noqa: UP031
            move(order, clock, tell_begun)
        finally:
            clock.right()
    except Enough:
        pass
    except Exception as error:
        with contextlib.suppress(OSError):
            os.write(9, str(error).encode())


def move(
    order: "dict[str, Any]", clock: "HostClock | FileClock", begun: "Callable[[], object]"
) -> None:
    """Move the clock until the lease or the time is over; `begun` is called at the first move."""
    lease = os.path.join(order["directory"], "clock-lease")
    seen = None
    began = renewed = time.monotonic()
    last = None
    while True:
        now = time.monotonic()
        identity = lease_identity(lease)
        if identity != seen and identity is not None:
            seen, renewed = identity, now
        if now - began > order["at_most_s"] or now - renewed > order["lease_s"]:
            return
        ahead_s, until_s = ahead_at(order, now - began)
        if ahead_s != last:
            clock.put(ahead_s)
        if last is None:
            begun()
        last = ahead_s
        time.sleep(max(0.0, min(LOOK_S, began + until_s - time.monotonic())))


def lease_identity(path: str) -> object:
    """Another one whenever the lease has been renewed; its times would be the clock's own."""
    try:
        found = os.stat(path)
        with open(path) as file:
            return found.st_ino, file.read()
    except OSError:
        return None


def undo(order: "dict[str, Any]") -> "dict[str, Any]":
    """End the keeper, and put the clock right if it was ever moved."""
    directory, clock = order["directory"], clock_of(order)
    end_keeper(directory)
    mark = os.path.join(directory, "clock-struck")
    # Without its directory nobody knows what was done; then the clock itself tells.
    was_wrong = bool((os.path.exists(mark) or not os.path.isdir(directory)) and clock.right())
    with contextlib.suppress(OSError):
        os.unlink(mark)
    return {"was_wrong": was_wrong}


def read(order: "dict[str, Any]") -> "dict[str, Any]":
    """What time it is; with `dress`, what a program under these settings believes it is."""
    if "dress" in order:
        print_it = "import time; print('{\"now\": %r}' % time.time())"
        python = [sys.executable, "-I", "-S", "-c", print_it]
        os.execve(python[0], python, dict(os.environ, **order["dress"]))
    return {"now": time.time()}


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    verbs: "dict[str, Callable[[dict[str, Any]], dict[str, Any]]]" = {
        "base": lambda _order: base(),
        "keep": keep,
        "read": read,
        "undo": undo,
    }
    print(json.dumps(verbs[order["do"]](order)))

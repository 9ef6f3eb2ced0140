"""A clock of its own for one daemon: it is started under libfaketime, and obeys a file.

libfaketime is a library that stands between a program and libc's clock.  It must be there
from the program's beginning, so a system that shall be able to lose its time starts its
daemons by `FakedClock.start` instead of `Host.start`.  From then on the daemon's clock is
the host's plus what a file says, "+0" to begin with; nothing else on the host notices.

The library leaves two names in /dev/shm, which all children of the daemon open when they
begin: gone too early, they would die.  So they go when the daemon has been stopped, healed, or
is started again.

It cannot reach programs that are linked statically, nor Go's, which ask the kernel
themselves; these are refused before they are started.  What a program keeps by CLOCK_MONOTONIC
(most time-outs) stays right unless `monotonic` is wanted.
"""

from __future__ import annotations

import os
import posixpath
import struct
from collections.abc import Mapping, Sequence
from typing import Final

from cluster._host import Daemon, Host, HostError, Unsupported
from cluster._posix import end_orphans

LIBRARY: Final = """
for each in /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1 \\
    /usr/lib64/faketime/libfaketimeMT.so.1 /usr/local/lib/faketime/libfaketimeMT.so.1 \\
    /usr/lib/*/faketime/libfaketime.so.1 /usr/lib/faketime/libfaketime.so.1 \\
    /usr/lib64/faketime/libfaketime.so.1 /usr/local/lib/faketime/libfaketime.so.1; do
    [ -e "$each" ] && { echo "$each"; exit 0; }
done
echo "not installed"
exit 1
"""
"""Prints where libfaketime is, the variant for programs with threads if there is one."""
PACKAGES: Final = "install it: faketime (Debian, Ubuntu) or libfaketime (others)"
RIGHT: Final = "+0"
"""What stands in the file of a clock that is right."""

_HEAD_BYTES: Final = 65_536
_PT_INTERP: Final = 3

# $1 a program.  Prints its path without links, and "go" if it is a Go program.
_PROGRAM: Final = """
path=$(command -v -- "$1") && path=$(readlink -f -- "$path") || exit 1
echo "$path"
if grep -qaF "Go buildinf:" -- "$path"; then echo go; fi
"""

# $1 pid file, $2 how often to look.  Exit code 3: no such daemon, 4: it does not wear the
# library.
_WORN: Final = """
left=$2
while :; do
    read -r pid start boot 2>/dev/null < "$1" || exit 3
    [ -e "/proc/$pid" ] || exit 3
    grep -qs libfaketime "/proc/$pid/maps" && break
    left=$((left - 1))
    [ $left -gt 0 ] || exit 4
    sleep 0.05
done
"""
_LOOKS: Final = 100

# $1 file: a clock that has none yet is right.
_RIGHT_AT_FIRST: Final = """
[ -e "$1" ] || { echo "+0" > "$1.new" && mv -f -- "$1.new" "$1"; }
"""


class FakedClock:
    """Starts daemons so that their clocks can be set, each by its own file.

    `library` is the path of libfaketime on the hosts; None: it is looked for there.  With
    `monotonic`, CLOCK_MONOTONIC is moved, too.  The file is read whenever the clock is,
    which costs a few microseconds; `cache_s` whole seconds between two looks cost less,
    and make faults that change quickly impossible.
    """

    def __init__(
        self,
        *,
        library: str | os.PathLike[str] | None = None,
        monotonic: bool = False,
        cache_s: int = 0,
    ) -> None:
        if cache_s < 0:
            raise ValueError(f"cache_s is a number of seconds from 0, not {cache_s}")
        self._library = None if library is None else os.fspath(library)
        self.monotonic = monotonic
        self.cache_s = cache_s

    async def start(
        self,
        host: Host,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Daemon:
        """As `host.start`, under libfaketime.

        Raises `Unsupported` where that cannot work: the library is missing, or the program
        is one it cannot reach.
        """
        why = await unreachable(host, argv[0])
        if why:
            raise Unsupported(
                host.name,
                f"libfaketime cannot change the clock of {argv[0]}: {why}",
                "start it without, and set the clocks of whole hosts",
            )
        dress = await self.environment(host, name)
        given = dict(env or {})
        if given.get("LD_PRELOAD"):
            dress["LD_PRELOAD"] += f":{given['LD_PRELOAD']}"
        await host.run(["sh", "-c", _RIGHT_AT_FIRST, "momus-clock", self.file(host, name)])
        await host.run(end_orphans(host.directory, name), check=False)
        daemon = await host.start(name, argv, env={**given, **dress}, cwd=cwd)
        why = await not_worn(host, name, looks=_LOOKS)
        if why:
            raise HostError(host.name, f"{name} {why}", f"look into {name}.log")
        return daemon

    def file(self, host: Host, name: str) -> str:
        """The file that the clock of this daemon obeys, on the host."""
        return posixpath.join(host.directory, f"{name}.clock")

    async def environment(self, host: Host, name: str) -> dict[str, str]:
        """The settings under which a program has the clock of this daemon."""
        cache = {"FAKETIME_CACHE_DURATION": str(self.cache_s)}
        return {
            "LD_PRELOAD": await self.library(host),
            "FAKETIME_TIMESTAMP_FILE": self.file(host, name),
            **(cache if self.cache_s else {"FAKETIME_NO_CACHE": "1"}),
            # Both names, for versions before and after 0.9.10.
            **({} if self.monotonic else dict.fromkeys(_NOT_MONOTONIC, "1")),
            "NO_FAKE_STAT": "1",
        }

    async def library(self, host: Host) -> str:
        """Where libfaketime is on the host; `Unsupported` names the package it is in."""
        if self._library is not None:
            done = await host.run(["test", "-e", self._library], check=False)
            if done.code == 0:
                return self._library
            raise Unsupported(host.name, f"there is no {self._library}", PACKAGES)
        done = await host.run(["sh", "-c", LIBRARY, "momus-library"], check=False)
        if done.code != 0:
            raise Unsupported(host.name, "libfaketime is not installed", PACKAGES)
        return done.text


_NOT_MONOTONIC: Final = ("FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC")


async def not_worn(host: Host, name: str, *, looks: int = 1) -> str:
    """Why the clock of the daemon of this name obeys nobody; "" if it wears libfaketime."""
    pid_file = posixpath.join(host.directory, f"{name}.pid")
    done = await host.run(["sh", "-c", _WORN, "momus-worn", pid_file, str(looks)], check=False)
    if done.code == 0:
        return ""
    if done.code == 3:
        return "does not run"
    return "runs without libfaketime"


async def unreachable(host: Host, program: str) -> str:
    """Why libfaketime cannot reach this program of the host; "" if nothing is known against it."""
    done = await host.run(["sh", "-c", _PROGRAM, "momus-program", program], check=False)
    lines = done.text.splitlines()
    if done.code != 0 or not lines:
        return ""  # whoever starts it will say that there is none
    if lines[1:] == ["go"]:
        return "it is a Go program, and asks the kernel past every library"
    head = (await host.run(["head", "-c", str(_HEAD_BYTES), "--", lines[0]], check=False)).stdout
    return "it is linked statically" if _is_static(head) else ""


def _is_static(head: bytes) -> bool:
    """Is this the beginning of an ELF file that names no dynamic loader (PT_INTERP)?"""
    if head[:4] != b"\x7fELF" or len(head) < 64:
        return False  # a script; its interpreter is what counts
    order = "<" if head[5] == 1 else ">"
    wide = head[4] == 2
    where, layout = (32, "Q") if wide else (28, "I")
    (offset,) = struct.unpack_from(order + layout, head, where)
    size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    kinds = [
        struct.unpack_from(order + "I", head, at)[0]
        for at in range(offset, offset + size * count, size or 1)
        if at + 4 <= len(head)
    ]
    return bool(kinds) and _PT_INTERP not in kinds

"""What any POSIX host can do once it can run a command.

Daemons and files are written here once, in terms of `run`, for all kinds of hosts.  The
shell texts below are constant; names, paths and arguments reach them as ``$1``, ``$2``...

A daemon is started by a shell which becomes the leader of a new session, writes down its
own pid, start time and boot id, and only then becomes the daemon by `exec`: there is no
moment at which the daemon runs and nobody knows.  A driver may be killed while that shell is
still on its way; so whoever heals bars the start before looking for the daemon, and the shell
looks whether it is barred after it has written itself down.  Every later look at the daemon checks
all three, so that a stranger which inherited the pid is never signalled.  Signals go to
the whole session's process group, since databases fork.
"""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
import re
import socket
import time
import uuid
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final

from cluster._host import (
    COMMAND_TIMEOUT_S,
    DIAL_TIMEOUT_S,
    Completed,
    Daemon,
    HostError,
    HostKind,
    HostSpec,
    Progress,
)
from cluster._journal import Journal
from cluster._redaction import spoken

# The effective capabilities of a command there (hexadecimal), and the user's number.
WHO: Final = """
id -u
while read -r name value; do [ "$name" = CapEff: ] && echo "$value"; done < /proc/self/status
:
"""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_POLL_S: Final = 0.05
SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"
"""Ordinary users often lack these in PATH, and `ip`, `iptables` and `sshd` live there."""

# $1 pid file, $2 log file, $3 working directory, $4 what may bar the start (or nothing), then
# the command.  What cannot be written down is not started.  `told` is complete when
# the inner shell has let go of its standard output, which is when it becomes the daemon.
_START: Final = """
set -eu
cd -- "$3"
command -v -- "$5" >/dev/null || { echo "no such program: $5" >&2; exit 127; }
told=$(setsid sh -c '
    set -e
    pid_file=$1 log=$2 word=$4; shift 4
    start=$(read -r line < /proc/$$/stat; set -- ${line##*) }; echo "${20}")
    read -r boot < /proc/sys/kernel/random/boot_id
    printf "%s %s %s\\n" "$$" "$start" "$boot" > "$pid_file.new"
    mv -f -- "$pid_file.new" "$pid_file"
    if [ -n "$word" ] && grep -qsx -e "$word" "${pid_file%/*}/starts-barred"; then
        echo "it has been undone" >&2; exit 1
    fi
    cat -- "$pid_file"
    exec "$@" </dev/null >>"$log" 2>&1
' sh "$@" </dev/null &
)
printf "%s\\n" "$told"
"""

# $1 pid file, $3 the word by which a start is barred.  A directory that has gone bars it, too.
_BAR: Final = """
[ -z "$3" ] || [ ! -d "${1%/*}" ] || echo "$3" >> "${1%/*}/starts-barred"
"""

# $1 pid file, $2 signal (0: only look).  Exit code 3: no such daemon, or not any more.
_SIGNAL: Final = """
read -r pid start boot 2>/dev/null < "$1" || exit 3
case $pid in ''|0|1|*[!0-9]*) exit 3;; esac
read -r now < /proc/sys/kernel/random/boot_id
[ "$boot" = "$now" ] || exit 3
read -r line 2>/dev/null < "/proc/$pid/stat" || exit 3
set -- "$2" ${line##*) }
[ "$2" != Z ] && [ "$2" != X ] && [ "${21}" = "$start" ] || exit 3
[ "$1" = 0 ] || kill -s "$1" -- "-$pid" 2>/dev/null || exit 3
"""
_GONE: Final = 3

# $1 pid file: end what is left of a daemon whose leader has died alone (of memory, of a bug).
# A living leader is another's.  As long as a group bears the leader's number nobody else gets
# it; still, only what works below the daemon's directory, or writes there, is ended.  What
# libfaketime shared among them (see `cluster._faked_clock`) goes when nobody needs it any more.
# Exit code 3: nothing is left.
_END_ORPHANS: Final = """
read -r pid start boot 2>/dev/null < "$1" || exit 3
case $pid in ''|0|1|*[!0-9]*) exit 3;; esac
read -r now < /proc/sys/kernel/random/boot_id
[ "$boot" = "$now" ] || exit 3
directory=${1%/*} found=3
if read -r line 2>/dev/null < "/proc/$pid/stat"; then
    case ${line##*) } in [ZX]*) ;; *) exit 3;; esac
fi
for stat in $(grep -sl ") [A-WYa-wy] [0-9]* $pid $pid " /proc/[0-9]*/stat); do
    process=${stat%/stat}
    for link in cwd fd/1 fd/2; do
        case $(readlink "$process/$link") in "$directory"|"$directory/"*|"$directory (deleted)")
            kill -s KILL -- "${process#/proc/}" 2>/dev/null
            found=0
            break;;
        esac
    done
done
[ $found = 0 ] || rm -f -- "/dev/shm/faketime_shm_$pid" "/dev/shm/sem.faketime_sem_$pid"
exit $found
"""

# $1 path, $2 mode; the file appears under its name only when it is whole.
_WRITE: Final = 'cat > "$1.new" && chmod -- "$2" "$1.new" && mv -f -- "$1.new" "$1"'

# $1 directory, $2 whose it is.  Where others may write, what is there already is not ours.
_MAKE: Final = """
mkdir -p -- "${1%/*}" && mkdir -m 0700 -- "$1" && printf "%s\\n" "$2" > "$1/.momus"
"""

# $1 directory, $2 what must stand in its `.momus` file for us to remove it.
_REMOVE: Final = """
[ -e "$1" ] || exit 0
read -r owner 2>/dev/null < "$1/.momus" && [ "$owner" = "$2" ] || {
    echo "$1 does not carry the mark of $2" >&2; exit 1; }
rm -rf -- "$1"
"""


def kill_undo(directory: str, name: str, word: str = "") -> list[list[str]]:
    """The commands that end the daemon, and nothing else, from any process at any time.

    They also bar the start that goes by this word, should it still be on its way.
    They end when the daemon and its children are gone, which is a moment after they were
    killed.  A daemon that is gone already is success: the second undo finds nothing to do.
    """
    script = f"""{_BAR}
left=100
until ({_SIGNAL}); [ $? = {_GONE} ] && {{ ({_END_ORPHANS}); [ $? = {_GONE} ]; }}; do
    left=$((left - 1))
    [ $left -gt 0 ] || {{ echo "it survived KILL for 5 s" >&2; exit 1; }}
    sleep 0.05
done
"""
    return [["sh", "-c", script, "momus-kill", _pid_file(directory, name), "KILL", word]]


def end_orphans(directory: str, name: str) -> list[str]:
    """The command that ends what is left of a daemon which has died."""
    return ["sh", "-c", _END_ORPHANS, "momus-orphans", _pid_file(directory, name)]


def remove_undo(directory: str, owner: str) -> list[list[str]]:
    """The commands that remove a directory which carries our mark."""
    return [["sh", "-c", _REMOVE, "momus-remove", directory, owner]]


class PosixHost(ABC):
    """A host with a POSIX shell; a subclass brings `run`, file transfer, `dial` and `spec`."""

    kind: HostKind

    def __init__(self, name: str, address: str, directory: str, journal: Journal | None) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no host name; use letters, digits, '.', '_' and '-'")
        self.name = name
        self.address = address
        self.directory = directory
        self._journal = journal
        self._undo_of: dict[str, str] = {}
        self._start_words: dict[str, str] = {}
        self._promised: dict[str, tuple[tuple[str, ...], ...]] = {}
        self._daemons: set[str] = set()
        self._changing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    @abstractmethod
    def capabilities(self) -> frozenset[str]: ...

    @abstractmethod
    async def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes = b"",
        timeout_s: float = COMMAND_TIMEOUT_S,
        check: bool = True,
        sudo: bool = False,
    ) -> Completed: ...

    @abstractmethod
    async def upload(
        self, local: str, remote: str, *, progress: Progress | None = None
    ) -> None: ...

    @abstractmethod
    async def download(
        self, remote: str, local: str, *, progress: Progress | None = None
    ) -> None: ...

    @abstractmethod
    async def dial(self, port: int, *, timeout_s: float = DIAL_TIMEOUT_S) -> socket.socket: ...

    @abstractmethod
    def spec(self) -> HostSpec: ...

    async def greet(self) -> None:  # noqa: B027 -- most kinds are there if they exist at all
        """See that the host is there, and what may be done there; before all else."""

    async def close(self) -> None:  # noqa: B027 -- most kinds hold nothing open
        """Let go of connections."""

    def port(self, standard: int) -> int:
        """A host with its own address has all ports to itself."""
        return standard

    async def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Daemon:
        """Start a daemon; its undo is in the journal before the host is touched."""
        # Two who start and stop one daemon at once would leave one that nobody knows.
        async with self._changing[name]:
            pid_file = _pid_file(self.directory, name)
            if await self.alive(name):
                raise HostError(
                    self.name, f"daemon {name} runs already", "stop it first, or use another name"
                )
            word = await self._journal_daemon(name)
            self._daemons.add(name)
            log = posixpath.join(self.directory, f"{name}.log")
            settings = [f"{key}={value}" for key, value in (env or {}).items()]
            command = ["env", *settings, *argv] if settings else list(argv)
            places = (pid_file, log, cwd or self.directory)
            started = await self.run(["sh", "-c", _START, "momus-start", *places, word, *command])
            fields = started.text.split()
            if len(fields) != 3:
                raise HostError(
                    self.name,
                    f"daemon {name} wrote no pid: {started.stdout!r} {started.stderr!r}",
                    f"look into {log}",
                )
            return Daemon(name, int(fields[0]), int(fields[1]), fields[2])

    async def signal(self, name: str, signal: str) -> bool:
        """Signal the daemon's process group; False if there is no such daemon (any more)."""
        if not signal.isalnum():
            raise ValueError(f"{signal!r} is no signal name; write KILL, STOP, CONT, TERM...")
        argv = ["sh", "-c", _SIGNAL, "momus-signal", _pid_file(self.directory, name), signal]
        done = await self.run(argv, check=False)
        if done.code not in (0, _GONE):
            raise HostError(
                self.name,
                f"signal {signal} to {name} failed: {done.stderr.decode('utf-8', 'replace')}",
                "see whether the host still runs commands",
            )
        return done.code == 0

    async def alive(self, name: str) -> bool:
        """Is the daemon there?  A paused one is."""
        return await self.signal(name, "0")

    async def stop(self, name: str, timeout_s: float = 10.0) -> None:
        """TERM (and CONT, should it be paused), then KILL; returns when it is gone."""
        async with self._changing[name]:
            if await self.signal(name, "TERM"):
                await self.signal(name, "CONT")
                if not await self._await_gone(name, timeout_s):
                    await self.signal(name, "KILL")
                    if not await self._await_gone(name, timeout_s):
                        raise HostError(
                            self.name,
                            f"daemon {name} survived KILL for {timeout_s:g} s",
                            "it may hang in the kernel (disk, network file system); see its stack",
                        )
            await self.run(end_orphans(self.directory, name), check=False)
            self._daemons.discard(name)
            await self._undone(name)

    async def write(self, remote: str, data: bytes, mode: int = 0o644) -> None:
        """Write a file; it appears under its name only when it is whole."""
        await self.run(["sh", "-c", _WRITE, "momus-write", remote, f"{mode:o}"], input=data)

    async def read(self, remote: str) -> bytes:
        """The content of a file."""
        return (await self.run(["cat", "--", remote])).stdout

    async def make_directory(self, owner: str) -> None:
        """Make the host's own directory, marked as `owner`'s; journalled first."""
        if self._journal is not None:
            undo = remove_undo(self.directory, owner)
            note = {"directory": self.directory}
            self._undo_of["."] = await asyncio.to_thread(
                self._journal.open, "directory", self, undo, note
            )
        await self.run(["sh", "-c", _MAKE, "momus-directory", self.directory, owner])

    async def remove_directory(self, owner: str, *, keep: bool = False) -> None:
        """Remove the host's own directory if it carries our mark, unless it shall be kept."""
        await self.stop_daemons()
        if not keep:
            for argv in remove_undo(self.directory, owner):
                await self.run(argv)
        await self._undone(".")

    async def stop_daemons(self) -> None:
        """Stop every daemon started here; without its pid file nobody would know it again."""
        for name in list(self._daemons):
            await self.stop(name)
        for name in list(self._promised):
            await self.fulfil(name)

    async def promise(self, name: str, undo: Sequence[Sequence[str]]) -> None:
        """Something will be set up here that is no daemon; its undo is journalled first."""
        self._promised[name] = tuple(map(tuple, undo))
        await self._journal_undo(name, undo)

    async def fulfil(self, name: str) -> None:
        """Undo what was promised to be undone, if anything."""
        for argv in self._promised.get(name, ()):
            await self.run(argv)
        self._promised.pop(name, None)
        await self._undone(name)

    async def _journal_undo(self, name: str, undo: Sequence[Sequence[str]]) -> None:
        if self._journal is not None and name not in self._undo_of:
            self._undo_of[name] = await asyncio.to_thread(self._journal.open, name, self, undo, {})

    async def _undone(self, name: str) -> None:
        undo = self._undo_of.pop(name, None)
        if undo is not None and self._journal is not None:
            await asyncio.to_thread(self._journal.close, undo)

    async def _journal_daemon(self, name: str) -> str:
        """The word by which the start can be barred, or "" where nobody will heal it."""
        if self._journal is None:
            return ""
        if name in self._undo_of:
            return self._start_words[name]
        self._start_words[name] = uuid.uuid4().hex
        undo = kill_undo(self.directory, name, self._start_words[name])
        self._undo_of[name] = await asyncio.to_thread(
            self._journal.open, "daemon", self, undo, {"daemon": name}
        )
        return self._start_words[name]

    async def _await_gone(self, name: str, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while await self.alive(name):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_S)
        return True


@contextlib.asynccontextmanager
async def at_work(hosts: Sequence[PosixHost], owner: str, *, keep: bool) -> AsyncIterator[None]:
    """All hosts greeted and each with a directory of its own, as long as the body runs."""
    try:
        await _all(host.greet() for host in hosts)
        try:
            await _all(host.make_directory(owner) for host in hosts)
            yield
        finally:
            await _all(host.remove_directory(owner, keep=keep) for host in hosts)
    finally:
        for host in hosts:
            await host.close()


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all, whichever fail; then raise the first error."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


def refuse_failure(host: str, done: Completed) -> Completed:
    """The same command, or `HostError` if it exited with another code than 0."""
    if done.code != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()[-2000:]
        raise HostError(
            host,
            f"`{spoken(done.argv)}` exited with {done.code}: {said or 'no output'}",
            "run it there by hand",
        )
    return done


def timed_out(host: str, argv: Sequence[str], timeout_s: float) -> HostError:
    """The error for a command that did not end in time."""
    return HostError(
        host,
        f"`{spoken(argv)}` did not end within {timeout_s:g} s",
        "see whether the host still answers, or give it more time (timeout_s)",
    )


def _pid_file(directory: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no daemon name; use letters, digits, '.', '_' and '-'")
    return posixpath.join(directory, f"{name}.pid")

"""Faults of processes: `Kill` and `Pause`, and how a process is looked at.

The state of a daemon is read from /proc on its host, not asked of the system under test:
a database that claims to be paused may be lying, the kernel is not.  All processes in the
daemon's process group count, since databases fork.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from cluster import Host
from nemesis import targets as targets_module
from nemesis._debts import ask_each, on_each
from nemesis._fault import Field, Order, Proof, require
from nemesis._of_hosts import OfHosts
from nemesis.targets import Target

SETTLE_S: Final = 5.0
_POLL_S: Final = 0.05

# $1 pid file.  Prints "pid start boot", then the stat line of each process of the group.
_LOOK: Final = """
read -r pid start boot 2>/dev/null < "$1" || exit 0
read -r now < /proc/sys/kernel/random/boot_id
echo "$pid $start $boot"
[ "$boot" = "$now" ] || exit 0
grep -sh ") [A-Za-z] [0-9]* $pid " /proc/[0-9]*/stat || [ $? -le 2 ]
"""

# $1 pid, $2 start time, $3 boot id: continue this process group, and no other.
_RESUME: Final = """
read -r now < /proc/sys/kernel/random/boot_id || exit 1
[ "$3" = "$now" ] || exit 0
read -r line 2>/dev/null < "/proc/$1/stat" || exit 0
pid=$1 start=$2
set -- ${line##*) }
[ "${20}" = "$start" ] || exit 0
kill -s CONT -- "-$pid" 2>/dev/null || [ ! -e "/proc/$pid" ]
"""


class Killable(Protocol):
    """What `Kill` needs of a system."""

    @property
    def name(self) -> str: ...
    async def kill(self, host: Host) -> object: ...
    async def start(self, host: Host) -> object: ...


class Pausable(Protocol):
    """What `Pause` needs of a system."""

    @property
    def name(self) -> str: ...
    async def pause(self, host: Host) -> object: ...


@dataclass(frozen=True)
class Sighting:
    """A daemon as /proc shows it: "running", "paused" or "gone", and which process it is."""

    state: str
    identity: tuple[str, str, str] | None = None
    """Pid, start time and boot id, which together name one process for ever."""


async def look(host: Host, daemon: str) -> Sighting:
    """What has become of the daemon of this name that `host` once started."""
    pid_file = posixpath.join(host.directory, f"{daemon}.pid")
    done = await host.run(["sh", "-c", _LOOK, "momus-look", pid_file])
    lines = done.text.splitlines()
    if not lines:
        return Sighting("gone")
    pid, start, boot = lines[0].split()
    group = [process for line in lines[1:] if (process := _process(line)).group == pid]
    living = [process for process in group if process.state not in "ZX"]
    if not any(process.pid == pid and process.start == start for process in living):
        return Sighting("gone")
    paused = all(process.state in "Tt" for process in living)
    return Sighting("paused" if paused else "running", (pid, start, boot))


class _Process(NamedTuple):
    pid: str
    state: str
    group: str
    start: str


def _process(stat: str) -> _Process:
    """A line of /proc/<pid>/stat; the command in it may contain anything, even parentheses."""
    fields = stat[stat.rindex(")") + 2 :].split()
    return _Process(stat.split(maxsplit=1)[0], fields[0], fields[2], fields[19])


def wake_up(identity: tuple[str, str, str]) -> list[str]:
    """The command that continues this very process, if it is still there, and its children."""
    return ["sh", "-c", _RESUME, "momus-resume", *identity]


class OfProcesses(OfHosts):
    """What faults of processes share: they need signals, and look at /proc."""

    lane = "process"

    def __init__(self, name: str, daemon: str, targets: Target | Sequence[Target]) -> None:
        super().__init__(name, targets)
        self._daemon = daemon

    async def setup(self, field: Field) -> None:
        for host in field.hosts.values():
            require(host, "signals", self.name)
        await super().setup(field)

    async def prove(self, things: frozenset[str]) -> Proof:
        return await self._sights(self._hosts(things))

    async def _sights(self, hosts: Sequence[Host]) -> Proof:
        sights = await ask_each(hosts, lambda host: look(host, self._daemon))
        states = {
            node: "unknown" if isinstance(sight, Exception) else sight.state
            for node, sight in sights.items()
        }
        pids = {
            node: int(sight.identity[0])
            for node, sight in sights.items()
            if isinstance(sight, Sighting) and sight.identity is not None
        }
        errors = {node: str(each) for node, each in sights.items() if isinstance(each, Exception)}
        return Proof(states, {"pids": pids, **({"errors": errors} if errors else {})})

    async def _await_state(self, host: Host, state: Callable[[str], bool]) -> None:
        await await_state(host, self._daemon, state)


async def await_state(host: Host, daemon: str, state: Callable[[str], bool]) -> None:
    """Signals need a moment; whether they worked is for the proof to say."""
    try:
        async with asyncio.timeout(SETTLE_S):
            while not state((await look(host, daemon)).state):
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        pass


class Kill(OfProcesses):
    """SIGKILL for the system's daemon; healing starts it again.

    What it leaves in the journal has no commands: a killed daemon is no trace of momus.
    """

    intact = frozenset({"running", "paused"})
    broken = frozenset({"gone"})

    def __init__(
        self,
        system: Killable,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        daemon: str | None = None,
        name: str = "kill",
    ) -> None:
        super().__init__(name, daemon or daemon_of(system), targets)
        self._killed = system

    def _system(self) -> object:
        return self._killed

    async def inject(self, order: Order) -> dict[str, str]:
        async def strike(host: Host) -> None:
            await self.debts.owe(host, [], {"daemon": self._daemon, "then": "start it again"})
            await self._killed.kill(host)
            await self._await_state(host, lambda state: state == "gone")

        return await on_each(self._hosts(order.targets), strike)

    async def heal(self) -> dict[str, str]:
        async def restart(host: Host) -> None:
            if (await look(host, self._daemon)).state == "gone":
                await self._killed.start(host)

        return await self.debts.pay(restart)


class Pause(OfProcesses):
    """SIGSTOP for the system's daemon; healing sends SIGCONT, to that very process only."""

    intact = frozenset({"running"})
    broken = frozenset({"paused"})

    def __init__(
        self,
        system: Pausable,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        daemon: str | None = None,
        name: str = "pause",
    ) -> None:
        super().__init__(name, daemon or daemon_of(system), targets)
        self._paused = system

    def _system(self) -> object:
        return self._paused

    async def inject(self, order: Order) -> dict[str, str]:
        async def strike(host: Host) -> None:
            sight = await look(host, self._daemon)
            if sight.identity is None:
                return  # nothing to pause, which the proof will tell
            undo = [wake_up(sight.identity)]
            await self.debts.owe(host, undo, {"daemon": self._daemon, "pid": sight.identity[0]})
            await self._paused.pause(host)
            await self._await_state(host, lambda state: state != "running")

        return await on_each(self._hosts(order.targets), strike)


def daemon_of(system: object) -> str:
    """The name under which a system starts its daemon: its own, unless it says otherwise."""
    daemon = getattr(system, "daemon", None) or getattr(system, "name", None)
    if not isinstance(daemon, str):
        raise TypeError(f"{system!r} has no name; give the name of its daemon")
    return daemon

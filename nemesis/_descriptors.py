"""`FileDescriptors`: a daemon that can open nothing more.

The soft limit of open files of every process of the daemon is set to the lowest number that
is unused there, plus what is to be spared; the hard limit stays.  What is open stays open.  As
soon as the daemon closes something it may open as much again: so the proof looks whether
there is an unused number below the limit, and if there is, fills them up with connections until
one is not accepted.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from cluster import Host, HostError, Unsupported
from histories import Json
from nemesis import _nofile_program as program
from nemesis._debts import UNDO_TIMEOUT_S, ask_each, on_each
from nemesis._fault import Field, Order
from nemesis._pressed import Family, Member, OfDaemons
from nemesis._programs import ask, strike_command, undo_command

_KNOCKS_MAX: Final = 256
_KNOCK_S: Final = 2.0


@dataclass(frozen=True)
class _Lowered:
    """Limits by pid and start time: what they were, and what they were lowered to."""

    were: Mapping[tuple[int, int], int]
    now: Mapping[tuple[int, int], int]


class FileDescriptors(OfDaemons):
    """The daemon can open no file and accept no connection; `spare` are left to it (none).

    It needs no root for daemons of the user who runs the commands.
    """

    usual_name = "file-descriptors"
    word = "exhausted"
    defaults = MappingProxyType({"spare": 0})
    least = MappingProxyType({"spare": 0})

    def __init__(self, system: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(system, *args, **kwargs)
        self._lowered: dict[str, _Lowered] = {}
        self._healed: dict[str, _Lowered] = {}

    async def setup(self, field: Field) -> None:
        """Try it on every host, on a child of the probe."""
        await super().setup(field)

        async def attempt(host: Host) -> bool:
            told = await ask(host, program, {"do": "try"}, sudo=_as_root(host))
            return bool(told["lowered"])

        for node, answer in (await ask_each(field.hosts.values(), attempt)).items():
            if answer is not True:
                raise Unsupported(
                    node,
                    f"the fault {self.name!r} is impossible: limits cannot be set ({answer})",
                    f"install python3 there, or leave {self.name!r} out",
                )

    async def inject(self, order: Order) -> dict[str, str]:
        """Lower the limits of the daemons of the targets."""
        attributes = order.detail["attributes"]
        assert isinstance(attributes, dict)

        async def strike(host: Host) -> None:
            members = await self.family(host)
            if not members.members:
                return  # nobody to strike, which the proof will tell
            await self._strike(host, members, int(attributes["spare"]))

        return await on_each(self._hosts(order.targets), strike)

    async def heal(self) -> dict[str, str]:
        """Restore the limits."""
        failed = await super().heal()
        self._healed |= {n: each for n, each in self._lowered.items() if n not in failed}
        self._lowered = {n: each for n, each in self._lowered.items() if n in failed}
        return failed

    async def _strike(self, host: Host, members: Family, spare: int) -> None:
        if any(each.unused < 0 for each in members.members):
            raise HostError(
                host.name,
                f"we may not see what the daemon {self._daemon} has open",
                "run it as the user who logs in, or let momus be root there",
            )
        place = (host.directory, uuid.uuid4().hex)
        before = self._lowered.get(host.name, _Lowered({}, {}))
        now = {_who(each): _lowest(each, spare) for each in members.members}
        were = {_who(each): before.were.get(_who(each), each.soft) for each in members.members}
        leader = members.members[0]
        undo: dict[str, Json] = {
            "do": "restore",
            "boot": members.boot,
            "leader": [*_who(leader)],
            "limits": [[*who, soft, now[who]] for who, soft in were.items()],
        }
        note: dict[str, Json] = {"daemon": self._daemon, "limit": now[_who(leader)]}
        sudo = _as_root(host)
        await self.debts.owe(host, [undo_command(host, program, place, undo)], note, sudo=sudo)
        self._lowered[host.name] = _Lowered(were, now)
        lower: dict[str, Json] = {
            "do": "lower",
            "limits": [[*who, soft] for who, soft in now.items()],
        }
        argv = strike_command(host, program, place, lower)
        await host.run(argv, sudo=sudo, timeout_s=UNDO_TIMEOUT_S)

    async def look(self, host: Host) -> tuple[str, dict[str, Json]]:
        """Is the limit what was ordered, and is nothing free below it?"""
        members = (await self.family(host)).members
        if not members:
            return "gone", {}
        leader, lowered = members[0], self._lowered.get(host.name)
        seen: dict[str, Json] = {"limit": leader.soft, "open": leader.open}
        full = 0 <= leader.soft <= leader.unused
        if lowered is None:
            healed = self._healed.get(host.name, _Lowered({}, {})).were
            wrong = [each for each in members if healed.get(_who(each), each.soft) != each.soft]
            return ("lowered" if wrong or full else "free"), seen
        if _who(leader) not in lowered.now:
            return "free", seen  # somebody has started it anew
        limits = frozenset(lowered.now.values())
        if any(lowered.now.get(_who(each), each.soft) != each.soft for each in members):
            return "loosened", seen
        if not all(each.soft in limits for each in members):
            return "partly", seen
        if full:
            return "exhausted", seen
        request: dict[str, Json] = {
            "do": "knock",
            "pids": [each.pid for each in members],
            "most": min(leader.soft - leader.open + 2, _KNOCKS_MAX),
            "seconds": _KNOCK_S,
        }
        told = await ask(host, program, request, sudo=_as_root(host), timeout_s=60.0)
        return ("exhausted" if told["unserved"] else "limited"), {**seen, "knocked": told}


def _who(member: Member) -> tuple[int, int]:
    return member.pid, member.start


def _lowest(member: Member, spare: int) -> int:
    """The limit under which so many can still be opened; never more than there was."""
    limit = member.unused + spare
    return limit if member.soft < 0 else min(limit, member.soft)


def _as_root(host: Host) -> bool:
    return "root" in host.capabilities

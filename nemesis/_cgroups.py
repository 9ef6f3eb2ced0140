"""Faults by control groups: the daemon moves into a group of ours, which has a limit.

Whoever the daemon's processes fork later is born in the group; a daemon that was started anew,
after a kill, is not in it, and its receipt says "free".  The limit is tried from inside the
group by a probe of ours, so the proof does not depend on how busy the daemon is.

The undo moves every process that is in the group back to where it came from and removes
the group.  Groups belong to the kernel, not to a namespace: for hosts which share the
driver's kernel the group's removal is owed by the driver's machine, too, so that it is
removed even if the namespace has ended.
"""

from __future__ import annotations

import os
import posixpath
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from cluster import Host, HostError, LocalHost, Unsupported
from histories import Json
from nemesis import _cgroup_program as program
from nemesis._debts import UNDO_TIMEOUT_S, ask_each, on_each, to_its_end
from nemesis._fault import Field, Order
from nemesis._pressed import Family, OfDaemons
from nemesis._programs import ask, strike_command, undo_command

_ROUNDS_MAX: Final = 10

Setting = tuple[str, str, bool]
"""A file of the group, what is written there, and whether it must be there."""


@dataclass(frozen=True)
class Group:
    """Where the group of one fault on one host is, or would be."""

    host: Host
    way: Mapping[str, Any]
    name: str

    @property
    def version(self) -> int:
        return int(self.way["version"])

    @property
    def path(self) -> str:
        return posixpath.join(self.way["at"], self.name)


@dataclass(frozen=True)
class _Struck:
    """What was done to a host: the settings, who came from where, and how much was ordered."""

    settings: tuple[Setting, ...]
    origins: Mapping[tuple[int, int], str]
    origin: str
    attributes: Mapping[str, Any]


class OfCgroups(OfDaemons):
    """The ground of faults by a controller; subclasses say what is set, and try it."""

    controller: ClassVar[str]

    def __init__(self, system: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(system, *args, **kwargs)
        self._groups: dict[str, Group] = {}
        self._struck: dict[str, _Struck] = {}

    async def settings(
        self, group: Group, attributes: Mapping[str, Any], members: Family | None
    ) -> list[Setting]:
        """What to write into the group; `HostError` if that makes no sense for the daemon.

        Without members: for a trial, of an empty group.
        """
        raise NotImplementedError

    async def strain(self, group: Group, attributes: Mapping[str, Any]) -> tuple[bool, Json]:
        """Do what the limit forbids, from inside the group: does it hold, and what was seen?"""
        raise NotImplementedError

    async def setup(self, field: Field) -> None:
        """Try it on every host, with a group in which there is nobody but the probe."""
        await super().setup(field)
        try:
            answers = await ask_each(field.hosts.values(), self._try)
        finally:
            failed = await to_its_end(self.heal())
        answers |= {node: HostError(node, why, "") for node, why in failed.items()}
        for node, answer in answers.items():
            if isinstance(answer, Unsupported):
                raise answer
            if isinstance(answer, Exception):
                what = answer.what if isinstance(answer, HostError) else str(answer)
                raise Unsupported(
                    node,
                    f"the fault {self.name!r} is impossible: {what}",
                    "it needs control groups that may be written: run as root on this machine, "
                    "write sudo = true in lab.toml, see `momus doctor`, or leave it out",
                ) from answer

    async def inject(self, order: Order) -> dict[str, str]:
        """Move the daemons of the targets into groups."""
        attributes = order.detail["attributes"]
        assert isinstance(attributes, dict)

        async def strike(host: Host) -> None:
            group = self._groups[host.name]
            members = await self.family(host)
            if not members.members:
                return  # nobody to strike, which the proof will tell
            settings = await self.settings(group, attributes, members)
            await self._strike(group, settings, members, attributes)

        return await on_each(self._hosts(order.targets), strike)

    async def heal(self) -> dict[str, str]:
        """Move everybody back, and remove the groups."""
        failed = await super().heal()
        self._struck = {node: each for node, each in self._struck.items() if node in failed}
        return failed

    async def read_group(self, group: Group, *files: str) -> dict[str, Any]:
        """The pids in the group, and the text of these files of it."""
        request = {"do": "look", "way": group.way, "name": group.name, "files": list(files)}
        return await ask(group.host, program, request, sudo=True)

    def _base_name(self, host: Host) -> str:
        return f"{program.MINE}{self.field.journal.run}-{host.name}-{self.name}"

    async def _try(self, host: Host) -> None:
        name = self._base_name(host)
        request = {"do": "find", "controller": self.controller, "name": name}
        way = await ask(host, program, request, sudo=True)
        group = self._groups[host.name] = Group(host, way, way["name"])
        settings = await self.settings(group, self._attributes, None)
        members = Family((), (await self.family(host)).boot, 0, 0)
        await self._strike(group, settings, members, self._attributes)
        holds, seen = await self.strain(group, self._attributes)
        if not holds:
            what = f"the kernel takes the limit, and does not hold to it: {seen}"
            raise HostError(host.name, what, "")

    async def _strike(
        self,
        group: Group,
        settings: Sequence[Setting],
        members: Family,
        attributes: Mapping[str, Any],
    ) -> None:
        host, place = group.host, (group.host.directory, uuid.uuid4().hex)
        origins = self._origins(group, members)
        before = self._struck.get(host.name)
        if before is not None:
            origins = {**origins, **before.origins}
        origin = before.origin if before else next(iter(origins.values()), "/")
        undo: dict[str, Json] = {
            "do": "leave",
            "way": group.way,
            "name": group.name,
            "origins": [[*who, path] for who, path in origins.items()],
            "origin": origin,
        }
        note: dict[str, Json] = {"group": group.path, "attributes": dict(attributes)}
        await self.debts.owe(host, [undo_command(host, program, place, undo)], note, sudo=True)
        if (twin := _twin(host, members.boot, self.controller, self._base_name(host))) is not None:
            below, way = twin
            argv = undo_command(below, program, place, {**undo, "way": way})
            await self.debts.owe(below, [argv], {**note, "host": host.name}, sudo=True)
        struck = _Struck(tuple(settings), origins, origin, attributes)
        self._struck[host.name] = struck
        for _ in range(_ROUNDS_MAX):
            enter: dict[str, Json] = {
                "do": "enter",
                "way": group.way,
                "name": group.name,
                "settings": [list(each) for each in settings],
                "processes": [[each.pid, each.start] for each in members.members],
            }
            argv = strike_command(host, program, place, enter)
            await host.run(argv, sudo=True, timeout_s=UNDO_TIMEOUT_S)
            if not members.members:
                return
            members = await self.family(host)  # somebody may have forked meanwhile
            inside = (await self.read_group(group))["pids"]
            if members.pids <= set(inside):
                return

    def _origins(self, group: Group, members: Family) -> dict[tuple[int, int], str]:
        """The groups that these processes are in; those that are in ours stay out of it."""
        origins: dict[tuple[int, int], str] = {}
        for each in members.members:
            path = program.origin_of(dict(group.way), each.cgroups)
            name = posixpath.basename(path)
            if name == group.name:
                continue
            if name.startswith(program.MINE):
                raise HostError(
                    group.host.name,
                    f"the daemon is in the control group {path} of another fault",
                    "stop that one first; there is one tree of groups for both",
                )
            origins[each.pid, each.start] = path
        return origins

    async def look(self, host: Host) -> tuple[str, dict[str, Json]]:
        """Who of the daemon is in our group, is the limit there, and does it hold?"""
        group, struck = self._groups[host.name], self._struck.get(host.name)
        members = await self.family(host)
        files = [file for file, _, _ in struck.settings] if struck else []
        found = await self.read_group(group, *files)
        inside = members.pids & set(found["pids"])
        seen: dict[str, Json] = {"inside": len(inside), "processes": len(members.pids)}
        if not members.members:
            return "gone", seen
        if not inside:
            return "free", seen
        if inside != members.pids or struck is None:
            return "partly", seen
        seen["limits"] = {file: text.strip() for file, text in found["files"].items()}
        if not all(
            set(value.split()) <= set(found["files"].get(file, "").split())
            for file, value, needed in struck.settings
            if needed
        ):
            return "loosened", seen
        holds, strained = await self.strain(group, struck.attributes)
        return self.word if holds else "ineffective", {**seen, "probe": strained}


def _twin(
    host: Host, boot: str, controller: str, name: str
) -> tuple[LocalHost, Mapping[str, Any]] | None:
    """The driver's own machine, if the host shares its kernel and we are root there."""
    if host.kind == "local" or os.geteuid() != 0 or boot != _boot():
        return None
    try:
        way = program.find(controller, name)
    except (LookupError, OSError):
        return None
    if way["mount"] is not None:
        return None
    return LocalHost("driver", host.directory), way


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()

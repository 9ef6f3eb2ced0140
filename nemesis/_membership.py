"""Faults of membership: members are removed, replaced and added while the system runs.

What is proven is the member list as a majority of members tells it, each asked by itself; a
removed member's own opinion does not count.  That a host came back as *another* member shows
in its identity.  Which hosts are members, only the cluster knows at the moment of the strike:
a schedule draws an order of preference, and the first that fit are struck.

No order is carried out that would leave the cluster without a connected majority; it is
declined, and says why.

The undo entries in the journal have no commands, but for waking up a process.  Membership
is the system's state, not the host's: without a driver there is no one to say whether the
others still run, and what momus has set up is wiped by `momus heal` together with the daemons.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from random import Random
from typing import Final

from cluster import HasMembership, Host, HostError, Membership, Unsupported
from histories import Json
from nemesis import targets as targets_module
from nemesis._debts import on_each
from nemesis._fault import Declined, Field, Order, Proof, nodes_named
from nemesis._processes import OfProcesses, daemon_of, look, wake_up
from nemesis.targets import Observations, Target, majority_size

_END_TIMEOUT_S: Final = 5.0
_DRAWN: Final = ("one", "minority", "majority", "all")


class OfMembers(OfProcesses):
    """What faults of membership share: the member list, the choice, and that a majority stays.

    States are "member", "replaced" (a member again, under a new identity), "learner" and
    "outside".
    """

    heals_last = True

    def __init__(
        self,
        name: str,
        system: HasMembership,
        targets: Target | Sequence[Target],
        daemon: str | None,
    ) -> None:
        super().__init__(name, daemon or daemon_of(system), targets)
        self._cluster = system
        self._before: dict[str, str] = {}
        self._absent: dict[str, Json] = {}

    def _system(self) -> object:
        return self._cluster

    async def setup(self, field: Field) -> None:
        """Refuse systems whose members cannot change."""
        if not isinstance(self._cluster, HasMembership):
            raise Unsupported(
                str(getattr(self._cluster, "name", self._cluster)),
                f"the fault {self.name!r} is impossible: its members cannot be changed",
                f"leave {self.name!r} out, or give the system what HasMembership asks for",
            )
        await super().setup(field)

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """How many members, and in which order of preference; whoever is one then."""
        target = random.choice(self._targets)
        if target.name not in _DRAWN:
            chosen = target(nodes, random, observed)
            return {"targets": None if chosen is None else list(chosen), "choice": target.name}
        preference = random.sample(list(nodes), len(nodes))
        return {"targets": None, "choice": target.name, "preference": list(preference)}

    async def read(self, value: Json) -> Order:
        """The members to strike; `Declined` if the cluster cannot do without them now."""
        now, able = await asyncio.gather(self._cluster.membership(), self._cluster.connected())
        preference = value.get("preference") if isinstance(value, dict) else None
        if not isinstance(preference, list) or not isinstance(value, dict):
            chosen = await nodes_named(value, self.field.nodes, self._cluster)
            self._refuse_strangers(chosen, now)
            if why := self._endangered(now, able, frozenset(chosen)):
                raise Declined(f"{self.name} of {', '.join(chosen)} is declined: {why}")
            return Order(frozenset(chosen), tuple(chosen), self._detail(value))
        wanted = self._count(str(value.get("choice")), now)
        chosen, why = [], "nobody is left to choose from"
        for node in self._candidates([str(each) for each in preference], now):
            trouble = self._endangered(now, able, frozenset([*chosen, node]))
            why = trouble or why
            if trouble is None and len(chosen) < wanted:
                chosen.append(node)
        if not chosen:
            raise Declined(f"{self.name} is declined: {why}")
        return Order(frozenset(chosen), tuple(chosen), self._detail(value))

    async def prove(self, things: frozenset[str]) -> Proof:
        """Who belongs to the cluster, as a majority tells, and what runs, as /proc tells."""
        sights = await self._sights(self._hosts(self.field.nodes))
        try:
            now = await self._cluster.membership()
        except (HostError, OSError) as error:
            return Proof(dict.fromkeys(things, "unknown"), {"error": str(error)})
        states = {node: self._state(node, now) for node in self.field.nodes}
        evidence: dict[str, Json] = {
            "members": dict(now.members),
            "told": dict(now.told),
            "pids": sights.evidence["pids"],
        }
        return Proof(states, {**evidence, **({"absent": self._absent} if self._absent else {})})

    async def inject(self, order: Order) -> dict[str, str]:
        """One member after the other, until one fails."""
        for host in self._ordered(order):
            if failed := await on_each([host], lambda host: self._strike(host, order)):
                return failed
        return {}

    async def heal(self) -> dict[str, str]:
        """Bring the membership back to what it was."""
        failed = await self.debts.pay(self._restore)
        self._before = {node: id for node, id in self._before.items() if node in failed}
        self._absent = {node: each for node, each in self._absent.items() if node in failed}
        return failed

    async def _strike(self, host: Host, order: Order) -> None:
        raise NotImplementedError

    async def _restore(self, host: Host) -> None:
        await self._cluster.add_member(host)

    def _state(self, node: str, now: Membership) -> str:
        if node not in now.members:
            return "outside"
        if node in now.learners:
            return "learner"
        return "member" if self._before.get(node) in (None, now.members[node]) else "replaced"

    def _ordered(self, order: Order) -> list[Host]:
        return [self.field.hosts[node] for node in order.targets]

    def _detail(self, value: Json) -> dict[str, Json]:
        del value
        return {}

    def _candidates(self, preference: Sequence[str], now: Membership) -> list[str]:
        return [node for node in preference if node in now.voters]

    def _count(self, choice: str, now: Membership) -> int:
        members = len(now.voters)
        enough = majority_size(members)
        most = {"minority": members - enough, "majority": enough, "all": members}
        return most.get(choice, 1)

    def _refuse_strangers(self, chosen: Sequence[str], now: Membership) -> None:
        for node in chosen:
            if node not in now.members:
                raise Declined(f"{node} is no member now; there are {', '.join(now.members)}")

    def _endangered(
        self, now: Membership, able: frozenset[str], leaving: frozenset[str]
    ) -> str | None:
        """Why the cluster cannot do without these, if it cannot."""
        voters = now.voters
        staying = voters - leaving
        if 2 * len(able & voters) <= len(voters):
            return f"only {_named(able & voters)} of {_named(voters)} are connected, no majority"
        if 2 * len(able & staying) <= len(staying):
            return f"of those that stay, {_named(staying)}, no majority is connected"
        return None

    async def _owe(self, host: Host, then: str) -> None:
        now = await self._cluster.membership()
        note: dict[str, Json] = {"members": dict(now.members), "then": then}
        await self.debts.owe(host, [], note)

    async def _leave(self, host: Host) -> None:
        """Take the host's member out; it ends by itself when it hears of that, if it can."""
        await self._cluster.remove_member(host)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_TIMEOUT_S):
                while (await look(host, self._daemon)).state == "running":
                    await asyncio.sleep(0.1)


class MemberRemove(OfMembers):
    """Members are removed, one after the other; healing adds them again, without data."""

    intact = frozenset({"member"})
    broken = frozenset({"outside"})

    def __init__(
        self,
        system: HasMembership,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        daemon: str | None = None,
        name: str = "member-remove",
    ) -> None:
        super().__init__(name, system, targets, daemon)

    async def _strike(self, host: Host, order: Order) -> None:
        del order
        await self._owe(host, "add it again")
        await self._leave(host)


class MemberShrink(MemberRemove):
    """As many members are removed as a majority can do without: of five two, of three one."""

    def __init__(
        self,
        system: HasMembership,
        targets: Target | Sequence[Target] = targets_module.minority,
        *,
        daemon: str | None = None,
        name: str = "member-shrink",
    ) -> None:
        super().__init__(system, targets, daemon=daemon, name=name)


class ForcedLeave(MemberRemove):
    """A member is removed while it is absent: killed, or stopped so that it cannot hear of it.

    One that was stopped is woken up once it is out, and finds itself removed.  How, is
    drawn, and stands in the order.
    """

    def __init__(
        self,
        system: HasMembership,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        how: Sequence[str] = ("killed", "paused"),
        daemon: str | None = None,
        name: str = "forced-leave",
    ) -> None:
        if not how or not set(how) <= {"killed", "paused"}:
            raise ValueError(f'a forced leave finds members "killed" or "paused", not {how!r}')
        super().__init__(system, targets, daemon=daemon, name=name)
        self._how = tuple(how)

    def choose(self, nodes: Sequence[str], random: Random, observed: Observations) -> Json:
        """As every fault of membership, and how."""
        chosen = super().choose(nodes, random, observed)
        assert isinstance(chosen, dict)
        return {**chosen, "how": random.choice(self._how)}

    def _detail(self, value: Json) -> dict[str, Json]:
        how = value.get("how") if isinstance(value, dict) else None
        if how is None:
            return {"how": self._how[0]}
        if how not in ("killed", "paused"):
            raise ValueError(f'how must be "killed" or "paused", not {how!r}')
        return {"how": how}

    def _endangered(
        self, now: Membership, able: frozenset[str], leaving: frozenset[str]
    ) -> str | None:
        if 2 * len((able & now.voters) - leaving) <= len(now.voters):
            return f"without {_named(leaving)} no majority of {_named(now.voters)} could agree"
        return super()._endangered(now, able, leaving)

    async def _strike(self, host: Host, order: Order) -> None:
        if order.detail["how"] == "paused":
            await self._while_paused(host)
            return
        await self._owe(host, "add it again")
        await host.signal(self._daemon, "KILL")
        await self._await_state(host, lambda state: state == "gone")
        await self._leave_absent(host, "gone")

    async def _while_paused(self, host: Host) -> None:
        sight = await look(host, self._daemon)
        if sight.identity is None:
            raise HostError(host.name, "there is no process to pause", "start the member first")
        awake = wake_up(sight.identity)
        now = await self._cluster.membership()
        note: dict[str, Json] = {"members": dict(now.members), "then": "add it again"}
        await self.debts.owe(host, [awake], note)
        await host.signal(self._daemon, "STOP")
        try:
            await self._await_state(host, lambda state: state == "paused")
            await self._leave_absent(host, "paused")
        finally:
            await host.run(awake)
        await self._leave(host)  # it is out; only its end is awaited

    async def _leave_absent(self, host: Host, wanted: str) -> None:
        state = (await look(host, self._daemon)).state
        if state != wanted:
            raise HostError(
                host.name, f"{state}, not {wanted}, when it was to be removed", "see /proc there"
            )
        await self._cluster.remove_member(host)
        self._absent[host.name] = (await look(host, self._daemon)).state


class MemberReplace(OfMembers):
    """A member is removed, wiped, and added again at once: another member on the same host.

    It is over when `start-member-replace` completes; until its stop nothing more happens.
    """

    intact = frozenset({"member"})
    broken = frozenset({"replaced"})

    def __init__(
        self,
        system: HasMembership,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        daemon: str | None = None,
        name: str = "member-replace",
    ) -> None:
        super().__init__(name, system, targets, daemon)

    def _endangered(
        self, now: Membership, able: frozenset[str], leaving: frozenset[str]
    ) -> str | None:
        return _incomplete(now.voters - leaving, able) or super()._endangered(now, able, leaving)

    async def _strike(self, host: Host, order: Order) -> None:
        del order
        await self._owe(host, "add it again")
        before = (await self._cluster.membership()).members.get(host.name)
        if before is not None:
            self._before[host.name] = before
        await self._leave(host)
        await self._cluster.add_member(host)


class MemberGrow(OfMembers):
    """Spare hosts become members; healing removes and wipes them again."""

    intact = frozenset({"outside"})
    broken = frozenset({"member"})

    def __init__(
        self,
        system: HasMembership,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        daemon: str | None = None,
        name: str = "member-grow",
    ) -> None:
        super().__init__(name, system, targets, daemon)

    async def setup(self, field: Field) -> None:
        """Refuse a cluster without a spare host."""
        await super().setup(field)
        if set(field.nodes) <= set(self._cluster.members):
            raise Unsupported(
                ", ".join(field.nodes),
                f"the fault {self.name!r} is impossible: all of them are members already",
                "begin with fewer members (members=3, --members 3), or leave it out",
            )

    def _candidates(self, preference: Sequence[str], now: Membership) -> list[str]:
        return [node for node in preference if node not in now.members]

    def _count(self, choice: str, now: Membership) -> int:
        return 1 if choice == "one" else len(self.field.nodes) - len(now.members)

    def _refuse_strangers(self, chosen: Sequence[str], now: Membership) -> None:
        for node in chosen:
            if node in now.members:
                raise Declined(f"{node} is a member already, no spare host")

    def _endangered(
        self, now: Membership, able: frozenset[str], leaving: frozenset[str]
    ) -> str | None:
        away = _incomplete(now.voters, able)
        return away or super()._endangered(now, able, leaving - now.voters)

    async def _strike(self, host: Host, order: Order) -> None:
        del order
        await self._owe(host, "remove it again")
        await self._cluster.add_member(host)

    async def _restore(self, host: Host) -> None:
        await self._leave(host)
        await host.stop(self._daemon)
        await self._wipe(host)

    async def _wipe(self, host: Host) -> None:
        wipe = getattr(self._cluster, "wipe", None)
        if wipe is not None:
            await wipe(host)


def _incomplete(voters: frozenset[str], able: frozenset[str]) -> str | None:
    """Nobody may join while a member is away."""
    away = voters - able
    return f"{_named(away)} of the members cannot be reached, so nobody may join" if away else None


def _named(nodes: frozenset[str]) -> str:
    return ", ".join(sorted(nodes)) or "nobody"

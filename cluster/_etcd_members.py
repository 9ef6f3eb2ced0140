"""The member list of an etcd cluster: told by its members, changed through any of them.

Each member is asked by itself, through its JSON gateway, for the list *it* holds to be true.
A list counts if more than half of the members in it tell this very list; what one member
says alone, perhaps one that was removed and does not know, counts for nothing.

etcd refuses a change that would endanger the quorum (its strict reconfiguration check) and one
that comes within five seconds of a member's absence; both pass as a rule, so a change is
asked for until the list shows it or time is up, and then etcd's last word is the error.
A host joins as a learner, which counts for no quorum, and is promoted when it has the data.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from cluster._etcd_client import EtcdApiError, Gateway
from cluster._host import Host, HostError
from cluster._http import Connection
from cluster._system import Membership
from histories import Json

_ASK_TIMEOUT_S: Final = 2.0
_CHANGE_TIMEOUT_S: Final = 30.0
_AGREE_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.1

Listed = tuple[str, str, bool]
"""A member as it stands in a list: its id, its peer URL, whether it is a learner."""


class EtcdMembers:
    """The members of a cluster on `hosts`; `connect` speaks to the one on a host."""

    def __init__(
        self,
        hosts: Mapping[str, Host],
        connect: Callable[[Host], Connection],
        peer_url: Callable[[Host], str],
    ) -> None:
        self._hosts = hosts
        self._connect = connect
        self._name_of = {peer_url(host): name for name, host in hosts.items()}
        self._peer_url = peer_url

    async def membership(self, timeout_s: float = _AGREE_TIMEOUT_S) -> Membership:
        """The list that a majority of its own members tell; `HostError` if none is told so."""
        deadline = time.monotonic() + timeout_s
        while True:
            told = await self._told(linearizable=False)
            lists = {name: each for name, each in told.items() if isinstance(each, frozenset)}
            backed = {each for each in lists.values() if self._backed(each, lists)}
            if len(backed) == 1:
                return self._membership(backed.pop(), told)
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(_POLL_S)
        said = {name: self._shown(each) for name, each in told.items()}
        raise HostError(
            ", ".join(self._hosts),
            f"{len(backed) or 'no'} member lists are each told by a majority: {said}",
            "look into the members' logs",
        )

    async def connected(self, members: int) -> frozenset[str]:
        """The members that can have something agreed on.

        A cluster of so many members that is between two leaders is given time to elect one.
        """
        deadline = time.monotonic() + _AGREE_TIMEOUT_S
        while 2 * len(able := await self._able()) <= members and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)
        return able

    async def _able(self) -> frozenset[str]:
        """The hosts whose members answer a request that needs a quorum."""
        told = await self._told(linearizable=True)
        return frozenset(name for name, each in told.items() if isinstance(each, frozenset))

    async def add(self, host: Host) -> str:
        """Have the host join as a learner; the members for its ``--initial-cluster``."""
        request = {"peerURLs": [self._peer_url(host)], "isLearner": True}
        now = await self._until(
            host,
            "could not join",
            lambda now: host.name in now.members,
            lambda gateway, _id: gateway.call("cluster/member/add", request, _ASK_TIMEOUT_S),
        )
        return ",".join(f"{name}={self._peer_url(self._hosts[name])}" for name in now.members)

    async def promote(self, host: Host) -> None:
        """Let the learner on this host vote, as soon as etcd thinks it fit."""
        await self._until(
            host,
            "could not become a voter",
            lambda now: host.name in now.voters,
            lambda gateway, id: gateway.call("cluster/member/promote", {"ID": id}, _ASK_TIMEOUT_S),
        )

    async def remove(self, host: Host) -> None:
        """Take the host's member out, if it is in."""
        await self._until(
            host,
            "could not be removed",
            lambda now: host.name not in now.members,
            lambda gateway, id: gateway.call("cluster/member/remove", {"ID": id}, _ASK_TIMEOUT_S),
        )

    async def _until(
        self,
        host: Host,
        trouble: str,
        done: Callable[[Membership], bool],
        act: Callable[[Gateway, str], Awaitable[object]],
    ) -> Membership:
        """Have one member after the other `act` until the list is as wanted.

        An answer may be lost though the change was made, so only the list counts.
        """
        deadline = time.monotonic() + _CHANGE_TIMEOUT_S
        said = "no other member is connected to a leader"
        for turn in itertools.count():
            now = await self.membership()
            if done(now):
                return now
            if time.monotonic() > deadline:
                break
            able = sorted((await self._able()) & now.voters - {host.name})
            if able:
                asked = self._hosts[able[turn % len(able)]]
                connection = self._connect(asked)
                try:
                    await act(Gateway(connection), now.members.get(host.name, ""))
                except (EtcdApiError, OSError) as error:
                    said = f"{asked.name} said: {error or type(error).__name__}"
                finally:
                    await connection.close()
            await asyncio.sleep(_POLL_S)
        raise HostError(
            host.name,
            f"{trouble} within {_CHANGE_TIMEOUT_S:g} s; {said}",
            "see whether the other members are well and connected",
        )

    async def _told(self, *, linearizable: bool) -> dict[str, frozenset[Listed] | str]:
        """What each host's member says; why not, for those that do not."""

        async def ask(host: Host) -> frozenset[Listed] | str:
            connection = self._connect(host)
            try:
                answer = await Gateway(connection).call(
                    "cluster/member/list", {"linearizable": linearizable}, _ASK_TIMEOUT_S
                )
                return frozenset(map(_listed, answer.get("members", ())))
            except (EtcdApiError, OSError) as error:
                return str(error) or type(error).__name__
            finally:
                await connection.close()

        answers = await asyncio.gather(*map(ask, self._hosts.values()))
        return dict(zip(self._hosts, answers, strict=True))

    def _backed(self, listed: frozenset[Listed], lists: Mapping[str, frozenset[Listed]]) -> bool:
        voters = [self._name(url) for _, url, learner in listed if not learner]
        return 2 * sum(lists.get(name) == listed for name in voters) > len(voters)

    def _membership(
        self, listed: frozenset[Listed], told: Mapping[str, frozenset[Listed] | str]
    ) -> Membership:
        in_order = self._in_order(listed)
        return Membership(
            members={self._name(url): id for id, url, _ in in_order},
            learners=frozenset(self._name(url) for _, url, learner in in_order if learner),
            told={name: self._shown(each) for name, each in told.items()},
        )

    def _shown(self, each: frozenset[Listed] | str) -> Json:
        if isinstance(each, str):
            return each
        return [
            self._name(url) + (" (learner)" if learner else "")
            for _, url, learner in self._in_order(each)
        ]

    def _in_order(self, listed: Iterable[Listed]) -> list[Listed]:
        """In the order of the hosts, strangers last."""
        order = {url: number for number, url in enumerate(self._name_of)}
        return sorted(listed, key=lambda each: (order.get(each[1], len(order)), each))

    def _name(self, url: str) -> str:
        """The host's name; of a stranger among the members its address."""
        return self._name_of.get(url, url)


def _listed(member: Mapping[str, Any]) -> Listed:
    [url, *_] = member.get("peerURLs", [""])
    return str(member["ID"]), str(url), bool(member.get("isLearner", False))

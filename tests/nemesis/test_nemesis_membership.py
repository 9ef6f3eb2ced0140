"""Members removed, replaced and added: what is ordered, what is declined, what is proven."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import pytest

from cluster import Host, HostError, Journal, Membership, Unsupported
from histories import Op
from nemesis import (
    Fault,
    ForcedLeave,
    MemberGrow,
    MemberRemove,
    MemberReplace,
    MemberShrink,
    Nemesis,
    targets,
)

Play = Callable[[int, Callable[[Sequence[Host], Journal], Awaitable[None]]], None]


class Club:
    """A system that is nothing but a member list."""

    name = "club"

    def __init__(self, *members: str) -> None:
        self.ids = {member: f"{member}-0" for member in members}
        self.away: set[str] = set()
        self.joined = 0
        self.deaf = False

    @property
    def members(self) -> tuple[str, ...]:
        return tuple(sorted(self.ids))

    async def membership(self) -> Membership:
        if len(self.away & self.ids.keys()) * 2 >= len(self.ids):
            raise HostError("club", "no member list is told by a majority", "wait")
        return Membership(dict(sorted(self.ids.items())))

    async def connected(self) -> frozenset[str]:
        return frozenset(self.ids) - self.away

    async def add_member(self, host: Host) -> None:
        if host.name not in self.ids:
            self.joined += 1
            self.ids[host.name] = f"{host.name}-{self.joined}"

    async def remove_member(self, host: Host) -> None:
        if not self.deaf:
            self.ids.pop(host.name, None)


def play(
    on_local: Play, club: Club, faults: Sequence[Fault], scenario: Callable[[Any], Any]
) -> None:
    """The scenario orders what it likes of a nemesis on five hosts."""

    async def main(hosts: Sequence[Host], journal: Journal) -> None:
        nemesis = Nemesis(faults, hosts, journal)
        await nemesis.setup()

        async def order(f: str, value: Any = None) -> Op:
            return await nemesis.invoke(Op(f, value))

        try:
            await scenario(order)
        finally:
            await nemesis.teardown()
        kinds = {entry.kind for entry in Journal.open_entries(journal.path)}
        assert kinds <= {"directory"}

    del club
    on_local(5, main)


def drawn(fault: Fault, seed: int = 1) -> Any:
    return fault.choose(["n1", "n2", "n3", "n4", "n5"], Random(seed), {})


def test_a_removed_member_is_out_and_comes_back_as_another(on_local: Play) -> None:
    club = Club("n1", "n2", "n3")

    async def scenario(order: Any) -> None:
        began = await order("start-member-remove", {"targets": ["n2"]})
        assert (began.type, began.error) == ("ok", None)
        assert began.value["receipt"]["before"]["member"] == ["n1", "n2", "n3"]
        assert "n2" in began.value["receipt"]["during"]["outside"]
        assert club.members == ("n1", "n3")
        assert (await order("stop-member-remove")).type == "ok"
        assert club.ids["n2"] == "n2-1"

    play(on_local, club, [MemberRemove(club)], scenario)


def test_chance_prefers_and_the_first_who_fit_are_struck(on_local: Play) -> None:
    club = Club("n1", "n2", "n3")
    remove, grow, shrink = MemberRemove(club), MemberGrow(club), MemberShrink(club)
    value = {"targets": None, "choice": "one", "preference": ["n5", "n3", "n4", "n1", "n2"]}
    assert drawn(remove) == drawn(remove)
    assert sorted(drawn(remove)["preference"]) == ["n1", "n2", "n3", "n4", "n5"]

    async def scenario(order: Any) -> None:
        assert (await order("start-member-grow", value)).value["targets"] == ["n5"]
        assert list(club.ids) == ["n1", "n2", "n3", "n5"]
        await order("stop-member-grow")
        assert list(club.ids) == ["n1", "n2", "n3"]
        assert (await order("start-member-remove", value)).value["targets"] == ["n3"]
        await order("stop-member-remove")
        club.ids |= {"n4": "n4-9", "n5": "n5-9"}
        some = await order("start-member-shrink", {**value, "choice": "minority"})
        assert some.value["targets"] == ["n5", "n3"]
        await order("stop-member-shrink")
        assert len(club.members) == 5

    play(on_local, club, [remove, grow, shrink], scenario)


def test_what_would_cost_the_majority_is_declined(on_local: Play) -> None:
    club = Club("n1", "n2", "n3")
    faults: list[Fault] = [MemberRemove(club), MemberReplace(club), MemberGrow(club)]

    async def scenario(order: Any) -> None:
        club.away = {"n1"}
        alive = await order("start-member-remove", {"targets": ["n2"]})
        assert (alive.type, alive.value["receipt"]["declined"]) == ("info", True)
        assert "those that stay, n1, n3, no majority" in alive.error
        dead = await order("start-member-remove", {"targets": ["n1"]})
        assert dead.type == "ok"
        await order("stop-member-remove")
        club.away = {"n1"}
        for f in ("start-member-replace", "start-member-grow"):
            refused = await order(f, {"targets": None, "choice": "one", "preference": ["n4", "n2"]})
            assert "n1 of the members cannot be reached, so nobody may join" in refused.error
        strange = await order("start-member-remove", {"targets": ["n4"]})
        assert "n4 is no member now; there are n1, n2, n3" in strange.error
        club.ids = {"n1": "n1-0"}
        club.away = set()
        last = await order("start-member-remove", drawn(faults[0]))
        assert "those that stay, nobody" in last.error
        club.ids = {"n1": "n1-0", "n2": "n2-0", "n3": "n3-0"}

    play(on_local, club, faults, scenario)


def test_a_forced_leave_needs_a_majority_without_the_absent(on_local: Play) -> None:
    club = Club("n1", "n2")

    async def scenario(order: Any) -> None:
        refused = await order("start-forced-leave", {"targets": ["n1"], "how": "killed"})
        assert "without n1 no majority of n1, n2 could agree" in refused.error
        wrong = await order("start-forced-leave", {"targets": ["n1"], "how": "asleep"})
        assert wrong.type == "info"

    play(on_local, club, [ForcedLeave(club)], scenario)


def test_a_removal_that_removed_nobody_is_noticed(on_local: Play) -> None:
    club = Club("n1", "n2", "n3")

    async def scenario(order: Any) -> None:
        club.deaf = True
        done = await order("start-member-remove", {"targets": ["n2"]})
        assert done.error == "n2 was member after the strike, not outside"
        assert done.value["receipt"]["effect"] is False
        club.deaf = False
        await order("stop-member-remove")
        assert (await order("start-member-remove", {"targets": ["n2"]})).type == "ok"
        club.ids["n2"] = "n2-7"  # somebody else brought it back
        ended = await order("stop-member-remove")
        assert ended.error == "n2 was member before it was healed, not outside"

    play(on_local, club, [MemberRemove(club)], scenario)


def test_systems_and_clusters_that_cannot_are_refused(on_local: Play) -> None:
    class Fixed:
        name = "fixed"

    full, fixed = Club("n1", "n2", "n3", "n4", "n5"), Fixed()

    async def nothing(_order: Any) -> None: ...

    with pytest.raises(Unsupported, match=r"'member-grow' is impossible: all of them are members"):
        play(on_local, full, [MemberGrow(full)], nothing)
    with pytest.raises(Unsupported, match=r"fixed: .* its members cannot be changed"):
        play(on_local, full, [MemberRemove(fixed)], nothing)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="killed"):
        ForcedLeave(full, how=["asleep"])


def test_other_faults_strike_members_where_chance_chose_spare_hosts() -> None:
    from nemesis._fault import stand_ins

    club = Club("n1", "n2", "n3")
    nodes = ["n1", "n2", "n3", "n4", "n5"]

    def chosen(choice: str, *names: str) -> list[str]:
        return stand_ins({"choice": choice}, names, nodes, club)

    assert chosen("one", "n4") == ["n1"]
    assert chosen("one", "n2") == ["n2"]
    assert chosen("minority", "n4", "n5") == ["n1"]
    assert chosen("minority", "n2", "n3") == ["n2"]
    assert chosen("majority", "n2", "n4", "n5") == ["n2", "n3"]
    assert chosen("all", *nodes) == ["n1", "n2", "n3"]
    assert chosen("n4,n5", "n4", "n5") == ["n4", "n5"]
    assert targets.majority_size(3) == 2
    assert asyncio.run(club.connected()) == {"n1", "n2", "n3"}


def test_what_needs_a_whole_system_is_healed_last() -> None:
    from generators import simulate
    from nemesis import Pause, final

    club = Club("n1", "n2", "n3")
    faults: list[Fault] = [MemberRemove(club), Pause(club)]  # type: ignore[arg-type]
    stops = [event.f for event in simulate(final(faults), seed=1) if event.type == "invoke"]
    assert stops == ["stop-pause", "stop-member-remove"]

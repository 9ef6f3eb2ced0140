"""Reads that followers of raftkv answer: when they may, who is refused, and who judges that."""

from __future__ import annotations

from random import Random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histories import OBSERVER, History, Json, Op
from simulation import Case, Played, SimulatedCluster, play_case, run
from simulation.raftkv import SYSTEM
from simulation.raftkv._client import Client
from simulation.raftkv._follower_reads import PATIENCE_S, FollowerReads, Read
from simulation.raftkv._log import Log
from simulation.raftkv._messages import Config, ReadGrant, ReadIndex, Request
from simulation.raftkv._raft import Raft
from simulation.raftkv._records import Hard
from simulation.raftkv._suites._serving import recovered_followers_serve
from simulation.raftkv._timing import Timing
from simulation.scenario import Setting


def follower(term: int = 3, leader: str | None = "n2") -> Raft:
    raft = Raft(
        "n1", "s1.1", Hard("s1.1", term, ""), Log(), Config(("n1", "n2", "n3")),
        timing=Timing(), random=Random(0), now=0.0, wall=lambda: 0.0,
    )  # fmt: skip
    raft.known = leader
    return raft


def read(number: int) -> Read:
    return "client-1", Request(number, "client-1", number, "read", "k0")


def numbers(reads: list[Read]) -> list[int]:
    return [request.id for _, request in reads]


def test_all_who_came_before_a_question_share_its_answer() -> None:
    raft = follower()
    reads = FollowerReads(raft)
    reads.add(read(1))
    reads.add(read(2))
    assert reads.ask(0.0) == []
    assert raft.out == [("n2", ReadIndex("s1.1", 3, 1))]
    reads.granted(ReadGrant("s1.1", 3, 1, True, 7))
    assert reads.ready(applied=6) == []
    assert numbers(reads.ready(applied=7)) == [1, 2]
    assert not reads


def test_who_came_after_the_question_was_sent_waits_for_the_next() -> None:
    reads = FollowerReads(follower())
    reads.add(read(1))
    reads.ask(0.0)
    reads.add(read(2))
    reads.granted(ReadGrant("s1.1", 3, 1, True, 0))
    assert numbers(reads.ready(applied=9)) == [1]
    reads.ask(0.1)
    assert reads.ready(applied=9) == []
    reads.granted(ReadGrant("s1.1", 3, 2, True, 0))
    assert numbers(reads.ready(applied=9)) == [2]


@pytest.mark.parametrize("leader", [None, "n1"])
def test_without_a_leader_to_ask_a_read_is_refused(leader: str | None) -> None:
    reads = FollowerReads(follower(leader=leader))
    reads.add(read(1))
    assert numbers(reads.ask(0.0)) == [1]
    assert not reads


def test_a_leader_that_cannot_tell_and_one_that_is_gone_have_reads_refused() -> None:
    raft = follower()
    reads = FollowerReads(raft)
    for number in (1, 2, 3):
        reads.add(read(number))
        reads.ask(0.0)
    assert numbers(reads.granted(ReadGrant("s1.1", 3, 1, False))) == [1]
    reads.granted(ReadGrant("s1.1", 3, 2, True, 5))
    raft.term, raft.known = 4, "n3"
    assert numbers(reads.hopeless(0.1)) == [3]  # an index that was granted stays good
    assert numbers(reads.ready(applied=5)) == [2]


def test_an_answer_of_another_term_is_none() -> None:
    reads = FollowerReads(follower())
    reads.add(read(1))
    reads.ask(0.0)
    reads.granted(ReadGrant("s1.1", 2, 1, True, 0))
    assert reads.ready(applied=9) == []
    assert numbers(reads.hopeless(PATIENCE_S + 0.1)) == [1]


STEPS = st.lists(
    st.one_of(
        st.just(("add",)),
        st.just(("ask",)),
        st.tuples(st.just("grant"), st.integers(1, 6), st.integers(0, 5), st.booleans()),
        st.tuples(st.just("apply"), st.integers(0, 5)),
        st.tuples(st.just("lead"), st.integers(3, 5), st.sampled_from(["n2", "n3", None])),
        st.tuples(st.just("wait"), st.floats(0.0, 0.7)),
    ),
    max_size=40,
)


@given(STEPS)
def test_every_read_is_answered_or_refused_once_and_never_before_its_index_is_applied(
    steps: list[tuple[object, ...]],
) -> None:
    """Against the plainest bookkeeping: for each read the question it was asked with."""
    raft = follower()
    reads = FollowerReads(raft)
    now, applied, added = 0.0, 0, 0
    asked: list[list[int]] = []
    fresh: list[int] = []
    indexes: dict[int, int] = {}
    ended: list[int] = []
    for step in steps:
        if step[0] == "add":
            added += 1
            fresh.append(added)
            reads.add(read(added))
        elif step[0] == "ask":
            refused = numbers(reads.ask(now))
            assert refused in ([], fresh)
            ended += refused
            if fresh and not refused:
                asked.append(fresh)
            fresh = []
        elif step[0] == "grant":
            _, number, index, ok = step
            assert isinstance(number, int)
            assert isinstance(index, int)
            ended += numbers(reads.granted(ReadGrant("s1.1", raft.term, number, bool(ok), index)))
            if ok and number <= len(asked):
                indexes[number] = index
        elif step[0] == "apply":
            assert isinstance(step[1], int)
            applied = max(applied, step[1])
            answered = numbers(reads.ready(applied))
            for each in answered:
                number = next(n for n, batch in enumerate(asked, 1) if each in batch)
                assert indexes[number] <= applied
            ended += answered
        elif step[0] == "lead":
            assert isinstance(step[1], int)
            raft.term, raft.known = max(raft.term, step[1]), step[2]  # type: ignore[assignment]
        else:
            assert isinstance(step[1], float)
            now += step[1]
        ended += numbers(reads.hopeless(now))
    ended += numbers(reads.give_up())
    assert sorted(ended) == list(range(1, added + 1))


def play(scenario: str, seed: int, bug: str | None = None) -> Played:
    played = play_case(SYSTEM, Case("raftkv", scenario, seed, bug))
    assert played.outcome.error is None, played.outcome.error
    return played


def test_followers_do_answer_and_leaders_need_not() -> None:
    told = [
        op.node
        for op in play("follower-reads", 1).history
        if isinstance(op.value, dict) and op.value.get("event") == "follower-read"
    ]
    assert len({*told}) >= 3


@pytest.mark.parametrize(
    "bug", ["follower-reads-without-asking", "follower-answers-before-applied"]
)
def test_a_follower_that_answers_too_early_is_found(bug: str) -> None:
    for seed in range(30):
        verdict = play("follower-reads", seed, bug).verdict
        if verdict.valid is False and verdict.parts["linearizable"].valid is False:
            return
    pytest.fail(f"{bug} was found with none of 30 seeds")


class Asked:
    """A wire that keeps whom the client asked, and answers nothing."""

    name = "client-1"

    def __init__(self) -> None:
        self.whom: list[str] = []

    def listen(self, receive: object) -> None:
        """Nobody answers."""

    def send(self, to: str, message: bytes) -> None:  # noqa: ARG002
        """Keep whom."""
        self.whom.append(to)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(("here", "first"), [(True, ["n2", "n3"]), (False, ["n3", "n3"])])
def test_clients_read_where_they_are_and_write_where_they_were_sent(
    here: bool, first: list[str]
) -> None:
    async def ask() -> list[str]:
        wire = Asked()
        opened = await Client(
            ["n1", "n2", "n3"], lambda _: wire, patience_s=0.01, try_s=0.01, reads_here=here
        ).open("n2")
        await opened.invoke(Op("write", 1, "k0"))  # in vain, so the next one goes to n3
        wire.whom.clear()
        await opened.invoke(Op("read", None, "k0"))
        reading = wire.whom[0]
        return [reading, opened._target if here else "n3"]

    assert run(ask()) == first


def test_a_client_of_no_scenario_reads_by_the_leader() -> None:
    """Real processes may be asked without any."""
    setting = Setting(Case("raftkv", "", 0), cast(SimulatedCluster, _Bare()))
    assert SYSTEM.client(setting)._reads_here is False


class _Bare:
    nodes = ("n1",)
    endpoint = None


def told(seconds: float, node: str, event: str, **facts: Json) -> Op:
    value: Json = {"event": event, **facts}
    return Op("observe", value, None, "ok", OBSERVER, round(seconds * 1e9), None, node)


def asked(first_s: float, last_s: float, node: str, process: int = 0) -> list[Op]:
    """A read every 0.1 s, which fails."""
    ops = []
    for place in range(round((last_s - first_s) * 10)):
        at = round((first_s + place / 10) * 1e9)
        begun = Op("read", None, "k0", "invoke", process, at, None, node)
        ended = Op("read", None, "k0", "fail", process, at + 1000, "no-answer", node)
        ops += [begun, ended]
    return ops


def judged(*ops: Op) -> object:
    history = History.from_ops(sorted(ops, key=lambda op: op.time or 0))
    return recovered_followers_serve(2.0).check(history).valid


def test_who_is_back_and_is_asked_has_to_serve() -> None:
    back = told(1, "n1", "started", life=2)
    reads = asked(0.5, 5.0, "n1")
    assert judged(back, *reads) is False
    assert judged(back, told(2.9, "n1", "follower-read", term=1), *reads) is True
    assert judged(back, told(2.9, "n2", "follower-read", term=1), *reads) is False


def test_lives_that_say_nothing_are_not_judged() -> None:
    reads = asked(0.5, 5.0, "n1")
    first = told(1, "n1", "started", life=1)
    back = told(1, "n1", "started", life=2)
    assert judged(first, *reads) == "unknown"
    assert judged(back, told(2.5, "n1", "ended", why="killed"), *reads) == "unknown"
    assert judged(back, told(2.0, "n1", "role", role="primary", term=2), *reads) == "unknown"
    assert judged(back, *asked(0.5, 5.0, "n2")) == "unknown"

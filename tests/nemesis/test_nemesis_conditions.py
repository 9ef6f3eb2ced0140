"""Faults that wait for something to happen, in virtual time: what is seen is a literal list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import generators
from generators import PENDING, Context, Generator, simulate
from generators._context import opening_context
from histories import NEMESIS, OBSERVER, Event, Op
from nemesis import (
    Kill,
    Partition,
    becomes,
    healed,
    in_force,
    no_primary,
    observed,
    primary_elected,
    replay,
    start,
    struck,
    targets,
    when,
)
from nemesis._picture import Mandate, Picture

NODES = ["n1", "n2", "n3"]
Seen = tuple[float, str, dict[str, Any] | None]
"""At this second this node said that of itself; None: it did not answer."""


def answer(at_s: float, node: str, said: dict[str, Any] | None, index: int = 0) -> Event:
    outcome: Any = "ok" if said is not None else "fail"
    error = None if said is not None else "no answer within 1 s"
    time = round(at_s * 1e9)
    return Event(index, time, OBSERVER, outcome, "observe", None, said, error, node)


def leads(term: int, **more: Any) -> dict[str, Any]:
    return {"role": "leader", "term": term, **more}


def played(
    gen: Generator | None, seen: Sequence[Seen], until_s: float = 60.0, seed: int = 0
) -> list[tuple[float, str, Any]]:
    """The orders of a schedule, and when, in a cluster that obeys within 0.1 s."""
    assert gen is not None
    now: Generator | None = gen
    ctx = opening_context(1, seed=seed, meta={"nodes": NODES, "seed": seed})
    coming = sorted(
        [answer(at_s, node, said) for at_s, node, said in seen], key=lambda event: event.time
    )
    orders: list[tuple[float, str, Any]] = []
    end = round(until_s * 1e9)
    while now is not None:
        emitted = now.op(ctx)
        if emitted is None:
            break
        op, following = emitted
        due = end + 1 if op is PENDING else op.time or 0
        if coming and coming[0].time <= due:
            event = coming.pop(0)
            ctx = ctx.at(max(ctx.time, event.time))
            if event.process == NEMESIS:
                ctx = ctx.freed(ctx.time, 1, NEMESIS)
            now = now.update(ctx, event)
        elif isinstance(op, Op) and due <= end:
            assert op.time is not None
            orders.append((op.time / 1e9, op.f, op.value))
            ctx = ctx.busy(op.time, 1)
            done = Event(0, op.time + 10**8, NEMESIS, "ok", op.f, None, op.value)
            coming = sorted([*coming, done], key=lambda event: event.time)
            now = following
        else:
            break
    return orders


KILL = start("kill", targets="primaries")


def test_the_primary_is_killed_two_seconds_after_it_was_elected_and_started_again() -> None:
    gen = when(primary_elected(), after_s=2, do=KILL, strike_s=3)
    assert played(gen, [(1.0, "n2", leads(3)), (1.0, "n1", {"role": "follower"})]) == [
        (
            3.0,
            "start-kill",
            {"targets": ["n2"], "choice": "primaries", "when": "primary elected, 2 s after"},
        ),
        (6.1, "stop-kill", None),
    ]


def test_it_waits_until_a_snapshot_is_sent() -> None:
    gen = when(primary_elected(), after_s=2, while_=observed("sending_snapshot"), do=KILL)
    calm = [(1.0, "n2", leads(3, sending_snapshot=False))]
    assert played(gen, calm) == []
    sending = [*calm, (4.0, "n2", leads(3, sending_snapshot=True))]
    [(at_s, f, value), _] = played(gen, sending)
    assert (at_s, f) == (4.0, "start-kill")
    assert value["when"] == "primary elected, 2 s after, while sending_snapshot"
    over = [(1.5, "n2", leads(3, sending_snapshot=True)), (2.5, "n2", leads(3))]
    assert played(gen, [*calm, *over]) == [], "that one was sent too early"


def test_the_last_election_counts() -> None:
    gen = when(primary_elected(), after_s=2, do=KILL, times=1)
    seen = [(1.0, "n1", leads(1)), (2.0, "n1", {"role": "follower"}), (2.0, "n2", leads(2))]
    [(at_s, _, value), _] = played(gen, seen)
    assert (at_s, value["targets"]) == (4.0, ["n2"])


def test_an_election_during_a_strike_counts_when_the_rest_is_over() -> None:
    gen = when(primary_elected(), do=KILL, strike_s=1, quiet_s=5)
    seen = [(1.0, "n1", leads(1)), (1.5, "n1", None), (2.0, "n2", leads(2))]
    orders = played(gen, seen)
    assert [(at_s, f) for at_s, f, _ in orders] == [
        (1.0, "start-kill"),
        (pytest.approx(2.1), "stop-kill"),
        (pytest.approx(7.2), "start-kill"),
        (pytest.approx(8.3), "stop-kill"),
    ]
    assert orders[2][2]["targets"] == ["n2"]


def test_a_primary_that_hangs_for_a_moment_has_not_been_elected() -> None:
    seen = [(1.0, "n1", leads(4)), (20.0, "n1", None), (21.0, "n1", leads(4))]
    assert len(played(when(primary_elected(), do=KILL), seen)) == 2
    assert len(played(when(primary_elected(), do=KILL), [*seen, (22.0, "n1", leads(5))])) == 4


def test_one_that_does_not_know_yet_that_it_was_deposed_was_not_elected_either() -> None:
    seen = [(1.0, "n1", leads(4)), (20.0, "n2", leads(5)), (40.0, "n1", leads(4))]
    assert len(played(when(primary_elected(), do=KILL), seen)) == 4


def test_there_are_no_more_strikes_than_asked_for() -> None:
    seen = [(10.0 * term, "n1", leads(term)) for term in range(1, 6)]
    assert len(played(when(primary_elected(), do=KILL, times=2, strike_s=1), seen)) == 4
    assert played(when(primary_elected(), do=KILL, times=0), seen) == []


def test_nobody_is_struck_while_nobody_leads() -> None:
    gen = when(primary_elected(), after_s=2, do=KILL)
    gone = [(1.0, "n1", leads(1)), (2.0, "n1", {"role": "follower", "term": 1})]
    assert played(gen, gone) == []
    [(at_s, _, value), _] = played(gen, [*gone, (9.0, "n1", leads(1))])
    assert (at_s, value["targets"]) == (9.0, ["n1"])
    named = when(primary_elected(), do=start("pause", targets.none))
    assert played(named, gone) == []


def test_a_state_that_no_longer_holds_sets_nothing_off() -> None:
    gen = when(no_primary(), after_s=2, do=start("pause", targets="n3"))
    seen = [(1.0, "n1", {"role": "follower"}), (2.0, "n2", leads(1))]
    assert played(gen, seen) == []
    assert [f for _, f, _ in played(gen, seen[:1])] == ["start-pause", "stop-pause"]


def test_moments_of_the_nemesis_set_faults_off_too() -> None:
    first = when(primary_elected(), do=start("pause", targets="n1"), strike_s=1, times=1)
    second = when(struck("pause"), after_s=0.5, do=start("kill", targets="n2"), strike_s=1)
    third = when(healed("pause"), do=start("restart", targets="n3"), strike_s=None)
    gen = generators.any_of(first, second, third)
    assert [(at_s, f) for at_s, f, _ in played(gen, [(1.0, "n1", leads(1))])] == [
        (1.0, "start-pause"),
        (pytest.approx(1.6), "start-kill"),
        (pytest.approx(2.1), "stop-pause"),
        (pytest.approx(2.2), "start-restart"),
        (pytest.approx(2.7), "stop-kill"),
    ]


def test_a_fault_that_another_schedule_has_in_force_is_not_started_again() -> None:
    other = when(observed("go"), do=start("kill", targets="n3"), strike_s=10, times=1)
    gen = generators.any_of(other, when(primary_elected(), do=KILL, times=1))
    orders = played(gen, [(1.0, "n1", {"go": True}), (2.0, "n2", leads(1))])
    assert [f for _, f, _ in orders] == ["start-kill", "stop-kill", "start-kill", "stop-kill"]


def test_states_and_moments_compose_and_say_so() -> None:
    picture = Picture({"n1": {"a": 1}, "n2": {"a": 1, "b": 0}}, in_force={"kill": ("n3",)})
    assert observed("a", 1, at_least=2).holds(picture)
    assert not observed("b").holds(picture)
    assert observed("b", 0).holds(picture)
    assert (observed("a") & in_force("kill") & ~in_force("pause")).holds(picture)
    assert (observed("b") | in_force("kill")).name == "(b or kill in force)"
    assert (~observed("a", 1, at_least=2)).name == "not (a is 1 on 2 nodes)"
    assert (becomes(observed("a")) | struck("kill")).name == "a begins or kill struck"


def test_primaries_of_shards_are_known() -> None:
    shards = {"s1": {"role": "primary", "term": 5}, "s2": {"role": "replica", "term": 9}}
    picture = Picture().after(answer(1, "n1", {"shards": shards}))
    assert picture.mandates == {"s1": Mandate("n1", "s1", 5)}
    assert picture.observations == {"primaries": ["n1"]}
    assert picture.after(answer(2, "n1", None)).observations == {"primaries": []}


def test_a_partition_is_given_itself_and_faults_by_name_need_targets() -> None:
    value = start(Partition("halves")).choose(NODES, _random(), {})
    assert "grudge" in value
    with pytest.raises(ValueError, match="has targets of its own"):
        start(Partition(), targets="one")
    with pytest.raises(ValueError, match="whom shall 'kill' strike"):
        start("kill")
    with pytest.raises(ValueError, match="negative"):
        when(no_primary(), do=KILL, after_s=-1)


def _random() -> Any:
    return opening_context(1, seed=1).random


steps = st.lists(
    st.tuples(
        st.floats(0, 100),
        st.sampled_from(NODES),
        st.none()
        | st.builds(
            lambda role, term, sending: {"role": role, "term": term, "sending_snapshot": sending},
            st.sampled_from(["leader", "follower"]),
            st.integers(1, 5),
            st.booleans(),
        ),
    ),
    max_size=30,
)


@given(
    steps,
    st.sampled_from([0.0, 2.0]),
    st.sampled_from([0.0, 0.5, 5.0]),
    st.sampled_from([None, 1, 3]),
    st.booleans(),
    st.integers(0, 99),
)
def test_whatever_is_seen_strikes_are_apart_few_and_replayed(
    seen: list[Seen], after_s: float, quiet_s: float, times: int | None, waits: bool, seed: int
) -> None:
    while_ = observed("sending_snapshot") if waits else ~in_force("kill")
    gen = when(
        primary_elected(),
        do=start("kill", targets="one"),
        after_s=after_s,
        while_=while_,
        quiet_s=quiet_s,
        strike_s=2,
        times=times,
    )
    orders = played(gen, seen, until_s=1000, seed=seed)
    assert orders == played(gen, seen, until_s=1000, seed=seed)
    assert [f for _, f, _ in orders] == ["start-kill", "stop-kill"] * (len(orders) // 2)
    assert times is None or len(orders) <= 2 * times
    starts, stops = [at_s for at_s, *_ in orders[::2]], [at_s for at_s, *_ in orders[1::2]]
    assert all(b - a >= quiet_s for a, b in zip(stops, starts[1:], strict=False))
    firsts = [at_s for at_s, _, said in seen if said is not None and said["role"] == "leader"]
    assert not starts or starts[0] >= min(firsts) + after_s - 1e-9
    events = [
        Event(i, round(at_s * 1e9), NEMESIS, "invoke", f, None, value)
        for i, (at_s, f, value) in enumerate(orders)
    ]
    again = [] if not events else simulate(replay(events), generators.instant)
    assert [(e.time, e.f, e.value) for e in again if e.type == "invoke"] == [
        (event.time, event.f, event.value) for event in events
    ]


class NoSystem:
    name = "db"

    async def kill(self, host: object) -> None: ...
    async def start(self, host: object) -> None: ...


def test_a_fault_is_chosen_with_its_own_targets() -> None:
    system: Any = NoSystem()
    gen = when(primary_elected(), do=start(Kill(system, targets.majority)))
    [(_, _, value), _] = played(gen, [(1.0, "n1", leads(1))])
    assert len(value["targets"]) == 2


def test_asking_does_not_change_what_is_asked() -> None:
    ctx = opening_context(1, seed=1, meta={"nodes": NODES})
    gen: Any = when(primary_elected(), do=start("kill", targets="one"))
    gen = gen.update(ctx, answer(1.0, "n1", leads(1)))
    later: Context = msgspec.structs.replace(ctx, time=2 * 10**9)
    assert gen.op(later)[0] == gen.op(later)[0]


def test_what_nodes_tell_by_themselves_is_news_of_one_thing_and_leaves_the_rest() -> None:
    def role(index: int, node: str, role: str, term: int, shard: str) -> Event:
        return answer(index, node, {"event": "role", "role": role, "term": term, "shard": shard})

    picture = Picture()
    for event in (
        role(1, "n1", "leader", 1, "s1"),
        role(2, "n2", "leader", 1, "s2"),
        role(3, "n1", "follower", 2, "s2"),
        answer(4, "n1", {"event": "applied", "index": 7}),
    ):
        picture = picture.after(event)
    assert picture.observations["primaries"] == ["n1", "n2"]
    assert picture.after(answer(5, "n2", {"event": "ended"})).observations["primaries"] == ["n1"]
    picture = picture.after(role(5, "n3", "leader", 2, "s1"))
    assert picture.mandates["s1"] == Mandate("n3", "s1", 2)

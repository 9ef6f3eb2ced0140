"""Chaos, and what holds of every schedule: played in virtual time, no hosts, no clocks."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import generators
from generators import Context, Emitted, Generator, simulate
from histories import Event, Op
from nemesis import (
    CrashLoop,
    Fault,
    Kill,
    Partition,
    Pause,
    Restart,
    RollingRestart,
    Target,
    chaos,
    replay,
    schedule,
    targets,
    turns,
)
from nemesis._chaos import struck_by


class NoSystem:
    """Schedules never touch a system; faults only want to know its name."""

    name = "db"

    async def kill(self, host: object) -> None: ...
    async def start(self, host: object) -> None: ...
    async def stop(self, host: object) -> None: ...
    async def pause(self, host: object) -> None: ...


SYSTEM: Any = NoSystem()
MAKERS: dict[str, Callable[[Target], Fault]] = {
    "kill": lambda target: Kill(SYSTEM, target),
    "pause": lambda target: Pause(SYSTEM, target),
    "restart": lambda target: Restart(SYSTEM, target),
    "rolling-restart": lambda _target: RollingRestart(SYSTEM),
    "crash-loop": lambda target: CrashLoop(SYSTEM, target),
    "partition": lambda _target: Partition(),
    "cut-off": lambda target: Partition("one", target, name="cut-off"),
}
KILL, PAUSE, PARTITION = (MAKERS[name](targets.one) for name in ("kill", "pause", "partition"))


class Naming(msgspec.Struct, frozen=True):
    """Tells the generator below it the nodes and the seed, as a real run does."""

    gen: Generator
    nodes: int = 5
    seed: int = 0

    def op(self, ctx: Context) -> Emitted:
        nodes = [f"n{number + 1}" for number in range(self.nodes)]
        meta = {"nodes": nodes, "seed": self.seed}
        emitted = self.gen.op(msgspec.structs.replace(ctx, meta=meta))
        if emitted is None:
            return None
        op, gen = emitted
        return op, None if gen is None else Naming(gen, self.nodes, self.seed)

    def update(self, ctx: Context, event: Event) -> Naming:
        nodes = [f"n{number + 1}" for number in range(self.nodes)]
        told = msgspec.structs.replace(ctx, meta={"nodes": nodes, "seed": self.seed})
        return Naming(self.gen.update(told, event), self.nodes, self.seed)


def late(ctx: Context, op: Op) -> Op:
    """Orders take up to three seconds, and one in ten ends in info."""
    assert op.time is not None
    done = op.info("?") if ctx.random.random() < 0.1 else op.ok(op.value)
    return msgspec.structs.replace(done, time=op.time + round(ctx.random.random() * 3e9))


def played(
    gen: Generator | None,
    *,
    seed: int = 0,
    orders: int = 60,
    nodes: int = 5,
    run: int | None = None,
) -> list[Event]:
    """The events of a schedule; `run` is the seed of all else that happens."""
    limited = generators.limit(orders, gen)
    assert limited is not None
    return simulate(Naming(limited, nodes, seed), late, seed=seed if run is None else run)


def orders(events: Sequence[Event]) -> list[tuple[int, str, Any]]:
    return [(event.time, event.f, event.value) for event in events if event.type == "invoke"]


cases = st.fixed_dictionaries(
    {
        "names": st.lists(st.sampled_from(sorted(MAKERS)), min_size=1, max_size=7, unique=True),
        "target": st.sampled_from([targets.one, targets.minority, targets.majority, targets.all]),
        "at_once": st.integers(1, 4),
        "nodes": st.integers(1, 7),
        "seed": st.integers(0, 2**32),
        "interval_s": st.sampled_from([0, 0.5, 5.0]),
    }
)


def of(case: dict[str, Any]) -> tuple[Generator | None, list[Fault]]:
    faults = [MAKERS[name](case["target"]) for name in case["names"]]
    return chaos(faults, case["interval_s"], at_once=case["at_once"]), faults


@given(cases)
def test_chaos_keeps_apart_what_excludes_one_another(case: dict[str, Any]) -> None:
    gen, faults = of(case)
    lane_of = {fault.name: fault.lane for fault in faults}
    nodes = [f"n{number + 1}" for number in range(case["nodes"])]
    in_force: dict[str, frozenset[str]] = {}
    for event in played(gen, seed=case["seed"], nodes=case["nodes"]):
        verb, _, name = event.f.partition("-")
        if verb == "start" and event.type == "invoke":
            assert name not in in_force, "no fault twice"
            struck = struck_by(event.value, nodes)
            for other, at in in_force.items():
                assert lane_of[other] != lane_of[name] or not at & struck
            in_force[name] = struck
            assert len(in_force) <= case["at_once"]
        elif verb == "stop" and event.type == "invoke":
            assert name in in_force, "only what has started is stopped"
        elif verb == "stop":
            del in_force[name]


@given(cases)
def test_every_start_of_chaos_has_its_stop(case: dict[str, Any]) -> None:
    gen, _ = of(case)
    fs = [event.f for event in played(gen, seed=case["seed"], nodes=case["nodes"], orders=40)]
    for name in case["names"]:
        mine = [f for f in fs if f.partition("-")[2] == name][::2]
        turns_taken = itertools.cycle((f"start-{name}", f"stop-{name}"))
        assert mine == list(itertools.islice(turns_taken, len(mine)))


SCHEDULES: dict[str, Callable[[list[Fault]], Generator | None]] = {
    "random": lambda faults: schedule(faults, 5),
    "turns": lambda faults: turns(faults, 5),
    "chaos": lambda faults: chaos(faults, 5),
}


@given(st.sampled_from(sorted(SCHEDULES)), cases)
def test_the_same_seed_gives_the_same_orders_and_replay_gives_them_again(
    kind: str, case: dict[str, Any]
) -> None:
    faults = [MAKERS[name](case["target"]) for name in case["names"]]
    gen = SCHEDULES[kind](faults)
    once = played(gen, seed=case["seed"], nodes=case["nodes"], orders=30)
    assert played(gen, seed=case["seed"], nodes=case["nodes"], orders=30) == once
    again = simulate(Naming(_there(replay(once))), generators.instant, seed=99)
    assert orders(again) == orders(once)


def _there(gen: Generator | None) -> Generator:
    assert gen is not None
    return gen


@given(st.sampled_from(["random", "turns"]), st.integers(0, 2**32), st.integers(0, 2**32))
def test_neither_clients_nor_the_pace_of_the_cluster_change_what_is_ordered(
    kind: str, seed: int, pace: int
) -> None:
    """Of faults with one rhythm; with several, which one comes first is up to their pace."""
    gen = SCHEDULES[kind]([KILL, PAUSE])
    told = [
        [(f, value) for _, f, value in orders(played(gen, seed=seed, orders=20, run=run))]
        for run in (1, pace)
    ]
    assert told[0] == told[1]


def test_faults_are_drawn_by_their_weights() -> None:
    """In 10,000 draws a share is off by more than 0.02 (4 sigma) once in 16,000 seeds."""
    gen = chaos([KILL, PAUSE, PARTITION], 1, weights={"kill": 3, "pause": 1.5}, at_once=1)
    begun = Counter(
        f for _, f, _ in orders(played(gen, orders=20_000, seed=5)) if f.startswith("start-")
    )
    assert sum(begun.values()) == 10_000
    for name, weight in {"kill": 3, "pause": 1.5, "partition": 1}.items():
        assert abs(begun[f"start-{name}"] / 10_000 - weight / 5.5) < 0.02


def test_several_faults_are_in_force_together_also_of_one_lane() -> None:
    gen = chaos([KILL, PAUSE, PARTITION], 5)
    active: set[str] = set()
    together: Counter[frozenset[str]] = Counter()
    for _, f, _ in orders(played(gen, orders=400)):
        verb, _, name = f.partition("-")
        (active.add if verb == "start" else active.remove)(name)
        together[frozenset(active)] += 1
    assert together[frozenset({"kill", "pause", "partition"})] > 10
    assert together[frozenset({"kill", "pause"})] > 10


def test_two_of_three_are_in_force_on_the_average_unless_told_otherwise() -> None:
    gen = chaos([KILL, PAUSE, PARTITION, MAKERS["restart"](targets.one)], 5)
    limited = generators.limit(2000, gen)
    events = simulate(Naming(_there(limited)), generators.instant)
    spent = 0.0
    count = 0
    for before, after in itertools.pairwise(events):
        if before.type != "invoke":
            count += 1 if before.f.startswith("start-") else -1
        spent += count * (after.time - before.time)
    assert 1.5 < spent / events[-1].time < 2.5


def test_of_whom_only_the_cluster_knows_it_is_struck_alone_in_its_lane() -> None:
    gen = chaos([Kill(SYSTEM, targets.primaries), PAUSE], 1, strike_s=10)
    fs = [f for _, f, _ in orders(played(gen, orders=40))]
    active: set[str] = set()
    for f in fs:
        verb, _, name = f.partition("-")
        (active.add if verb == "start" else active.remove)(name)
        assert active != {"kill", "pause"}


def test_what_needs_the_rest_of_the_system_is_alone_in_its_lane() -> None:
    class Needy(Kill):
        heals_last = True

    gen = chaos([Needy(SYSTEM, name="needy"), KILL, PARTITION], 1, strike_s=10)
    active: set[str] = set()
    together: set[frozenset[str]] = set()
    for _, f, _ in orders(played(gen, orders=200)):
        verb, _, name = f.partition("-")
        (active.add if verb == "start" else active.remove)(name)
        together.add(frozenset(active))
    assert frozenset({"needy", "partition"}) in together
    assert not any({"needy", "kill"} <= each for each in together)


@pytest.mark.parametrize(
    "options",
    [{"at_once": 0}, {"interval_s": -1}, {"strike_s": -1}, {"weights": {"quake": 1}}],
)
def test_chaos_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"at least one|negative|above zero"):
        chaos([KILL], **options)


def test_chaos_of_nothing_is_nothing() -> None:
    assert chaos([]) is None
    assert turns([]) is None


@pytest.mark.parametrize(
    ("value", "struck"),
    [
        ({"targets": ["n1"]}, {"n1"}),
        ("n2", {"n2"}),
        (["n2", "n3"], {"n2", "n3"}),
        ("all", {"n1", "n2", "n3"}),
        ({"targets": None, "choice": "primaries"}, {"n1", "n2", "n3"}),
        (None, {"n1", "n2", "n3"}),
        ({"targets": ["n1"], "grudge": {"n1": ["n2"]}}, {"n1", "n2"}),
    ],
)
def test_an_order_says_which_nodes_it_may_touch(value: Any, struck: set[str]) -> None:
    assert struck_by(value, ["n1", "n2", "n3"]) == struck

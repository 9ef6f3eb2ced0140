"""Schedules, played in virtual time: no hosts, no clocks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from random import Random

import msgspec
import pytest

import generators
from generators import Context, Emitted, Generator, Pending, simulate
from generators._context import opening_context
from histories import NEMESIS, Event, Op
from nemesis import Kill, Partition, Pause, final, replay, schedule, script, targets

NODES = ["n1", "n2", "n3", "n4", "n5"]


class NoSystem:
    """Schedules never touch a system; faults only want to know its name."""

    name = "db"

    async def kill(self, host: object) -> None: ...
    async def start(self, host: object) -> None: ...
    async def pause(self, host: object) -> None: ...


KILL, PAUSE, PARTITION = Kill(NoSystem()), Pause(NoSystem(), targets.minority), Partition()


class Naming(msgspec.Struct, frozen=True):
    """Tells the generator below it which nodes there are, as a real run would."""

    gen: Generator

    def op(self, ctx: Context) -> Emitted:
        emitted = self.gen.op(msgspec.structs.replace(ctx, meta={"nodes": NODES}))
        if emitted is None:
            return None
        op, gen = emitted
        return op, None if gen is None else Naming(gen)

    def update(self, ctx: Context, event: Event) -> Naming:
        return Naming(self.gen.update(ctx, event))


def played(gen: Generator | None, *, seed: int = 1, events: int = 40) -> list[Event]:
    limited = generators.limit(events // 2, gen)
    assert limited is not None
    return simulate(Naming(limited), seed=seed)


def asked(gen: Generator | None, ctx: Context) -> Op:
    assert gen is not None
    emitted = gen.op(ctx)
    assert emitted is not None
    op, _ = emitted
    assert not isinstance(op, Pending)
    return op


def orders(events: Sequence[Event]) -> list[str]:
    return [event.f for event in events if event.type == "invoke"]


def test_a_fault_starts_and_stops_in_turn() -> None:
    fs = orders(played(schedule([KILL], 10)))
    assert fs[:4] == ["start-kill", "stop-kill", "start-kill", "stop-kill"]


def test_every_strike_is_drawn_from_the_seed_and_names_its_nodes() -> None:
    once, again = played(schedule([PAUSE], 10), seed=3), played(schedule([PAUSE], 10), seed=3)
    assert once == again
    assert once != played(schedule([PAUSE], 10), seed=4)
    starts = [event for event in once if event.f == "start-pause" and event.type == "invoke"]
    assert all(len(event.value["targets"]) == 2 for event in starts)
    assert len({tuple(event.value["targets"]) for event in starts}) > 1


def test_the_same_schedule_value_can_be_played_again_with_another_seed() -> None:
    plan = schedule([PAUSE], 10)
    assert played(plan, seed=3) == played(schedule([PAUSE], 10), seed=3)
    assert played(plan, seed=4) == played(schedule([PAUSE], 10), seed=4)


def test_waits_lie_between_half_and_one_and_a_half_times_their_mean() -> None:
    events = played(schedule([KILL], 10, strike_s=2, first_s=1), events=200)
    times = [event.time / 1e9 for event in events if event.type == "invoke"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert times[0] == 1
    assert all(1 <= gap <= 3.001 for gap in gaps[0::2])  # in force
    assert all(5 <= gap <= 15.001 for gap in gaps[1::2])  # quiet


def test_processes_and_network_are_struck_at_the_same_time_but_kill_and_pause_never() -> None:
    fs = orders(played(schedule([KILL, PAUSE, PARTITION], 10), events=400))
    active: set[str] = set()
    together: set[frozenset[str]] = set()
    for f in fs:
        verb, _, name = f.partition("-")
        (active.add if verb == "start" else active.remove)(name)
        together.add(frozenset(active))
    assert {"kill", "partition"} in together
    assert {"pause", "partition"} in together
    assert not any({"kill", "pause"} <= both for both in together)


def test_without_overlap_one_fault_is_in_force_at_a_time() -> None:
    fs = orders(played(schedule([KILL, PAUSE, PARTITION], 10, overlap=False), events=200))
    assert all(fs[i + 1] == fs[i].replace("start", "stop") for i in range(0, len(fs) - 1, 2))


def test_faults_run_beside_the_load_on_the_nemesis_worker() -> None:
    gen = generators.clients(
        generators.delay(1, generators.repeat(Op("read"))), schedule([KILL], 3)
    )
    events = played(generators.time_limit(30, gen), events=1000)
    assert {event.process for event in events if event.f.endswith("kill")} == {NEMESIS}
    assert len([event for event in events if event.f == "start-kill"]) > 4


def test_primaries_are_named_as_soon_as_they_have_been_observed() -> None:
    lane = schedule([Kill(NoSystem(), targets.primaries)], 10, first_s=0)
    ctx = opening_context(1, seed=1, meta={"nodes": NODES})
    assert asked(lane, ctx).value == {"targets": None, "choice": "primaries"}
    seen = Event(0, 5, "observer", "info", "roles", value={"primaries": ["n4"]})
    assert lane is not None
    assert asked(lane.update(ctx, seen), ctx).value == {"targets": ["n4"], "choice": "primaries"}


def test_a_script_plays_its_steps_at_their_times() -> None:
    steps = [(1.0, "start-pause", {"targets": ["n1"]}), (2.5, "stop-pause", None)]
    events = [event for event in played(script(steps)) if event.type == "invoke"]
    assert [(event.time / 1e9, event.f, event.value) for event in events] == steps


def test_what_was_played_can_be_replayed_from_the_history() -> None:
    events = played(schedule([KILL, PAUSE, PARTITION], 10), events=60)
    again = played(replay(events), seed=99, events=60)
    ordered = [(e.time, e.f, e.value) for e in events if e.type == "invoke"]
    assert [(e.time, e.f, e.value) for e in again if e.type == "invoke"] == ordered


def test_the_final_phase_stops_every_fault() -> None:
    assert orders(played(final([KILL, PAUSE, PARTITION]))) == [
        "stop-kill",
        "stop-pause",
        "stop-partition",
    ]


def test_a_test_without_nodes_is_told_so() -> None:
    ctx = opening_context(1, seed=1)
    with pytest.raises(generators.GeneratorError, match="names none"):
        asked(schedule([KILL], 10), ctx)


def test_asking_again_and_again_before_it_is_time_draws_once() -> None:
    class Counting(Random):
        draws = 0

        def random(self) -> float:
            self.draws += 1
            return super().random()

    ctx = opening_context(1, seed=1, meta={"nodes": NODES})
    counting = Counting(1)
    ctx = msgspec.structs.replace(ctx, random=counting)
    assert isinstance(ctx, Context)
    plan = schedule([PAUSE], 10)
    first = asked(plan, ctx)
    draws = counting.draws
    assert all(asked(plan, ctx.at(time)) == first for time in range(0, 10**9, 10**8))
    assert counting.draws == draws


def test_a_partition_is_ordered_with_its_whole_grudge() -> None:
    value = Partition("one").choose(NODES, Random(1), {})
    [loner] = value["targets"]
    assert value["grudge"][loner] == [node for node in NODES if node != loner]
    assert Partition("halves").choose(NODES, Random(1), {}).keys() == {"kind", "grudge"}


def test_a_partition_with_an_unknown_shape_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="shapes are one, halves, majority-ring, one-way"):
        Partition("thirds")


def test_a_fault_of_more_weight_is_drawn_more_often() -> None:
    plan = schedule([KILL, PAUSE], interval_s=1, weights={"pause": 9})
    begun = [event.f for event in played(plan, events=800) if event.f.startswith("start-")]
    kills, pauses = begun.count("start-kill"), begun.count("start-pause")
    assert kills > 0
    assert pauses > 3 * kills


def test_weights_of_one_rhythm_leave_the_other_alone() -> None:
    plan = schedule([KILL, PAUSE, PARTITION], interval_s=1, weights={"pause": 9})
    assert "start-partition" in {event.f for event in played(plan)}


@pytest.mark.parametrize("weights", [{"quake": 1}, {"kill": 0}, {"kill": -1}, {"kill": math.inf}])
def test_weights_that_make_no_sense_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        schedule([KILL, PAUSE], weights=weights)

"""Combinators, played in virtual time: no threads, no clocks."""

# ruff: noqa: ARG001, ARG002  (the contract names arguments that not everyone needs)

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import msgspec
import pytest

import generators as gen
from generators import LATENCY_NS, Context, GeneratorError, crashing, instant, simulate
from histories import Event, Op

SECOND = 1_000_000_000
READ = Op("read")
READS = gen.repeat(READ)


def invoked(events: list[Event]) -> list[Event]:
    return [event for event in events if event.type == "invoke"]


def fs(generator: gen.Liftable, **options: object) -> list[str]:
    return [e.f for e in invoked(simulate(generator, **options))]  # type: ignore[arg-type]


def writes(n: int) -> list[Op]:
    return [Op("write", i) for i in range(n)]


def later(op: Op, ns: int) -> Op:
    assert op.time is not None
    return msgspec.structs.replace(op, time=op.time + ns)


# How many.


def test_limit_ends_after_so_many_operations() -> None:
    assert len(invoked(simulate(gen.limit(3, READS)))) == 3
    assert gen.limit(0, READS) is None


def test_waiting_does_not_use_up_a_limit() -> None:
    assert len(invoked(simulate(gen.limit(7, READS), concurrency=1, nemesis=False))) == 7


def test_once_takes_the_first_operation_only() -> None:
    assert [e.value for e in invoked(simulate(gen.once(writes(3))))] == [0]


def test_repeat_says_the_first_operation_again() -> None:
    assert [e.value for e in invoked(simulate(gen.repeat(writes(3), 4)))] == [0, 0, 0, 0]


def test_cycle_goes_through_everything_again() -> None:
    assert [e.value for e in invoked(simulate(gen.cycle(writes(2), 2)))] == [0, 1, 0, 1]
    assert [e.value for e in invoked(simulate(gen.limit(5, gen.cycle(writes(2)))))] == [
        0,
        1,
        0,
        1,
        0,
    ]


def test_a_cycle_of_something_exhausted_ends() -> None:
    assert simulate(gen.cycle(lambda: None)) == []


def test_concat_puts_generators_one_after_the_other_without_waiting() -> None:
    events = simulate(gen.concat(READ, None, Op("write", 1)), nemesis=False)
    assert [(e.f, e.time) for e in invoked(events)] == [("read", 0), ("write", 0)]


def test_until_ok_ends_at_the_first_success() -> None:
    outcomes = iter(["fail", "info", "ok", "ok"])

    def complete(ctx: Context, op: Op) -> Op:
        kind = next(outcomes)
        return later({"fail": op.fail, "info": op.info, "ok": op.ok}[kind](), LATENCY_NS)

    events = simulate(gen.until_ok(READS), complete, concurrency=1, nemesis=False)
    assert [(e.process, e.type) for e in events] == [
        (0, "invoke"),
        (0, "fail"),
        (0, "invoke"),
        (0, "info"),
        (1, "invoke"),
        (1, "ok"),
    ]


def test_until_ok_looks_at_its_own_operations_only() -> None:
    both = gen.any_of(
        gen.on_threads([0], gen.until_ok(gen.limit(3, gen.delay(1, READS)))),
        gen.on_threads([1], Op("write", 1)),
    )

    def only_writes_succeed(ctx: Context, op: Op) -> Op:
        return op.ok() if op.f == "write" else op.fail("busy")

    assert Counter(e.f for e in invoked(simulate(both, only_writes_succeed))) == {
        "read": 3,
        "write": 1,
    }


# Which.


def test_map_changes_every_operation() -> None:
    doubled = gen.map(
        lambda op: Op(op.f, op.value * 2, process=op.process, time=op.time), writes(3)
    )
    assert [e.value for e in invoked(simulate(doubled))] == [0, 2, 4]


def test_f_map_renames_so_that_generators_can_share_a_nemesis() -> None:
    assert fs(gen.f_map({"start": "start-partition"}, [Op("start"), Op("stop")])) == [
        "start-partition",
        "stop",
    ]


def test_filter_lets_through_what_satisfies_it() -> None:
    even = gen.filter(lambda op: op.value % 2 == 0, writes(5))
    assert [e.value for e in invoked(simulate(even))] == [0, 2, 4]


def test_mix_draws_evenly() -> None:
    counts = Counter(
        fs(gen.limit(3000, gen.mix(READS, gen.repeat(Op("write")), lambda: Op("cas"))))
    )
    assert all(900 < counts[f] < 1100 for f in ("read", "write", "cas"))


def test_mix_takes_a_list_and_weights() -> None:
    mixed = gen.mix([READS, gen.repeat(Op("write"))], weights=[9, 1])
    counts = Counter(fs(gen.limit(3000, mixed)))
    assert 2600 < counts["read"] < 2800


def test_mix_goes_on_with_the_others_when_one_is_exhausted() -> None:
    mixed = gen.mix(gen.limit(3, READS), gen.limit(50, gen.repeat(Op("write"))), weights=[5, 1])
    assert Counter(fs(mixed)) == {"read": 3, "write": 50}


def test_mix_is_not_stuck_on_a_generator_that_waits() -> None:
    mixed = gen.mix(gen.synchronize(gen.limit(5, READS)), gen.limit(20, gen.repeat(Op("write"))))
    assert Counter(fs(mixed)) == {"read": 5, "write": 20}


def test_mix_refuses_weights_that_do_not_fit() -> None:
    with pytest.raises(GeneratorError, match="as many weights"):
        gen.mix(READS, READS, weights=[1])


def test_any_of_takes_whichever_is_ready_first() -> None:
    both = gen.any_of(gen.delay(2, gen.limit(3, READS)), gen.delay(3, writes(3)))
    assert [(e.f, e.time // SECOND) for e in invoked(simulate(both))][2:] == [
        ("read", 2),
        ("write", 3),
        ("read", 4),
        ("write", 6),
    ]


def test_any_of_starves_nobody() -> None:
    counts = Counter(fs(gen.limit(1000, gen.any_of(READS, gen.repeat(Op("write"))))))
    assert 400 < counts["read"] < 600


def test_flip_flop_alternates_and_ends_with_the_first_to_end() -> None:
    alternating = gen.flip_flop(gen.repeat(Op("start")), gen.limit(2, gen.repeat(Op("stop"))))
    assert fs(alternating) == ["start", "stop", "start", "stop", "start"]


# When.


def test_delay_spaces_operations_evenly() -> None:
    events = invoked(simulate(gen.delay(3, writes(4)), concurrency=1))
    assert [e.time for e in events] == [0, 3 * SECOND, 6 * SECOND, 9 * SECOND]


def test_stagger_spaces_operations_at_random_around_the_interval() -> None:
    events = invoked(simulate(gen.limit(2000, gen.stagger(0.1, READS))))
    gaps = [b.time - a.time for a, b in pairwise(events)]
    assert 0.09 < events[-1].time / SECOND / 2000 < 0.11
    assert min(gaps) < 0.01 * SECOND
    assert 0.19 * SECOND < max(gaps) <= 0.2 * SECOND


def test_a_pace_is_kept_although_clients_are_sometimes_late() -> None:
    def takes_12_ms(ctx: Context, op: Op) -> Op:
        return later(op.ok(), 12_000_000)

    # One client, every 10 ms: 12 ms each.  With two clients there is time enough.
    late = invoked(simulate(gen.delay(0.01, gen.limit(11, READS)), takes_12_ms, concurrency=2))
    assert late[-1].time == 10 * 10_000_000


def test_there_is_no_storm_after_a_long_wait() -> None:
    def first_takes_a_minute(ctx: Context, op: Op) -> Op:
        assert op.time is not None
        return Op(
            op.f, type="ok", process=op.process, time=op.time + (60 * SECOND if op.time == 0 else 1)
        )

    events = invoked(
        simulate(
            gen.delay(1, gen.limit(4, READS)), first_takes_a_minute, concurrency=1, nemesis=False
        )
    )
    assert [e.time // SECOND for e in events] == [0, 60, 61, 62]


def test_time_limit_counts_from_the_first_operation() -> None:
    limited = gen.phases(gen.on_threads([0], gen.sleep(5)), gen.time_limit(10, gen.delay(3, READS)))
    assert [e.time // SECOND for e in invoked(simulate(limited))] == [5, 8, 11, 14]


def test_time_limit_lets_operations_complete() -> None:
    events = simulate(gen.time_limit(1e-9 * 15, READS), concurrency=1, nemesis=False)
    assert [(e.time, e.type) for e in events] == [
        (0, "invoke"),
        (10, "ok"),
        (10, "invoke"),
        (20, "ok"),
    ]


def test_sleep_keeps_one_worker_and_leaves_no_trace() -> None:
    events = simulate(gen.nemesis([gen.sleep(3), Op("start"), gen.sleep(2), Op("stop")]))
    assert [(e.f, e.time // SECOND) for e in invoked(events)] == [("start", 3), ("stop", 5)]


def test_log_leaves_no_trace_in_the_history() -> None:
    assert fs([gen.log("now"), READ]) == ["read"]


# Who.


def test_clients_and_nemesis_keep_to_themselves() -> None:
    both = gen.clients(gen.limit(20, READS), gen.limit(3, gen.repeat(Op("break"))))
    events = invoked(simulate(both))
    assert {e.f for e in events if e.process == "nemesis"} == {"break"}
    assert {e.f for e in events if e.process != "nemesis"} == {"read"}
    assert fs(gen.nemesis(Op("break"), READ)).count("break") == 1


def test_a_generator_for_threads_that_do_not_exist_is_exhausted() -> None:
    assert fs(gen.clients(READ, Op("break")), nemesis=False) == ["read"]
    assert fs(gen.on_threads([7], READS)) == []


def test_on_threads_takes_a_set_or_a_predicate() -> None:
    events = invoked(simulate(gen.on_threads([1], gen.limit(3, READS)), concurrency=3))
    assert {e.process for e in events} == {1}
    odd = gen.on_threads(lambda thread: thread in (1, 3), gen.limit(30, READS))
    assert {e.process for e in invoked(simulate(odd, concurrency=5))} == {1, 3}


def test_threads_stay_the_same_when_processes_crash() -> None:
    events = invoked(simulate(gen.on_threads([1], gen.limit(3, READS)), crashing, concurrency=3))
    assert [e.process for e in events] == [1, 4, 7]


def test_all_free_threads_get_their_share() -> None:
    events = invoked(simulate(gen.limit(4000, READS), instant, concurrency=4, nemesis=False))
    shares = Counter(e.process for e in events)
    assert all(900 < shares[process] < 1100 for process in range(4))


def test_each_thread_has_its_own_copy() -> None:
    events = invoked(simulate(gen.clients(gen.each_thread(writes(2))), concurrency=3))
    assert sorted((e.process, e.value) for e in events) == [
        (process, value) for process in range(3) for value in range(2)
    ]


def test_each_thread_with_until_ok_tries_on_every_thread() -> None:
    def only_second_tries(ctx: Context, op: Op) -> Op:
        return op.ok() if op.process not in (0, 1, 2) else op.info("down")

    tries = gen.clients(gen.each_thread(gen.until_ok(READS)))
    events = invoked(simulate(tries, only_second_tries, concurrency=3))
    assert sorted(e.process for e in events) == [0, 1, 2, 3, 4, 5]


def test_reserve_gives_threads_to_generators() -> None:
    reserved = gen.reserve(1, gen.repeat(Op("write")), 2, gen.repeat(Op("cas")), READS)
    events = invoked(simulate(gen.clients(gen.limit(300, reserved)), concurrency=5))
    who = {f: {e.process for e in events if e.f == f} for f in ("write", "cas", "read")}
    assert who == {"write": {0}, "cas": {1, 2}, "read": {3, 4}}
    assert all(sum(e.f == f for e in events) > 30 for f in who)


def test_reserve_with_too_few_threads_says_so() -> None:
    with pytest.raises(GeneratorError, match="wants 5 threads and has 2"):
        simulate(gen.clients(gen.reserve(5, READ, READ)))
    with pytest.raises(GeneratorError, match="count, generator"):
        gen.reserve(READ, 5, READ)


def test_synchronize_waits_until_all_are_free() -> None:
    events = simulate([*writes(2), gen.synchronize(READ)], concurrency=2, nemesis=False)
    assert [(e.f, e.time) for e in invoked(events)] == [
        ("write", 0),
        ("write", 0),
        ("read", LATENCY_NS),
    ]


def test_phases_wait_for_each_other() -> None:
    phases = gen.phases(gen.each_thread(Op("a")), None, gen.each_thread(Op("b")), Op("c"))
    events = invoked(simulate(phases, concurrency=2, nemesis=False))
    assert [(e.f, e.time) for e in events] == [
        ("a", 0),
        ("a", 0),
        ("b", 10),
        ("b", 10),
        ("c", 20),
    ]


def test_then_is_two_phases() -> None:
    assert fs(gen.then(writes(2), READ)) == ["write", "write", "read"]
    assert fs(gen.then(None, READ)) == ["read"]


def test_process_limit_bounds_how_many_processes_a_generator_goes_through() -> None:
    events = invoked(simulate(gen.clients(gen.process_limit(5, READS)), crashing, concurrency=2))
    assert {e.process for e in events} <= {0, 1, 2, 3, 4, 5}
    assert len(events) <= 5
    few = invoked(simulate(gen.clients(gen.process_limit(2, gen.limit(50, READS))), concurrency=9))
    assert {e.process for e in few} == {0, 1}


# Contracts.


def test_a_generator_value_never_changes() -> None:
    everything = gen.phases(
        gen.time_limit(
            3,
            gen.clients(
                gen.stagger(0.05, gen.mix(READS, gen.cycle(writes(3)), gen.until_ok(READS))),
                gen.cycle([gen.sleep(0.5), Op("start"), gen.sleep(0.5), Op("stop")]),
            ),
        ),
        gen.clients(gen.each_thread(gen.until_ok(READS))),
    )
    assert simulate(everything, seed=3) == simulate(everything, seed=3)
    assert simulate(everything, seed=3) != simulate(everything, seed=4)


def test_simulate_says_when_a_generator_waits_for_ever() -> None:
    class Stuck:
        def op(self, ctx: Context) -> gen.Emitted:
            return gen.PENDING, self

        def update(self, ctx: Context, event: Event) -> gen.Generator:
            return self

    with pytest.raises(GeneratorError, match="nothing is under way"):
        simulate(Stuck())


def test_simulate_says_when_a_generator_does_not_end() -> None:
    with pytest.raises(GeneratorError, match="wrap it in limit"):
        simulate(READS, operations_max=100)


@pytest.mark.parametrize(
    ("emitted", "complaint"),
    [
        (Op("read"), "must answer"),
        ((Op("read"), None), "no process or no time"),
        ((Op("read", process=9, time=0), None), "not one of this context's"),
        ((Op("read", process=0, time=0, type="ok"), None), "for completions"),
        ((gen.PENDING, None), "ask again"),
        ((Op("read", process=0, time=0), "next"), "not a generator"),
        (("read", None), "neither an Op nor PENDING"),
    ],
)
def test_a_generator_that_breaks_its_contract_is_told_how(emitted: object, complaint: str) -> None:
    class Broken:
        def op(self, ctx: Context) -> gen.Emitted:
            return emitted  # type: ignore[return-value]

        def update(self, ctx: Context, event: Event) -> gen.Generator:
            return self

    with pytest.raises(GeneratorError, match=complaint):
        simulate(Broken())


def test_a_time_limit_is_not_cut_short_by_what_comes_after_it_while_clients_are_busy() -> None:
    late = gen.nemesis([Op("break", process="nemesis", time=2_000_000_000)])
    load = gen.any_of(gen.clients(gen.repeat(Op("read"))), late)

    def slow(_ctx: Context, op: Op) -> Op:
        assert op.time is not None
        return msgspec.structs.replace(op.ok(), time=op.time + 100_000_000)

    events = simulate(gen.time_limit(1, load), slow, concurrency=1)
    assert [event.f for event in events if event.type == "invoke"] == ["read"] * 10

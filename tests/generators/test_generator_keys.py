"""Many keys, groups of threads, and the workloads made of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import count

import generators as gen
from generators import crashing, simulate
from histories import Event, Op

READS = gen.repeat(Op("read"))


def invoked(events: list[Event]) -> list[Event]:
    return [event for event in events if event.type == "invoke"]


def test_sequential_keys_come_one_after_the_other() -> None:
    events = invoked(simulate(gen.sequential_keys("ab", lambda _: gen.limit(2, READS))))
    assert [e.key for e in events] == ["a", "a", "b", "b"]


def test_each_group_of_threads_has_a_key_to_itself() -> None:
    keys = gen.concurrent_keys(2, ["a", "b", "c", "d"], lambda _: gen.limit(10, READS))
    events = invoked(simulate(keys, concurrency=4))
    assert Counter(e.key for e in events) == dict.fromkeys("abcd", 10)
    groups: defaultdict[str, set[object]] = defaultdict(set)
    for event in events:
        groups[event.key].add(event.process)
    assert sorted(sorted(map(str, group)) for group in groups.values()) == [
        ["0", "1"],
        ["0", "1"],
        ["2", "3"],
        ["2", "3"],
    ]


def test_keys_may_be_endless() -> None:
    keys = gen.limit(30, gen.concurrent_keys(1, count(), lambda _: gen.limit(3, READS)))
    assert len({e.key for e in invoked(simulate(keys, concurrency=3))}) >= 10


def test_a_barrier_is_about_its_own_key() -> None:
    def two_phases(_: object) -> gen.Liftable:
        return gen.phases(gen.each_thread(Op("a")), gen.each_thread(Op("b")))

    events = invoked(simulate(gen.concurrent_keys(2, ["x", "y"], two_phases), concurrency=4))
    for key in "xy":
        assert [e.f for e in events if e.key == key] == ["a", "a", "b", "b"]


def test_leftover_threads_join_the_last_group() -> None:
    keys = gen.concurrent_keys(2, ["x", "y"], lambda _: gen.each_thread(Op("read")))
    events = invoked(simulate(keys, concurrency=5))
    assert sorted(str(e.process) for e in events) == ["0", "1", "2", "3", "4"]
    assert sorted(Counter(e.key for e in events).values()) == [2, 3]


def test_fewer_threads_than_a_group_wants_are_one_group() -> None:
    keys = gen.concurrent_keys(8, ["x", "y"], lambda _: gen.limit(5, READS))
    assert len(invoked(simulate(keys, concurrency=2))) == 10


def test_the_nemesis_has_no_key() -> None:
    keys = gen.concurrent_keys(1, ["x"], lambda _: gen.limit(50, READS))
    assert all(e.process != "nemesis" for e in simulate(keys))


# Workloads.


def test_register_reads_writes_and_compares_and_sets() -> None:
    workload = gen.register(ops_per_key=100, values=5)
    events = invoked(simulate(gen.limit(4000, workload.generator), concurrency=8))
    shares = Counter(e.f for e in events)
    assert set(shares) == {"read", "write", "cas"}
    assert all(share > 400 for share in shares.values())
    assert {e.value for e in events if e.f == "write"} == set(range(5))
    assert all(
        len(e.value) == 2 and all(v in range(5) for v in e.value) for e in events if e.f == "cas"
    )


def test_register_retires_its_keys() -> None:
    workload = gen.register(ops_per_key=50)
    events = invoked(simulate(gen.limit(4000, workload.generator), concurrency=8))
    lengths = [n for key, n in Counter(e.key for e in events).items() if key not in ("r0", "r1")]
    assert max(lengths) <= 50
    assert len(lengths) >= 79


def test_register_retires_keys_whose_operations_get_lost() -> None:
    workload = gen.register(ops_per_key=1000, threads_per_key=2, processes_per_key=10)
    events = invoked(simulate(gen.limit(500, workload.generator), crashing, concurrency=2))
    per_key = defaultdict(set)
    for event in events:
        per_key[event.key].add(event.process)
    assert max(map(len, per_key.values())) <= 10


def test_some_thread_of_every_key_only_reads() -> None:
    workload = gen.register(keys=["x"], ops_per_key=1000, threads_per_key=4)
    events = invoked(simulate(workload.generator, concurrency=4))
    for process in (0, 1):
        assert {e.f for e in events if e.process == process} == {"read"}
    for process in (2, 3):
        assert {e.f for e in events if e.process == process} == {"read", "write", "cas"}


def test_distinct_register_writes_never_write_the_same_twice() -> None:
    register = {"x": None}

    def hold(ctx: gen.Context, op: Op) -> Op:  # noqa: ARG001
        if op.f == "write":
            register["x"] = op.value
        elif op.f == "cas" and register["x"] == op.value[0]:
            register["x"] = op.value[1]
        elif op.f == "cas":
            return op.ok(False)
        return op.ok(register["x"] if op.f == "read" else op.value)

    workload = gen.register(keys=["x"], ops_per_key=500, threads_per_key=3, distinct=True)
    events = simulate(workload.generator, hold, concurrency=3)
    written = [e.value for e in invoked(events) if e.f == "write"]
    written += [e.value[1] for e in invoked(events) if e.f == "cas"]
    assert len(written) == len(set(written)) > 100
    assert any(e.f == "cas" and e.value is not False for e in events if e.type == "ok")


def test_the_same_seed_makes_the_same_register_workload() -> None:
    def events(seed: int) -> list[Event]:
        workload = gen.register(ops_per_key=20, seed=seed)
        return simulate(gen.limit(200, workload.generator), concurrency=4, seed=seed)

    assert events(1) == events(1)
    assert events(1) != events(2)


def test_set_adds_each_number_once_and_reads_everywhere_at_last() -> None:
    workload = gen.set_workload()
    whole = gen.compose(
        workload,
        time_limit_s=10,
        rate=20,
        faults=gen.cycle([gen.sleep(2), Op("start-kill"), gen.sleep(2), Op("stop-kill")]),
        heal=Op("heal"),
        settle_s=5,
    )
    events = invoked(simulate(whole, concurrency=3))
    adds = [e for e in events if e.f == "add"]
    assert len({e.value for e in adds}) == len(adds)
    assert 150 < len(adds) < 250
    heal = next(e for e in events if e.f == "heal")
    reads = [e for e in events if e.f == "read"]
    assert heal.process == "nemesis"
    assert heal.time >= max(e.time for e in adds)
    assert sorted(str(e.process) for e in reads) == ["0", "1", "2"]
    assert min(e.time for e in reads) - heal.time >= 5_000_000_000


def test_set_tries_again_to_read() -> None:
    def no_luck(ctx: gen.Context, op: Op) -> Op:  # noqa: ARG001
        return op.fail("down")

    workload = gen.set_workload(read_tries=3)
    events = invoked(simulate(workload.final, no_luck, concurrency=2))
    assert Counter(e.process for e in events) == {0: 3, 1: 3}


def test_compose_leaves_out_what_there_is_not() -> None:
    workload = gen.register(keys=["x"], ops_per_key=10)
    events = invoked(simulate(gen.compose(workload, time_limit_s=60), concurrency=4))
    assert {e.key for e in events} == {"x"}
    assert len(events) in (9, 10)


def test_who_got_a_lock_gives_it_back_until_it_is_taken_back() -> None:
    answers = iter(["fail", "ok", "fail", "ok", "ok"])

    def lab(_ctx: gen.Context, op: Op) -> Op:
        return op.ok() if next(answers) == "ok" else op.fail("refused")

    workload = gen.lock(locks=2)
    events = invoked(simulate(gen.limit(5, workload.generator), lab, concurrency=1))
    assert [event.f for event in events] == ["acquire", "acquire", "release", "release", "acquire"]
    assert events[1].key == events[2].key == events[3].key


def test_money_goes_from_one_account_to_another() -> None:
    workload = gen.bank(accounts=3, balance=5, most=2)
    events = invoked(simulate(gen.limit(200, workload.generator), concurrency=3))
    moves = [event.value for event in events if event.f == "transfer"]
    assert 50 < len(moves) < 150
    assert all(move["from"] != move["to"] and 1 <= move["amount"] <= 2 for move in moves)
    named = {move[end] for move in moves for end in ("from", "to")}
    assert named == set(workload.client["accounts"])
    assert workload.checkers == ("bank:total=15",)


def test_appends_and_writes_are_distinct() -> None:
    for workload, f in ((gen.log_workload(), "append"), (gen.watch(), "write")):
        events = invoked(simulate(gen.limit(200, workload.generator), concurrency=6))
        values = [event.value for event in events if event.f == f]
        assert len(values) > 50
        assert len(set(values)) == len(values)
        watchers = {event.process for event in events if event.f == "watch"}
        assert len(watchers) == (2 if f == "write" else 0)

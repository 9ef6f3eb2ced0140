"""What holds for every generator, however it is put together."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import generators as gen
from generators import Context, simulate
from generators._context import opening_context
from generators._protocol import is_deaf
from histories import Event, Op

leaves: st.SearchStrategy[Any] = st.one_of(
    st.builds(Op, st.sampled_from(["read", "write", "cas"]), st.integers(0, 4)),
    st.just({"f": "read"}),
    st.just(lambda: Op("write", 1)),
    st.just(lambda ctx: Op("cas", ctx.random.randrange(5))),
    st.builds(gen.sleep, st.floats(0, 1)),
    st.just(gen.log("hello")),
    st.none(),
)


def wrapped(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One more layer around `inner`."""
    small = st.integers(1, 4)
    time = st.floats(0, 1)
    several = st.lists(inner, max_size=3)
    return st.one_of(
        several,
        st.builds(gen.limit, small, inner),
        st.builds(gen.repeat, inner, small),
        st.builds(gen.cycle, inner, small),
        st.builds(gen.until_ok, inner),
        st.builds(gen.stagger, time, inner),
        st.builds(gen.delay, time, inner),
        st.builds(gen.time_limit, time, inner),
        st.builds(gen.synchronize, inner),
        st.builds(gen.each_thread, inner),
        st.builds(gen.process_limit, small, inner),
        st.builds(gen.clients, inner, inner),
        st.builds(gen.reserve, st.just(1), inner, inner),
        st.builds(lambda gens: gen.mix(*gens), several),
        st.builds(lambda gens: gen.any_of(*gens), several),
        st.builds(lambda gens: gen.phases(*gens), several),
        st.builds(lambda gens: gen.flip_flop(*gens), several),
        st.builds(lambda g: gen.concurrent_keys(2, "xyz", lambda _: g), inner),
        st.builds(lambda g: gen.sequential_keys("xy", lambda _: g), inner),
        st.builds(lambda g: gen.f_map({"read": "look"}, g), inner),
    )


trees = st.recursive(leaves, wrapped, max_leaves=8)


def moody(ctx: Context, op: Op) -> Op:
    """Some operations succeed, some fail, some are lost; all in their own time."""
    kind = ctx.random.choice([op.ok, op.fail, op.info])
    done = kind(op.value)
    assert done.time is not None
    time = done.time + ctx.random.randrange(10_000_000)
    return Op(done.f, done.value, done.key, done.type, done.process, time, done.error)


def played(tree: Any, seed: int) -> list[Event]:
    # The limit is for trees that repeat a function for ever.
    return simulate(gen.limit(60, tree), moody, concurrency=3, seed=seed)


@given(trees, st.integers(0, 3))
def test_whatever_is_put_together_keeps_the_contract_and_ends(tree: Any, seed: int) -> None:
    events = played(tree, seed)
    open_ones: defaultdict[Any, int] = defaultdict(int)
    last = 0
    for event in events:
        open_ones[event.process] += 1 if event.type == "invoke" else -1
        assert 0 <= open_ones[event.process] <= 1
        assert event.time >= last
        last = event.time
    assert not any(open_ones.values())


@given(trees, st.integers(0, 3))
def test_playing_a_generator_does_not_change_it(tree: Any, seed: int) -> None:
    lifted = gen.lift(tree)
    assert played(lifted, seed) == played(lifted, seed)


@given(trees, st.integers(0, 3))
def test_a_deaf_generator_answers_every_event_with_itself(tree: Any, seed: int) -> None:
    """The runner does not tell it anything, so that must make no difference."""

    class Watched:
        def __init__(self, inner: gen.Generator) -> None:
            self.inner = inner

        def op(self, ctx: Context) -> gen.Emitted:
            emitted = self.inner.op(ctx)
            if emitted is None or emitted[1] is None:
                return emitted
            return emitted[0], Watched(emitted[1])

        def update(self, ctx: Context, event: Event) -> gen.Generator:
            updated = self.inner.update(ctx, event)
            if is_deaf(self.inner) and not settles(self.inner):
                assert updated is self.inner
            return self if updated is self.inner else Watched(updated)

    def settles(generator: gen.Generator) -> bool:
        """It finds out who its threads are at the first call, whichever that is."""
        return "concurrency=0" in repr(generator)

    lifted = gen.lift(tree)
    if lifted is not None:
        played(Watched(lifted), seed)


@given(st.integers(1, 2**12 - 1), st.integers(0, 5))
def test_only_free_threads_are_drawn(free: int, seed: int) -> None:
    whole = opening_context(11, seed=seed)
    ctx = Context(0, free, whole.threads, whole.processes, whole.random, 11)
    assert all(free >> ctx.some_free_thread() & 1 for _ in range(20))

"""Combinators about who does what: which threads a generator may use, and when they wait.

A generator under `on_threads` (`clients`, `nemesis`, `each_thread`, `reserve`) sees a
context with only its own threads in it, and is told only of their events.  So everything
inside, a barrier for instance, is about those threads and nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import chain

import msgspec

from generators._choice import all_deaf, any_of, soonest
from generators._context import Context, Thread, numbers
from generators._lifting import lift, lifted
from generators._protocol import (
    PENDING,
    Emitted,
    Generator,
    GeneratorError,
    Liftable,
    Wrapper,
    is_deaf,
)
from histories import NEMESIS, Event


class OnThreads(Wrapper, frozen=True):
    """`mask` is the answer of `accepts` for the threads of a run of this `concurrency`."""

    accepts: Callable[[Thread], bool]
    concurrency: int = 0
    mask: int = 0

    def op(self, ctx: Context) -> Emitted:
        if self.concurrency != ctx.concurrency:
            return self._settled(ctx).op(ctx)
        if not ctx.threads & self.mask:
            return None  # nobody will ever be free for it
        if not ctx.free & self.mask:
            return PENDING, self
        emitted = self.gen.op(ctx.restrict(self.mask))
        if emitted is None:
            return None
        op, gen = emitted
        if gen is None or gen is self.gen:
            return op, gen and self
        return op, OnThreads(gen, self.accepts, self.concurrency, self.mask)

    def update(self, ctx: Context, event: Event) -> Generator:
        if self.concurrency != ctx.concurrency:
            return self._settled(ctx).update(ctx, event)
        if self.deaf or not self.mask >> ctx.thread_of(event.process) & 1:
            return self
        gen = self.gen.update(ctx.restrict(self.mask), event)
        if gen is self.gen:
            return self
        return OnThreads(gen, self.accepts, self.concurrency, self.mask)

    def _settled(self, ctx: Context) -> OnThreads:
        mask = 0
        for thread in range(ctx.concurrency + 1):
            if self.accepts(ctx.name_of(thread)):
                mask |= 1 << thread
        return OnThreads(self.gen, self.accepts, ctx.concurrency, mask)


def on_threads(
    threads: Callable[[Thread], bool] | Collection[Thread], gen: Liftable
) -> Generator | None:
    """`gen` for those threads only that are in `threads` or satisfy it.

    Client threads are numbers from 0, the nemesis thread is called "nemesis".
    """
    lifted_gen = lift(gen)
    if lifted_gen is None:
        return None
    if callable(threads):
        return OnThreads(lifted_gen, threads)
    return OnThreads(lifted_gen, frozenset(threads).__contains__)


def _is_client(thread: Thread) -> bool:
    return thread != NEMESIS


def _is_nemesis(thread: Thread) -> bool:
    return thread == NEMESIS


def clients(client_gen: Liftable, nemesis_gen: Liftable = None) -> Generator | None:
    """`client_gen` for the clients only; and `nemesis_gen`, if given, for the nemesis."""
    return any_of(on_threads(_is_client, client_gen), on_threads(_is_nemesis, nemesis_gen))


def nemesis(nemesis_gen: Liftable, client_gen: Liftable = None) -> Generator | None:
    """`nemesis_gen` for the nemesis only; and `client_gen`, if given, for the clients."""
    return any_of(on_threads(_is_nemesis, nemesis_gen), on_threads(_is_client, client_gen))


class EachThread(msgspec.Struct, frozen=True):
    """`gens` holds the generators of those threads that have moved on from `fresh`."""

    fresh: Generator
    gens: dict[int, Generator | None]

    def op(self, ctx: Context) -> Emitted:
        if not ctx.free:
            return PENDING, self
        found = soonest(
            (
                (thread, gen, ctx.restrict(1 << thread))
                for thread in shuffled(ctx)
                if (gen := self.gens.get(thread, self.fresh)) is not None
            ),
            ctx.time,
        )
        if found is None:
            # A busy thread may have operations left.
            return None if ctx.free == ctx.threads else (PENDING, self)
        op, gen, thread = found
        return (
            (op, self)
            if op is PENDING
            else (op, EachThread(self.fresh, {**self.gens, thread: gen}))
        )

    def update(self, ctx: Context, event: Event) -> Generator:
        thread = ctx.thread_of(event.process)
        old = self.gens.get(thread, self.fresh)
        if old is None:
            return self
        new = old.update(ctx.restrict(1 << thread), event)
        return self if new is old else EachThread(self.fresh, {**self.gens, thread: new})


def each_thread(gen: Liftable) -> Generator | None:
    """A copy of `gen` for each thread, which sees that thread and its events only."""
    lifted_gen = lift(gen)
    return None if lifted_gen is None else EachThread(lifted_gen, {})


def shuffled(ctx: Context) -> Iterator[int]:
    """The free threads, beginning at a random one."""
    first = ctx.some_free_thread()
    free = ctx.free
    above = free >> first << first
    return chain(numbers(above), numbers(free ^ above))


class Reserved(msgspec.Struct, frozen=True):
    """`counts` threads for each of `gens`, the rest for the last; `masks` once it is known who."""

    counts: tuple[int, ...]
    gens: tuple[Generator | None, ...]
    masks: tuple[int, ...] = ()
    deaf: bool = False

    def op(self, ctx: Context) -> Emitted:
        if not self.masks:
            return self._settled(ctx).op(ctx)
        if not ctx.free:
            return PENDING, self
        # Whose turn it is first is drawn by the free threads, so each group gets its share.
        first = self._group_of(ctx.some_free_thread())
        order = [*range(first, len(self.gens)), *range(first)]
        found = soonest(
            (
                (i, gen, ctx.restrict(self.masks[i]))
                for i in order
                if (gen := self.gens[i]) is not None
            ),
            ctx.time,
        )
        if found is None:
            return None
        op, gen, i = found
        if op is PENDING or gen is self.gens[i]:
            return op, self
        gens = (*self.gens[:i], gen, *self.gens[i + 1 :])
        if all([gen is None for gen in gens]):
            return op, None
        deaf = self.deaf and (gen is None or is_deaf(gen))
        return op, Reserved(self.counts, gens, self.masks, deaf)

    def update(self, ctx: Context, event: Event) -> Generator:
        if self.deaf:
            return self
        if not self.masks:
            return self._settled(ctx).update(ctx, event)
        i = self._group_of(ctx.thread_of(event.process))
        old = self.gens[i]
        if old is None:
            return self
        new = old.update(ctx.restrict(self.masks[i]), event)
        if new is old:
            return self
        gens = (*self.gens[:i], new, *self.gens[i + 1 :])
        return Reserved(self.counts, gens, self.masks, all_deaf(gens))

    def _group_of(self, thread: int) -> int:
        for i, mask in enumerate(self.masks):
            if mask >> thread & 1:
                return i
        return len(self.masks) - 1

    def _settled(self, ctx: Context) -> Reserved:
        threads = list(numbers(ctx.threads))
        if sum(self.counts) > len(threads):
            raise GeneratorError(
                f"reserve() wants {sum(self.counts)} threads and has {len(threads)}; "
                "raise the concurrency or reserve fewer"
            )
        masks = []
        for count in self.counts:
            masks.append(sum(1 << thread for thread in threads[:count]))
            threads = threads[count:]
        masks.append(sum(1 << thread for thread in threads))
        # Where no thread is left for the default, there is nobody to wait for either.
        gens = tuple(gen if mask else None for gen, mask in zip(self.gens, masks, strict=True))
        return Reserved(self.counts, gens, tuple(masks), all_deaf(gens))


def reserve(*counts_and_gens: int | Liftable) -> Generator | None:
    """``reserve(5, writes, 10, cas, reads)``: 5 threads write, 10 others cas, the rest read.

    So one kind of operation goes on while all threads of another are stuck.
    """
    *pairs, default = counts_and_gens
    counts, gens = pairs[0::2], pairs[1::2]
    if len(counts) != len(gens) or not all(isinstance(n, int) and n > 0 for n in counts):
        raise GeneratorError(
            "reserve() takes count, generator, count, generator, ..., and at last the "
            f"generator for all other threads, not {counts_and_gens!r}"
        )
    made = tuple(lift(gen) for gen in (*gens, default))  # type: ignore[arg-type]
    return Reserved(tuple(counts), made) if lifted(made) else None  # type: ignore[arg-type]


class ProcessLimited(Wrapper, frozen=True):
    """`seen` are the processes that `gen` has been offered so far, out of `processes`."""

    limit: int
    mask: int = 0
    seen: frozenset[object] = frozenset()
    processes: tuple[object, ...] = ()

    def op(self, ctx: Context) -> Emitted:
        mask = self.mask or self._mask(ctx)
        inner = ctx if ctx.threads == mask else ctx.restrict(mask)
        emitted = self.gen.op(inner)
        if emitted is None:
            return None
        op, gen = emitted
        seen, processes = self.seen, self.processes
        if op is not PENDING and ctx.processes is not processes:
            processes = ctx.processes
            seen = seen.union(processes[thread] for thread in numbers(inner.threads))
            if len(seen) > self.limit:
                return None
        return op, None if gen is None else ProcessLimited(gen, self.limit, mask, seen, processes)

    def update(self, ctx: Context, event: Event) -> Generator:
        mask = self.mask or self._mask(ctx)
        if not mask >> ctx.thread_of(event.process) & 1:
            return self
        gen = self.gen.update(ctx if ctx.threads == mask else ctx.restrict(mask), event)
        if gen is self.gen:
            return self
        return ProcessLimited(gen, self.limit, mask, self.seen, self.processes)

    def _mask(self, ctx: Context) -> int:
        return sum(1 << thread for thread in list(numbers(ctx.threads))[: self.limit])


def process_limit(count: int, gen: Liftable) -> Generator | None:
    """`gen`, until its threads have gone through more than `count` processes.

    An operation that ends in ``info`` stays open for ever and costs a checker dearly; so
    this bounds how many there can be.  All processes that *could* have worked are counted,
    so the end comes for all threads at once.  Of more threads, `count` are used.
    """
    lifted_gen = lift(gen)
    return None if lifted_gen is None or count <= 0 else ProcessLimited(lifted_gen, count)


class Synchronized(Wrapper, frozen=True):
    def op(self, ctx: Context) -> Emitted:
        return self.gen.op(ctx) if ctx.free == ctx.threads else (PENDING, self)

    def update(self, ctx: Context, event: Event) -> Generator:
        gen = self.gen.update(ctx, event)
        return self if gen is self.gen else Synchronized(gen)


def synchronize(gen: Liftable) -> Generator | None:
    """`gen`, but not before all threads are free."""
    lifted_gen = lift(gen)
    return None if lifted_gen is None else Synchronized(lifted_gen)


def phases(*gens: Liftable) -> Generator | None:
    """All of the first; when it is done and all threads are free, the second; and so on."""
    return lift([Synchronized(gen) for gen in lifted(gens)])


def then(first: Liftable, second: Liftable) -> Generator | None:
    """All of `first`; when it is done and all threads are free, `second`.

    (In Jepsen the arguments are the other way round, for its threading macro.)
    """
    return lift([lift(first), synchronize(second)])

"""One small object after the other: a workload on one key, lifted to many.

Some checks are only affordable on short histories, and short histories say little.  So a
test of one register becomes a test of many, each with its own key and its own short
history; a checker judges every key by itself.

`concurrent_keys` works on several keys at once.  The threads are split into groups of
contiguous threads (workers are dealt round robin to the nodes, so a group reaches
neighbouring nodes), and each group has one key at a time, all to itself: inside, a
generator sees only its group's threads, so barriers and reservations are about that key.
The price: a slow key slows only its own group, but a group is smaller than the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from generators._choice import all_deaf
from generators._context import Context, numbers
from generators._lifting import Cell, lift
from generators._protocol import (
    PENDING,
    Emitted,
    Generator,
    GeneratorError,
    Liftable,
    Pending,
    Wrapper,
    is_deaf,
)
from generators._threads import clients
from histories import Event, Json, Op


class Keyed(Wrapper, frozen=True):
    """`gen`, about `key`."""

    key: Json

    def op(self, ctx: Context) -> Emitted:
        emitted = self.gen.op(ctx)
        if emitted is None:
            return None
        op, gen = emitted
        if op is not PENDING and op.type == "invoke":
            op = Op(op.f, op.value, self.key, op.type, op.process, op.time, op.error, op.node)
        if gen is None:
            return op, None
        return op, self if gen is self.gen else Keyed(gen, self.key)

    def update(self, ctx: Context, event: Event) -> Generator:
        gen = self.gen.update(ctx, event)
        return self if gen is self.gen else Keyed(gen, self.key)


def sequential_keys(keys: Iterable[Json], make: Callable[[Json], Liftable]) -> Generator | None:
    """For each of `keys` in turn, all operations of ``make(key)``, about that key.

    `make` must be pure.  `keys` may be endless.
    """
    return lift(_keyed(key, make) for key in keys)


def concurrent_keys(
    threads_per_key: int, keys: Iterable[Json], make: Callable[[Json], Liftable]
) -> Generator | None:
    """As `sequential_keys`, but each group of `threads_per_key` client threads has its own key.

    A group whose key is done takes the next one.  Threads that are too few for a group of
    their own join the last one; if there are fewer threads than `threads_per_key`, they are
    one group.
    """
    if threads_per_key < 1:
        raise GeneratorError(f"a key needs at least one thread, not {threads_per_key}")
    return clients(Grouped(threads_per_key, make, Cell(iter(keys))))


def _keyed(key: Json, make: Callable[[Json], Liftable]) -> Generator | None:
    gen = lift(make(key))
    return None if gen is None else Keyed(gen, key)


class Grouped(msgspec.Struct, frozen=True):
    """`masks[i]` are the threads of group ``i``, `gens[i]` its key's generator or None.

    `cell` is where the next key comes from.
    """

    size: int
    make: Callable[[Json], Liftable]
    cell: Cell
    masks: tuple[int, ...] = ()
    gens: tuple[Generator | None, ...] = ()
    deaf: bool = False

    def op(self, ctx: Context) -> Emitted:
        if not self.masks:
            return self._settled(ctx).op(ctx)
        if not ctx.free:
            return PENDING, self
        first = self._group_of(ctx.some_free_thread())
        waiting = ctx.free != ctx.threads  # those at work may have operations left
        best: tuple[Op, Generator | None, Cell, int] | None = None
        best_time = 0
        for i in (*range(first, len(self.masks)), *range(first)):
            if not ctx.free & self.masks[i]:
                continue
            offer = self._ask(i, ctx.restrict(self.masks[i]))
            if offer is None:
                continue
            op, gen, cell = offer
            if op is PENDING:
                waiting = True
                continue
            assert op.time is not None, "operations leave their generator with a time"
            if best is None or op.time < best_time:
                best, best_time = (op, gen, cell, i), op.time
                if best_time <= ctx.time:
                    break
        if best is None:
            return (PENDING, self) if waiting else None
        op, gen, cell, i = best
        if gen is self.gens[i] and cell is self.cell:
            return op, self
        gens = (*self.gens[:i], gen, *self.gens[i + 1 :])
        deaf = self.deaf and (gen is None or is_deaf(gen))
        return op, Grouped(self.size, self.make, cell, self.masks, gens, deaf)

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
        return Grouped(self.size, self.make, self.cell, self.masks, gens, all_deaf(gens))

    def _ask(self, i: int, ctx: Context) -> tuple[Op | Pending, Generator | None, Cell] | None:
        """What group `i` would do, on its key or else on the next one that has something to do.

        Nothing is decided by that: a key is taken when its first operation is.
        """
        gen, cell = self.gens[i], self.cell
        while True:
            emitted = None if gen is None else gen.op(ctx)
            if emitted is not None:
                return emitted[0], emitted[1], cell
            got = cell.get()
            if got is None:
                return None
            key, cell = got
            gen = _keyed(key, self.make)

    def _group_of(self, thread: int) -> int:
        for i, mask in enumerate(self.masks):
            if mask >> thread & 1:
                return i
        raise GeneratorError(f"thread {thread} is in no group of concurrent_keys()")

    def _settled(self, ctx: Context) -> Grouped:
        threads = list(numbers(ctx.threads))
        count = max(1, len(threads) // self.size)
        starts = [i * self.size for i in range(count)]
        ends = [*starts[1:], len(threads)]
        masks = tuple(
            sum(1 << thread for thread in threads[start:end])
            for start, end in zip(starts, ends, strict=True)
        )
        return Grouped(self.size, self.make, self.cell, masks, (None,) * count, True)

"""Combinators that change what a generator emits: which operations, how many, how often.

`map`, `f_map` and `filter` look at single operations; `limit`, `once`, `repeat`, `cycle`
and `until_ok` decide how many there are; `concat` puts generators one after the other
without waiting in between (`phases` waits).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from generators._context import Context
from generators._lifting import lift, lifted
from generators._protocol import PENDING, Emitted, Generator, Liftable, Wrapper, is_deaf
from histories import Event, Op, Process

_FOREVER = -1


class Mapped(Wrapper, frozen=True):
    function: Callable[[Op], Op]

    def op(self, ctx: Context) -> Emitted:
        emitted = self.gen.op(ctx)
        if emitted is None:
            return None
        op, gen = emitted
        if op is not PENDING and op.type == "invoke":
            op = self.function(op)
        if gen is not None:
            gen = self if gen is self.gen else Mapped(gen, self.function)
        return op, gen

    def update(self, ctx: Context, event: Event) -> Generator:
        gen = self.gen.update(ctx, event)
        return self if gen is self.gen else Mapped(gen, self.function)


def map(function: Callable[[Op], Op], gen: Liftable) -> Generator | None:
    """Every operation of `gen`, changed by `function` (a pure one: it may be asked again)."""
    lifted_gen = lift(gen)
    return None if lifted_gen is None else Mapped(lifted_gen, function)


def f_map(names: Mapping[str, str], gen: Liftable) -> Generator | None:
    """`gen` with its `f`s renamed, so that several generators can share one nemesis."""

    def rename(op: Op) -> Op:
        f = names.get(op.f, op.f)
        return Op(f, op.value, op.key, op.type, op.process, op.time, op.error, op.node)

    return map(rename, gen)


class Filtered(Wrapper, frozen=True):
    predicate: Callable[[Op], bool]

    def op(self, ctx: Context) -> Emitted:
        gen: Generator | None = self.gen
        while gen is not None:
            emitted = gen.op(ctx)
            if emitted is None:
                return None
            op, gen = emitted
            if op is PENDING or op.type != "invoke" or self.predicate(op):
                return op, None if gen is None else Filtered(gen, self.predicate)
        return None

    def update(self, ctx: Context, event: Event) -> Generator:
        gen = self.gen.update(ctx, event)
        return self if gen is self.gen else Filtered(gen, self.predicate)


def filter(predicate: Callable[[Op], bool], gen: Liftable) -> Generator | None:
    """Those operations of `gen` for which `predicate` holds.

    Of an endless generator whose operations never pass, no operation is ever found.
    """
    lifted_gen = lift(gen)
    return None if lifted_gen is None else Filtered(lifted_gen, predicate)


class Limited(Wrapper, frozen=True):
    remaining: int

    def op(self, ctx: Context) -> Emitted:
        emitted = self.gen.op(ctx)
        if emitted is None:
            return None
        op, gen = emitted
        if gen is None:
            return op, None
        if op is PENDING:
            return op, self if gen is self.gen else Limited(gen, self.remaining)
        return op, Limited(gen, self.remaining - 1) if self.remaining > 1 else None

    def update(self, ctx: Context, event: Event) -> Generator:
        gen = self.gen.update(ctx, event)
        return self if gen is self.gen else Limited(gen, self.remaining)


def limit(count: int, gen: Liftable) -> Generator | None:
    """At most `count` operations of `gen`."""
    lifted_gen = lift(gen)
    return None if lifted_gen is None or count <= 0 else Limited(lifted_gen, count)


def once(gen: Liftable) -> Generator | None:
    """The first operation of `gen`, and no more."""
    return limit(1, gen)


class Repeated(Wrapper, frozen=True):
    remaining: int

    def op(self, ctx: Context) -> Emitted:
        emitted = self.gen.op(ctx)
        if emitted is None:
            return None
        op, _ = emitted
        if op is PENDING or self.remaining == _FOREVER:
            return op, self
        return op, Repeated(self.gen, self.remaining - 1) if self.remaining > 1 else None

    def update(self, ctx: Context, event: Event) -> Generator:
        gen = self.gen.update(ctx, event)
        return self if gen is self.gen else Repeated(gen, self.remaining)


def repeat(gen: Liftable, times: int | None = None) -> Generator | None:
    """The first operation of `gen`, again and again: for ever, or `times` times.

    `gen` is asked anew each time but never moves on, so a random one gives different
    operations.  To go through all of `gen` again and again, use `cycle`.
    """
    lifted_gen = lift(gen)
    if lifted_gen is None or (times is not None and times <= 0):
        return None
    return Repeated(lifted_gen, _FOREVER if times is None else times)


class Cycled(msgspec.Struct, frozen=True):
    remaining: int
    original: Generator
    gen: Generator | None

    @property
    def deaf(self) -> bool:
        return self.gen is None or is_deaf(self.gen)

    def op(self, ctx: Context) -> Emitted:
        emitted = None if self.gen is None else self.gen.op(ctx)
        if emitted is not None:
            return emitted[0], Cycled(self.remaining, self.original, emitted[1])
        if self.remaining == 1:
            return None
        remaining = self.remaining if self.remaining == _FOREVER else self.remaining - 1
        emitted = self.original.op(ctx)
        # An original that is exhausted at once would be cycled through for ever.
        return (
            None if emitted is None else (emitted[0], Cycled(remaining, self.original, emitted[1]))
        )

    def update(self, ctx: Context, event: Event) -> Generator:
        if self.gen is None:
            return self
        gen = self.gen.update(ctx, event)
        return self if gen is self.gen else Cycled(self.remaining, self.original, gen)


def cycle(gen: Liftable, times: int | None = None) -> Generator | None:
    """All of `gen`, and then all of it again: for ever, or `times` times."""
    lifted_gen = lift(gen)
    if lifted_gen is None or (times is not None and times <= 0):
        return None
    return Cycled(_FOREVER if times is None else times, lifted_gen, lifted_gen)


class UntilOk(msgspec.Struct, frozen=True):
    gen: Generator | None
    ours: frozenset[Process]
    done: bool

    def op(self, ctx: Context) -> Emitted:
        if self.done or self.gen is None:
            return None
        emitted = self.gen.op(ctx)
        if emitted is None:
            return None
        op, gen = emitted
        ours = self.ours
        if op is not PENDING and op.type == "invoke":
            assert op.process is not None
            ours = ours | {op.process}
        return op, UntilOk(gen, ours, False)

    def update(self, ctx: Context, event: Event) -> Generator:
        gen = None if self.gen is None else self.gen.update(ctx, event)
        if event.process not in self.ours or event.type == "invoke":
            return self if gen is self.gen else UntilOk(gen, self.ours, self.done)
        return UntilOk(gen, self.ours - {event.process}, self.done or event.type == "ok")


def until_ok(gen: Liftable) -> Generator | None:
    """Operations of `gen` until one of them has completed with ``ok``."""
    lifted_gen = lift(gen)
    return None if lifted_gen is None else UntilOk(lifted_gen, frozenset(), False)


def concat(*gens: Liftable) -> Generator | None:
    """All of the first, then all of the second, and so on, without waiting in between."""
    return lift(list(lifted(gens)))

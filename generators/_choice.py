"""Combinators that choose between generators.

A `mix` draws which of its generators comes next and then waits for that one, so that the
mixture is as asked for.  `any_of` takes whichever is ready first; generators that are
ready at once take turns at random, so that none starves.  `flip_flop` alternates.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TypeAlias

import msgspec

from generators._context import Context
from generators._lifting import lift, lifted
from generators._protocol import (
    PENDING,
    Emitted,
    Generator,
    GeneratorError,
    Liftable,
    Pending,
    is_deaf,
)
from histories import Event, Op

_UNDRAWN = -1

Found: TypeAlias = tuple[Op | Pending, Generator | None, int]
"""An operation, the generator that follows, and the key of the one that offered it."""


class Mixed(msgspec.Struct, frozen=True):
    """`chosen` is the one to ask next; `cumulative` the running sums of the weights."""

    gens: tuple[Generator, ...]
    cumulative: tuple[float, ...]
    chosen: int
    deaf: bool

    def op(self, ctx: Context) -> Emitted:
        if not ctx.free:
            return PENDING, self
        gens, cumulative, chosen = self.gens, self.cumulative, self.chosen
        draw = ctx.random.random
        if chosen == _UNDRAWN:
            chosen = bisect(cumulative, draw() * cumulative[-1])
        old = gens[chosen]
        emitted = old.op(ctx)
        if emitted is None:
            rest = _without(self, chosen)
            return None if rest is None else rest.op(ctx)
        op, gen = emitted
        if op is PENDING:
            return self._around(chosen, ctx)
        if gen is not old:
            return op, _replaced(self, chosen, gen)
        return op, Mixed(gens, cumulative, bisect(cumulative, draw() * cumulative[-1]), self.deaf)

    def _around(self, pending: int, ctx: Context) -> Emitted:
        """Some thread is free and the chosen one has nothing for it: perhaps another has."""
        for i, old in enumerate(self.gens):
            if i != pending:
                emitted = old.op(ctx)
                if emitted is not None and emitted[0] is not PENDING:
                    return emitted[0], _replaced(self, i, emitted[1])
        return PENDING, Mixed(self.gens, self.cumulative, pending, self.deaf)

    def update(self, ctx: Context, event: Event) -> Generator:
        if self.deaf:
            return self
        gens = updated(self.gens, ctx, event)
        return self if gens is self.gens else _mixed(gens, self.cumulative, self.chosen)


def _mixed(gens: tuple[Generator, ...], cumulative: tuple[float, ...], chosen: int) -> Mixed:
    return Mixed(gens, cumulative, chosen, all_deaf(gens))


def _replaced(mixed: Mixed, i: int, gen: Generator | None) -> Generator | None:
    """`mixed` after the one at `i` has emitted; a new one will be drawn."""
    if gen is None:
        return _without(mixed, i)
    gens = mixed.gens
    if gen is not gens[i]:
        gens = (*gens[:i], gen, *gens[i + 1 :])
    return Mixed(gens, mixed.cumulative, _UNDRAWN, mixed.deaf and is_deaf(gen))


def _without(mixed: Mixed, i: int) -> Generator | None:
    gens = mixed.gens[:i] + mixed.gens[i + 1 :]
    sums = mixed.cumulative
    weight = sums[i] - (sums[i - 1] if i else 0.0)
    cumulative = sums[:i] + tuple([total - weight for total in sums[i + 1 :]])
    return _mixed(gens, cumulative, _UNDRAWN) if gens else None


def mix(*gens: Liftable, weights: Sequence[float] | None = None) -> Generator | None:
    """A random mixture: each operation comes from a generator drawn by its weight.

    Takes the generators as arguments or as one list.  Without `weights` all are equally
    likely.  A generator that is exhausted leaves the mixture.
    """
    choices: Sequence[Liftable] = gens
    if len(gens) == 1 and isinstance(gens[0], list | tuple):
        choices = gens[0]
    if weights is None:
        weights = [1.0] * len(choices)
    if len(weights) != len(choices) or any(weight < 0 for weight in weights):
        raise GeneratorError(
            f"a mixture of {len(choices)} generators needs as many weights >= 0, not {weights!r}"
        )
    weighted = [
        (gen, weight)
        for gen, weight in zip((lift(choice) for choice in choices), weights, strict=True)
        if gen is not None and weight > 0
    ]
    if not weighted:
        return None
    cumulative = tuple(accumulate(float(weight) for _, weight in weighted))
    return _mixed(tuple(gen for gen, _ in weighted), cumulative, _UNDRAWN)


class AnyOf(msgspec.Struct, frozen=True):
    gens: tuple[Generator, ...]
    deaf: bool

    def op(self, ctx: Context) -> Emitted:
        gens = self.gens
        first = int(ctx.random.random() * len(gens))
        found = soonest(
            [(i, gens[i], ctx) for i in (*range(first, len(gens)), *range(first))], ctx.time
        )
        if found is None:
            return None
        op, gen, i = found
        if op is PENDING or gen is gens[i]:
            return op, self
        if gen is None:
            rest = gens[:i] + gens[i + 1 :]
            return op, AnyOf(rest, all_deaf(rest)) if len(rest) > 1 else rest[0] if rest else None
        return op, AnyOf((*gens[:i], gen, *gens[i + 1 :]), self.deaf and is_deaf(gen))

    def update(self, ctx: Context, event: Event) -> Generator:
        if self.deaf:
            return self
        gens = updated(self.gens, ctx, event)
        return self if gens is self.gens else AnyOf(gens, all_deaf(gens))


def all_deaf(gens: Iterable[Generator | None]) -> bool:
    """Whether none of `gens` needs to be told anything; see `is_deaf`."""
    return all([gen is None or is_deaf(gen) for gen in gens])


def updated(gens: tuple[Generator, ...], ctx: Context, event: Event) -> tuple[Generator, ...]:
    """`gens`, all of them told of `event`; the same tuple if none of them cared."""
    for old in gens:
        if old.update(ctx, event) is not old:
            return tuple([gen.update(ctx, event) for gen in gens])
    return gens


def any_of(*gens: Liftable) -> Generator | None:
    """Operations of all of `gens`, whichever is ready first.

    Every generator is told of every event.  It is exhausted when all of them are.
    """
    choices = lifted(gens)
    return (
        AnyOf(choices, all_deaf(choices)) if len(choices) > 1 else choices[0] if choices else None
    )


def soonest(candidates: Iterable[tuple[int, Generator, Context]], now: int) -> Found | None:
    """The first operation that `candidates` have to offer, and who offers it.

    Candidates are asked in the given order and nobody after one with an operation for
    `now` is asked at all, since there can be none sooner: whoever wants fairness gives a
    random order.  None if all are exhausted.
    """
    best: Found | None = None
    best_time = 0
    for key, gen, ctx in candidates:
        emitted = gen.op(ctx)
        if emitted is None:
            continue
        op, following = emitted
        if op is PENDING:
            if best is None:
                best = PENDING, following, key
            continue
        assert op.time is not None, "operations leave their generator with a time"
        if op.time <= now:
            return op, following, key
        if best is None or best[0] is PENDING or op.time < best_time:
            best, best_time = (op, following, key), op.time
    return best


class FlipFlop(msgspec.Struct, frozen=True):
    gens: tuple[Generator, ...]
    turn: int

    def op(self, ctx: Context) -> Emitted:
        emitted = self.gens[self.turn].op(ctx)
        if emitted is None:
            return None
        op, gen = emitted
        if op is PENDING:
            return PENDING, self
        if gen is None:
            gen = _EXHAUSTED
        gens = (*self.gens[: self.turn], gen, *self.gens[self.turn + 1 :])
        return op, FlipFlop(gens, (self.turn + 1) % len(gens))

    def update(self, ctx: Context, event: Event) -> Generator:
        gens = updated(self.gens, ctx, event)
        return self if gens is self.gens else FlipFlop(gens, self.turn)


class _Exhausted(msgspec.Struct, frozen=True):
    def op(self, ctx: Context) -> Emitted:  # noqa: ARG002
        return None

    def update(self, ctx: Context, event: Event) -> Generator:  # noqa: ARG002
        return self


_EXHAUSTED = _Exhausted()


def flip_flop(*gens: Liftable) -> Generator | None:
    """One operation of the first, one of the second, and so on, and round again.

    It ends when the one whose turn it is is exhausted.
    """
    choices = lifted(gens)
    return FlipFlop(choices, 0) if len(choices) == len(gens) > 0 else None

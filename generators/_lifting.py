"""Ordinary Python values as generators.

- An `Op`, or a dict of its fields, is emitted once.
- A function is called for every operation, without arguments or with the context; what it
  returns is lifted in turn, and it is exhausted when it returns None.  All its randomness
  should come from ``ctx.random``.
- A list or tuple is its elements, one after the other.
- An iterator (a Python generator, say) likewise.  Iterators remember what they were asked,
  generators must not: what has been taken out of one is kept in a chain of cells, so that
  every generator value built on it sees the same elements, however often it is asked.
- None is exhausted.

Of these only a sequence passes updates on, to the element it is at.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from generators._context import Context
from generators._protocol import (
    PENDING,
    Emitted,
    Generator,
    GeneratorError,
    Liftable,
    filled,
    is_deaf,
)
from histories import Event, Op

_FIELDS = frozenset(Op.__struct_fields__)


def lift(value: Liftable) -> Generator | None:
    """`value` as a generator; None if there is nothing in it.

    Raises `GeneratorError` for a value that cannot be one.
    """
    if value is None:
        return None
    if isinstance(value, Op):
        return Emit(value)
    if _is_generator(value):
        return value  # type: ignore[return-value]
    if isinstance(value, Mapping):
        return Emit(_op_of(value))
    if callable(value):
        return Call(value, _takes_context(value))
    if isinstance(value, str | bytes):
        raise GeneratorError(f"{value!r} is not a generator; did you mean Op(f={value!r})?")
    if isinstance(value, Sequence):
        return _sequence(tuple(value), 0)
    if isinstance(value, Iterable):
        return _chained(Cell(iter(value)))
    raise GeneratorError(
        f"{value!r} is not a generator: give an Op, a dict of its fields, a function, "
        "a list, an iterator, or an object with op(ctx) and update(ctx, event)"
    )


def lifted(values: Iterable[Liftable]) -> tuple[Generator, ...]:
    """Those of `values` that have something in them, as generators."""
    generators = (lift(value) for value in values)
    return tuple(generator for generator in generators if generator is not None)


def _is_generator(value: object) -> bool:
    # A Python class may be passed as a function that makes operations; it is not one itself.
    return not isinstance(value, type) and hasattr(value, "op") and hasattr(value, "update")


def _op_of(fields: Mapping[str, Any]) -> Op:
    unknown = sorted(set(fields) - _FIELDS)
    if unknown or not isinstance(fields.get("f"), str):
        problem = f"has no field {unknown[0]!r}" if unknown else 'needs "f", a string'
        raise GeneratorError(
            f"{dict(fields)!r} is not an operation: an operation {problem}; "
            f"its fields are {', '.join(Op.__struct_fields__)}"
        )
    return Op(**fields)


def _takes_context(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some builtins do not tell
        return False
    required = [
        p
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(required) > 1:
        raise GeneratorError(
            f"{function!r} takes {len(required)} arguments; a function used as a generator "
            "takes none, or the context"
        )
    return bool(required)


class Emit(msgspec.Struct, frozen=True):
    """One operation, once."""

    deaf: ClassVar[bool] = True
    template: Op

    def op(self, ctx: Context) -> Emitted:
        op = filled(self.template, ctx)
        return (PENDING, self) if op is PENDING else (op, None)

    def update(self, ctx: Context, event: Event) -> Generator:  # noqa: ARG002
        return self


class Call(msgspec.Struct, frozen=True):
    """What a function returns, call after call."""

    function: Callable[..., Any]
    takes_context: bool
    deaf: ClassVar[bool] = True

    def op(self, ctx: Context) -> Emitted:
        if not ctx.free:  # asking would waste what the function answers
            return PENDING, self
        made = self.function(ctx) if self.takes_context else self.function()
        if type(made) is Op:
            op = filled(made, ctx)
            return op, self if op is not PENDING else InTurn(Emit(made), (self,), 0)
        first = lift(made)
        return None if first is None else InTurn(first, (self,), 0).op(ctx)

    def update(self, ctx: Context, event: Event) -> Generator:  # noqa: ARG002
        return self


class InTurn(msgspec.Struct, frozen=True):
    """`head` until it is exhausted, then each of ``rest[at:]``."""

    head: Generator
    rest: tuple[Liftable, ...]
    at: int

    @property
    def deaf(self) -> bool:
        return is_deaf(self.head)

    def op(self, ctx: Context) -> Emitted:
        emitted = self.head.op(ctx)
        if emitted is None:
            following = _sequence(self.rest, self.at)
            return None if following is None else following.op(ctx)
        op, head = emitted
        if head is self.head:
            return op, self
        if head is None:
            return op, _sequence(self.rest, self.at)
        return op, InTurn(head, self.rest, self.at)

    def update(self, ctx: Context, event: Event) -> Generator:
        head = self.head.update(ctx, event)
        return self if head is self.head else InTurn(head, self.rest, self.at)


def _sequence(values: tuple[Liftable, ...], at: int) -> Generator | None:
    for index in range(at, len(values)):
        head = lift(values[index])
        if head is not None:
            return head if index + 1 == len(values) else InTurn(head, values, index + 1)
    return None


class Cell:
    """One element of an iterator, taken out when first asked for, and the cell after it.

    Invariant: each element of the iterator is taken once, whoever asks, in order.
    """

    __slots__ = ("_iterator", "_next", "_value")

    def __init__(self, iterator: Iterator[Any]) -> None:
        self._iterator: Iterator[Any] | None = iterator
        self._value: Any = None
        self._next: Cell | None = None

    def get(self) -> tuple[Any, Cell] | None:
        """The element and the cell after it; None at the end."""
        iterator = self._iterator
        if iterator is not None:
            try:
                self._value = next(iterator)
                self._next = Cell(iterator)
            except StopIteration:
                pass
            self._iterator = None
        return None if self._next is None else (self._value, self._next)


class Chained(msgspec.Struct, frozen=True):
    """`head` until it is exhausted, then what an iterator has to give."""

    head: Generator
    cell: Cell

    @property
    def deaf(self) -> bool:
        return is_deaf(self.head)

    def op(self, ctx: Context) -> Emitted:
        emitted = self.head.op(ctx)
        if emitted is None:
            following = _chained(self.cell)
            return None if following is None else following.op(ctx)
        op, head = emitted
        if head is None:
            # Not yet the next element: an iterator may be endless work, and is asked only
            # when its next operation is wanted.
            return op, Await(self.cell)
        return op, self if head is self.head else Chained(head, self.cell)

    def update(self, ctx: Context, event: Event) -> Generator:
        head = self.head.update(ctx, event)
        return self if head is self.head else Chained(head, self.cell)


class Await(msgspec.Struct, frozen=True):
    """The rest of an iterator, of which nothing has been asked yet."""

    cell: Cell
    deaf: ClassVar[bool] = True

    def op(self, ctx: Context) -> Emitted:
        if not ctx.free:
            return PENDING, self
        following = _chained(self.cell)
        return None if following is None else following.op(ctx)

    def update(self, ctx: Context, event: Event) -> Generator:  # noqa: ARG002
        return self


def _chained(cell: Cell) -> Generator | None:
    while (got := cell.get()) is not None:
        value, cell = got
        head = lift(value)
        if head is not None:
            return Chained(head, cell)
    return None

"""What a generator is.

A generator is a persistent value.  Asked for an operation it answers with the operation
and with *the generator to ask next*; told of an event it answers with the generator that
knows of it.  Nothing changes in place, so whoever asks may throw the answer away and ask
the old value again: that is how several generators compete for the next operation, and
how an operation meant for later is asked for again when its time has come.

``op(context)`` answers one of three things:

- ``(operation, next)``: invoke `operation`, at its `time`, on its `process`;
- ``(PENDING, next)``: nothing now, but ask again when something has happened;
- ``None``: exhausted, now and for ever.

``next`` is None where the operation was the last one.

An operation of type ``invoke`` goes to a client or to the nemesis and into the history.
One of type ``info`` is for the worker itself (`sleep` and `log`), and does neither.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from generators._context import Context
from histories import Event, Op


class Pending(enum.Enum):
    """The type of `PENDING`, so that ``is PENDING`` narrows types."""

    PENDING = "pending"

    def __repr__(self) -> str:
        return "PENDING"


PENDING: Final = Pending.PENDING
"""No operation now; ask again later."""


class Generator(Protocol):
    """A persistent source of operations; see the module's opening."""

    def op(self, ctx: Context) -> Emitted:
        """The next operation, or `PENDING`, with the generator that follows; or None."""
        ...

    def update(self, ctx: Context, event: Event) -> Generator:
        """The generator that knows that `event` has been recorded."""
        ...


def is_deaf(gen: Generator) -> bool:
    """Whether ``gen.update`` would answer `gen` itself, whatever has happened.

    Generators say so by a true attribute `deaf`.  Most leaves are deaf; a mixture of
    hundreds of them need not tell them one by one.
    """
    return getattr(gen, "deaf", False)


Emitted: TypeAlias = tuple[Op | Pending, Generator | None] | None
"""What `Generator.op` answers."""

Liftable: TypeAlias = Generator | Op | Mapping[str, Any] | Callable[..., Any] | Iterable[Any] | None
"""Everything that `lift` makes a generator of."""


class Wrapper(msgspec.Struct, frozen=True):
    """A generator around another one, which passes every event on to it."""

    gen: Generator

    @property
    def deaf(self) -> bool:
        """See `is_deaf`."""
        return getattr(self.gen, "deaf", False)


SLEEP: Final = "sleep"
LOG: Final = "log"


class GeneratorError(Exception):
    """A generator broke its contract, or cannot work in the context it was given."""


def filled(op: Op, ctx: Context) -> Op | Pending:
    """`op` with its open fields filled in: a free process, and no time before now.

    `PENDING` if no thread is free, or not the one whose process the operation names.
    """
    if not ctx.free:
        return PENDING
    process = op.process
    if process is None:
        process = ctx.processes[ctx.some_free_thread()]
    else:
        thread = ctx.thread_of(process)
        if not ctx.free >> thread & 1 or ctx.processes[thread] != process:
            return PENDING
    time = op.time
    if time is None or time < ctx.time:
        time = ctx.time
    return Op(op.f, op.value, op.key, op.type, process, time, op.error, op.node)


def at_time(op: Op, time: int) -> Op:
    """`op`, to be invoked at `time`."""
    return Op(op.f, op.value, op.key, op.type, op.process, time, op.error, op.node)


def nanoseconds(seconds: float) -> int:
    """Seconds, as people write them, in the unit of the clock."""
    return round(seconds * 1_000_000_000)

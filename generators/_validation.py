"""A wrapper that holds a generator to its contract, for tests and for finding mistakes.

The runner checks the little it needs at every operation.  This wrapper checks everything
at every step, and says what was wrong, who said it, and in which context.
"""

from __future__ import annotations

import msgspec

from generators._context import Context
from generators._lifting import lift
from generators._protocol import (
    LOG,
    PENDING,
    SLEEP,
    Emitted,
    Generator,
    GeneratorError,
    Liftable,
)
from histories import Event, Op


class Validated(msgspec.Struct, frozen=True):
    gen: Generator

    def op(self, ctx: Context) -> Emitted:
        emitted = self.gen.op(ctx)
        problems = _problems(emitted, ctx)
        if problems:
            raise GeneratorError(
                "a generator broke its contract:\n"
                + "".join(f"  - {problem}\n" for problem in problems)
                + f"it answered: {_short(emitted)}\ngenerator: {_short(self.gen)}\n"
                f"context: {_short(ctx)}"
            )
        if emitted is None:
            return None
        op, gen = emitted
        return op, None if gen is None else Validated(gen)

    def update(self, ctx: Context, event: Event) -> Generator:
        gen = self.gen.update(ctx, event)
        if not _can_go_on(gen):
            raise GeneratorError(
                f"update() must answer with a generator, not {gen!r}\n"
                f"generator: {_short(self.gen)}\nevent: {event}"
            )
        return self if gen is self.gen else Validated(gen)


def validate(gen: Liftable) -> Generator | None:
    """`gen`, which raises `GeneratorError` as soon as it does what a generator must not."""
    lifted_gen = lift(gen)
    return None if lifted_gen is None else Validated(lifted_gen)


def problem_with(op: object, ctx: Context) -> str | None:
    """Why `op` cannot be carried out in `ctx`; None if it can."""
    if not isinstance(op, Op):
        return f"it emitted {op!r}, which is neither an Op nor PENDING"
    if op.process is None or op.time is None:
        return "the operation has no process or no time"
    thread = ctx.thread_of(op.process)
    if not ctx.threads >> thread & 1 or ctx.processes[thread] != op.process:
        return f"process {op.process!r} is not one of this context's"
    if not ctx.free >> thread & 1:
        return f"process {op.process!r} is not free"
    if op.type not in ("invoke", "info") or (op.type == "info" and op.f not in (SLEEP, LOG)):
        return f'type {op.type!r} is for completions; an operation to do is an "invoke"'
    return None


def _problems(emitted: object, ctx: Context) -> list[str]:
    if emitted is None:
        return []
    if not isinstance(emitted, tuple) or len(emitted) != 2:
        return ["op() must answer (operation, generator) or None"]
    op, gen = emitted
    problems = []
    if gen is not None and not _can_go_on(gen):
        problems.append(f"what follows is not a generator but {gen!r}; lift() makes it one")
    if op is PENDING:
        if gen is None:
            problems.append("after PENDING there must be a generator to ask again")
        return problems
    problem = problem_with(op, ctx)
    if problem is not None:
        return [*problems, problem]
    if op.time < ctx.time:
        problems.append(f"its time {op.time} is before now, {ctx.time}")
    return problems


def _can_go_on(gen: object) -> bool:
    return hasattr(gen, "op") and hasattr(gen, "update")


def _short(value: object, length_max: int = 600) -> str:
    text = repr(value)
    return text if len(text) <= length_max else text[:length_max] + " ..."

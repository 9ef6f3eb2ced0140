"""What a system promises, as ordinary Python.

A model is an initial state and a function `step(state, call)`, which answers the next
state, or `ILLEGAL` where the system could not have behaved like that.  The search asks
each distinct (state, call) once and remembers the answer, so a model may be as plain as
possible.  It must be a pure function: states are values and are never changed in place.

For example, a counter::

    def step(total, call):
        if call.f == "add":
            return total + call.argument
        return total if not call.completed or call.result == total else ILLEGAL

    counter = Model("counter", initial=0, step=step, read_only={"read"})

`read_only` names the operations that leave the state as it is in **every** state in which
they are legal.  It makes the search faster and is checked as it goes; leave it empty
where in doubt.  Where a model has few states, momus finds out by itself.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import msgspec

from histories import Json


class _Illegal(enum.Enum):
    ILLEGAL = "illegal"

    def __repr__(self) -> str:
        return "ILLEGAL"


ILLEGAL: Final = _Illegal.ILLEGAL
"""What `step` answers where the model does not allow the call in that state."""

Illegal: TypeAlias = Literal[_Illegal.ILLEGAL]


class Call(msgspec.Struct, frozen=True, gc=False):
    """An operation as a model sees it.

    `argument` is the value of its invocation; `result` that of its `ok` completion.  Where
    `completed` is false, nobody saw the answer, `result` is None and means nothing: the
    call may have had any outcome, and `step` decides only what it does to the state.

    `process` is who asked, for the models that want to know (`Model.by_process`): the
    holder of a lock, for example.  For others it is None, since calls that differ in
    nothing else are searched as one.
    """

    f: str
    argument: Json
    result: Json
    completed: bool
    process: int | None = None


@dataclass(frozen=True)
class Model:
    """A sequential specification; see the module's text.

    `native` names the twin of the model in the engine, for the models that have one;
    `by_process` says that `step` looks at `Call.process`.
    """

    name: str
    initial: Any
    step: Callable[[Any, Call], Any]
    read_only: Collection[str] = frozenset()
    native: str | None = None
    by_process: bool = False


class ModelError(ValueError):
    """A history holds an operation that the model does not know, or the model broke its rules."""

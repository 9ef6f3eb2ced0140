"""Linearizability by brute force: the definition, and nothing clever.

A history is linearizable if its operations can be put in one order, such that

- each does to the object what its model says, and answered what the model says,
- whatever returned before another was invoked comes before it (intervals are closed: at
  equal times the two are concurrent),
- every completed operation is there; one that crashed, or never completed, may be there
  or not, and may have answered anything; one that failed is not there.

`linearizable` tries every such order, `certifies` accepts or refuses a given one.  Both are
short enough to be believed by reading; the engine is believed because it agrees with them.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from checker import ILLEGAL, Call, Model
from histories import Event, Json


class _Anything(enum.Enum):
    ANYTHING = "anything"


ANYTHING: Final = _Anything.ANYTHING
"""The answer of an operation that nobody saw complete."""


@dataclass(frozen=True)
class Operation:
    """What one client saw.  One that never returned does so at infinity, and is optional."""

    index: int  # of its invocation in the history
    f: str
    argument: Json
    answer: Json | Literal[_Anything.ANYTHING]
    invoked: float
    returned: float
    process: int = 0

    @property
    def optional(self) -> bool:
        """It may have happened or not."""
        return self.returned == math.inf


Step: TypeAlias = Callable[[Json, Operation], tuple[bool, Json]]
"""Is the operation legal in this state, and which state follows?"""


def operations(events: Iterable[Event]) -> list[Operation]:
    """Pair the events of the clients; failed operations are gone, doubtful ones crashed."""
    found: dict[int, Operation] = {}
    current: dict[int | str, int] = {}
    for event in events:
        if event.type == "invoke":
            assert isinstance(event.process, int), "only clients' operations are judged"
            current[event.process] = event.index
            found[event.index] = Operation(
                event.index, event.f, event.value, ANYTHING, event.time, math.inf, event.process
            )
        elif event.type == "ok":
            index = current[event.process]
            found[index] = replace(found[index], answer=event.value, returned=event.time)
        elif event.type == "fail":
            del found[current[event.process]]
    return list(found.values())


def linearizable(ops: Sequence[Operation], step: Step, state: Json) -> bool:
    """Is there an order of `ops`, begun in `state`?"""
    if all(op.optional for op in ops):
        return True
    for op in ops:
        others = [other for other in ops if other is not op]
        if all(other.returned >= op.invoked for other in others):
            legal, after = step(state, op)
            if legal and linearizable(others, step, after):
                return True
    return False


def certifies(order: Sequence[int], ops: Sequence[Operation], step: Step, state: Json) -> bool:
    """Is `order` (indexes of invocations) one that the definition asks for?"""
    by_index = {op.index: op for op in ops}
    chain = [by_index[index] for index in order]
    if len(set(order)) != len(order) or any(
        not op.optional and op.index not in order for op in ops
    ):
        return False
    for place, op in enumerate(chain):
        if any(later.returned < op.invoked for later in chain[place:]):
            return False
        legal, state = step(state, op)
        if not legal:
            return False
    return True


def reachable(ops: Sequence[Operation], step: Step, state: Json) -> list[Json]:
    """The states that the object may be in, once every completed operation is placed."""
    found = [state] if all(op.optional for op in ops) else []
    for op in ops:
        others = [other for other in ops if other is not op]
        if all(other.returned >= op.invoked for other in others):
            legal, after = step(state, op)
            if legal:
                found += [s for s in reachable(others, step, after) if s not in found]
    return found


def before(ops: Sequence[Operation], time: float, *, inclusive: bool) -> list[Operation]:
    """As if the history ended then: what returned later is open, though its answer is known."""

    def known(op: Operation) -> bool:
        return op.returned < time or (inclusive and op.returned == time)

    begun = [op for op in ops if op.invoked <= time]
    return [op if known(op) else replace(op, returned=math.inf) for op in begun]


def register(state: Json, op: Operation) -> tuple[bool, Json]:
    """Read, write, and compare-and-set; a CAS answered false if it did not compare equal."""
    if op.f == "write":
        return True, op.argument
    if op.f == "read":
        return op.answer in (ANYTHING, state), state
    expected, new = op.argument
    if op.answer is ANYTHING:
        return True, new if state == expected else state
    if op.answer is False:
        return state != expected, state
    return state == expected, new


def store(state: Json, op: Operation) -> tuple[bool, Json]:
    """One key of a string store: get, put, append; a missing key reads as the empty string."""
    if op.f == "put":
        return True, op.argument
    if op.f == "append":
        return True, state + op.argument
    return op.answer in (ANYTHING, state), state


def defined_by(model: Model) -> Step:
    """A model as its own definition, for what is held against it."""

    def step(state: Json, op: Operation) -> tuple[bool, Json]:
        seen = op.answer is not ANYTHING
        result = op.answer if op.answer is not ANYTHING else None
        process = op.process if model.by_process else None
        after = model.step(state, Call(op.f, op.argument, result, seen, process))
        return after is not ILLEGAL, after

    return step

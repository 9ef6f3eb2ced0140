"""Queues, stacks and priority queues as models: what is taken out, and in which order.

A completed move that takes something, with the value null, is an observation: there was
nothing.  One whose answer nobody saw took whatever was next, or found nothing.
"""

from __future__ import annotations

import bisect
from typing import TypeAlias

from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from checker._registers import same
from histories import Json

Elements: TypeAlias = tuple[Json, ...]
"""What is inside: a queue's oldest first, a stack's newest last, by size in a priority queue."""


def _puts(call: Call, name: str, put: str, take: str) -> bool:
    """Whether the call puts its argument in; else it takes something out."""
    if call.f not in (put, take):
        raise ModelError(f"a {name} has no operation {call.f!r}, only {put} and {take}")
    if call.f == put and call.argument is None:
        raise ModelError(f"{put} of null: a {take} answers null where the {name} is empty")
    return call.f == put


def _takes(call: Call, next_one: Elements, rest: Elements) -> Elements | Illegal:
    """The state without its next element, if the call may have taken that."""
    if not call.completed:
        return rest
    if not next_one or call.result is None:
        return rest if not next_one and call.result is None else ILLEGAL
    return rest if same(next_one[0], call.result) else ILLEGAL


def _queue_step(state: Elements, call: Call) -> Elements | Illegal:
    if _puts(call, "queue", "enqueue", "dequeue"):
        return (*state, call.argument)
    return _takes(call, state[:1], state[1:])


def _stack_step(state: Elements, call: Call) -> Elements | Illegal:
    if _puts(call, "stack", "push", "pop"):
        return (*state, call.argument)
    return _takes(call, state[-1:], state[:-1])


def _priority_queue_step(state: Elements, call: Call) -> Elements | Illegal:
    if _puts(call, "priority queue", "insert", "delete-min"):
        _number(call.argument)
        place = bisect.bisect(state, call.argument)
        return (*state[:place], call.argument, *state[place:])
    if call.completed and call.result is not None:
        _number(call.result)
    return _takes(call, state[:1], state[1:])


def _number(element: Json) -> None:
    if isinstance(element, bool) or not isinstance(element, int | float):
        raise ModelError(f"the elements of a priority queue are numbers, not {element!r}")


def queue() -> Model:
    """A FIFO queue, empty at first: ``enqueue`` of an element, ``dequeue`` of the oldest."""
    return Model("queue", (), _queue_step, native="queue")


def stack() -> Model:
    """A stack, empty at first: ``push`` of an element, ``pop`` of the newest."""
    return Model("stack", (), _stack_step, native="stack")


def priority_queue() -> Model:
    """A priority queue of numbers, empty at first: ``insert``, and ``delete-min`` of a least."""
    return Model("priority-queue", (), _priority_queue_step, native="priority-queue")

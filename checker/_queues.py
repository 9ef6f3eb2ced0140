"""Queues as models: what is taken out, and in which order.

A completed ``dequeue`` with the value null is an observation: the queue was empty.  One
whose answer nobody saw took whatever was next, or found nothing.
"""

from __future__ import annotations

from typing import TypeAlias

from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from checker._registers import same
from histories import Json

Elements: TypeAlias = tuple[Json, ...]
"""What is inside, oldest first."""


def _queue_step(state: Elements, call: Call) -> Elements | Illegal:
    if call.f == "enqueue":
        if call.argument is None:
            raise ModelError(
                "null cannot be enqueued: a dequeue answers null where the queue is empty"
            )
        return (*state, call.argument)
    if call.f != "dequeue":
        raise ModelError(f"a queue has no operation {call.f!r}, only enqueue and dequeue")
    if not call.completed:
        return state[1:]
    if call.result is None:
        return ILLEGAL if state else state
    return state[1:] if state and same(state[0], call.result) else ILLEGAL


def queue() -> Model:
    """A FIFO queue, empty at first: ``enqueue`` of an element, ``dequeue`` of the oldest."""
    return Model("queue", (), _queue_step, native="queue")

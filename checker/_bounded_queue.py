"""A FIFO queue with room for so many elements.

A completed ``enqueue`` with the value false is an observation: the queue was full.  So is a
completed ``dequeue`` with the value null: it was empty.
"""

from __future__ import annotations

from dataclasses import dataclass

from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from checker._queues import Elements, queue
from histories import Json


@dataclass(frozen=True)
class _Step:
    """One step of a queue with room for `capacity` elements."""

    capacity: int

    def __call__(self, state: Elements, call: Call) -> Elements | Illegal:
        if call.f != "enqueue":
            after: Elements | Illegal = queue().step(state, call)
            return after
        if call.argument is None or call.argument is False:
            raise ModelError(
                f"{call.argument!r} cannot be an element: a dequeue answers null where the queue "
                "is empty, an enqueue false where it is full"
            )
        full = len(state) == self.capacity
        if call.completed and call.result is False:
            return state if full else ILLEGAL
        if full:
            return ILLEGAL if call.completed else state
        return (*state, call.argument)


def bounded_queue(capacity: Json) -> Model:
    """A FIFO queue, empty at first, that holds at most `capacity` elements.

    Raises `ValueError` where `capacity` is no integer from 1.
    """
    if not isinstance(capacity, int) or isinstance(capacity, bool) or capacity < 1:
        raise ValueError(
            f"the initial value of a bounded queue is its capacity, from 1, not {capacity!r}"
        )
    return Model("bounded-queue", (), _Step(capacity))

"""Which `Noticing` knows a model."""

from __future__ import annotations

from checker._model import Model
from checker._noticing import (
    Ints,
    Noticing,
    NoticingAnything,
    NoticingRegister,
    NoticingStrings,
)
from checker._noticing_locks import (
    NoticingCounter,
    NoticingLease,
    NoticingLock,
    NoticingSemaphore,
    equal_sizes,
)
from histories import History


def noticing_of(history: History, model: Model, invoked: Ints, returned: Ints) -> Noticing:
    """For the operations invoked and completed (or -1) at these positions."""
    match model.native:
        case "register" | "cas-register":
            return NoticingRegister(history, invoked, returned)
        case "kv":
            return NoticingStrings(history, invoked, returned)
        case "lock" | "reentrant-lock":
            reentrant = model.native == "reentrant-lock"
            return NoticingLock(history, invoked, reentrant=reentrant)
        case "semaphore" if equal_sizes(history, invoked):
            return NoticingSemaphore(history, invoked, model.initial[1])
        case "lease":
            return NoticingLease(history, invoked)
        case "counter":
            return NoticingCounter(history, invoked, returned)
        case _:
            return NoticingAnything(history, model, invoked)

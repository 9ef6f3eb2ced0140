"""The models that have a name: what the command line, run folders and certificates speak of.

Each maker takes the initial value, or None for the model's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from checker._bank import bank
from checker._bounded_queue import bounded_queue
from checker._counters import counter
from checker._locks import lease, lock, reentrant_lock, semaphore
from checker._log import log
from checker._model import Model
from checker._multi_register import multi_register
from checker._queues import priority_queue, queue, stack
from checker._registers import cas_register, kv, register
from checker._set_model import set_model
from checker._versions import versioned_register
from histories import Json


def _without_initial(make: Callable[[], Model]) -> Callable[[Any], Model]:
    """For a model that always begins empty."""

    def maker(initial: Json = None) -> Model:
        model = make()
        if initial not in (None, []):
            raise ValueError(f"a {model.name} is empty or free at first; leave `initial` out")
        return model

    return maker


MODELS: Final[dict[str, Callable[[Any], Model]]] = {
    "register": register,
    "cas-register": cas_register,
    "kv": kv,
    "multi-register": multi_register,
    "bank": bank,
    "bounded-queue": bounded_queue,
    "queue": _without_initial(queue),
    "set": _without_initial(set_model),
    "log": _without_initial(log),
    "versioned-register": versioned_register,
    "stack": _without_initial(stack),
    "priority-queue": _without_initial(priority_queue),
    "lock": _without_initial(lock),
    "reentrant-lock": _without_initial(reentrant_lock),
    "semaphore": semaphore,
    "lease": lease,
    "counter": counter,
}
"""Makers of models, by name."""

MONITORS: Final = {
    "register": "zones",
    "cas-register": "zones",
    "queue": "queue",
    "set": "elements",
    "log": "offsets",
    "versioned-register": "versions",
    "stack": "stack",
    "priority-queue": "priority-queue",
    "lock": "lock",
    "reentrant-lock": "lock",
    "semaphore": "semaphore",
    "lease": "lease",
    "counter": "counter",
}
"""The near-linear algorithm of each model that has one, as `ALGORITHMS` has it."""

"""Which model a history means, when nobody says so.

What the run recorded about itself comes first (``model`` in the header or in the run's
metadata), then the operations: appends mean a key-value store of strings, compare-and-set
a CAS register, plain reads and writes a register.  Where the answers are pairs of a number
and a value, the numbers are versions.  A guess is always told to the user, and never made
where the operations fit no model: then the user has to say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from momus._exits import Refusal

MODELS = (
    "register",
    "cas-register",
    "versioned-register",
    "kv",
    "set",
    "log",
    "queue",
    "stack",
    "priority-queue",
    "multi-register",
    "bank",
    "bounded-queue",
    "lock",
    "reentrant-lock",
    "semaphore",
    "lease",
    "counter",
)

_MODEL_OF_OPERATIONS = (
    ({"append"}, {"get", "put", "append", "read", "write"}, "kv"),
    ({"get", "put"}, {"get", "put", "append"}, "kv"),
    ({"get"}, {"get", "put", "append"}, "kv"),
    ({"put"}, {"get", "put", "append"}, "kv"),
    ({"add"}, {"add", "read"}, "set"),
    ({"contains"}, {"add", "remove", "contains", "read"}, "set"),
    ({"remove"}, {"add", "remove", "contains", "read"}, "set"),
    ({"txn"}, {"txn", "read", "write"}, "multi-register"),
    ({"transfer"}, {"transfer", "read"}, "bank"),
    ({"enqueue", "dequeue"}, {"enqueue", "dequeue"}, "queue"),
    ({"push", "pop"}, {"push", "pop"}, "stack"),
    ({"insert", "delete-min"}, {"insert", "delete-min"}, "priority-queue"),
    ({"use"}, {"acquire", "use", "release"}, "lease"),
    ({"acquire"}, {"acquire", "release"}, "lock"),
    ({"cas"}, {"read", "write", "cas"}, "cas-register"),
    ({"read"}, {"read", "write"}, "register"),
    ({"write"}, {"read", "write"}, "register"),
)
"""(one of these occurs, nothing outside these occurs, then it is this model)."""

_MODEL_OF_NUMBERED = (
    ({"append"}, {"append", "read"}, "log"),
    ({"read", "write", "cas"}, {"read", "write", "cas"}, "versioned-register"),
)
"""The same where the answers are ``[number, value]``."""

DATA_OPERATIONS = frozenset().union(
    *(known for _, known, _ in (*_MODEL_OF_OPERATIONS, *_MODEL_OF_NUMBERED))
)
"""What clients do, whatever the model; faults and probes have other names."""


@dataclass(frozen=True)
class Guess:
    """A model's name and how we came to it (empty when the user named it)."""

    model: str
    why: str = ""


def model_of(
    meta: Mapping[str, Any], operations: Collection[str], *, numbered: bool = False
) -> Guess:
    """The model of a history with this metadata and these names of client operations.

    `numbered` is whether they answer with pairs of a number and a value.
    Raises `Refusal` where nothing fits.
    """
    named = meta.get("model")
    if isinstance(named, str) and named:
        return Guess(named, f"the model is {named}, as the history says of itself")
    seen = set(operations)
    for some, all_, model in _MODEL_OF_NUMBERED if numbered else ():
        if seen & some and seen <= all_:
            why = f"guessed the model {model} from the operations {_list(seen)} and their answers"
            return Guess(model, f"{why}, [number, value]")
    for some, all_, model in _MODEL_OF_OPERATIONS:
        if seen & some and seen <= all_:
            return Guess(model, f"guessed the model {model} from the operations {_list(seen)}")
    if not seen:
        return Guess(
            "register", "there are no client operations, so any model will do, say register"
        )
    raise Refusal(
        f"cannot guess the model from the operations {_list(seen)}; "
        f"try --model with one of {', '.join(MODELS)}"
    )


def _list(names: Collection[str]) -> str:
    shown = sorted(names)[:8]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")

"""From a history and a model to the engine's search, and back to plain answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import Final

import msgspec
import numpy as np

from checker._asking import Asking
from checker._found import Decode, Found, found_of, numbered, without_numbers
from checker._limits import Limits
from checker._model import Call, Model, ModelError
from checker._models import MONITORS
from engine._native import Answer, Operations, canonical_json
from histories import History

_ASKED_MAX: Final = 10_000
"""A model in Python is asked so often, to find out what never changes a state; less often
for a history that is searched before that would be known."""


_DECODED_APART_MAX: Final = 1_000
"""The values of so many classes are decoded one by one; of more, all of the history's."""


def gathered(history: History, model: Model, jobs: int) -> Operations:
    """The client operations of a history by key, ready to be searched."""
    clocked = (history.time, history.process, history.type)
    named = (history.f, history.key, history.value)
    return Operations(*clocked, *named, history.pairs, model.by_process, jobs)


def search(
    history: History,
    operations: Operations,
    model: Model,
    algorithm: str,
    limits: Limits,
    hear: Callable[[int, Found], None] | None = None,
) -> list[Found]:
    """What is found of each key that `limits` choose, in their order.

    With `hear` each is told, with the number of its key, as soon as it is there, from any
    thread; and nothing is answered in the end.  Raises `ModelError` where an operation does
    not fit the model, what the model raises, and `ValueError` where the algorithm is not
    for this model.
    """
    if algorithm not in ("auto", "jit"):
        algorithm = _monitor(model, algorithm)
    if model.native is None:
        asking = Asking(model, calls_of(history, operations))
        began = time.perf_counter()
        read_only = explored(operations, asking, limits)
        return search_in_python(operations, asking, read_only, limits.since(began), hear)
    names = history.f_names
    values = (history.values.offsets, np.frombuffer(history.values.data, dtype=np.uint8))
    initial = canonical_json(msgspec.json.encode(model.initial)).decode()
    limits = _telling(limits, hear, msgspec.json.decode)
    try:
        if model.native == "kv":
            answers = operations.search_strings(names, values, initial, limits)
        elif model.native in ("register", "cas-register"):
            with_cas = model.native == "cas-register"
            asked = (names, values, initial, with_cas, algorithm, limits)
            answers = operations.search_register(*asked)
        else:
            asked_of = (model.native, names, values, initial, algorithm, limits)
            answers = operations.search_object(*asked_of)
    except ValueError as error:
        if len(error.args) != 2:
            raise
        klass, message = error.args
        raise ModelError(f"{where(history, operations, klass)}: {message}") from None
    return [found_of(answer, msgspec.json.decode) for answer in answers]


def search_in_python(
    operations: Operations,
    asking: Asking,
    read_only: Sequence[bool],
    limits: Limits,
    hear: Callable[[int, Found], None] | None = None,
) -> list[Found]:
    """The same for a model written in Python; `read_only` tells of each class of operations
    that it changes no state."""
    decode = numbered(asking.states)

    def told(answer: Answer) -> Found:
        found = found_of(answer, decode)
        if found.suspended is None:
            return found
        return replace(found, suspended=without_numbers(found.suspended, asking.states))

    if hear is not None:
        heard = hear
        limits = limits._replace(tell=lambda number, answer: heard(number, told(answer)))
    return [told(answer) for answer in operations.search_python(asking, read_only, limits)]


def explored(operations: Operations, asking: Asking, limits: Limits) -> list[bool]:
    """Which classes of operations change no state, as far as it can be found out."""
    asked_max = max(min(_ASKED_MAX, 20 * operations.count), operations.count // 10)
    seconds_max = inf if limits.seconds is None else limits.seconds / 10
    return asking.never_change(asked_max, seconds_max) or declared(asking)


def declared(asking: Asking) -> list[bool]:
    """Which classes of operations change no state, as the model says."""
    return [call.f in asking.model.read_only for call in asking.calls]


def calls_of(history: History, operations: Operations) -> list[Call]:
    """What a model sees of each class of operations."""
    names, classes = history.f_names, operations.classes
    if len(classes) > _DECODED_APART_MAX:
        history.values.decode_all()
    value = history.value_of
    return [
        Call(names[f], value(argument), value(result), ok, process if process >= 0 else None)
        for f, argument, result, ok, process in classes
    ]


def _telling(limits: Limits, hear: Callable[[int, Found], None] | None, decode: Decode) -> Limits:
    if hear is None:
        return limits
    heard = hear
    return limits._replace(tell=lambda number, answer: heard(number, found_of(answer, decode)))


def _monitor(model: Model, algorithm: str) -> str:
    """The engine's word for the monitor of this name; it must be one for this model."""
    name = MONITORS.get(model.native or "")
    if name is None:
        raise ValueError(f"there is no monitor for the model {model.name}; try auto or jit")
    if algorithm not in ("monitor", name):
        raise ValueError(f"the algorithm {algorithm} is not for {model.name}; try {name}")
    return "monitor"


def where(history: History, operations: Operations, klass: int) -> str:
    """The first operation of a class, as a place in the user's file."""
    f, argument, *_ = operations.classes[klass]
    mask = (history.f == f) & (history.value == argument) & (history.type == 0)
    event = int((mask & (history.process >= 0)).argmax())
    line = history.line(event)
    name = history.source or "history"
    return f"{name}:{line}" if line is not None else f"{name}, event {event}"

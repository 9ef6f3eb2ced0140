"""From a history and a model to the engine's search, and back to plain answers."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import Final

import msgspec
import numpy as np

from checker._asking import Asking
from checker._found import Decode, Found, found_of, numbered, without_numbers
from checker._guessing import Guessing, Numbers, Refuted, guessed
from checker._limits import Limits
from checker._model import Call, Model, ModelError
from checker._models import MONITORS
from engine._native import Answer, Operations, canonical_json
from histories import History

_ASKED_MAX: Final = 10_000
"""A model in Python is asked so often, to find out what never changes a state; less often
for a history that is searched before that would be known."""


_REFUTED_MAX: Final = 4
"""After so many guesses that were wrong the model is taken as it is."""

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
        asking = Guessing(model, calls_of(history, operations), _kinds_of(history, operations))
        began = time.perf_counter()
        read_only = explored(operations, asking, limits)
        return search_guessing(operations, asking, read_only, limits.since(began), hear)
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
    only: Sequence[int] = (),
) -> list[Found]:
    """The same for a model written in Python; `read_only` tells of each class of operations
    that it changes no state, and `only` in which state alone it is legal (-1: any)."""
    decode = numbered(asking.states)

    def told(answer: Answer) -> Found:
        found = found_of(answer, decode)
        if found.suspended is None:
            return found
        return replace(found, suspended=without_numbers(found.suspended, asking.states))

    if hear is not None:
        heard = hear
        limits = limits._replace(tell=lambda number, answer: heard(number, told(answer)))
    return [told(answer) for answer in operations.search_python(asking, read_only, only, limits)]


def search_guessing(
    operations: Operations,
    asking: Guessing,
    read_only: Sequence[bool],
    limits: Limits,
    hear: Callable[[int, Found], None] | None = None,
) -> list[Found]:
    """The same, at first with guesses about what else reads only; see `_guessing`.

    Guesses are for searches without limits: what a limit ends is resumed, and must not rest
    on a guess.
    """
    if limits.seconds is not None or limits.steps is not None or any(limits.earlier):
        return search_in_python(operations, asking, read_only, limits, hear)
    numbers = range(len(operations.keys)) if limits.only is None else limits.only
    found: dict[int, Found] = {}

    def believe(number: int, answer: Found) -> None:
        if answer.verdict != "valid":
            return
        found[number] = answer
        if hear is not None:
            hear(number, answer)

    refuted: list[int] = []
    while len(refuted) < _REFUTED_MAX:
        asking.guess = None  # or asking for the next would be held to the one that was refuted
        asking.guess = guessed(asking, np.array(read_only, np.bool_), refuted)
        if asking.guess is None:
            break
        rest = [number for number in numbers if number not in found]
        try:
            search_in_python(
                operations,
                asking,
                asking.guess.read_only.tolist(),
                limits._replace(only=rest),
                believe,
                asking.guess.only.tolist(),
            )
            break
        except Refuted as wrong:
            refuted.append(wrong.klass)
    asking.guess = None
    rest = [number for number in numbers if number not in found]
    if rest:
        limits = limits._replace(only=rest, earlier=())
        answers = search_in_python(operations, asking, read_only, limits, hear)
        found.update(zip(rest, answers, strict=hear is None))
    return [found[number] for number in numbers] if hear is None else []


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
    f, argument, result, completed, process = (each.tolist() for each in operations.classes)
    asker = [each if each >= 0 else None for each in process]
    # There may be a million of them, so the loop over them is one of C, and the collector
    # does not look again and again whether there are cycles among what is being made.
    collected = gc.isenabled()
    gc.disable()
    try:
        if len(f) > _DECODED_APART_MAX:
            history.values.decode_all()
        named, value = map(history.f_names.__getitem__, f), history.values.decoded
        asked, answered = map(value, argument), map(value, result)
        return list(map(Call, named, asked, answered, completed, asker))
    finally:
        if collected:
            gc.enable()


def _kinds_of(history: History, operations: Operations) -> Numbers:
    """Of each class a number that it shares with those of the same operation which ended in
    the same way: with true, with false, with some other answer, or not at all."""
    f, _, result, completed, _ = operations.classes
    # No other canonical JSON text begins with the letters of true and false.
    data = np.frombuffer(history.values.data, dtype=np.uint8)
    answered = completed & (result >= 0)
    initials = np.zeros(len(f), np.uint8)
    initials[answered] = data[history.values.offsets[result[answered]]]
    ended = np.where(initials == ord("t"), 2, np.where(initials == ord("f"), 3, completed))
    return (4 * f + ended).astype(np.int32)


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
    f, argument = (int(column[klass]) for column in operations.classes[:2])
    mask = (history.f == f) & (history.value == argument) & (history.type == 0)
    event = int((mask & (history.process >= 0)).argmax())
    line = history.line(event)
    name = history.source or "history"
    return f"{name}:{line}" if line is not None else f"{name}, event {event}"

"""Sequential consistency beside its definition, on small histories of two keys nobody chose.

The definition: some order of all operations that the model allows, in which each process did
its own in its order.  What is tried: every order, each configuration once.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec
import pytest

from checker import MODELS, Model, sequentially_consistent, verify_sequential
from histories import Event, History, Json
from tests.checker.bruteforce import ANYTHING, Operation, Step, operations
from tests.checker.random_histories import OBJECTS, Object, random_history
from tests.checker.test_oracle_agrees import shown

KEYS = 2
QUICK, SLOW = 1_700, 20_000  # of each of three objects


def in_some_order(ops: Sequence[tuple[Operation, Json]], step: Step, initial: Json) -> bool:
    """Is there an order of `ops`, each with its key, that keeps that of each process?"""
    seen = set()

    def walk(rest: tuple[tuple[Operation, Json], ...], states: tuple[Json, ...]) -> bool:
        if all(op.optional for op, _ in rest):
            return True
        name = (tuple(op.index for op, _ in rest), repr(states))
        if name in seen:
            return False
        seen.add(name)
        for op, key in rest:
            waits = any(
                other.process == op.process and not other.optional and other.index < op.index
                for other, _ in rest
            )
            legal, after = step(states[key], op)
            if not waits and legal:
                others = tuple(each for each in rest if each[0] is not op)
                if walk(others, (*states[:key], after, *states[key + 1 :])):
                    return True
        return False

    return walk(tuple(ops), (initial,) * KEYS)


def history_of(random: Random, thing: Object) -> list[Event]:
    """Two histories of one key each, laid over each other: the same processes do both.

    Some are left as they are, and mostly have an order; in others, answers are shuffled among
    the reads, so that they are stale or from the future.
    """
    parts = [random_history(random, thing) for _ in range(KEYS)]
    queues = [_operations(part) for part in parts]
    sources = [key for key, queue in enumerate(queues) for _ in queue]
    random.shuffle(sources)
    clients: list[list[Event]] = [[] for _ in range(random.randint(2, 3))]
    process = list(range(len(clients)))
    for key in sources:
        invoked, completed = queues[key].pop(0)
        client = random.randrange(len(clients))
        both = [event for event in (invoked, completed) if event is not None]
        clients[client] += [
            msgspec.structs.replace(event, process=process[client], key=key) for event in both
        ]
        if completed is None or completed.type == "info":
            process[client] += len(clients)
    merged: list[Event] = []
    while busy := [events for events in clients if events]:
        merged.append(random.choice(busy).pop(0))
    if random.random() < 0.4:
        _shuffle_answers(random, merged)
    return [msgspec.structs.replace(e, index=i, time=i // 2) for i, e in enumerate(merged)]


def _operations(events: Sequence[Event]) -> list[tuple[Event, Event | None]]:
    """Invocations, each with its completion, in the order of the completions."""
    found: list[tuple[Event, Event | None]] = []
    begun: dict[int | str, Event] = {}
    for event in events:
        if event.type == "invoke":
            begun[event.process] = event
        else:
            found.append((begun.pop(event.process), event))
    return [*found, *((event, None) for event in begun.values())]


def _shuffle_answers(random: Random, events: list[Event]) -> None:
    reads = [i for i, e in enumerate(events) if e.type == "ok" and e.f in ("read", "get")]
    answers = [events[i].value for i in reads]
    random.shuffle(answers)
    for place, answer in zip(reads, answers, strict=True):
        events[place] = msgspec.structs.replace(events[place], value=answer)


def check(random: Random, thing: Object, model: Model, seed: str) -> bool:
    events = history_of(random, thing)
    keys = {event.index: event.key for event in events}
    ops = [(op, keys[op.index]) for op in operations(events)]
    history = History.from_events(events)
    verdict = sequentially_consistent(history, model, jobs=1)
    expected = in_some_order(ops, thing.step, thing.initial)
    why = f"{seed}: {shown(0, events)}"
    assert verdict.valid is expected, why
    if expected:
        [certificate] = verdict.certificates
        assert verify_sequential(history, model, certificate.order) is None, why
    else:
        [found] = verdict.counterexamples
        assert found.sentence.endswith("."), why
    return expected


@pytest.mark.parametrize("name", OBJECTS)
def test_it_agrees_with_the_definition(name: str) -> None:
    random, thing = Random(f"sequential {name}"), OBJECTS[name]
    model = MODELS[name](thing.initial)
    valid = sum(check(random, thing, model, f"sequential {name}") for _ in range(QUICK))
    assert QUICK / 5 < valid < QUICK * 4 / 5


def test_models_in_python_agree_with_the_definition() -> None:
    thing = OBJECTS["cas-register"]
    random, model = Random("sequential in Python"), MODELS["cas-register"](thing.initial)
    in_python = Model("in Python", thing.initial, model.step, {"read"})
    for _ in range(200):
        check(random, thing, in_python, "sequential in Python")


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTS)
def test_it_agrees_with_the_definition_on_many_more(name: str) -> None:
    thing = OBJECTS[name]
    model = MODELS[name](thing.initial)
    for part in range(SLOW // 1000):
        random = Random(f"sequential {name} {part}")
        for _ in range(1000):
            check(random, thing, model, f"sequential {name} {part}")


def test_a_crashed_operation_is_optional_in_the_definition() -> None:
    crashed = Operation(0, "write", 1, ANYTHING, 0, float("inf"))
    assert in_some_order([(crashed, 0)], OBJECTS["register"].step, 0)

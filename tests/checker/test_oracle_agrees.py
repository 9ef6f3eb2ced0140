"""The engine's search beside the brute-force definition, on histories nobody chose.

A batch is a thousand small histories, checked as the thousand keys of one history.  For
each: the verdict is the oracle's, the certificate of a valid one is an order that the
definition asks for, and the operation named in a counterexample is the first that cannot
be placed.  ``-m slow`` tries a million.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import msgspec
import numpy as np
import pytest

from checker import MODELS, Linearization, Model, Verdict, linearizable, verify
from histories import Event, History
from tests.checker.bruteforce import Operation, before, certifies, operations, reachable
from tests.checker.bruteforce import linearizable as in_some_order
from tests.checker.random_histories import OBJECTS, Object, pack, random_history

BATCH = 1_000
QUICK = range(20)
SLOW = range(20, 354)  # with the quick ones and three models: a million


def shown(seed: int, events: Sequence[Event]) -> str:
    """What replays a disagreement: the seed, and the history as lines for `momus check`."""
    lines = b"\n".join(msgspec.json.encode(event) for event in events).decode()
    return f"seed {seed}, history:\n{lines}"


def check_batch(
    thing: Object,
    seed: int,
    model: str | Model,
    size: int = BATCH,
    *,
    algorithm: str = "auto",
    doubtful: float | None = None,
) -> Verdict:
    random = Random(f"{thing.model} {seed}")
    packed = pack([random_history(random, thing, doubtful=doubtful) for _ in range(size)])
    by_key: list[list[Event]] = [[] for _ in range(size)]
    for event in packed:
        by_key[event.key].append(event)
    named = isinstance(model, str)
    verdict = linearizable(
        History.from_events(packed),
        model,
        initial=thing.initial if named else None,
        algorithm=algorithm,
    )
    orders = {certificate.key: certificate.order for certificate in verdict.certificates}
    failures = {counterexample.key: counterexample for counterexample in verdict.counterexamples}
    assert verdict.valid is (not failures)
    for key, events in enumerate(by_key):
        ops = operations(events)
        if in_some_order(ops, thing.step, thing.initial):
            assert key in orders or not ops, f"called invalid; {shown(seed, events)}"
            order = list(map(int, orders.get(key, ())))
            assert certifies(order, ops, thing.step, thing.initial), (
                f"not a linearization: {order}; {shown(seed, events)}"
            )
        else:
            assert key in failures, f"called valid; {shown(seed, events)}"
            stuck = next(op for op in ops if op.index == failures[key].operation)
            check_first_impossible(thing, ops, stuck, failures[key].states, shown(seed, events))
    return verdict


def check_first_impossible(
    thing: Object, ops: Sequence[Operation], stuck: Operation, states: Sequence[object], why: str
) -> None:
    """Until `stuck` returned all was well, then no longer; and `states` were possible."""
    until = before(ops, stuck.returned, inclusive=False)
    then = before(ops, stuck.returned, inclusive=True)
    assert in_some_order(until, thing.step, thing.initial), f"{stuck} is too late; {why}"
    assert not in_some_order(then, thing.step, thing.initial), f"{stuck} can be placed; {why}"
    possible = [as_json(state) for state in reachable(until, thing.step, thing.initial)]
    assert states, f"no state before {stuck}; {why}"
    assert all(as_json(s) in possible for s in states), f"{states} not in {possible}; {why}"


def as_json(state: object) -> object:
    """A state as the engine tells it: tuples and sets are lists, those of sets sorted."""
    if isinstance(state, set | frozenset):
        return sorted((as_json(element) for element in state), key=repr)
    if isinstance(state, list | tuple):
        return [as_json(element) for element in state]
    return state


@pytest.mark.parametrize("name", OBJECTS)
def test_the_engine_agrees_with_brute_force(name: str) -> None:
    for seed in QUICK:
        check_batch(OBJECTS[name], seed, name)


@pytest.mark.parametrize("name", OBJECTS)
def test_the_same_model_in_python_agrees_with_brute_force(name: str) -> None:
    thing = OBJECTS[name]
    written_in_python = replace(MODELS[name](thing.initial), native=None)
    check_batch(thing, 0, written_in_python)


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTS)
def test_the_engine_agrees_with_brute_force_on_a_million(name: str) -> None:
    for seed in SLOW:
        check_batch(OBJECTS[name], seed, name)


def alone(thing: Object, events: Sequence[Event]) -> tuple[History, Verdict]:
    history = History.from_events(events)
    return history, linearizable(history, thing.model, initial=thing.initial)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_history_without_keys_is_judged_alike(name: str) -> None:
    thing, random = OBJECTS[name], Random(11)
    for _ in range(300):
        events = on_a_clock(random_history(random, thing))
        ops = operations(events)
        valid = in_some_order(ops, thing.step, thing.initial)
        assert alone(thing, events)[1].valid is valid, shown(11, events)


def on_a_clock(events: list[Event]) -> list[Event]:
    """A history all of whose events tie has no clock, and is judged by order; not wanted here."""
    last = msgspec.structs.replace(events[-1], time=events[-1].time + 1)
    return [*events[:-1], last]


@pytest.mark.parametrize("name", OBJECTS)
def test_the_verifier_agrees_with_the_definition_on_right_and_wrong_orders(name: str) -> None:
    thing, random = OBJECTS[name], Random(13)
    refused = 0
    for _ in range(300):
        events = on_a_clock(random_history(random, thing, "simulated"))
        history, verdict = alone(thing, events)
        model, ops = MODELS[name](thing.initial), operations(events)
        assert verify(history, model, verdict.certificates) is None, shown(13, events)
        order = [int(index) for c in verdict.certificates for index in c.order]
        random.shuffle(order)
        tampered = order[: len(order) - random.randrange(2)]
        claimed = Linearization(None, np.array(tampered, np.uint32))
        accepted = verify(history, model, [claimed]) is None
        assert accepted == certifies(tampered, ops, thing.step, thing.initial), (
            f"{tampered}; {shown(13, events)}"
        )
        refused += not accepted
    assert refused > 100

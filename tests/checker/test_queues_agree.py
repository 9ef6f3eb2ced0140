"""Queues beside their definition in Python, tried in every order, on histories nobody chose.

Mostly the elements are distinct, and then the monitor decides without help; the tests say
how often it may give up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest

from checker import MODELS, Verdict
from checker._linearizable import ALGORITHMS
from checker._models import MONITORS
from histories import Json
from tests.checker.bruteforce import defined_by
from tests.checker.random_histories import Client, Object
from tests.checker.test_oracle_agrees import check_batch


@dataclass(frozen=True)
class Container:
    """A model by name, its operations, and which element is taken next."""

    put: str
    take: str
    next: Callable[[Json], Json]


CONTAINERS = {
    "queue": Container("enqueue", "dequeue", lambda state: state[0]),
    "stack": Container("push", "pop", lambda state: state[-1]),
    "priority-queue": Container("insert", "delete-min", lambda state: state[0]),
}

_DRAWN = 8
"""As many elements as a history may have."""


def distinct(model: str) -> Object:
    """No element comes twice in one history; wrong answers are others of its elements."""
    last = 0

    def element() -> int:
        nonlocal last
        last += 1
        return last * 37 % 101

    def answer(random: Random) -> Json:
        return random.choice([None, *((last - ago) * 37 % 101 for ago in range(_DRAWN // 2))])

    return _container(model, lambda _random: element(), answer)


def repeated(model: str) -> Object:
    """Elements come again and again."""
    return _container(
        model, lambda random: random.randrange(3), lambda random: random.choice([None, 0, 1, 2])
    )


def _container(
    model: str, element: Callable[[Random], Json], answer: Callable[[Random], Json]
) -> Object:
    kind = CONTAINERS[model]

    def says(_random: Random, state: Json, client: Client) -> Json:
        if client.f == kind.put:
            return client.argument
        return kind.next(state) if state else None

    return Object(
        model,
        defined_by(MODELS[model](None)),
        (),
        (kind.put, kind.take),
        lambda random, f: element(random) if f == kind.put else None,
        lambda random, f: answer(random) if f == kind.take else None,
        says,
        lambda _random, client: client.answer,
        lies=(kind.take,),
    )


def searched(verdict: Verdict) -> int:
    """How many keys the general search decided."""
    algorithm = verdict.algorithm or ""
    if algorithm == ALGORITHMS["jit"]:
        return int(verdict.details["keys"])
    for part in algorithm.split(", "):
        if part.startswith(ALGORITHMS["jit"]):
            return int(part.removeprefix(ALGORITHMS["jit"]).strip(" (keys)"))
    return 0


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_monitor_decides_all_histories_of_distinct_elements(name: str) -> None:
    for seed in range(3):
        verdict = check_batch(distinct(name), seed, MODELS[name](None))
        assert verdict.algorithm == ALGORITHMS[MONITORS[name]]
        assert searched(verdict) == 0
        assert 250 < len(verdict.counterexamples) < 750


@pytest.mark.parametrize("name", CONTAINERS)
def test_where_elements_repeat_the_search_decides(name: str) -> None:
    verdict = check_batch(repeated(name), 0, MODELS[name](None))
    assert searched(verdict) > 250


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTAINERS)
def test_the_monitor_agrees_with_brute_force_on_more(name: str) -> None:
    for seed in range(100, 160):
        assert searched(check_batch(distinct(name), seed, MODELS[name](None))) == 0
    for seed in range(160, 165):
        check_batch(repeated(name), seed, MODELS[name](None))

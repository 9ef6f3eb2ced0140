"""Queues beside their definition in Python, tried in every order, on histories nobody chose.

Mostly the elements are distinct, and then the monitor decides without help; the tests say
how often it may give up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest

from checker import MODELS, Verdict, linearizable, verify
from checker._linearizable import ALGORITHMS
from checker._models import MONITORS
from histories import Event, History, Json
from tests.checker.bruteforce import defined_by
from tests.checker.random_histories import Client, Kind, Object, random_history
from tests.checker.test_oracle_agrees import check_batch, shown


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

UNDECIDED_MAX = {"queue": 0, "stack": 0, "priority-queue": 20}
"""In so many of 60,000 random histories, half of them with crashes, a monitor may give up."""

_DRAWN = 8
"""As many elements as a history may have."""


def distinct(model: str, remembered: int = _DRAWN // 2) -> Object:
    """No element comes twice in one history; wrong answers are the last of its elements."""
    last = 0
    size = 101 if remembered < 50 else 10_007

    def element() -> int:
        nonlocal last
        last += 1
        return last * 37 % size

    def answer(random: Random) -> Json:
        return random.choice([None, *((last - ago) * 37 % size for ago in range(remembered))])

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


SEARCH_SECONDS = 0.5
"""Many crashed operations are hard for the search; where it takes longer, nothing is compared."""


def check_larger(name: str, seed: int, histories: int, operations: int) -> tuple[int, int, int]:
    """How many of the histories are invalid, in how many the monitor gave up, and the search."""
    random, thing = Random(f"{name} {seed}"), distinct(name, remembered=operations)
    kinds: list[Kind] = ["simulated", "mutated", "mutated"]
    invalid = undecided = unsearched = 0
    for _ in range(histories):
        events = random_history(random, thing, random.choice(kinds), operations=operations)
        history = History.from_events(events)
        searching = linearizable(
            history, name, core=False, algorithm="jit", time_limit_s=SEARCH_SECONDS
        )
        found = linearizable(history, name, core=False, time_limit_s=SEARCH_SECONDS)
        undecided += searched(found)
        unsearched += searching.valid == "unknown"
        if "unknown" not in (searching.valid, found.valid):
            assert found.valid is searching.valid, shown(seed, events)
        if found.valid is True:
            assert verify(history, MODELS[name](None), found.certificates) is None
        invalid += found.valid is False
    return invalid, undecided, unsearched


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_monitor_agrees_with_the_search_on_larger_histories(name: str) -> None:
    invalid, undecided, unsearched = check_larger(name, 1, 60, 30)
    assert 10 < invalid < 50
    assert undecided <= 1
    assert unsearched <= 10


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTAINERS)
def test_the_monitor_agrees_with_the_search_on_histories_of_hundreds(name: str) -> None:
    for seed in range(2, 6):
        _, undecided, _ = check_larger(name, seed, 50, 200)
        assert undecided <= 1, f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTAINERS)
def test_the_monitor_agrees_with_brute_force_on_more(name: str) -> None:
    undecided = 0
    for seed in range(100, 160):
        undecided += searched(check_batch(distinct(name), seed, MODELS[name](None)))
    assert undecided <= UNDECIDED_MAX[name]
    for seed in range(160, 165):
        check_batch(repeated(name), seed, MODELS[name](None))


def test_what_is_told_of_few_operations_alone_says_so() -> None:
    told: list[tuple[str, Json, Json]] = []
    for element in range(6_000):
        told += [("enqueue", element, element), ("dequeue", None, element)]
    told += [("enqueue", -1, -1), ("enqueue", -2, -2), ("dequeue", None, -2)]
    events: list[Event] = []
    for f, argument, answer in told:
        begun = len(events)
        events.append(Event(begun, begun, 0, "invoke", f, None, argument))
        events.append(Event(begun + 1, begun + 1, 0, "ok", f, None, answer))
    [counterexample] = linearizable(History.from_events(events), "queue").counterexamples
    assert "by these alone" in counterexample.sentence
    assert counterexample.details["of_few_operations"] is True

"""Locks and counters beside their definitions in Python, on histories nobody chose.

Each history is judged by brute force, by the monitor and by the general search.  That the
monitor itself decided is counted, so that a wrong idea in it could not hide behind the
search that comes to its help.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

import checker
from checker import ILLEGAL, Call, Model, Verdict
from checker._linearizable import ALGORITHMS
from histories import Json
from tests.checker.bruteforce import defined_by
from tests.checker.drawing import drawn
from tests.checker.random_histories import BLOCKED, Client, Object
from tests.checker.test_oracle_agrees import BATCH, check_batch

SLOW = range(2, 52)
GENERAL = re.compile(rf"{ALGORITHMS['jit']}(?: \((\d+) keys\))?")


def _if_legal(model: Model) -> Callable[[Random, Json, Client], Json]:
    """Nothing is said; what is not legal now has to wait."""

    def says(_random: Random, state: Any, client: Client) -> Any:
        call = Call(client.f, client.argument, None, True, client.process)
        return BLOCKED if model.step(state, call) is ILLEGAL else None

    return says


def _in_turn(random: Random, client: Client) -> str:
    """Mostly release what was acquired, and then acquire again."""
    if random.random() < 0.15:
        return random.choice(("acquire", "release"))
    return "release" if client.f == "acquire" else "acquire"


def _nested(random: Random, client: Client) -> str:
    if client.f == "acquire":
        return random.choice(("acquire", "release", "release"))
    return random.choice(("acquire", "acquire", "acquire", "release"))


def _of_locks(
    model: Model,
    chooses: Callable[[Random, Client], str],
    argument: Callable[[Random, str], Json] = lambda _random, _f: None,
) -> Object:
    return Object(
        model.name,
        defined_by(model),
        model.initial,
        ("acquire", "release"),
        argument,
        answer=lambda _random, _f: None,
        says=_if_legal(model),
        told=lambda _random, client: client.argument,
        lies=(),
        chooses=chooses,
    )


def _lease_says(random: Random, state: Any, client: Client) -> Any:
    """A token a little greater than the newest; whether the token is the newest."""
    least, known = state
    if client.f == "acquire":
        return (-1 if least is None else least) + random.randint(1, 2)
    if client.f == "release":
        return None
    if not known:
        return client.argument == (least or 0)
    return BLOCKED if least is None or client.argument > least else client.argument == least


def _lease_answer(random: Random, f: str) -> Json:
    if f == "acquire":
        return random.randrange(5)
    return random.choice((True, False)) if f == "use" else None


def _lease_does(random: Random, client: Client) -> str:
    first = ("acquire", "acquire", "use")
    return random.choice(first if not client.f else ("acquire", "use", "use", "use", "release"))


LEASE = Object(
    "lease",
    defined_by(checker.lease()),
    (None, True),
    ("acquire", "use", "release"),
    lambda random, f: None if f == "acquire" else random.randrange(4),
    _lease_answer,
    _lease_says,
    told=lambda _random, client: client.answer if client.f != "release" else client.argument,
    lies=("acquire", "use"),
    chooses=_lease_does,
)


def _counter(name: str, *steps: int) -> Object:
    return Object(
        name,
        defined_by(checker.counter()),
        0,
        ("add", "read"),
        lambda random, f: random.choice(steps) if f == "add" else None,
        lambda random, f: random.randrange(5) * steps[0] if f == "read" else None,
        lambda _random, state, client: state if client.f == "read" else client.argument,
        told=lambda _random, client: client.answer,
        lies=("read",),
        chooses=lambda random, _client: random.choice(("add", "add", "read")),
    )


def _of_two(random: Random, _f: str) -> Json:
    return random.choice((None, 1, 2))


THINGS: dict[str, tuple[Object, Model]] = {
    "lock": (_of_locks(checker.lock(), _in_turn), checker.lock()),
    "reentrant lock": (_of_locks(checker.reentrant_lock(), _nested), checker.reentrant_lock()),
    "semaphore of 1": (_of_locks(checker.semaphore(1), _in_turn), checker.semaphore(1)),
    "semaphore of 2": (_of_locks(checker.semaphore(2), _nested), checker.semaphore(2)),
    "lease": (LEASE, checker.lease()),
    "counter by 1": (_counter("counter", 1), checker.counter()),
    "counter by -3": (_counter("counter by -3", -3), checker.counter()),
}
FOR_THE_SEARCH: dict[str, tuple[Object, Model]] = {
    "semaphore of 3, by 1 or 2": (
        _of_locks(checker.semaphore(3), _in_turn, _of_two),
        checker.semaphore(3),
    ),
    "counter by 1, 2 and -1": (_counter("counter by many", 1, 2, -1), checker.counter()),
}


ALL = THINGS | FOR_THE_SEARCH


def left_to_the_search(verdict: Verdict) -> int:
    """How many of the keys the monitor gave up."""
    found = GENERAL.search(verdict.algorithm or "")
    return int(found[1] or verdict.details["keys"]) if found else 0


def check(name: str, seed: int, **options: Any) -> Verdict:
    thing, model = ALL[name]
    return check_batch(thing, seed, model, **options)


@pytest.mark.parametrize("name", THINGS)
def test_the_monitor_agrees_with_brute_force(name: str) -> None:
    verdict = check(name, 0)
    assert left_to_the_search(verdict) == 0, verdict.algorithm
    assert 0.1 * BATCH < verdict.details["invalid_keys"] < 0.8 * BATCH


@pytest.mark.parametrize("name", THINGS)
def test_they_agree_where_half_of_the_operations_crash(name: str) -> None:
    assert left_to_the_search(check(name, 1, doubtful=0.5)) == 0


@pytest.mark.parametrize("name", ALL)
def test_the_search_agrees_with_brute_force(name: str) -> None:
    check(name, 0, size=300, algorithm="jit")


@pytest.mark.parametrize("name", FOR_THE_SEARCH)
def test_the_monitor_gives_up_where_its_conditions_are_not_met(name: str) -> None:
    assert left_to_the_search(check(name, 0, size=300)) > 30


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_they_agree_on_fifty_thousand(name: str) -> None:
    for seed in SLOW:
        doubtful = None if seed % 2 else 0.3 + seed / 200
        verdict = check(name, seed, doubtful=doubtful)
        assert name in FOR_THE_SEARCH or left_to_the_search(verdict) == 0
        check(name, seed, doubtful=doubtful, algorithm="jit", size=500)


def test_a_crashed_acquire_that_comes_too_late_does_not_hide_what_is_certain() -> None:
    history = drawn("""
        0  |--use 1 > false--|      |--acquire > 1--|   |-use 1 > false-|
        1 |---acquire > 3---|
        2                                |-acquire-...
    """)
    verdict = checker.linearizable(history, checker.lease(), algorithm="lease")
    assert verdict.valid is False

"""Logs beside their definition in Python, on histories nobody chose.

In `SEEN` all appends that returned know their offsets; in `PARTLY` some do not, and values
are appended more than once.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from checker import linearizable, log
from histories import History, Json
from tests.checker.bruteforce import defined_by
from tests.checker.random_histories import Client, Object, pack, random_history
from tests.checker.test_oracle_agrees import check_batch
from tests.checker.test_versions_agree import decided_by

MODEL = log()


def _argument_of(values: int) -> Callable[[Random, str], Json]:
    def argument(random: Random, f: str) -> Json:
        return random.randrange(values) if f == "append" else [random.randrange(3), None]

    return argument


def _says(_random: Random, state: Json, client: Client) -> Json:
    if client.f == "append":
        return [len(state), client.argument]
    offset = client.argument[0]
    return [offset, state[offset] if offset < len(state) else None]


def _answers(_random: Random, client: Client) -> Json:
    """Now and then what was drawn: an answer must fit what was asked."""
    offset, value = client.answer
    if client.f == "read" and offset != client.argument[0]:
        return [client.argument[0], value]
    return [offset, client.argument] if client.f == "append" else client.answer


def _partly(random: Random, client: Client) -> Json:
    offset, value = _answers(random, client)
    return [None, value] if client.f == "append" and random.random() < 0.4 else [offset, value]


def _log(values: int, told: Callable[[Random, Client], Json]) -> Object:
    def answer(random: Random, _f: str) -> Json:
        value = random.choice([None, *range(values)])
        return [random.randrange(4), value]

    step = defined_by(MODEL)
    functions = ("append", "read")
    return Object(
        "log", step, (), functions, _argument_of(values), answer, _says, told, lies=("append",)
    )


SEEN = _log(8, _answers)
PARTLY = _log(3, _partly)


@pytest.mark.parametrize("thing", [SEEN, PARTLY], ids=["seen", "partly"])
def test_a_log_agrees_with_its_definition(thing: Object) -> None:
    for seed in range(2):
        check_batch(thing, seed, MODEL)


@pytest.mark.slow
@pytest.mark.parametrize("thing", [SEEN, PARTLY], ids=["seen", "partly"])
def test_a_log_agrees_with_its_definition_on_many_more(thing: Object) -> None:
    for seed in range(100, 160):
        check_batch(thing, seed, MODEL)


def test_the_sweep_decides_all_that_is_valid_and_most_that_is_not() -> None:
    """An offset that nobody can fill is not between a few operations: that one is searched."""
    random = Random(3)
    valid = [random_history(random, SEEN, "simulated") for _ in range(1_000)]
    verdict = linearizable(History.from_events(pack(valid)), MODEL, core=False)
    assert decided_by(verdict.algorithm, "one sweep by offset") >= 995, verdict.algorithm
    mixed = [random_history(random, SEEN) for _ in range(1_000)]
    verdict = linearizable(History.from_events(pack(mixed)), MODEL, core=False)
    assert decided_by(verdict.algorithm, "one sweep by offset") >= 700, verdict.algorithm

"""Versioned registers beside their definition in Python, on histories nobody chose.

In `SEEN` all versions are known but those of crashed writes, as etcd tells them.  In
`PARTLY` some answers lack the version, and values are compared.
"""

from __future__ import annotations

from random import Random

import pytest

from checker import linearizable, versioned_register
from histories import History, Json
from tests.checker.bruteforce import defined_by
from tests.checker.random_histories import Client, Object, pack, random_history
from tests.checker.test_oracle_agrees import check_batch

MODEL = versioned_register()


def _argument(random: Random, f: str) -> Json:
    if f == "read":
        return None
    return [None, [random.randrange(3), random.randrange(3)] if f == "cas" else random.randrange(3)]


def _answer(random: Random, f: str) -> Json:
    if f == "read":
        return random.choice([[0, None], [random.randrange(6), random.randrange(3)]])
    if f == "cas":
        return random.choice([False, [random.randrange(1, 6), None]])
    return [random.randrange(1, 6), None]


def _says(random: Random, state: Json, client: Client) -> Json:
    """Each write skips a version now and then; the client may not see which it was."""
    version = state[0] + random.choice([1, 1, 2])
    if client.f == "read":
        return [state[0], state[1]]
    if client.f == "cas" and client.argument[1][0] != state[1]:
        return False
    return [version, client.argument[1]]


def _told(_random: Random, client: Client) -> Json:
    return client.answer


def _partly_told(random: Random, client: Client) -> Json:
    if client.answer is False or random.random() < 0.7:
        return client.answer
    return [None, client.answer[1]]


def _partly(random: Random, f: str) -> Json:
    answer = _answer(random, f)
    return answer if answer is False or random.random() < 0.7 else [None, answer[1]]


STEP = defined_by(MODEL)
LIES = ("read", "write", "cas")
NAME = "versioned-register"
PLAIN = ("read", "read", "write")
SEEN = Object(NAME, STEP, (0, None), PLAIN, _argument, _answer, _says, _told, LIES)
PARTLY = Object(
    NAME, STEP, (0, None), (*PLAIN, "cas"), _argument, _partly, _says, _partly_told, LIES
)


@pytest.mark.parametrize("thing", [SEEN, PARTLY], ids=["seen", "partly"])
def test_a_versioned_register_agrees_with_its_definition(thing: Object) -> None:
    for seed in range(3):
        check_batch(thing, seed, MODEL)


@pytest.mark.slow
@pytest.mark.parametrize("thing", [SEEN, PARTLY], ids=["seen", "partly"])
def test_a_versioned_register_agrees_with_its_definition_on_many_more(thing: Object) -> None:
    for seed in range(100, 160):
        check_batch(thing, seed, MODEL)


def test_the_sweep_decides_nearly_all_whose_versions_are_known() -> None:
    random = Random(3)
    history = History.from_events(pack([random_history(random, SEEN) for _ in range(1_000)]))
    verdict = linearizable(history, MODEL, core=False)
    assert decided_by(verdict.algorithm, "one sweep by version") >= 995, verdict.algorithm


def decided_by(told: str | None, name: str) -> int:
    """How many keys an algorithm decided, as a verdict tells it."""
    for part in (told or "").split(", "):
        if part.startswith(name):
            return int(part.removeprefix(name).strip(" ()keys") or 10**6)
    return 0

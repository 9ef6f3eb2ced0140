"""Sets beside their definition in Python, on histories nobody chose.

`ELEMENTS` speaks of one element at a time; `GROWING` is never made smaller and read as a
whole; `MIXED` does everything.
"""

from __future__ import annotations

from random import Random

import pytest

from checker import linearizable, set_model
from histories import History, Json
from tests.checker.bruteforce import defined_by
from tests.checker.random_histories import Client, Object, pack, random_history
from tests.checker.test_oracle_agrees import check_batch
from tests.checker.test_versions_agree import decided_by

MODEL = set_model()


def _argument(random: Random, f: str) -> Json:
    return None if f == "read" else random.randrange(2)


def _answer(random: Random, f: str) -> Json:
    if f == "read":
        return [element for element in range(3) if random.random() < 0.4]
    if f == "contains":
        return random.choice([True, False])
    return random.choice([True, False, None, "OK"])


def _says(_random: Random, state: Json, client: Client) -> Json:
    present = client.argument in state
    if client.f == "read":
        return list(state)
    return present if client.f == "contains" else present is (client.f == "remove")


def _told(random: Random, client: Client) -> Json:
    """Whether it changed the set is told now and then."""
    if client.f in ("add", "remove") and random.random() < 0.5:
        return random.choice([None, client.argument, "OK"])
    return client.answer


def _set(*functions: str) -> Object:
    lies = ("add", "remove", "contains", "read")
    step = defined_by(MODEL)
    return Object("set", step, (), functions, _argument, _answer, _says, _told, lies)


ELEMENTS = _set("add", "remove", "contains")
GROWING = _set("add", "add", "contains", "read")
MIXED = _set("add", "remove", "contains", "read")
KINDS = [ELEMENTS, GROWING, MIXED]
NAMES = ["elements", "growing", "mixed"]


@pytest.mark.parametrize("thing", KINDS, ids=NAMES)
def test_a_set_agrees_with_its_definition(thing: Object) -> None:
    for seed in range(2):
        check_batch(thing, seed, MODEL)


@pytest.mark.slow
@pytest.mark.parametrize("thing", KINDS, ids=NAMES)
def test_a_set_agrees_with_its_definition_on_many_more(thing: Object) -> None:
    for seed in range(100, 160):
        check_batch(thing, seed, MODEL)


@pytest.mark.parametrize("thing", [ELEMENTS, GROWING], ids=NAMES[:2])
def test_elements_and_chains_of_reads_need_no_search_of_the_whole(thing: Object) -> None:
    random = Random(3)
    history = History.from_events(pack([random_history(random, thing) for _ in range(1_000)]))
    verdict = linearizable(history, MODEL, core=False)
    assert decided_by(verdict.algorithm, "element by element") >= 995, verdict.algorithm

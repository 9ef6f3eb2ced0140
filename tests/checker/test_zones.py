"""Registers with distinct writes need no search; brute force says the same.

Values are drawn from few enough that some histories write one twice: these go to the general
search, in the same call.
"""

from __future__ import annotations

from random import Random

import pytest

from checker import linearizable
from histories import History
from tests.checker.bruteforce import register
from tests.checker.random_histories import of_values, pack, random_history
from tests.checker.test_oracle_agrees import check_batch

DISTINCT = of_values(
    "register",
    register,
    0,
    ("read", "read", "write"),
    lambda random, f: random.randrange(1, 12) if f == "write" else None,
    lambda random, f: random.choice([0, *range(1, 12)]) if f == "read" else None,
)


def test_zones_agree_with_brute_force() -> None:
    for seed in range(4):
        check_batch(DISTINCT, seed, "register")


@pytest.mark.slow
def test_zones_agree_with_brute_force_on_a_million() -> None:
    for seed in range(200):
        check_batch(DISTINCT, seed, "register")


def test_zones_agree_with_the_general_search_on_longer_histories() -> None:
    random = Random(17)
    decided = set()
    for _ in range(30):
        count = random.randrange(100, 300)
        histories = [random_history(random, DISTINCT) for _ in range(count)]
        history = History.from_events(pack(histories))
        zones = linearizable(history, "register", initial=0)
        general = linearizable(history, "register", initial=0, algorithm="jit")
        decided.add(zones.algorithm)
        assert {c.key for c in zones.certificates} == {c.key for c in general.certificates}
    assert any("zones" in (algorithm or "") for algorithm in decided), "zones were tried at all"

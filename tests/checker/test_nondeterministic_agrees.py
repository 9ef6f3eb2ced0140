"""Models of sets beside brute force over orders and choices, on histories nobody chose.

For each small history: the verdict is the oracle's, the certificate is an order for which
there are choices, the operation named in a counterexample is the first that cannot be placed,
and every state shown was possible before it returned.
"""

from __future__ import annotations

from random import Random

import pytest

from checker import linearizable, verify
from histories import Event, History
from tests.checker.bruteforce import before, operations
from tests.checker.choices import WILFUL, Wilful, certifies, explained, reachable
from tests.checker.random_histories import pack, random_history
from tests.checker.test_oracle_agrees import shown

QUICK, SLOW = range(2), range(2, 60)
SIZE = 500


def check_batch(wilful: Wilful, seed: int) -> tuple[int, int]:
    """How many were valid, and how many were not."""
    random = Random(f"{wilful.thing.model} {seed}")
    packed = pack([random_history(random, wilful.thing) for _ in range(SIZE)])
    by_key: list[list[Event]] = [[] for _ in range(SIZE)]
    for event in packed:
        by_key[event.key].append(event)
    history = History.from_events(packed)
    verdict = linearizable(history, wilful.model, core=False)
    certificates = {found.key: found for found in verdict.certificates}
    failures = {found.key: found for found in verdict.counterexamples}
    for key, events in enumerate(by_key):
        ops, why = operations(events), shown(seed, events)
        if explained(ops, wilful.choices, wilful.initial):
            assert key in certificates or not ops, f"called invalid; {why}"
            order = list(map(int, certificates[key].order)) if ops else []
            assert certifies(order, ops, wilful.choices, wilful.initial), f"{order}; {why}"
            continue
        assert key in failures, f"called valid; {why}"
        stuck = next(op for op in ops if op.index == failures[key].operation)
        until = before(ops, stuck.returned, inclusive=False)
        then = before(ops, stuck.returned, inclusive=True)
        assert explained(until, wilful.choices, wilful.initial), f"{stuck} is too late; {why}"
        assert not explained(then, wilful.choices, wilful.initial), f"{stuck} has a place; {why}"
        possible = reachable(until, wilful.choices, wilful.initial)
        assert failures[key].states, f"no state before {stuck}; {why}"
        assert all(state in possible for state in failures[key].states), why
    if not failures:
        assert verify(history, wilful.model, verdict.certificates) is None
    return len(certificates), len(failures)


@pytest.mark.parametrize("name", WILFUL)
def test_sets_of_states_agree_with_brute_force(name: str) -> None:
    counts = [check_batch(WILFUL[name], seed) for seed in QUICK]
    valid, invalid = map(sum, zip(*counts, strict=True))
    assert min(valid, invalid) > SIZE * len(QUICK) // 5


@pytest.mark.slow
@pytest.mark.parametrize("name", WILFUL)
def test_sets_of_states_agree_with_brute_force_on_many_more(name: str) -> None:
    for seed in SLOW:
        check_batch(WILFUL[name], seed)

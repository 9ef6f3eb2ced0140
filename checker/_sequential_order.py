"""The verifier of orders that keep each process's own: certificates of sequential consistency.

Like `verify` it knows nothing of the search.  It replays the model along the order, with a
state for each key, and checks that each operation stands behind those that its process had
completed before it.  Real time is not looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from checker._model import ILLEGAL, Call, Model
from checker._nondeterministic import NondeterministicModel, deterministic
from histories import History

_OK, _FAIL = 1, 2


def verify_sequential(
    history: History, model: Model | NondeterministicModel, order: Iterable[int]
) -> str | None:
    """Checks an order of all keys together: None if it proves sequential consistency.

    `order` holds the indexes of invocations.  Each completed client operation must be in it
    exactly once, a crashed one at most once, a failed one never.  The completed operations of
    a process stand in their order, a crashed one behind those completed before it.
    """
    model = deterministic(model)
    before: dict[int, int] = {}  # how many operations its process had completed by then
    completed: Counter[int] = Counter()
    required = set()
    for index in np.flatnonzero((history.type == 0) & (history.process >= 0)).tolist():
        process = int(history.process[index])
        before[index] = completed[process]
        if history.pairs[index] >= 0 and history.type[history.pairs[index]] == _OK:
            completed[process] += 1
            required.add(index)
    states: dict[int, object] = {}
    done: Counter[int] = Counter()
    placed: set[int] = set()
    for index in map(int, order):
        if index not in before or index in placed:
            return f"event {index} is not an invocation to be placed once"
        placed.add(index)
        partner = int(history.pairs[index])
        if partner >= 0 and history.type[partner] == _FAIL:
            return f"the operation of event {index} certainly did not happen"
        process, key, ok = int(history.process[index]), int(history.key[index]), index in required
        if done[process] < before[index] or (ok and done[process] > before[index]):
            return f"the operation of event {index} is not in the order of its process"
        done[process] += ok
        result = history.value_of(int(history.value[partner])) if ok else None
        argument = history.value_of(int(history.value[index]))
        who = process if model.by_process else None
        call = Call(history.f_names[history.f[index]], argument, result, ok, who)
        states[key] = model.step(states.get(key, model.initial), call)
        if states[key] is ILLEGAL:
            return f"the model does not allow the operation of event {index} there"
    missing = required - placed
    return f"the operation of event {min(missing)} is not placed" if missing else None

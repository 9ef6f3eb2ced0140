"""The verifier: is this order of operations really a linearization of that history?

It knows nothing of the search that found the order.  It replays the model along the order,
and checks that the operations' points in time do not decrease and lie inside their
intervals.  Where an order comes without points, the earliest that fit are taken: the latest
invocation so far.  If these do not fit, none do.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from checker._model import ILLEGAL, Call, Model
from checker._nondeterministic import NondeterministicModel, deterministic
from checker._verdict import Linearization
from histories import History, canonical

_OK, _FAIL = 1, 2


def verify(
    history: History,
    model: Model | NondeterministicModel,
    certificates: Iterable[Linearization],
) -> str | None:
    """Checks certificates of all the keys of a history: None if they prove it valid.

    Otherwise the answer says what is wrong.  Each completed client operation must be
    placed exactly once, a crashed one at most once, a failed one never.  Where the model is
    non-deterministic, the order is right if some choices are: if the set of states that the
    object may be in never becomes empty.
    """
    model = deterministic(model)
    time = _instants(history)
    required = {
        int(index)
        for index in np.flatnonzero((history.type == 0) & (history.process >= 0))
        if history.pairs[index] >= 0 and history.type[history.pairs[index]] == _OK
    }
    placed: set[int] = set()
    keys: set[bytes] = set()
    for certificate in certificates:
        state, latest = model.initial, -1
        text = canonical(certificate.key)
        if text in keys:
            return f"the key {text.decode()} has two orders"
        keys.add(text)
        code = -1 if certificate.key is None else history.keys.code_of(text)
        points = certificate.points
        if points is not None and len(points) != len(certificate.order):
            return f"the key {text.decode()} has not one point in time for each operation"
        for place, index in enumerate(map(int, certificate.order)):
            if (
                not 0 <= index < len(history)
                or index in placed
                or history.type[index] != 0
                or history.process[index] < 0
            ):
                return f"event {index} is not an invocation to be placed once"
            placed.add(index)
            partner = int(history.pairs[index])
            outcome = history.type[partner] if partner >= 0 else None
            if outcome == _FAIL:
                return f"the operation of event {index} certainly did not happen"
            completed = outcome == _OK
            if history.key[index] != code:
                return f"the operation of event {index} is on another key"
            point = max(latest, int(time[index])) if points is None else int(points[place])
            if point < latest or point < time[index]:
                return f"the operation of event {index} takes effect too early"
            latest = point
            if completed and time[partner] < latest:
                return f"the operation of event {index} returned before it takes effect there"
            result = history.value_of(int(history.value[partner])) if completed else None
            argument = history.value_of(int(history.value[index]))
            process = int(history.process[index]) if model.by_process else None
            call = Call(history.f_names[history.f[index]], argument, result, completed, process)
            state = model.step(state, call)
            if state is ILLEGAL:
                return f"the model does not allow the operation of event {index} there"
    missing = required - placed
    return f"the operation of event {min(missing)} is not placed" if missing else None


def points(
    history: History, linearization: Linearization
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """When each operation of the order can have taken effect, at the earliest; see `Linearization`.

    Shape ``(n_linearized,)``.
    """
    return np.maximum.accumulate(_instants(history)[linearization.order])


def _instants(history: History) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The time of each event, or its number where the history has no clock."""
    if len(history) > 1 and history.time[0] == history.time[-1]:
        return np.arange(len(history), dtype=np.int64)
    return history.time

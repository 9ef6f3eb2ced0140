"""Cores for the keys that failed: how much is spent on them, and by which search."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final

from checker._core import Core, Effort, Search, core_of
from checker._limits import Limits
from checker._model import Model
from checker._searching import gathered, search
from checker._verdict import Valid, merge_valid
from histories import History

CORES_MAX: Final = 16
"""Of so many failing keys the core is looked for."""

_SEARCH_SECONDS: Final = 1.0
_SECONDS: Final = 10.0
"""A safety net: the work on cores is bounded by counting, searches of small histories can
still be hard.  A search that takes longer counts as one that found an explanation."""


def cores(
    history: History, model: Model, stuck: Iterable[int], limits: Limits
) -> Iterator[Core | None]:
    """The core behind each operation that cannot be placed (its invocation), if it is found.

    The limits are those of the call: what is left of its time holds for all of them.
    """
    smaller, effort = _search_of_cores(limits), Effort()
    for event in stuck:
        yield core_of(history, model, event, smaller, effort)


def _search_of_cores(limits: Limits) -> Search:
    """The same search for relaxed histories."""
    seconds = _SECONDS if limits.seconds is None else min(_SECONDS, limits.seconds)
    deadline = time.perf_counter() + seconds

    def smaller(history: History, model: Model) -> bool | None:
        left = min(deadline - time.perf_counter(), _SEARCH_SECONDS)
        if left <= 0:
            return None
        try:
            operations = gathered(history, model, 1)
            found = search(history, operations, model, "auto", Limits(left, limits.bytes, 1))
        except Exception:
            # A model in Python may raise in a state that it did not meet before.  The verdict
            # stands; a core is only an explanation.
            return None
        valid: Valid = merge_valid(each.valid for each in found)
        return None if valid == "unknown" else valid

    return smaller

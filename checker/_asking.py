"""Between the engine's numbers and a model's values.

The engine knows states and operations by number.  `Asking` holds both sides of that
dictionary for one model and one history; the engine calls it once per distinct
(state, class).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from math import inf
from typing import Any

from checker._model import ILLEGAL, Call, Model, ModelError
from checker._nondeterministic import members
from checker._state import frozen


class Asking:
    """Steps of `model` by number: ``asking(state, class)`` is the next state, or -1.

    Invariant: ``states[n]`` is the state numbered ``n``, and ``states[0]`` the initial one.
    Two states have one number iff they are equal, value and type.
    """

    def __init__(self, model: Model, calls: Sequence[Call]) -> None:
        self.model = model
        self.calls = calls
        self.states: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._explored: dict[tuple[int, int], int] = {}
        self.number_of(model.initial)

    @property
    def direct(self) -> tuple[Any, Sequence[Call], list[Any], Any] | None:
        """What the engine needs to ask the model itself, or None if it may not.

        Then it calls ``numbered`` with what it was answered, unless it can tell the number.
        """
        return self.model.step, self.calls, self.states, ILLEGAL

    def __call__(self, state: int, klass: int) -> int:
        known = self._explored.get((state, klass))
        return self._ask(state, klass) if known is None else known

    def _ask(self, state: int, klass: int) -> int:
        before, call = self.states[state], self.calls[klass]
        # A state that cannot be hashed could be changed by a careless step; it gets a copy.
        given = before if before.__hash__ is not None else copy.deepcopy(before)
        return self.numbered(state, klass, self.model.step(given, call))

    def numbered(self, state: int, klass: int, after: Any) -> int:
        """The number of what the step answered, or -1 where it is illegal."""
        if after is ILLEGAL:
            return -1
        number, call = self.number_of(after), self.calls[klass]
        if number != state and call.f in self.model.read_only:
            raise ModelError(
                f"the model {self.model.name} declares {call.f!r} read-only, but in state "
                f"{self.states[state]!r} it leads to {after!r}; take it out of read_only"
            )
        return number

    def never_change(self, asked_max: int, seconds_max: float = inf) -> list[bool] | None:
        """Which calls leave every reachable state as it is; None if these are too many.

        Follows all calls from all states, whatever their order in time, until there are no
        new states: what holds in all of these holds in all that the search can meet.  Gives
        up after `asked_max` steps of single states or so many seconds, and where a step
        raises: it may never have to be taken.
        """
        until = time.perf_counter() + seconds_max
        changes = [False] * len(self.calls)
        asked = 0
        state = 0
        while state < len(self.states):
            asked += len(self.calls) * len(members(self.states[state]))
            to_come = len(self.calls) * (len(self.states) - state - 1)
            if asked + to_come > asked_max:
                return None
            for klass in range(len(self.calls)):
                if time.perf_counter() > until:
                    return None
                try:
                    after = self._explored[state, klass] = self._ask(state, klass)
                except Exception:
                    return None
                changes[klass] |= after not in (-1, state)
            state += 1
        return [not change for change in changes]

    def number_of(self, state: Any) -> int:
        """The number of a state, a new one if it is new."""
        number = self._numbers.setdefault(frozen(state), len(self.states))
        if number == len(self.states):
            self.states.append(state)
        return number

    def find(self, state: Any) -> int | None:
        """The number of a state that has one."""
        return self._numbers.get(frozen(state))

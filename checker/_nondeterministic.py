"""Models whose steps have a choice, judged as models of sets.

A step of a non-deterministic model answers every state that may follow: a write that timed
out may be torn, a replica may answer with one of the last values.  A history is explained
if some order *and some choices* explain it.  There is no need to search for the choices:
take as one state the set of all states that the object may be in by then, and as its step
the union of what may follow from each; where nothing may follow, the step is illegal.  Some
choices survive to the end iff the set does (the powerset construction of Rabin & Scott 1959).

*Trap.*  An operation that leaves each single state as it is may still change the set: a read
throws out the states that would have answered something else.  Taken earlier it would throw
out what is still needed.  So nothing that a model says of single states is believed of
sets; what never changes a *set* is found out by exploring the sets (`_asking`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from checker._model import ILLEGAL, Call, Model, ModelError
from checker._state import frozen
from histories import Json


class Possible:
    """A set of states: the object is in one of them.  Equal iff the members are, whatever order."""

    __slots__ = ("_members", "states")

    def __init__(self, states: Iterable[Any]) -> None:
        distinct: dict[Any, Any] = {}
        for state in states:
            distinct.setdefault(frozen(state), state)
        self.states: tuple[Any, ...] = tuple(distinct.values())
        self._members = frozenset(distinct)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Possible) and self._members == other._members

    def __hash__(self) -> int:
        return hash(self._members)

    def __repr__(self) -> str:
        return f"one of {list(self.states)!r}"


@dataclass(frozen=True)
class NondeterministicModel:
    """A specification in which a step may lead to several states.

    `step(state, call)` returns (or yields) all states that may follow; none at all where
    the call is not allowed in that state.  `initial_states` are those it may begin in, at
    least one.  `linearizable`, `sequentially_consistent` and `verify` take it like a `Model`.

    For example a register whose write, where nobody saw it succeed, may leave rubbish::

        def step(value, call):
            if call.f == "write":
                return [call.argument] if call.completed else [call.argument, "rubbish"]
            return [value] if not call.completed or call.result == value else []

        torn = NondeterministicModel("torn register", [0], step)

    Raises `ModelError` where `step` answers something that holds no states.
    """

    name: str
    initial_states: Collection[Any]
    step: Callable[[Any, Call], Iterable[Any]]
    by_process: bool = False

    def determinised(self) -> Model:
        """The model of the sets; its states are `Possible`."""
        if not self.initial_states:
            raise ModelError(f"the model {self.name} has no initial state; it needs at least one")
        return Model(
            self.name, Possible(self.initial_states), _SetStep(self), by_process=self.by_process
        )


@dataclass(frozen=True)
class _SetStep:
    """One step of all the states in a set; a value, so that it can go to another process."""

    model: NondeterministicModel

    def __call__(self, before: Possible, call: Call) -> Any:
        after = Possible(state for each in before.states for state in self._after(each, call))
        return after if after.states else ILLEGAL

    def _after(self, state: Any, call: Call) -> Iterable[Any]:
        # A state that cannot be hashed could be changed by a careless step; it gets a copy.
        given = state if state.__hash__ is not None else copy.deepcopy(state)
        found = self.model.step(given, call)
        if isinstance(found, str | bytes | dict) or not isinstance(found, Iterable):
            raise ModelError(
                f"a step of the non-deterministic model {self.model.name} answers all states that "
                f"may follow, in a list, but {call.f!r} in state {state!r} answered {found!r}"
            )
        return found


def deterministic(model: Model | NondeterministicModel) -> Model:
    """The model itself, or that of its sets."""
    return model.determinised() if isinstance(model, NondeterministicModel) else model


def members(state: Any) -> tuple[Any, ...]:
    """The states of which the object is in one: several only for non-deterministic models."""
    return state.states if isinstance(state, Possible) else (state,)


def shown_state(state: Any) -> Json:
    """A state as it is shown, a set as ``{"one of": [...]}`` unless there is only one."""
    states: list[Json] = list(members(state))
    return states[0] if len(states) == 1 else {"one of": states}

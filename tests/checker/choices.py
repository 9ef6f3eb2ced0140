"""Three objects with a will of their own, and brute force over orders *and* choices.

- *torn*: a register of two letters.  A write whose client saw no answer may have changed only
  the first letter.
- *retried*: a counter.  An addition whose client saw no answer may have been done twice.
- *shuffled*: a queue.  What is enqueued may slip in front of the element before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, TypeAlias

from checker import Call, NondeterministicModel
from histories import Json
from tests.checker.bruteforce import ANYTHING, Operation
from tests.checker.random_histories import Client, Object

Choices: TypeAlias = Callable[[Any, Operation], list[Any]]


def explained(ops: Sequence[Operation], choices: Choices, state: Any) -> bool:
    """Is there an order of `ops`, begun in `state`, and a choice at each step?"""
    return bool(reachable(ops, choices, state))


def reachable(ops: Sequence[Operation], choices: Choices, state: Any) -> set[Any]:
    """The states that the object may be in, once every completed operation is placed.

    Tries every order and every choice, each set of remaining operations in each state once.
    """
    found: set[Any] = set()
    seen: set[tuple[frozenset[int], Any]] = set()

    def walk(rest: Sequence[Operation], state: Any) -> None:
        name = (frozenset(op.index for op in rest), state)
        if name in seen:
            return
        seen.add(name)
        if all(op.optional for op in rest):
            found.add(state)
        for op in rest:
            others = [other for other in rest if other is not op]
            if all(other.returned >= op.invoked for other in others):
                for after in choices(state, op):
                    walk(others, after)

    walk(ops, state)
    return found


def certifies(
    order: Sequence[int], ops: Sequence[Operation], choices: Choices, initial: Any
) -> bool:
    """Is `order` (indexes of invocations) right, with some choices?"""
    by_index = {op.index: op for op in ops}
    chain = [by_index[index] for index in order]
    if len(set(order)) != len(order):
        return False
    if any(not op.optional and op.index not in order for op in ops):
        return False
    if any(b.returned < a.invoked for i, a in enumerate(chain) for b in chain[i:]):
        return False

    def walks(place: int, state: Any) -> bool:
        return place == len(chain) or any(
            walks(place + 1, after) for after in choices(state, chain[place])
        )

    return walks(0, initial)


def torn(state: str, op: Operation) -> list[str]:
    if op.f == "write":
        assert isinstance(op.argument, str)
        return [op.argument] + ([op.argument[0] + state[1]] if op.answer is ANYTHING else [])
    return [state] if op.answer in (ANYTHING, state) else []


def retried(state: int, op: Operation) -> list[int]:
    if op.f == "add":
        assert isinstance(op.argument, int)
        twice = [state + 2 * op.argument] if op.answer is ANYTHING else []
        return [state + op.argument, *twice]
    return [state] if op.answer in (ANYTHING, state) else []


def shuffled(state: tuple[Json, ...], op: Operation) -> list[tuple[Json, ...]]:
    if op.f == "enqueue":
        swapped = [(*state[:-1], op.argument, state[-1])] if state else []
        return [(*state, op.argument), *swapped]
    if op.answer is ANYTHING:
        return [state[1:]]
    if op.answer is None:
        return [] if state else [state]
    return [state[1:]] if state and state[0] == op.answer else []


@dataclass(frozen=True)
class Wilful:
    """An object with choices: brute force's view of it, the model's, and what to draw."""

    choices: Choices
    initial: Any
    thing: Object

    @property
    def model(self) -> NondeterministicModel:
        """The same choices behind the interface of a model."""

        def step(state: Any, call: Call) -> list[Any]:
            answer = call.result if call.completed else ANYTHING
            return self.choices(state, Operation(0, call.f, call.argument, answer, 0, 0))

        return NondeterministicModel(self.thing.model, [self.initial], step)


_DOUBTFUL: Final = "nobody will see it"


def _wilful(
    choices: Choices,
    initial: Any,
    functions: tuple[str, str],
    argument: Callable[[Random], Json],
    answer: Callable[[Random], Json],
    says: Callable[[Any], Json],
) -> Wilful:
    """An object whose first function changes it and whose second one asks."""
    changes, asks = functions
    will = Random(choices.__name__)

    def step(state: Any, op: Operation) -> tuple[bool, Any]:
        seen = ANYTHING if op.answer == _DOUBTFUL and op.f == changes else op.answer
        after = choices(state, Operation(0, op.f, op.argument, seen, 0, 0))
        return bool(after), will.choice(after) if after else state

    def said(_random: Random, state: Any, client: Client) -> Json:
        if client.f == asks:
            return says(state)
        return client.argument if client.ends == "ok" else _DOUBTFUL

    return Wilful(
        choices,
        initial,
        Object(
            choices.__name__,
            step,
            initial,
            functions,
            lambda random, f: argument(random) if f == changes else None,
            lambda random, f: answer(random) if f == asks else None,
            said,
            lambda _random, client: client.answer if client.f == asks else client.argument,
            lies=(asks,),
        ),
    )


def _letters(random: Random) -> str:
    return random.choice("abc") * 2


WILFUL: Final = {
    "torn": _wilful(
        torn,
        "aa",
        ("write", "read"),
        _letters,
        lambda random: random.choice("abc") + random.choice("abc"),
        lambda state: state,
    ),
    "retried": _wilful(
        retried,
        0,
        ("add", "read"),
        lambda random: random.randint(1, 2),
        lambda random: random.randrange(6),
        lambda state: state,
    ),
    "shuffled": _wilful(
        shuffled,
        (),
        ("enqueue", "dequeue"),
        lambda random: random.randrange(3),
        lambda random: random.choice([None, 0, 1, 2]),
        lambda state: state[0] if state else None,
    ),
}

"""What a model in Python seems to do, found out by asking a little.

Two things make a search much faster if it knows them of an operation: that it never
changes a state, and that it is legal in no other state than the one it answered.  A
register's read does both.  A model in Python need not say so, and following all calls from
all states to be sure may cost more than the search itself.

So they are *guessed* from a sample.  That is sound because of how a guess is used:

* A history that is found valid under a guess is valid: what is found is an order, every
  step of which the model itself has allowed, with the very state that it answered.
* A call that is guessed to change nothing and then does refutes the guess: `Refuted`, and
  the search begins anew without it.
* Whatever else is found under a guess (there is no order, or the limits ended it) counts
  for nothing and is searched again without one: a step that the guess held for illegal
  may have been the one that was missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from checker._asking import Asking
from checker._model import Call, Model

Flags: TypeAlias = npt.NDArray[np.bool_]
Numbers: TypeAlias = npt.NDArray[np.int32]

CLASSES_MIN: Final = 64
"""With fewer classes of operations a search asks so little that nothing is to be saved."""

_SEED: Final = 1
_CALLS: Final = 24
_STATES: Final = 100
_SCANNED: Final = 5_000
_LEGAL_MIN: Final = 3
"""Of each kind so many calls are tried in so many states, those that answered one of these are
looked for among so many, and it must have been seen to be legal so often."""


@dataclass
class Guess:
    """By class: does it change no state, and the only state where it is legal, or -1."""

    read_only: Flags
    only: Numbers


@dataclass
class _Kind:
    """Calls of one operation that ended in the same way."""

    members: list[int]
    legal: int = 0
    changes: bool = False
    answers_state: bool = True


class Refuted(Exception):
    """A class of operations does not do what was guessed."""

    def __init__(self, klass: int) -> None:
        super().__init__(f"class {klass}")
        self.klass = klass


class Guessing(Asking):
    """`Asking` that holds the model to a guess; `kinds` says of each class what kind it is of.

    What is guessed of some classes of a kind is guessed of all.
    """

    def __init__(self, model: Model, calls: Sequence[Call], kinds: Numbers) -> None:
        super().__init__(model, calls)
        self.kinds = kinds
        self.guess: Guess | None = None

    def __call__(self, state: int, klass: int) -> int:
        """As ever; raises `Refuted` where a call changes what it was guessed to leave."""
        return self._held_to_the_guess(state, klass, super().__call__(state, klass))

    def numbered(self, state: int, klass: int, after: object) -> int:
        """As ever; raises `Refuted` where a call changes what it was guessed to leave."""
        return self._held_to_the_guess(state, klass, super().numbered(state, klass, after))

    def _held_to_the_guess(self, state: int, klass: int, number: int) -> int:
        """Every answer comes by here, also one that was known before there was a guess."""
        if self.guess is not None and number not in (-1, state) and self.guess.read_only[klass]:
            raise Refuted(klass)
        return number


def guessed(asking: Guessing, sure: Flags, refuted: Sequence[int]) -> Guess | None:
    """What seems to hold beyond what is `sure`; None if nothing does.

    Kinds of operations with a class among `refuted` are left alone.
    """
    if len(asking.calls) < CLASSES_MIN:
        return None
    wrong = {int(asking.kinds[klass]) for klass in refuted}
    codes = [int(code) for code in np.unique(asking.kinds) if code not in wrong]
    kinds = {code: _Kind(np.flatnonzero(asking.kinds == code).tolist()) for code in codes}
    _sample(asking, list(kinds.values()))
    guess = Guess(sure.copy(), np.full(len(asking.calls), -1, np.int32))
    found = False
    for code, kind in kinds.items():
        if kind.changes or kind.legal < _LEGAL_MIN:
            continue
        of_kind = asking.kinds == code
        found |= kind.answers_state or not guess.read_only[of_kind].all()
        guess.read_only[of_kind] = True
        if kind.answers_state:
            numbers = [asking.number_of(asking.calls[klass].result) for klass in kind.members]
            guess.only[of_kind] = numbers
    return guess if found else None


def _sample(asking: Guessing, kinds: Sequence[_Kind]) -> None:
    """Asks some calls of each kind in some of the states that some calls lead to.

    A read is legal in few states, so some that answered one of these are tried in it.
    """
    random = Random(_SEED)
    tried = {klass: kind for kind in kinds for klass in _some(random, kind.members, _CALLS)}
    try:
        for state in range(_STATES):
            if state >= len(asking.states):
                break
            for klass, kind in tried.items():
                _look(asking, state, klass, kind)
        for kind in kinds:
            answers = (
                (klass, asking.find(asking.calls[klass].result))
                for klass in kind.members[:_SCANNED]
            )
            matching = ((klass, state) for klass, state in answers if state is not None)
            for klass, state in itertools.islice(matching, _CALLS):
                _look(asking, state, klass, kind)
    except Exception:
        # The sample asks what the search may never have to ask; nothing is guessed then.
        for kind in kinds:
            kind.changes = True


def _look(asking: Guessing, state: int, klass: int, kind: _Kind) -> None:
    call = asking.calls[klass]
    after = asking(state, klass)
    answered = asking.find(call.result) == state
    kind.legal += after != -1
    kind.changes |= after not in (-1, state)
    kind.answers_state &= call.completed and (after != -1) == answered


def _some(random: Random, members: list[int], count: int) -> list[int]:
    return members if len(members) <= count else random.sample(members, count)

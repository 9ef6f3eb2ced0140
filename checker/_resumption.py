"""What a later call goes on from.

A verdict that is not complete keeps what was found of each key: the answer, or where the
search was left.  Within one process that includes the searches' tables of failures, which
hold only for the very same operations; for an equal history read anew, or from a progress
file, they are given up, and some work is repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from checker._found import Found
from checker._model import Model
from checker._verdict import Verdict
from engine._native import Operations, Suspended
from histories import History


@dataclass(frozen=True, eq=False, repr=False)
class Resumption:
    """What is known of each key of `history`, in the order of the keys of `operations`.

    `jobs` is how many threads gathered the operations: the numbers of their classes follow
    from it.  `read_only` is what was found out, by class, of a model in Python.
    """

    history: History
    model: Model
    operations: Operations
    found: tuple[Found, ...]
    jobs: int
    read_only: Sequence[bool] | None = None

    @staticmethod
    def of(verdict: Verdict, history: History, model: Model) -> Resumption:
        """What `verdict` left.  Raises `ValueError` if that is nothing, or of something else."""
        earlier = verdict.resumption
        if not isinstance(earlier, Resumption):
            raise ValueError(
                "there is nothing to go on from: the verdict is complete, or it came from another "
                "checker; leave `resume` out"
            )
        if not _same_model(earlier.model, model):
            raise ValueError(
                f"the verdict to go on from is about the model {earlier.model.name} from "
                f"{earlier.model.initial!r}, not {model.name} from {model.initial!r}"
            )
        if earlier.history is not history and digest(earlier.history) != digest(history):
            raise ValueError("the verdict to go on from is about another history")
        return earlier

    def operations_of(self, history: History) -> Operations | None:
        """The operations, if they were gathered from this very history."""
        return self.operations if history is self.history else None

    def suspended(self, number: int, history: History) -> Suspended | None:
        """Where the search of the key with this number was left."""
        left = self.found[number].suspended
        if left is None or history is self.history:
            return left
        return Suspended.from_bytes(left.to_bytes(), left.states)

    def __eq__(self, other: object) -> bool:
        """It is not part of what a verdict says."""
        return isinstance(other, Resumption)

    def __hash__(self) -> int:
        return hash(Resumption)

    def __repr__(self) -> str:
        return "Resumption(...)"


def digest(history: History) -> str:
    """SHA-256 of the columns that a search looks at."""
    sha = hashlib.sha256()
    columns = (history.time, history.process, history.type, history.f, history.key)
    for column in (*columns, history.value, history.pairs):
        sha.update(len(column).to_bytes(8, "little") + column.tobytes())
    for texts in (history.keys, history.values):
        sha.update(len(texts.data).to_bytes(8, "little") + bytes(texts.data))
        sha.update(texts.offsets.tobytes())
    sha.update(msgspec.json.encode([history.f_names]))
    return sha.hexdigest()


def _same_model(a: Model, b: Model) -> bool:
    if a.native is None or b.native is None:
        return a == b
    same = msgspec.json.encode(a.initial) == msgspec.json.encode(b.initial)
    return same and (a.name, a.native) == (b.name, b.native)

"""Who could notice an operation that may or may not have happened.

A core (`_core`) makes operations optional, and a history in which thousands are optional is
neither small nor quick to search.  Most of them make no difference, which has to be argued
for each kind of object; the arguments stand above the code.  A `Noticing` knows one key:
which operations never change the state, which optional ones may go, and what the object may
have held where the beginning of the history is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from checker._model import Model
from histories import History, Json, canonical

Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

NEVER: Final = np.iinfo(np.int64).max
"""The end of an operation that may or may not have happened."""

INITIALS_MAX: Final = 16
"""More values than this are not tried for what the object held before the core."""

_OTHER: Final = "any other value, by momus: 5b0e6c1d9f"
"""Stands for all values that no operation names."""

_READS: Final = ("read", "get", "r")
_WRITES: Final = ("write", "put", "w")


@dataclass(frozen=True, slots=True)
class Pieces:
    """Operations with intervals of their own; `row` is their number within the key."""

    row: Ints
    begin: Ints
    end: Ints

    def where(self, chosen: Flags) -> Pieces:
        """Some of them."""
        return Pieces(self.row[chosen], self.begin[chosen], self.end[chosen])

    @property
    def optional(self) -> Flags:
        """Which of them may or may not have happened."""
        return np.equal(self.end, NEVER)

    def __len__(self) -> int:
        return len(self.row)


class Noticing(Protocol):
    """What the model says about leaving things out."""

    idle: Flags
    """By row: the operation leaves every state as it is, wherever it is legal."""

    def related(self, row: int) -> Flags:
        """By row: the operation may well have to do with this one.  Only a guess, for speed."""
        ...

    def without_useless(self, pieces: Pieces) -> Pieces:
        """Leaves out optional operations that cannot help to explain the others."""
        ...

    def initials(self, pieces: Pieces) -> list[Json] | None:
        """Every initial state that can make a difference; None if that cannot be told."""
        ...


class NoticingAnything:
    """A model of which only its read-only operations are known.

    An optional operation that never changes a state may be left out of any linearization, so
    leaving it out of the history makes nothing harder.  Of others nothing is known.

    A read of a register with versions may tell which version its value has, where nobody knew
    it; it still changes nothing but what is known, and without it more is possible.
    """

    def __init__(self, history: History, model: Model, invoked: Ints) -> None:
        known = {"read"} if model.native == "versioned-register" else model.read_only
        quiet = [name in known for name in history.f_names]
        self.idle: Flags = np.array(quiet, dtype=bool)[history.f[invoked]]

    def related(self, row: int) -> Flags:  # noqa: ARG002
        return np.zeros(len(self.idle), dtype=bool)

    def without_useless(self, pieces: Pieces) -> Pieces:
        return pieces.where(~(pieces.optional & self.idle[pieces.row]))

    def initials(self, pieces: Pieces) -> list[Json] | None:  # noqa: ARG002
        return None


class NoticingRegister:
    """Registers, with and without compare-and-set.

    Each operation *needs* a value (a read, a compare-and-set), *makes* one (a write, a
    compare-and-set), or *avoids* one (a compare-and-set that found another value).
    """

    def __init__(self, history: History, invoked: Ints, returned: Ints) -> None:
        self._history = history
        self._extra: dict[int, Json] = {}
        # A value is its code plus one, null is 0; -1 is none.
        argument = history.value[invoked].astype(np.int64) + 1
        completed = returned >= 0
        answer = np.where(completed, history.value[returned].astype(np.int64) + 1, 0)
        f = history.f[invoked]
        reads, writes, cas = (
            np.isin(f, [code for code, name in enumerate(history.f_names) if name in names])
            for names in (_READS, _WRITES, ("cas",))
        )
        self.needs: Ints = np.where(reads & completed, answer, -1)
        self.makes: Ints = np.where(writes, argument, -1)
        self.avoids: Ints = np.full(len(f), -1, dtype=np.int64)
        if cas.any():
            self._compare_and_set(cas, argument, answer, completed)
        self.idle: Flags = self.makes < 0

    def _compare_and_set(self, cas: Flags, argument: Ints, answer: Ints, completed: Flags) -> None:
        values = self._history.values
        numbers = {values[int(value) - 1]: int(value) for value in np.unique(argument) if value}
        numbers |= {values[int(value) - 1]: int(value) for value in np.unique(answer) if value}
        numbers[b"null"] = 0

        def number(value: Json) -> int:
            text = canonical(value)
            if text not in numbers:
                numbers[text] = len(values) + 1 + len(self._extra)
                self._extra[numbers[text]] = value
            return numbers[text]

        pairs = np.unique(argument[cas])
        named = [values.decoded(int(pair) - 1) for pair in pairs]
        place = np.searchsorted(pairs, argument[cas])
        old = np.array([number(pair[0]) for pair in named], dtype=np.int64)[place]
        new = np.array([number(pair[1]) for pair in named], dtype=np.int64)[place]
        false = numbers.get(b"false", -1)
        found_another = completed[cas] & (answer[cas] == false)
        self.needs[cas] = np.where(found_another, -1, old)
        self.makes[cas] = np.where(found_another, -1, new)
        self.avoids[cas] = np.where(found_another, old, -1)

    def related(self, row: int) -> Flags:
        """Those that name the same value."""
        value = max(int(self.needs[row]), int(self.avoids[row]))
        related: Flags = (self.needs == value) | (self.makes == value) | (self.avoids == value)
        return related if value >= 0 else np.zeros(len(related), dtype=bool)

    def without_useless(self, pieces: Pieces) -> Pieces:
        """Leaves out optional writes and compare-and-sets that nobody can have noticed.

        Take a linearization, and in it an optional operation that makes `v`.  If nothing
        between it and the next change of the state needs `v` or avoids another value, the
        linearization without it is as good.  So each that stays has a *noticer* of its own:
        one that needs `v` or avoids another value, returns after it was invoked, and there
        are no more of them than noticers.  Equal ones are interchangeable, and the earliest
        invoked can stand wherever the others can; so of each value as many as it has
        noticers are kept, the earliest.  Values that nobody needs or avoids by name are
        equal in this.  A compare-and-set of a value to itself changes nothing.  Each one
        left out may leave others without noticer, hence the loop.

        (`engine/src/search/relevance.rs` uses the simplest case of this.)
        """
        count = len(self._history.values) + 2 + len(self._extra)
        while True:
            optional = pieces.optional
            needs, makes = self.needs[pieces.row], self.makes[pieces.row]
            avoids = self.avoids[pieces.row]
            if not optional.any():
                return pieces
            needing, avoiding = needs >= 0, (avoids >= 0) & ~optional
            # A value is named by 0 .. count-1; the last place is for those of no interest.
            noticers = np.bincount(needs[needing], minlength=count)
            avoided = np.bincount(avoids[avoiding], minlength=count)
            latest = np.full(count, np.where(avoiding, pieces.end, -1).max(initial=-1))
            np.maximum.at(latest, needs[needing], pieces.end[needing])
            of_interest = (noticers > 0) | (avoided > 0)
            noticers = noticers + int(avoiding.sum()) - avoided
            made = np.where(makes >= 0, makes, 0)
            useful = (makes >= 0) & (makes != needs)
            useful &= (noticers[made] > 0) & (pieces.begin < latest[made])
            target = np.where(of_interest[made], made, count)
            chosen = np.flatnonzero(optional & useful)
            # Equal operations stand together, the earliest first; how many are before each?
            order = chosen[np.lexsort((pieces.begin[chosen], needs[chosen], target[chosen]))]
            kinds = np.stack((target[order], needs[order]))
            first = np.ones(len(order), dtype=bool)
            first[1:] = (kinds[:, 1:] != kinds[:, :-1]).any(axis=0)
            place = np.arange(len(order))
            before = place - np.maximum.accumulate(np.where(first, place, 0))
            keep = ~optional
            keep[order[before < noticers[made[order]]]] = True
            if keep.all():
                return pieces
            pieces = pieces.where(keep)

    def initials(self, pieces: Pieces) -> list[Json] | None:
        """The values that may have been seen before anything was certainly changed, and one more.

        An initial value matters only to an operation that needs it and stands before all
        changes of the state.  Such a one was invoked before the first completed change
        returned.  Where there is none, any other value is as good as any.
        """
        needs, makes = self.needs[pieces.row], self.makes[pieces.row]
        changes = (makes >= 0) & (makes != needs)
        first_end = pieces.end[changes].min(initial=NEVER)
        seen = np.unique(needs[(needs >= 0) & (pieces.begin <= first_end)])
        if len(seen) > INITIALS_MAX:
            return None
        return [*(self._value(int(value)) for value in seen), _OTHER]

    def _value(self, number: int) -> Json:
        if number in self._extra:
            return self._extra[number]
        return self._history.value_of(number - 1)


class NoticingStrings:
    """A string with get, put and append."""

    def __init__(self, history: History, invoked: Ints, returned: Ints) -> None:
        self._values = history.values
        names = np.array(history.f_names)[history.f[invoked]]
        self.idle: Flags = np.isin(names, _READS)
        self._puts: Flags = np.isin(names, _WRITES)
        self._argument = history.value[invoked]
        self._answer = np.where(returned >= 0, history.value[returned], -1)

    def _text(self, code: Any) -> str:
        return self._values.decoded(int(code)) or ""

    def related(self, row: int) -> Flags:  # noqa: ARG002
        return np.zeros(len(self.idle), dtype=bool)

    def without_useless(self, pieces: Pieces) -> Pieces:
        """Leaves out optional puts and appends of texts that are in no string that was read.

        If one stands in a linearization, what follows it up to the next put is not a get,
        which would have answered a string with the text in it; so the linearization without
        it is as good.
        """
        optional, idle = pieces.optional, self.idle[pieces.row]
        gets = idle & ~optional
        read = "\n".join(self._text(code) for code in np.unique(self._answer[pieces.row[gets]]))
        latest = pieces.end[gets].max(initial=-1)
        candidates = np.flatnonzero(optional & ~idle & (pieces.begin < latest))
        keep = ~optional
        known: dict[int, bool] = {}
        for place in candidates:
            row = int(pieces.row[place])
            code = int(self._argument[row])
            if code not in known:
                known[code] = self._text(code) in read
            keep[place] = known[code] and bool(self._puts[row] or self._text(code))
        return pieces.where(keep)

    def initials(self, pieces: Pieces) -> list[Json] | None:
        """What the first get may have seen, without texts that may have been appended before.

        Either a put stands before all gets, and then the initial string does not matter, or
        the first get answered the initial string and what was appended to it.  The first
        get was invoked before any get returned.
        """
        gets = self.idle[pieces.row] & ~pieces.optional
        first_end = pieces.end[gets].min(initial=NEVER)
        appends = ~self.idle[pieces.row] & ~self._puts[pieces.row]
        texts = {self._text(code) for code in self._argument[pieces.row[appends]]} - {""}
        firsts = pieces.row[gets & (pieces.begin <= first_end)]
        found = {self._text(code) for code in self._answer[firsts]}
        fresh = found
        while fresh and len(found) <= INITIALS_MAX:
            fresh = {
                whole.removesuffix(text)
                for whole in fresh
                for text in texts
                if whole.endswith(text)
            } - found
            found = found | fresh
        return [*sorted(found), _OTHER] if len(found) <= INITIALS_MAX else None


def register_effects(history: History, invoked: Ints, returned: Ints) -> tuple[Ints, Ints]:
    """Which value each operation of a register needs and makes, as numbers: see `NoticingRegister`.

    A value that is in the history's table has its code plus one, null has 0, none is -1.
    """
    effects = NoticingRegister(history, invoked, returned)
    return effects.needs, effects.makes


def with_initial(model: Model, initial: Json) -> Model:
    """The same model, begun in another state."""
    # A lock in the engine is free at first.
    native = None if model.by_process else model.native
    return replace(model, initial=initial, native=native)

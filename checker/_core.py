"""The core of a counterexample: the few operations that no order explains.

Leaving out an operation can *create* a violation (the read of a write that was left out),
so a history is never thinned out, only relaxed: every step here turns it into one that is
easier to explain, so that if what remains has no explanation, the whole has none, for the
reason shown.  The steps, each with its argument:

*The end is cut off.*  If a history is linearizable, so is what was seen of it up to any
moment; operations open then may or may not have happened.  The cut is where the first
operation that cannot be placed returns.

*The beginning is cut off.*  Take a linearization and split it behind the last operation
that had returned at some moment.  What follows is explained from the state reached there.
So operations that had returned are dropped, those open are optional, those that change
nothing and were open are dropped, and *nothing is known of the state at first*.

*Operations that change nothing are dropped*: a linearization without its reads is one.

*A completed operation becomes optional*, as if it had never returned: it may still take
effect where it did.  (A model says of a call whose answer nobody saw what it does to the
state, whatever the answer was; one that was answered that it changed nothing is dropped.)

*Optional operations that nobody could notice are dropped*: argued in `_noticing`.

*Intervals are widened*: what had a place in the narrower one has it in the wider one.

All steps go only one way, so which operations can be relaxed together is monotone, and the
bounds can be bisected: from the end backwards, since what explains a violation is mostly
close to it.  What is left is minimal: each further step would make it explainable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from checker._model import Model
from checker._noticing import NEVER, Flags, Ints, Noticing, Pieces, with_initial
from checker._noticing_by_model import noticing_of
from histories import History, Texts

SEARCHES_MAX: Final = 2_000
OPERATIONS_MAX: Final = 1_000_000
"""What all cores of one verdict may cost together: searches, and operations in them."""

PIECES_MAX: Final = 200
"""A core with more operations than this explains nothing, and is not shown."""

_FAIL: Final = 2
_STEP: Final = 4
"""Between the ranks of neighbouring events, so that a moved one finds room between them."""

Search = Callable[[History, Model], bool | None]
"""Is the history linearizable?  None: not known."""


@dataclass
class Effort:
    """What is left of the work allowed; the same history always gets the same."""

    searches: int = SEARCHES_MAX
    operations: int = OPERATIONS_MAX

    def spend(self, operations: int) -> None:
        """Pays for one search; raises `Exhausted` if there is not enough left."""
        self.searches -= 1
        self.operations -= operations
        if self.searches < 0 or self.operations < 0:
            raise Exhausted


class Exhausted(Exception):
    """All the work allowed is done."""


@dataclass(frozen=True)
class Core:
    """Operations that have no explanation; positions are those of the history's events.

    `begin` and `end` are ranks that hold the order of the intervals as far as it matters;
    an `end` of NEVER marks an optional operation.  `begin_widened` and `end_widened` tell
    where they differ from what was recorded.  `known_initial` is false if the operations
    contradict each other whatever the object held at first.
    """

    invoked: Ints
    returned: Ints
    begin: Ints
    end: Ints
    begin_widened: Flags
    end_widened: Flags
    known_initial: bool


def core_of(
    history: History, model: Model, stuck: int, search: Search, effort: Effort
) -> Core | None:
    """The core behind the first operation that cannot be placed, invoked at event `stuck`.

    None if the work allowed does not suffice.
    """
    try:
        return _Relaxing.of(history, model, stuck, search, effort).core()
    except Exhausted:
        return None


@dataclass
class _Relaxing:
    """The operations of one key up to the cut, in the order of their invocations."""

    history: History
    model: Model
    search: Search
    effort: Effort
    noticing: Noticing
    invoked: Ints
    returned: Ints
    recorded: Pieces
    """The intervals as recorded; beyond the cut they have no end."""
    stuck: int
    _known: dict[bytes, bool] = field(default_factory=dict)

    @staticmethod
    def of(history: History, model: Model, stuck: int, search: Search, effort: Effort) -> _Relaxing:
        """Cuts off the end."""
        mine = (history.key == history.key[stuck]) & (history.process >= 0) & (history.type == 0)
        invoked = np.flatnonzero(mine).astype(np.int64)
        returned = history.pairs[invoked].astype(np.int64)
        kind = np.where(returned >= 0, history.type[returned], 0)
        invoked, returned, kind = (x[kind != _FAIL] for x in (invoked, returned, kind))
        returned = np.where(kind == 1, returned, -1)
        begin, end = _ranks(history, invoked, returned)
        row = int(np.searchsorted(invoked, stuck))
        begun = begin < end[row]
        cut = end[row]
        invoked, returned, begin, end = (x[begun] for x in (invoked, returned, begin, end))
        row = int(np.searchsorted(invoked, stuck))
        return _Relaxing(
            history,
            model,
            search,
            effort,
            noticing_of(history, model, invoked, returned),
            invoked,
            returned,
            Pieces(np.arange(len(invoked)), begin, np.where(end <= cut, end, NEVER)),
            row,
        )

    def core(self) -> Core | None:
        """Relaxes until nothing more can go."""
        ends = np.sort(self.recorded.end[self.recorded.end != NEVER])
        count = self._enough(ends)
        known_initial = count is None
        window = self.recorded if count is None else self._after(ends, count)
        kept = self._necessary(window, window.row[~window.optional], known_initial)
        while kept is not None and count is not None:
            # Operations that are cut off are not optional any more, and so can help nobody:
            # fewer of the others may be needed then.
            later = self._later(ends, count, kept)
            if later == count:
                break
            count, window = later, self._after(ends, later)
            kept = self._necessary(window, np.array(kept, dtype=np.int64), known_initial)
        if kept is None:
            return None
        window = self._widened(self._relaxed(window, kept), known_initial)
        pieces = self.noticing.without_useless(window)
        if len(pieces) > PIECES_MAX or not self._fails(pieces, known_initial):
            return None
        row = pieces.row
        was_begin, was_end = self.recorded.begin[row], self.recorded.end[row]
        return Core(
            self.invoked[row],
            self.returned[row],
            pieces.begin,
            pieces.end,
            pieces.begin < was_begin,
            ~pieces.optional & (pieces.end > was_end),
            known_initial,
        )

    def _enough(self, ends: Ints) -> int | None:
        """How many returns, from the end, contradict each other whatever was before them.

        Not the least number, but less than twice that; None if the first state is needed.
        """
        count = 1
        while True:
            pieces = self._after(ends, count)
            if self.noticing.initials(pieces) is None:
                return None
            if self._fails(pieces, known_initial=False):
                return count
            if count >= len(ends):
                return None
            count *= 2

    def _later(self, ends: Ints, most: int, kept: Sequence[int]) -> int:
        """How many returns are enough when only `kept` have to stay completed."""

        def fails(count: int) -> bool:
            return self._fails(self._relaxed(self._after(ends, count), kept), known_initial=False)

        return _least(fails, most) or most

    def _after(self, ends: Ints, count: int) -> Pieces:
        """The history behind the moment at which all but the last `count` had returned."""
        everything = self.recorded
        if count >= len(ends):
            return everything
        moment = int(ends[-count - 1])
        pieces = everything.where(everything.end > moment)
        was_open = pieces.begin < moment
        gone = was_open & self.noticing.idle[pieces.row]
        return Pieces(
            pieces.row,
            np.where(was_open, moment + _STEP // 2, pieces.begin),
            np.where(was_open, NEVER, pieces.end),
        ).where(~gone)

    def _necessary(self, window: Pieces, candidates: Ints, known_initial: bool) -> list[int] | None:
        """Those of the candidates (rows) that must stay completed, so that no other has to.

        They are tried in an order in which the promising ones stand last.  Each round finds
        the last one that is needed together with those behind it and those found before, and
        gives up on all behind it.  (Junker, "QuickXplain", 2004, is the idea.)
        """
        candidates = candidates[candidates != self.stuck]
        candidates = self._by_promise(candidates)
        kept = [self.stuck]

        def fails(count: int) -> bool:
            behind = candidates[len(candidates) - count :]
            return self._fails(self._relaxed(window, [*kept, *behind.tolist()]), known_initial)

        while not fails(0):
            count = _least(fails, len(candidates))
            if count is None or len(kept) == PIECES_MAX:
                return None
            place = len(candidates) - count
            kept.append(int(candidates[place]))
            candidates = candidates[place + 1 :]
        return kept

    def _by_promise(self, candidates: Ints) -> Ints:
        """Those that end late stand last, and so do those that have to do with the stuck one.

        Of the two orders each operation has the better place, so that neither a violation
        among neighbours nor one that spans the whole history needs many kept operations.
        """
        candidates = candidates[np.argsort(-self.recorded.end[candidates])]
        place = np.arange(len(candidates))
        related = np.flatnonzero(self.noticing.related(self.stuck)[candidates])
        place[related] = np.arange(len(related))
        return candidates[np.argsort(-place, kind="stable")]

    def _relaxed(self, window: Pieces, kept: Sequence[int]) -> Pieces:
        """Of all but `kept`: what changes nothing is dropped, the others are optional."""
        whole = np.isin(window.row, np.array(kept, dtype=np.int64))
        end = np.where(whole, window.end, NEVER)
        relaxed = Pieces(window.row, window.begin, end)
        return relaxed.where(whole | ~self.noticing.idle[window.row])

    def _widened(self, window: Pieces, known_initial: bool) -> Pieces:
        """Lets each operation that matters begin as early and end as late as can be.

        All the optional ones are still there, since one that nobody could notice may be
        noticed by an operation that lasts longer.
        """
        left = self.noticing.without_useless(window)
        if len(left) > PIECES_MAX:
            return window
        for row in left.row[~left.optional].tolist():
            place = int(np.flatnonzero(window.row == row)[0])
            shown = self.noticing.without_useless(window)
            stops = np.sort(shown.begin[shown.begin > window.end[place]]) + 1
            window = self._moved(window, place, "end", stops, known_initial)
        for row in self.noticing.without_useless(window).row.tolist():
            place = int(np.flatnonzero(window.row == row)[0])
            shown = self.noticing.without_useless(window)
            ended = shown.end[(shown.end < window.begin[place]) & ~shown.optional]
            stops = -np.sort(-ended) - 1
            window = self._moved(window, place, "begin", stops, known_initial)
        return window

    def _moved(
        self, window: Pieces, place: int, side: str, stops: Ints, known_initial: bool
    ) -> Pieces:
        """The window with one bound moved to the farthest of `stops` (nearest first) possible."""

        def moved(stop: int) -> Pieces:
            begin, end = window.begin.copy(), window.end.copy()
            (end if side == "end" else begin)[place] = stop
            return Pieces(window.row, begin, end)

        near, far = 0, len(stops)  # `near` stops are possible, more than `far` are not
        while near < far:
            middle = far if near == 0 and far == len(stops) else (near + far + 1) // 2
            if self._fails(moved(int(stops[middle - 1])), known_initial):
                near = middle
            else:
                far = middle - 1
        return moved(int(stops[near - 1])) if near else window

    def _fails(self, pieces: Pieces, known_initial: bool) -> bool:
        """Whether a relaxed history certainly has no explanation."""
        pieces = self.noticing.without_useless(pieces)
        if self.stuck not in pieces.row or pieces.end[pieces.row == self.stuck] == NEVER:
            return False  # without it everything can be placed
        columns = (pieces.row, pieces.begin, pieces.end)
        name = b"".join(column.tobytes() for column in columns) + bytes([known_initial])
        if name not in self._known:
            self._known[name] = self._searched(pieces, known_initial)
        return self._known[name]

    def _searched(self, pieces: Pieces, known_initial: bool) -> bool:
        models = [self.model]
        if not known_initial:
            initials = self.noticing.initials(pieces)
            if initials is None:
                return False
            models = [with_initial(self.model, initial) for initial in initials]
        self.effort.spend(len(pieces))
        relaxed = _history(self.history, self.invoked, self.returned, pieces)
        for model in models:
            self.effort.spend(len(pieces))
            found = self.search(relaxed, model)
            if found is None:
                # What is too hard once will be again.
                self.effort.spend(OPERATIONS_MAX // 8)
            if found is not False:
                return False
        return True


def _least(holds: Callable[[int], bool], most: int) -> int | None:
    """The least number from 1 to `most` that holds, where all greater ones hold too."""
    low, high = 0, 1  # `low` does not hold
    while high < most and not holds(high):
        low, high = high, high * 2
    if high >= most:
        high = most
        if high <= low or not holds(high):
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def _ranks(history: History, invoked: Ints, returned: Ints) -> tuple[Ints, Ints]:
    """Begins and ends in the order in which the checkers see them: intervals are closed."""
    ok = returned >= 0
    position = np.concatenate((invoked, returned[ok]))
    is_return = np.arange(len(position)) >= len(invoked)
    timeless = len(history) > 1 and history.time[0] == history.time[-1]
    if timeless:
        order = np.argsort(position)
    else:
        order = np.lexsort((position, is_return, history.time[position]))
    rank = np.empty(len(position), dtype=np.int64)
    rank[order] = np.arange(1, len(position) + 1, dtype=np.int64) * _STEP
    end = np.full(len(invoked), NEVER, dtype=np.int64)
    end[ok] = rank[len(invoked) :]
    return rank[: len(invoked)], end


def _history(history: History, invoked: Ints, returned: Ints, pieces: Pieces) -> History:
    """A history of nothing but these operations, on no key, with tables of its own."""
    ok = ~pieces.optional
    count = len(pieces)
    rank = np.concatenate((pieces.begin, pieces.end[ok]))
    is_return = np.arange(len(rank)) >= count
    order = np.lexsort((is_return, rank))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order), dtype=np.int64)
    partner = np.full(len(order), -1, dtype=np.int64)
    partner[np.flatnonzero(ok)] = place[count:]
    partner[count:] = place[:count][ok]
    source = np.concatenate((invoked[pieces.row], returned[pieces.row[ok]]))[order]
    codes, value = np.unique(history.value[source], return_inverse=True)
    null = int(len(codes) > 0 and codes[0] < 0)
    texts = [history.values[int(code)] for code in codes[null:]]
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    none = np.full(len(order), -1, dtype=np.int32)
    return History(
        index=np.arange(len(order), dtype=np.int64),
        time=np.arange(len(order), dtype=np.int64),
        process=history.process[source],
        type=is_return[order].astype(np.uint8),
        f=history.f[source],
        key=none,
        value=(value - null).astype(np.int32),
        error=none,
        node=none,
        pairs=partner[order],
        process_names=[],
        f_names=history.f_names,
        node_names=[],
        keys=Texts(bytes(8), b""),
        values=Texts(offsets.tobytes(), b"".join(texts)),
        errors=Texts(bytes(8), b""),
        meta={},
    )

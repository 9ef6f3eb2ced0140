"""Who could notice a lock, a permit, a token or an add that may or may not have been.

See `_noticing` for what a `Noticing` is.  What is optional in a core has no answer: an
acquire of a lease may have granted any token.
"""

from __future__ import annotations

import numpy as np

from checker._noticing import INITIALS_MAX, Flags, Ints, Pieces
from histories import History, Json


def _named(history: History, invoked: Ints, *names: str) -> Flags:
    codes = [code for code, name in enumerate(history.f_names) if name in names]
    return np.isin(history.f[invoked], codes)


def _earliest(pieces: Pieces, chosen: Flags, count: int) -> Flags:
    """Of those chosen the `count` that begin first."""
    places = np.flatnonzero(chosen)
    kept = np.zeros(len(pieces), dtype=bool)
    kept[places[np.argsort(pieces.begin[places])][:count]] = True
    return kept


class NoticingLock:
    """A lock, plain or reentrant."""

    def __init__(self, history: History, invoked: Ints, *, reentrant: bool) -> None:
        self._reentrant = reentrant
        self._process = history.process[invoked]
        self._releases = _named(history, invoked, "release")
        self.idle: Flags = np.zeros(len(invoked), dtype=bool)

    def related(self, row: int) -> Flags:
        """Those of the same process."""
        related: Flags = self._process == self._process[row]
        return related

    def without_useless(self, pieces: Pieces) -> Pieces:
        """Leaves out processes of which everything is optional.

        What one process does decides whether others may only by holding the lock.  So a
        legal sequence without all that one process did is legal.
        """
        process = self._process[pieces.row]
        return pieces.where(np.isin(process, process[~pieces.optional]))

    def initials(self, pieces: Pieces) -> list[Json] | None:
        """Free, or held by a process that releases it; of a reentrant one, as often as it does.

        Who never releases it lets nobody else do anything, and can as well have begun without
        it; whoever holds it more often than it releases, likewise.
        """
        holders, counts = np.unique(
            self._process[pieces.row[self._releases[pieces.row]]], return_counts=True
        )
        held: list[Json] = []
        for process, count in zip(holders.tolist(), counts.tolist(), strict=True):
            depths = range(1, count + 1)
            held += [(process, depth) for depth in depths] if self._reentrant else [process]
        return [None, *held] if len(held) < INITIALS_MAX else None


class NoticingSemaphore:
    """A semaphore of which all operations move the same number of permits."""

    def __init__(self, history: History, invoked: Ints, permits: int) -> None:
        self._permits = permits
        self._releases = _named(history, invoked, "release")
        self.idle: Flags = np.zeros(len(invoked), dtype=bool)

    def related(self, row: int) -> Flags:  # noqa: ARG002
        return np.zeros(len(self.idle), dtype=bool)

    def without_useless(self, pieces: Pieces) -> Pieces:
        """Keeps as many optional acquires as there are completed releases, and the other way.

        Let each completed operation take effect as late as it can, and optional ones only
        where a completed one is not legal otherwise.  (That this finds a linearization if
        there is one is argued in `engine/src/monitors/permits.rs`.)  Then each optional one
        stands right before a completed one of the other kind.  They are all alike, so the
        earliest are as good as any.
        """
        releases, optional = self._releases[pieces.row], pieces.optional
        keep = ~optional
        for kind in (releases, ~releases):
            others = ~kind & ~optional
            in_time = pieces.begin < pieces.end[others].max(initial=-1)
            keep |= _earliest(pieces, kind & optional & in_time, int(others.sum()))
        return pieces.where(keep)

    def initials(self, pieces: Pieces) -> list[Json] | None:  # noqa: ARG002
        """Any number of permits may be free."""
        if self._permits >= INITIALS_MAX:
            return None
        return [(free, self._permits) for free in range(self._permits + 1)]


class NoticingLease:
    """A lease with fencing tokens.  Uses and releases only tell what is there."""

    def __init__(self, history: History, invoked: Ints) -> None:
        self._uses = _named(history, invoked, "use")
        self._token = history.value[invoked].astype(np.int64)
        self.idle: Flags = ~_named(history, invoked, "acquire")

    def related(self, row: int) -> Flags:
        """Uses of the same token."""
        related: Flags = self._uses & (self._token == self._token[row])
        return related

    def without_useless(self, pieces: Pieces) -> Pieces:
        """Keeps as many optional acquires as there are completed uses.

        A grant of a token that nobody knows is noticed only by a use that comes before the
        next grant; those that none notices may go.  All are alike, so the earliest are as
        good as any.
        """
        optional = pieces.optional
        uses = self._uses[pieces.row] & ~optional
        in_time = pieces.begin < pieces.end[uses].max(initial=-1)
        useful = optional & ~self.idle[pieces.row] & in_time
        return pieces.where(~optional | _earliest(pieces, useful, int(uses.sum())))

    def initials(self, pieces: Pieces) -> list[Json] | None:  # noqa: ARG002
        """A token of which nothing is known: whatever is legal at first is legal then."""
        return [(None, False)]


class NoticingCounter:
    """A counter."""

    def __init__(self, history: History, invoked: Ints, returned: Ints) -> None:
        self.idle: Flags = _named(history, invoked, "read")
        place = np.where(self.idle, returned, invoked)
        codes = np.where(place >= 0, history.value[place], -1)
        self._number = [history.value_of(int(code)) or 0 for code in codes]

    def related(self, row: int) -> Flags:  # noqa: ARG002
        """Reads, since each tells all that was added before."""
        return self.idle

    def without_useless(self, pieces: Pieces) -> Pieces:
        """Leaves out optional adds that began after the last read: nobody could see them."""
        optional, idle = pieces.optional, self.idle[pieces.row]
        last = pieces.end[idle & ~optional].max(initial=-1)
        return pieces.where(~optional | (~idle & (pieces.begin < last)))

    def initials(self, pieces: Pieces) -> list[Json] | None:
        """What a read saw, without some of the adds that may have come before it.

        Without any read everything is legal.  The read with the fewest adds will do.
        """
        adds = ~self.idle[pieces.row]
        reads = np.flatnonzero(~adds & ~pieces.optional)
        if not len(reads):
            return [0]
        first = reads[np.argmin(pieces.end[reads])]
        before = np.flatnonzero(adds & (pieces.begin < pieces.end[first]))
        found = {self._number[pieces.row[first]]}
        for place in before:
            found |= {total - self._number[pieces.row[place]] for total in found}
            if len(found) > INITIALS_MAX:
                return None
        return sorted(found)


def equal_sizes(history: History, invoked: Ints) -> bool:
    """Whether all operations of a semaphore move as many permits."""
    sizes = {history.value_of(int(code)) or 1 for code in np.unique(history.value[invoked])}
    return len(sizes) <= 1

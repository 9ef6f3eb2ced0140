"""The log of a group in memory: what came after its last snapshot."""

from __future__ import annotations

from simulation.raftkv._messages import Entry


class Log:
    """Entries from `base` + 1 on; what was there up to `base` (of `base_term`) is in a snapshot."""

    __slots__ = ("base", "base_term", "entries")

    def __init__(self, base: int = 0, base_term: int = 0) -> None:
        self.base = base
        self.base_term = base_term
        self.entries: list[Entry] = []

    @property
    def last(self) -> int:
        """The index of the last entry."""
        return self.base + len(self.entries)

    @property
    def last_term(self) -> int:
        """Its term."""
        return self.entries[-1].term if self.entries else self.base_term

    def term(self, index: int) -> int | None:
        """The term of an entry; None if it is not there (any more)."""
        place = index - self.base
        if place <= 0:
            return self.base_term if place == 0 else None
        return self.entries[place - 1].term if place <= len(self.entries) else None

    def entry(self, index: int) -> Entry:
        """One that is there."""
        return self.entries[index - self.base - 1]

    def slice(self, first: int, stop: int) -> list[Entry]:
        """Entries from `first` up to, not including, `stop`."""
        return self.entries[first - self.base - 1 : stop - self.base - 1]

    def first_of_term(self, index: int) -> int:
        """The first entry of the term that `index` has (as far as the log goes back)."""
        term = self.term(index)
        while index > self.base + 1 and self.term(index - 1) == term:
            index -= 1
        return index

    def last_of_term(self, term: int, up_to: int) -> int | None:
        """The last entry of a term, not above `up_to`; None if there is none."""
        for index in range(min(up_to, self.last), self.base - 1, -1):
            found = self.term(index)
            if found == term:
                return index
            if found is None or found < term:
                return None
        return None

    def cut(self, index: int) -> None:
        """Forget the entry at `index` and all behind it."""
        del self.entries[max(0, index - self.base - 1) :]

    def rebase(self, index: int, term: int) -> None:
        """All up to `index` is in a snapshot; what follows stays if it follows that very entry."""
        if self.term(index) == term:
            del self.entries[: index - self.base]
        else:
            self.entries.clear()
        self.base, self.base_term = index, term

"""Cases tried in an order, on all cores: which is the first that fails as it should?

The answer depends on the order alone.  Cases behind one that fails may have been played, too, for
somebody was free to do it, but they do not count.  What was tried once is known, and is not played
again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from simulation._player import result_of_case
from simulation._players import Players
from simulation._results import Result
from simulation.scenario import Case, System

_KEY_BYTES: Final = 16


class OutOfTime(Exception):
    """The time limit is over."""


class Trials:
    """Plays cases, by `players` or in this process, until the `deadline` of `time.monotonic`.

    Invariant: `_known` holds each case that was played to its end; with its result if that is
    the `wanted` one, else with None.  `played` counts runs.
    """

    def __init__(
        self, by: Players | System, wanted: Callable[[Result], bool], deadline: float
    ) -> None:
        self.played = 0
        self._by = by
        self._wanted = wanted
        self._deadline = deadline
        self._known: dict[bytes, Result | None] = {}
        self._busy: set[bytes] = set()

    def first(self, cases: Iterable[Case]) -> Result | None:
        """The result of the first case, in their order, that fails as it is wanted.

        Raises `OutOfTime`, and `PlayerFailed` where no process can be started.
        """
        if not isinstance(self._by, Players):
            return self._first_here(cases, self._by)
        open_: list[bytes] = []  # what has to be known before anything behind it counts
        for case in cases:
            key = key_of(case)
            open_.append(key)
            while key not in self._known and key not in self._busy:
                self._in_time()
                if self._by.begin(case):
                    self._busy.add(key)
                    self.played += 1
                else:
                    self._listen(self._by)
            found = self._settled(open_)
            if found is not None:
                return found
            if self._known.get(key) is not None:
                break  # nothing behind it can be the first
        while open_:
            self._in_time()
            self._listen(self._by)
            found = self._settled(open_)
            if found is not None:
                return found
        return None

    def _first_here(self, cases: Iterable[Case], system: System) -> Result | None:
        for case in cases:
            key = key_of(case)
            if key not in self._known:
                self._in_time()
                self.played += 1
                self._learn(key, result_of_case(case, system))
            found = self._known[key]
            if found is not None:
                return found
        return None

    def _settled(self, open_: list[bytes]) -> Result | None:
        """The first failure, if all before it are known; forgets the known ones that are none."""
        while open_ and open_[0] in self._known:
            found = self._known[open_.pop(0)]
            if found is not None:
                return found
        return None

    def _listen(self, players: Players) -> None:
        for result in players.ended(self._deadline - time.monotonic()):
            key = key_of(result.case)
            self._busy.discard(key)
            self._learn(key, result)

    def _learn(self, key: bytes, result: Result) -> None:
        self._known[key] = result if self._wanted(result) else None

    def _in_time(self) -> None:
        if time.monotonic() >= self._deadline:
            raise OutOfTime


def key_of(case: Case) -> bytes:
    """The same for cases that are the same when they are written down, and only for those."""
    return hashlib.blake2b(msgspec.json.encode(case), digest_size=_KEY_BYTES).digest()

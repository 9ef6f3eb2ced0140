"""A smaller case that fails in the same way: fewer faults, operations and nodes, less time.

The same way means: the same checker has the same kind of complaint, of several the one that was
certain first; and where a known bug was switched on, it has none without that bug.

What is left out changes everything that is drawn after it: messages take other times, and the
failure may be gone though nothing it needs is missing.  So each smaller case is tried with the
seed it has, and then with others; the case that comes out has the seed it failed with.  The
smaller a case is, the quicker it is played, and the more seeds are tried.

First the case is cut off at the moment from which on the failure is certain.  Then there are leaps
(guesses that leave out most of it) and steps (which leave out a little), with few seeds, and where
nothing fails any more with more seeds, level by level; after each success from the first level on,
and again only until the moment.  When no step fails at the last level, nothing single can be left
out.

The answer depends on the case alone, not on chance or on who plays; only the time limit can end
the search early, and then the smallest case so far is the answer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Final

import msgspec
from msgspec import structs

from simulation import _smaller
from simulation._leaps import FAR, leaps
from simulation._moment import Moment, complaint_of, first_cause, moment_of
from simulation._player import result_of_case
from simulation._players import CASE_LIMIT_S, Players
from simulation._registry import system_of
from simulation._results import Cause, Result, digest_of
from simulation._running import Played, play_case
from simulation._steps import ALL, FIRST, Rank, steps
from simulation._trials import OutOfTime, Trials, key_of
from simulation.scenario import Case, System

TIME_LIMIT_S: Final = 120.0
EFFORTS: Final = (20, 100, 500, 2500)
"""So many operations are played to try one smaller case, at first and at each level after."""

SEEDS_MAX: Final = 400
"""At most so many seeds, however few operations that are."""

PARTS: Final = (4, 8, 32)
"""In at most so many parts operations are left out at the first levels; one by one at the last."""

STEPS_AHEAD: Final = 2
"""Steps are tried with the seeds of the level after next: they are fewer, and likelier."""

ROOM_S: Final = 1.0
"""With other seeds things may happen a little later, after the last operation and healing."""

_FAULT_COST: Final = 5
"""A case without operations is no less work than one with so many."""

_SLOW: Final = 20
_SLOW_S: Final = 10.0
"""What takes so many times as long as the first one, and s more, is taken to have no end."""


@dataclass(frozen=True)
class Shrunk:
    """What came of it: `first` is what the case gave, `result` what the smallest one gives.

    Both fail by `cause`; `sentence` is what the smallest one is accused of.  So many `attempts`
    (smaller cases) were tried in so many runs, `played`, in so many real `seconds`.
    `complete` if nothing smaller was found in the end, and not only no time was left.
    """

    first: Result
    result: Result
    cause: Cause
    sentence: str
    attempts: int
    played: int
    seconds: float
    complete: bool

    @property
    def case(self) -> Case:
        """The smallest case."""
        return self.result.case


class NothingToShrink(ValueError):
    """The case does not fail, or leaves nothing to make smaller."""


def shrink(
    case: Case,
    system: System | None = None,
    *,
    time_limit_s: float = TIME_LIMIT_S,
    jobs: int | None = None,
    case_limit_s: float = CASE_LIMIT_S,
    efforts: Sequence[int] = EFFORTS,
    tell: Callable[[Result], object] = lambda _: None,
) -> Shrunk:
    """The smallest case that is found within `time_limit_s`; `tell` is told of each on the way.

    It has been played more than once, and had the same history each time.
    `efforts` are how many operations are played to try one smaller case, level by level.
    Without a `system` the one that the case names is played by processes, else in this one.
    Raises `NothingToShrink`, and ValueError for a case that the system does not have.
    """
    began = time.monotonic()
    deadline = began + time_limit_s
    if system is not None:
        first = _failing(result_of_case(case, system))
        return _Search(system, system, first, deadline, efforts, tell).shrunk(began)
    with Players(jobs, case_limit_s=case_limit_s) as players:
        first = _failing(next(players.results([case])))
        players.case_limit_s = min(case_limit_s, _SLOW_S + _SLOW * first.seconds)
        named = system_of(case.system)
        return _Search(named, players, first, deadline, efforts, tell).shrunk(began)


def _failing(first: Result) -> Result:
    if first.ending == "valid":
        raise NothingToShrink("the case does not fail; there is nothing to shrink")
    if not first.events:
        raise NothingToShrink(f"the case {first.ending}, and leaves no history to shrink")
    return first


class _Search:
    """Invariant: `smallest` failed by the same cause as what was begun with.

    `moment` is when that was certain, if anybody knows.
    """

    def __init__(
        self,
        system: System,
        by: Players | System,
        first: Result,
        deadline: float,
        efforts: Sequence[int],
        tell: Callable[[Result], object],
    ) -> None:
        self.system = system
        self.scenario = system.scenarios[first.case.scenario]
        self.smallest = self.first = first
        self.cause = first.causes[0]
        self.moment: Moment | None = None
        self.efforts = efforts
        self.attempts = 0
        self.trials = Trials(by, self.same, deadline)
        self.tell = tell
        self._by_the_bug = False
        self._last_s_max = math.inf
        self._leapt: dict[int, int] = {}
        self._stepped: Rank = FIRST

    @property
    def case(self) -> Case:
        """The smallest case so far."""
        return self.smallest.case

    def same(self, result: Result) -> bool:
        """Whether a result is the failure that is to be kept."""
        if result.ending != self.first.ending or self.cause not in result.causes:
            return False
        return not (self._by_the_bug and self._without_the_bug(result.case))

    def _without_the_bug(self, case: Case) -> bool:
        """Whether it fails in that way even without its bug, and thus for another reason."""
        sound = result_of_case(structs.replace(case, bug=None), self.system)
        return self.cause in sound.causes

    def shrunk(self, began: float) -> Shrunk:
        """Search until nothing smaller is found, or the time is over."""
        played = self._replayed(self.first)
        self.cause = first_cause(played, self.first.causes, self.scenario.concurrency)
        self._by_the_bug = self.case.bug is not None and not self._without_the_bug(self.case)
        complete = True
        try:
            self._say_everything(played)
            level = 0
            while level < len(self.efforts):
                level = 0 if self._leap(level) or self._step(level) else level + 1
        except OutOfTime:
            complete = False
        found = complaint_of(self._replayed(self.smallest), self.cause)
        return Shrunk(
            self.first,
            self.smallest,
            self.cause,
            self.smallest.sentence if found is None else found.sentence,
            self.attempts,
            self.trials.played + 1,
            time.monotonic() - began,
            complete,
        )

    def _replayed(self, result: Result) -> Played:
        """Its case once more, in this process; raises `NothingToShrink` if it is not the same."""
        played = play_case(self.system, result.case)
        if digest_of(played.history) != result.digest:
            raise NothingToShrink(
                "the case has another history each time, so nothing can be concluded from leaving "
                "something out; does the system ask only its world for time and chance?"
            )
        return played

    def _say_everything(self, played: Played) -> None:
        """Go over to the case that says everything itself, with times for all of it if may be."""
        history = played.history
        for made in (_smaller.timed, _smaller.explicit):
            found = self.trials.first([made(self.case, self.scenario, history)])
            if found is not None:
                self._last_s_max = _smaller.size_of(found.case)[3]
                self._take(found)
                return
        raise NothingToShrink("played again operation by operation, the case does not fail")

    def _leap(self, level: int) -> bool:
        """Guess, unless that was done in vain with hardly more than this."""
        weight = _smaller.weight_of(self.case)
        if weight > FAR * self._leapt.get(level, math.inf):
            return False
        found = self._sieved(leaps(self.case, self.moment, level), level)
        if found is None:
            self._leapt[level] = weight
            return False
        self._stepped = FIRST
        self._take(found)
        return True

    def _step(self, level: int) -> bool:
        """Leave out a little."""
        names = [f"n{i + 1}" for i in range(self.case.nodes or self.scenario.nodes)]
        some = level < min(len(PARTS), len(self.efforts) - 1)
        tried = steps(self.case, names, self._stepped, PARTS[level] if some else ALL)
        found = self._sieved([step.case for step in tried], level + STEPS_AHEAD)
        if found is None:
            return False
        as_found = key_of(structs.replace(found.case, seed=self.case.seed))
        self._stepped = next(
            step.rank for step in tried if key_of(self._with_room(step.case)) == as_found
        )
        self._take(found)
        return True

    def _sieved(self, cases: Sequence[Case], level: int) -> Result | None:
        """The first that fails: all are tried with few seeds before any is with more."""
        smaller = [self._with_room(case) for case in cases if self._is_smaller(case)]
        self.attempts += len(smaller)
        return self.trials.first(self._sieve(smaller, level))

    def _with_room(self, case: Case) -> Case:
        """A case with time in the end for what comes late; it is taken away again.

        Where nothing is left out there is nothing to pay for it with.
        """
        *counts, last_s = _smaller.size_of(case)
        if self.moment is None or counts == [*_smaller.size_of(self.case)[:3]]:
            return case
        if last_s + ROOM_S > self._last_s_max:
            return case
        return structs.replace(case, settle_s=(case.settle_s or 0.0) + ROOM_S)

    def _sieve(self, cases: Sequence[Case], level: int) -> Iterator[Case]:
        tried = [0] * len(cases)
        for effort in self.efforts[: level + 1]:
            for place, case in enumerate(cases):
                many = seed_count(case, effort)
                for seed in islice(seeds(case), tried[place], many):
                    yield structs.replace(case, seed=seed)
                tried[place] = max(many, tried[place])

    def _take(self, found: Result) -> None:
        """This is the smallest now, without what comes after its moment."""
        while True:
            moment = moment_of(self._replayed(found), self.cause, self.scenario.concurrency)
            again = None if moment is None else self.trials.first(_until(found.case, moment))
            if again is None or again.case == found.case or not self._is_smaller(again.case):
                break
            found = again
        self.moment, self.smallest = moment, found
        self.tell(found)

    def _is_smaller(self, case: Case) -> bool:
        """Whether there is less in a case than in the smallest, or the same and plainer.

        For less it may take longer, but never longer than what all began with.
        """
        if self.case.asks is None:  # it does not say how large it is
            return True
        *counts, last_s = _smaller.size_of(case)
        before = _smaller.size_of(self.case)[:3]
        if counts == [*before]:
            return _plainness(case) < _plainness(self.case)
        return all(a <= b for a, b in zip(counts, before, strict=True)) and (
            last_s <= self._last_s_max
        )


def _plainness(case: Case) -> tuple[int, float, int, bytes]:
    """The less, the plainer is a case: fewer strikes, less time, less to write down."""
    written = msgspec.json.encode((case.strikes, case.asks, case.final_asks))
    return len(case.strikes or ()), _smaller.size_of(case)[3], len(written), written


def _until(case: Case, moment: Moment) -> Iterator[Case]:
    """The case with nothing after the moment, and with as much time as there was before it.

    Without other operations to wait for, the end may come before what was to happen meanwhile.
    """
    settle_s = min(moment.settle_s, case.settle_s or 0.0)
    shorter = _smaller.cut(case, moment.at_s, settle_s)
    if shorter != case:
        yield shorter
        if _smaller.size_of(shorter)[:2] < _smaller.size_of(case)[:2]:
            yield structs.replace(shorter, settle_s=settle_s + ROOM_S)


def seeds(case: Case) -> Iterator[int]:
    """Its own, and then all others."""
    yield case.seed
    yield from (seed for seed in count() if seed != case.seed)


def seed_count(case: Case, effort: int) -> int:
    """How many seeds a case is tried with, so that about `effort` operations are played."""
    return min(max(1, effort // (_FAULT_COST + len(_smaller.all_asks(case)))), SEEDS_MAX)

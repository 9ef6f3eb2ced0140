"""A smaller case that fails in the same way: fewer faults, operations and nodes, less time.

What is left out changes everything that is drawn after it: messages take other times, and the
failure may be gone though nothing it needs is missing.  So each smaller case is tried with the
seed it has, and then with others; the case that comes out has the seed it failed with.  The
smaller a case is, the quicker it is played, and the more seeds are tried.

After the end is cut off, some very small cases are tried at once.  Then the search is greedy and
goes in rounds until a round finds nothing more, first with few seeds and then with more.  It
depends on the case alone, not on chance or on who plays; only the time limit can end it early,
and then the smallest case so far is the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from msgspec import structs

from simulation import _smaller
from simulation._player import result_of_case
from simulation._players import CASE_LIMIT_S, Players
from simulation._registry import system_of
from simulation._results import Cause, Result, result_of
from simulation._running import play_case
from simulation.scenario import Case, System

TIME_LIMIT_S: Final = 120.0
EFFORTS: Final = (400, 1600)
"""So many operations are played to try one smaller case, in the first rounds and in later."""

SEEDS_MIN, SEEDS_MAX = 3, 60
"""At least and at most so many seeds, however many operations that are."""

T = TypeVar("T")
Play = Callable[[Sequence[Case]], list[Result]]


@dataclass(frozen=True)
class Shrunk:
    """What came of it: `first` is what the case gave, `result` what the smallest one gives.

    `complete` if nothing smaller was found in the end, and not only no time was left.
    """

    first: Result
    result: Result
    cause: Cause
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

    `efforts` are how many operations are played to try one smaller case, round by round.
    Without a `system` the one that the case names is played by processes, else in this one.
    Raises `NothingToShrink`, and ValueError for a case that the system does not have.
    """
    began = time.monotonic()
    if system is not None:
        given = system

        def here(cases: Sequence[Case]) -> list[Result]:
            return [result_of_case(each, given) for each in cases]

        return _shrunk(case, system, _Search(here, 1, began + time_limit_s, efforts, tell), began)
    with Players(jobs, case_limit_s=case_limit_s) as players:

        def apart(cases: Sequence[Case]) -> list[Result]:
            found = {result.case.seed: result for result in players.results(cases)}
            return [found[each.seed] for each in cases]

        search = _Search(apart, players.jobs, began + time_limit_s, efforts, tell)
        return _shrunk(case, system_of(case.system), search, began)


def _shrunk(case: Case, system: System, search: _Search, began: float) -> Shrunk:
    [first] = search.play([case])
    if first.ending == "valid":
        raise NothingToShrink("the case does not fail; there is nothing to shrink")
    if not first.events:
        raise NothingToShrink(f"the case {first.ending}, and leaves no history to shrink")
    scenario = system.scenarios[case.scenario]
    played = play_case(system, case)
    again = result_of(played)
    if again.digest != first.digest:
        raise NothingToShrink(
            "the case has another history each time, so nothing can be concluded from leaving "
            "something out; does the system ask only its world for time and chance?"
        )
    search.begin(first)
    complete = True
    names = [f"n{i + 1}" for i in range(case.nodes or scenario.nodes)]
    try:
        search.to_explicit(_smaller.explicit(case, scenario, played.history))
        search.quickly()
        for effort in search.efforts:
            search.effort = effort
            while search.round(names):
                pass
    except _OutOfTime:
        complete = False
    seconds = time.monotonic() - began
    smallest, cause = search.smallest, first.causes[0]
    return Shrunk(first, smallest, cause, search.attempts, search.played, seconds, complete)


class _OutOfTime(Exception):
    """The time limit is over."""


class _Search:
    """Invariant: `smallest` failed by the same cause as what was begun with."""

    def __init__(
        self,
        play: Play,
        jobs: int,
        deadline: float,
        efforts: Sequence[int],
        tell: Callable[[Result], object],
    ) -> None:
        self.play = play
        self.jobs = jobs
        self.deadline = deadline
        self.tell = tell
        self.efforts = efforts
        self.effort = efforts[0]
        self.attempts = 0
        self.played = 0

    def begin(self, first: Result) -> None:
        """This is the failure to keep."""
        self.smallest = self.first = first

    @property
    def case(self) -> Case:
        """The smallest case so far."""
        return self.smallest.case

    def to_explicit(self, case: Case) -> None:
        """Go over to the case that says everything itself; else there is nothing to shrink."""
        if not self.fails(case):
            raise NothingToShrink("played again operation by operation, the case does not fail")

    def quickly(self) -> None:
        """Cut the end off, and try the smallest cases first."""
        self.any_of(_smaller.without_the_end(self.case))
        self.cut_the_end()
        self.any_of(_smaller.little(self.case))

    def round(self, names: Sequence[str]) -> bool:
        """Try everything once; whether anything got smaller."""
        before = _smaller.size_of(self.case)
        self.any_of(_smaller.without_the_end(self.case))
        self.cut_the_end()
        self.any_of(_smaller.sooner(self.case))
        self.leave_out(_smaller.units, _smaller.with_units)
        self.leave_out(_smaller.all_asks, _smaller.with_asks)
        now = self.case.nodes or len(names)
        self.any_of(_smaller.with_nodes(self.case, names, count) for count in range(1, now))
        self.any_of(_smaller.rounded(self.case))
        self.any_of(_smaller.simpler(self.case))
        return _smaller.size_of(self.case) < before

    def any_of(self, candidates: Iterable[Case]) -> bool:
        """Take the first candidate that fails, and is another case."""
        return any(each != self.case and self.fails(each) for each in candidates)

    def cut_the_end(self) -> None:
        """Bisect where the load can be cut off: what comes before it stays as it is."""
        if self.case.final_asks:
            return
        case = self.case
        low, high = 0, len(case.asks or ())
        while low < high:
            middle = (low + high) // 2
            if self.fails(_smaller.cut(case, middle), seeds_max=1):
                high = middle
            else:
                low = middle + 1

    def leave_out(
        self, parts: Callable[[Case], list[T]], with_parts: Callable[[Case, list[T]], Case]
    ) -> None:
        """Leave out as many parts as possible: large pieces first, the last ones first."""
        size = len(parts(self.case))
        while size:
            start = (len(parts(self.case)) - 1) // size * size
            while start >= 0:
                now = parts(self.case)
                fewer = [*now[:start], *now[start + size :]]
                if len(fewer) < len(now):
                    self.fails(with_parts(self.case, fewer))
                start -= size
            size //= 2

    def fails(self, case: Case, seeds_max: int = SEEDS_MAX) -> bool:
        """Whether it fails by the same cause, with its own seed or another one."""
        self.attempts += 1
        count = self.effort // max(1, len(_smaller.all_asks(case)))
        count = min(max(count, SEEDS_MIN), seeds_max)
        seeds = [case.seed, *(seed for seed in range(count) if seed != case.seed)][:count]
        while seeds:
            if time.monotonic() >= self.deadline:
                raise _OutOfTime
            wave, seeds = seeds[: self.jobs], seeds[self.jobs :]
            self.played += len(wave)
            for result in self.play([structs.replace(case, seed=seed) for seed in wave]):
                if self.same(result):
                    self.smallest = result
                    self.tell(result)
                    return True
        return False

    def same(self, result: Result) -> bool:
        """Whether a result is the failure that is to be kept."""
        return result.ending == self.first.ending and self.first.causes[0] in result.causes

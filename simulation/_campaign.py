"""A campaign: many seeds of many scenarios, and what went wrong, grouped by its cause.

    found = campaign("register", bug="no-sync", seeds=range(200))
    print(found.groups[0].cause, found.groups[0].count, found.groups[0].first.seed)

The answer depends on the cases only, not on who played them, how many did so at a time and in
which order they ended; except for what was not played, because time was over.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from checker import Valid
from simulation._player import result_of_case
from simulation._players import CASE_LIMIT_S, Players
from simulation._registry import system_of
from simulation._results import Cause, Ending, Result
from simulation.scenario import Case, System

SEEDS: Final = range(100)
_ORDER: Final[tuple[Ending, ...]] = ("invalid", "hung", "broke", "unknown")


class Group(msgspec.Struct, frozen=True):
    """Runs that ended alike, of the same first cause.

    `first` is the first of them, in the order of cases, with its `sentence` and the `digest`
    of its history; `also` counts what else was wrong in some of them.
    """

    ending: Ending
    cause: Cause
    count: int
    first: Case
    sentence: str
    digest: str
    also: tuple[tuple[Cause, int], ...] = ()

    @property
    def replay(self) -> str:
        """The line that plays the first of them again."""
        return self.first.command("replay")


class Campaign(msgspec.Struct, frozen=True):
    """All that came of a campaign.

    `counts` says by scenario how many runs ended how; `points` how often each crash point was
    reached and `deaths` in how many runs a node died of itself, by why; `failures` are all
    results that are not valid.  `planned` are how many cases there were.
    """

    system: str
    planned: int
    counts: dict[str, dict[Ending, int]]
    groups: tuple[Group, ...]
    failures: tuple[Result, ...]
    points: dict[str, int]
    deaths: dict[str, int]
    operations: int
    faults: int
    messages: int
    virtual_s: float
    seconds: float

    @property
    def played(self) -> int:
        """How many cases were played."""
        return sum(sum(counts.values()) for counts in self.counts.values())

    def count(self, ending: Ending) -> int:
        """How many runs ended so."""
        return sum(counts.get(ending, 0) for counts in self.counts.values())

    @property
    def broke(self) -> bool:
        """Whether some run could not be judged since it hung or broke."""
        return self.count("hung") + self.count("broke") > 0

    def explained(self) -> str:
        """How it ended, and each group's cause, first sentence and replay line; for assertions."""
        lines = [f"{self.system}: of {self.planned} runs {self.count('valid')} are valid"]
        for group in self.groups:
            lines += [
                f"{group.count} {group.ending}, {group.cause.checker}: {group.cause.kind}",
                f"    {group.sentence}",
                *(f"    also {each.checker}: {each.kind} ({n})" for each, n in group.also),
                f"    {group.replay}",
            ]
        return "\n".join(lines)

    @property
    def valid(self) -> Valid:
        """The worst verdict of all; unknown where something hung or broke, or none was played."""
        if self.count("invalid"):
            return False
        return True if self.played and self.played == self.count("valid") else "unknown"


def cases_of(
    name: str,
    system: System,
    scenarios: Sequence[str] | None = None,
    bugs: Sequence[str | None] = (None,),
    seeds: Iterable[int] = SEEDS,
) -> Iterator[Case]:
    """The cases of a campaign, seed by seed; ValueError for what the system does not have."""
    chosen = list(system.scenarios) if scenarios is None else list(scenarios)
    for kind, known, asked in (
        ("scenario", list(system.scenarios), chosen),
        ("bug", list(system.bugs), [bug for bug in bugs if bug is not None]),
    ):
        for each in asked:
            if each not in known:
                has = ", ".join(known) or "none"
                raise ValueError(f"{name} has no {kind} {each!r}; it has {has}")
    return (
        Case(name, scenario, seed, bug) for seed in seeds for bug in bugs for scenario in chosen
    )


def campaign(
    system: str | System,
    *,
    scenarios: Sequence[str] | None = None,
    bug: str | None = None,
    seeds: Iterable[int] = SEEDS,
    jobs: int | None = None,
    case_limit_s: float = CASE_LIMIT_S,
    time_limit_s: float | None = None,
) -> Campaign:
    """Play `seeds` of `scenarios` (all, unless named), and group what went wrong.

    A system given by name (see `system_of`) is played by `jobs` processes, and a case that takes
    longer than `case_limit_s` is killed.  One given as itself is played in this process.  After
    `time_limit_s` no other case is begun.  Raises ValueError for what there is not.
    """
    if isinstance(system, str):
        cases = list(cases_of(system, system_of(system), scenarios, (bug,), seeds))
        with Players(jobs, case_limit_s=case_limit_s) as players:
            return gathered(system, cases, players.results(until(time_limit_s, cases)))
    cases = list(cases_of(system.name, system, scenarios, (bug,), seeds))
    here = (result_of_case(case, system) for case in until(time_limit_s, cases))
    return gathered(system.name, cases, here)


def until(time_limit_s: float | None, cases: Iterable[Case]) -> Iterator[Case]:
    """The cases, until time is over."""
    began = time.monotonic()
    for case in cases:
        if time_limit_s is not None and time.monotonic() - began >= time_limit_s:
            return
        yield case


def gathered(
    name: str,
    cases: Sequence[Case],
    results: Iterable[Result],
    tell: Callable[[Result], object] = lambda _: None,
) -> Campaign:
    """The campaign of these results, in whatever order they come; `tell` is told of each."""
    began = time.monotonic()
    place = {case: number for number, case in enumerate(cases)}
    counts: dict[str, Counter[Ending]] = {case.scenario: Counter() for case in cases}
    points: Counter[str] = Counter()
    deaths: Counter[str] = Counter()
    operations = faults = messages = 0
    virtual_s = 0.0
    failures: list[Result] = []
    for result in results:
        tell(result)
        counts[result.case.scenario][result.ending] += 1
        points.update(result.points)
        deaths.update({why for each in result.deaths.values() for why in each})
        operations += result.operations
        faults += result.faults
        messages += result.messages
        virtual_s += result.virtual_s
        if result.ending != "valid":
            failures.append(result)
    failures.sort(key=lambda result: place[result.case])
    return Campaign(
        system=name,
        planned=len(cases),
        counts={name: dict(each) for name, each in counts.items()},
        groups=tuple(groups_of(failures)),
        failures=tuple(failures),
        points=dict(sorted(points.items())),
        deaths=dict(deaths.most_common()),
        operations=operations,
        faults=faults,
        messages=messages,
        virtual_s=round(virtual_s, 6),
        seconds=time.monotonic() - began,
    )


def groups_of(failures: Iterable[Result]) -> list[Group]:
    """Results grouped by how they ended and their first cause: the worst and largest first."""
    found: dict[tuple[Ending, Cause], list[Result]] = {}
    for result in failures:
        found.setdefault((result.ending, result.causes[0]), []).append(result)
    groups = []
    for (ending, cause), results in found.items():
        also = Counter(each for result in results for each in dict.fromkeys(result.causes[1:]))
        first = results[0]
        groups.append(
            Group(
                ending,
                cause,
                len(results),
                first.case,
                first.sentence,
                first.digest,
                tuple(also.most_common()),
            )
        )
    return sorted(groups, key=lambda group: (_ORDER.index(group.ending), -group.count))

"""The audit of a system's own tests: does anybody look, and would anybody notice?

Without a bug every scenario has to be valid, and in these runs every invariant has to have judged
something in some scenario that covers it, every crash point has to have been reached, and some
machine has to have lost its power there.  Every bug has to be found within so many seeds, by those
scenarios and checkers that it names, if it names some.  What is not so is `missing`, in sentences.

What finds a bug is put to the test itself: the same case has to give the same bytes again, and
to be valid without the bug.

The scenarios of a bug are played seed by seed until one finds it.  Which one that is does not
depend on who plays: of all that were handed out, the first in order counts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import TypeAlias

import msgspec
from msgspec import structs

from simulation._campaign import Campaign, cases_of, gathered
from simulation._results import Result
from simulation.scenario import Bug, Case, System

Play: TypeAlias = Callable[[Iterable[Case]], Iterable[Result]]


class Cell(msgspec.Struct, frozen=True):
    """A bug in a scenario: found with `seed` by `checkers`, or not (None), in `played` runs.

    `checkers` are all who complained, `digest` is that of the history they complained of.
    """

    bug: str
    scenario: str
    seed: int | None
    checkers: tuple[str, ...]
    played: int
    digest: str = ""


class Audit(msgspec.Struct, frozen=True):
    """What was looked at: see above.

    `covered` says for every invariant which scenarios cover it, `measures` are the checkers that
    no scenario says it covers.  `cells` say what became of the bugs, `points` how often each
    crash point was reached and `crashes` how often power was lost there.  `sound` is the
    campaign without bugs, `played` are all runs.
    """

    system: str
    sound: Campaign
    covered: dict[str, tuple[str, ...]]
    measures: tuple[str, ...]
    cells: tuple[Cell, ...]
    points: dict[str, int]
    crashes: dict[str, int]
    missing: tuple[str, ...]
    played: int
    seconds: float


def audit(
    name: str,
    system: System,
    play: Play,
    *,
    seeds: Sequence[int] = range(200),
    sound_seeds: Sequence[int] = range(3),
    scenarios: Sequence[str] | None = None,
    bugs: Sequence[str] | None = None,
    full: bool = False,
    tell: Callable[[Result], object] = lambda _: None,
) -> Audit:
    """Audit a system by playing it.

    With `full` each of a bug's scenarios has to find it (if it names none, each is looked at, and
    one has to), not only one of them.  Of some `scenarios` alone it is not asked whether power is
    lost at every crash point.  Raises ValueError for what the system does not have.
    """
    began, whole = time.monotonic(), scenarios is None
    chosen = list(system.scenarios) if scenarios is None else list(scenarios)
    named = list(system.bugs) if bugs is None else list(bugs)
    cases = list(cases_of(name, system, chosen, (None,), sound_seeds))
    list(cases_of(name, system, chosen, named, ()))  # refuses bugs that there are not
    played = 0

    def told(asked: Iterable[Case]) -> Iterator[Result]:
        nonlocal played
        for result in play(asked):
            played += 1
            tell(result)
            yield result

    look = _Look(chosen, system)
    sound = gathered(name, cases, told(cases), look.see)
    cells: list[Cell] = []
    for bug in named:
        where = [each for each in system.bugs[bug].scenarios or chosen if each in chosen]
        for group in [[each] for each in where] if full else [where]:
            asked = list(cases_of(name, system, group, (bug,), seeds))
            cells += _found(system.bugs[bug], asked, told)
    missing = [
        *_unsound(sound),
        *look.missing(),
        *_misnamed(system, named, look.covered() if whole else None),
        *_not_found(system, named, cells, each=full),
        *_doubts(name, cells, told),
        *look.missing_points(whole=whole),
    ]
    return Audit(
        system=name,
        sound=sound,
        covered=look.covered(),
        measures=look.measures(),
        cells=tuple(cells),
        points={point: look.points[point] for point in system.points},
        crashes={point: look.crashes[point] for point in system.points},
        missing=tuple(missing),
        played=played,
        seconds=time.monotonic() - began,
    )


def finds(bug: Bug, result: Result) -> bool:
    """Whether a run shows the bug: it is invalid, and by whom the bug says."""
    named = {cause.checker for cause in result.causes}
    return result.ending == "invalid" and (not bug.checkers or bool(named & set(bug.checkers)))


class _Look:
    """What the runs without a bug showed: who judged something where, and what was reached.

    Only these count, and of these the valid ones: with a bug anything may happen, and how many
    of those are played depends on who plays.
    """

    def __init__(self, chosen: Sequence[str], system: System) -> None:
        self._said = {each: system.scenarios[each].invariants for each in chosen}
        self._had: dict[str, dict[str, None]] = {each: {} for each in chosen}
        self._judged: dict[str, dict[str, None]] = {each: {} for each in chosen}
        self._runs: Counter[str] = Counter()
        self._points = system.points
        self.points: Counter[str] = Counter()
        self.crashes: Counter[str] = Counter()

    def see(self, result: Result) -> None:
        """Look at a run without a bug."""
        scene = result.case.scenario
        self._runs[scene] += 1
        self.points.update(result.points)
        self.crashes.update(result.crashes)
        for checker, valid in result.checkers.items():
            self._had[scene][checker] = None
            if valid is True and result.ending == "valid":
                self._judged[scene][checker] = None

    def covered(self) -> dict[str, tuple[str, ...]]:
        """By invariant, the scenarios that cover it and in which it judged something."""
        found: dict[str, list[str]] = {}
        for scene in self._said:
            for each in self._covers(scene):
                found.setdefault(each, [])
                if each in self._judged[scene]:
                    found[each].append(scene)
        return {each: tuple(scenes) for each, scenes in found.items()}

    def measures(self) -> tuple[str, ...]:
        """The checkers that no scenario covers, since all that have them say what they cover."""
        covered = self.covered()
        had = dict.fromkeys(each for checkers in self._had.values() for each in checkers)
        return tuple(each for each in had if each not in covered)

    def missing(self) -> Iterator[str]:
        """What is said to be covered and is not."""
        for each, scenes in self.covered().items():
            if not scenes:
                yield f"No scenario gives {each} anything to judge."
                continue
            for scene, said in self._said.items():
                if each in said and scene not in scenes:
                    yield (
                        f"{scene} says that it covers {each}, which judged nothing in "
                        f"{self._runs[scene]} runs."
                    )

    def missing_points(self, *, whole: bool) -> Iterator[str]:
        """Crash points that nobody comes to; and, of the whole system, at which nobody crashes."""
        for point in self._points:
            if not self.points[point]:
                yield f"The crash point {point!r} is never reached."
            elif whole and not self.crashes[point]:
                yield f"No machine loses its power at the crash point {point!r}."
        for point in self.points:
            if point not in self._points:
                yield f"The crash point {point!r} is reached, but is not among the system's."

    def _covers(self, scene: str) -> Iterable[str]:
        return self._said[scene] or self._had[scene]


def _found(bug: Bug, cases: Sequence[Case], play: Play) -> Iterator[Cell]:
    """The cells of these cases: of the first that finds the bug, or of all."""
    place = {case: number for number, case in enumerate(cases)}
    found: dict[int, Result] = {}
    played: Counter[str] = Counter()

    def upcoming() -> Iterator[Case]:
        for case in cases:
            if found:
                return
            yield case

    for result in play(upcoming()):
        played[result.case.scenario] += 1
        if finds(bug, result):
            found[place[result.case]] = result
    if found:
        first = min(found)
        result = found[first]
        case = result.case
        until = sum(each.scenario == case.scenario for each in cases[: first + 1])
        who = tuple(dict.fromkeys(cause.checker for cause in result.causes))
        yield Cell(bug.name, case.scenario, case.seed, who, until, result.digest)
        return
    yield from (Cell(bug.name, each, None, (), count) for each, count in played.items())


def _unsound(sound: Campaign) -> Iterator[str]:
    for group in sound.groups:
        yield (
            f"Without a bug {group.first.scenario} is {group.ending} with seed "
            f"{group.first.seed} ({group.count} such runs): {group.cause.checker}: "
            f"{group.cause.kind}."
        )


def _misnamed(
    system: System, bugs: Iterable[str], invariants: Container[str] | None
) -> Iterator[str]:
    """Scenarios and checkers that bugs name, and that nobody has; the latter if all were seen."""
    for bug in map(system.bugs.__getitem__, bugs):
        for scene in bug.scenarios:
            if scene not in system.scenarios:
                yield f"{bug.name} should be found by {scene}, which is no scenario."
        for checker in bug.checkers:
            if invariants is not None and checker not in invariants:
                yield f"{bug.name} should be found by {checker}, which no scenario covers."


def _not_found(
    system: System, bugs: Iterable[str], cells: Sequence[Cell], *, each: bool
) -> Iterator[str]:
    """The bugs that are not found; with `each` also the scenarios that should find one."""
    for bug in map(system.bugs.__getitem__, bugs):
        mine = [cell for cell in cells if cell.bug == bug.name]
        whom = f" by {' or '.join(bug.checkers)}" if bug.checkers else ""
        if all(cell.seed is None for cell in mine):
            runs = sum(cell.played for cell in mine)
            yield f"The bug {bug.name} is not found{whom} in {runs} runs."
        elif each and bug.scenarios:
            for cell in mine:
                if cell.seed is None:
                    yield (
                        f"The bug {bug.name} is not found{whom} in {cell.played} runs of "
                        f"{cell.scenario}, which should find it."
                    )


def _doubts(name: str, cells: Iterable[Cell], play: Play) -> Iterator[str]:
    """Findings that do not come again, or that are no finding of the bug."""
    found = {
        Case(name, cell.scenario, cell.seed, cell.bug): cell
        for cell in cells
        if cell.seed is not None
    }
    sound = [structs.replace(case, bug=None) for case in found]
    results = {result.case: result for result in play([*found, *dict.fromkeys(sound)])}
    for case, cell in found.items():
        if (again := results[case]).digest != cell.digest:
            yield (
                f"{case.scenario} with {case.bug} and seed {case.seed} is not a function of its "
                f"seed: its history was {cell.digest}, then {again.digest}."
            )
        without = results[structs.replace(case, bug=None)]
        if without.ending != "valid":
            yield (
                f"{case.scenario} finds {case.bug} with seed {case.seed}, but is {without.ending} "
                "with it also without the bug."
            )

"""The audit of a system's own tests: does anybody look, and would anybody notice?

Without a bug every scenario has to be valid.  Every checker has to have judged something in
some scenario, every bug has to be found by some scenario within so many seeds (by those that it
names, if it names some), and every crash point has to have been reached.  What is not so is
`missing`, in sentences.

The scenarios of a bug are played seed by seed until one finds it.  Which one that is does not
depend on who plays: of all that were handed out, the first in order counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from simulation._campaign import Campaign, cases_of, gathered
from simulation._results import Result
from simulation.scenario import Bug, Case, System

Play: TypeAlias = Callable[[Iterable[Case]], Iterable[Result]]


class Cell(msgspec.Struct, frozen=True):
    """A bug in a scenario: found with `seed` by `checkers`, or not (None), in `played` runs."""

    bug: str
    scenario: str
    seed: int | None
    checkers: tuple[str, ...]
    played: int


class Audit(msgspec.Struct, frozen=True):
    """What was looked at: see above.

    `covered` says for every checker in which scenarios it judged something, `cells` what became
    of the bugs, `points` how often each crash point was reached, `sound` is the campaign
    without bugs.
    """

    system: str
    sound: Campaign
    covered: dict[str, tuple[str, ...]]
    cells: tuple[Cell, ...]
    points: dict[str, int]
    missing: tuple[str, ...]


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
    """Audit a system by playing it; `full` looks for each bug in every scenario.

    Raises ValueError for what the system does not have.
    """
    chosen = list(system.scenarios) if scenarios is None else list(scenarios)
    named = list(system.bugs) if bugs is None else list(bugs)
    cases = list(cases_of(name, system, chosen, (None,), sound_seeds))
    list(cases_of(name, system, chosen, named, ()))  # refuses bugs that there are not
    points: Counter[str] = Counter()
    judged: dict[str, dict[str, None]] = {}

    def noted(results: Iterable[Result]) -> Iterator[Result]:
        for result in results:
            tell(result)
            points.update(result.points)
            for checker, valid in result.checkers.items():
                scenes = judged.setdefault(checker, {})
                if valid != "unknown":
                    scenes[result.case.scenario] = None
            yield result

    sound = gathered(name, cases, noted(play(cases)))
    cells: list[Cell] = []
    for bug in named:
        where = [each for each in system.bugs[bug].scenarios or chosen if each in chosen]
        for group in [[each] for each in where] if full else [where]:
            asked = list(cases_of(name, system, group, (bug,), seeds))
            cells += _found(system.bugs[bug], asked, lambda upcoming: noted(play(upcoming)))
    return Audit(
        system=name,
        sound=sound,
        covered={
            checker: tuple(each for each in chosen if each in scenes)
            for checker, scenes in judged.items()
        },
        cells=tuple(cells),
        points={point: points[point] for point in system.points},
        missing=tuple(_missing(sound, judged, named, cells, points, system)),
    )


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
        case = found[first].case
        until = sum(each.scenario == case.scenario for each in cases[: first + 1])
        who = tuple(dict.fromkeys(cause.checker for cause in found[first].causes))
        yield Cell(bug.name, case.scenario, case.seed, who, until)
        return
    yield from (Cell(bug.name, each, None, (), count) for each, count in played.items())


def finds(bug: Bug, result: Result) -> bool:
    """Whether a run shows the bug: it is invalid, and by whom the bug says."""
    named = {cause.checker for cause in result.causes}
    return result.ending == "invalid" and (not bug.checkers or bool(named & set(bug.checkers)))


def _missing(
    sound: Campaign,
    judged: Mapping[str, Mapping[str, None]],
    bugs: Iterable[str],
    cells: Iterable[Cell],
    points: Mapping[str, int],
    system: System,
) -> Iterator[str]:
    for group in sound.groups:
        yield (
            f"Without a bug {group.first.scenario} is {group.ending} with seed "
            f"{group.first.seed} ({group.count} such runs): {group.cause.checker}: "
            f"{group.cause.kind}."
        )
    for checker, scenes in judged.items():
        if not scenes:
            yield f"No scenario gives {checker} anything to judge."
    found = {cell.bug for cell in cells if cell.seed is not None}
    for bug in bugs:
        if bug not in found:
            runs = sum(cell.played for cell in cells if cell.bug == bug)
            whom = (
                f" by {' or '.join(system.bugs[bug].checkers)}" if system.bugs[bug].checkers else ""
            )
            yield f"The bug {bug} is not found{whom} in {runs} runs."
    for point in system.points:
        if not points.get(point):
            yield f"The crash point {point!r} is never reached."

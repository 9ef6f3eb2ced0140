"""``momus audit``: what of a simulated system nobody would notice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, product
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

import click

from momus._answer import print_json
from momus._cases import found, seeds_said
from momus._exits import Broken, ExitCode, Refusal
from momus._interrupt import taken_over
from momus._quantities import seconds_text
from momus._sim_progress import Tally, showing
from momus._sim_suites import verdict_of
from momus._telling import printable, word

if TYPE_CHECKING:
    from checker import Verdict
    from simulation import Audit, Cell, Result


def run_audit(
    name: str,
    *,
    seeds: str,
    sound_seeds: str,
    scenarios: tuple[str, ...],
    bugs: tuple[str, ...],
    full: bool,
    jobs: int | None,
    junit: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Audit, print the tables, return the exit code."""
    import msgspec

    from simulation import PlayerFailed, Players, audit

    system = found(name)
    chosen, named = list(dict.fromkeys(scenarios)) or None, list(dict.fromkeys(bugs)) or None
    sound = seeds_said(sound_seeds)
    tally = Tally(len(sound) * len(chosen or system.scenarios))
    results: list[Result] = []

    def tell(result: Result) -> None:
        tally.add(result)
        tally.planned = max(tally.planned, sum(tally.endings.values()))
        if result.case.bug is None:
            results.append(result)

    with (
        taken_over(),
        showing(tally, f"momus audit {name}", quiet=quiet),
        Players(jobs) as players,
    ):
        try:
            found_ = audit(
                name, system, players.results, seeds=seeds_said(seeds), sound_seeds=sound,
                scenarios=chosen, bugs=named, full=full, tell=tell,
            )  # fmt: skip
        except ValueError as error:
            raise Refusal(str(error)) from error
        except PlayerFailed as error:
            raise Broken(str(error)) from error
    answer: dict[str, Any] = {"complete": not found_.missing, **msgspec.to_builtins(found_)}
    for cell, said in zip(found_.cells, answer["cells"], strict=True):
        said["replay"] = _replay(found_, cell)
    if junit is not None:
        answer["junit"] = str(_suites(found_, results, junit))
    if as_json:
        print_json(answer)
    else:
        for line in _lines(found_, answer):
            click.echo(line)
    return ExitCode.INVALID if found_.missing else ExitCode.VALID


def _lines(audit: Audit, answer: dict[str, Any]) -> Iterator[str]:
    bugs = len({cell.bug for cell in audit.cells})
    yield (
        f"{word(not audit.missing)}  audit of {printable(audit.system)}  "
        f"({_many(len(audit.covered), 'invariant')}, {_many(len(audit.sound.counts), 'scenario')}, "
        f"{_many(bugs, 'bug')}; {_many(audit.sound.played, 'run')} without a bug and "
        f"{audit.played - audit.sound.played:,} to find bugs and see them again, in "
        f"{seconds_text(audit.seconds)})"
    )
    yield ""
    letters = dict(zip(audit.covered, _letters(), strict=False))
    yield from _invariants(audit, letters)
    yield ""
    yield from _scenarios(audit, letters)
    if audit.cells:
        yield ""
        yield from _bugs(audit)
    if audit.points:
        yield ""
        yield from _points(audit)
    if any(cell.seed is not None for cell in audit.cells):
        yield ""
        yield "  replay what was found:"
        yield from (f"  {line}" for cell in audit.cells if (line := _replay(audit, cell)))
    yield ""
    yield from (f"  missing: {printable(each)}" for each in audit.missing)
    if not audit.missing:
        yield "  nothing is missing"
    if "junit" in answer:
        yield f"  JUnit: {answer['junit']}"


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' if count != 1 else ''}"


def _letters() -> Iterator[str]:
    """a, b, ... z, aa, ab, ..."""
    for length in count(1):
        yield from map("".join, product(ascii_lowercase, repeat=length))


def _invariants(audit: Audit, letters: Mapping[str, str]) -> Iterator[str]:
    width = max(len("invariant"), *map(len, (*audit.covered, *audit.measures)), 0)
    yield f"     {'invariant':{width}}  scenarios  bugs that it finds"
    for name, scenes in audit.covered.items():
        bugs = dict.fromkeys(cell.bug for cell in audit.cells if name in cell.checkers)
        told = ", ".join(bugs) or "-"
        yield f"  {letters[name]:>2} {name:{width}}  {len(scenes):9,}  {told}"
    for name in audit.measures:
        yield f"   - {name:{width}}          -  (it only measures: no scenario covers it)"


def _scenarios(audit: Audit, letters: Mapping[str, str]) -> Iterator[str]:
    """Scenarios by invariants: how many bugs each finds there, + for none, . if not covered."""
    width = max(len("scenario"), *map(len, audit.sound.counts))
    header = "".join(f" {letter:>2}" for letter in letters.values())
    yield f"  {'scenario':{width}} {header}  bugs found (+: covered)"
    for scene in audit.sound.counts:
        cells = [cell for cell in audit.cells if cell.scenario == scene and cell.seed is not None]
        marks = ""
        for name, scenes in audit.covered.items():
            bugs = sum(name in cell.checkers for cell in cells)
            marks += f" {bugs or ('+' if scene in scenes else '.'):>2}"
        told = ", ".join(dict.fromkeys(cell.bug for cell in cells))
        yield f"  {scene:{width}} {marks}  {told}".rstrip()


def _bugs(audit: Audit) -> Iterator[str]:
    bug = max(len("bug"), *(len(cell.bug) for cell in audit.cells))
    scene = max(len("scenario"), *(len(cell.scenario) for cell in audit.cells))
    yield f"  {'bug':{bug}}  {'scenario':{scene}}    runs    seed  found by"
    for cell in audit.cells:
        seed = "-" if cell.seed is None else str(cell.seed)
        who = ", ".join(cell.checkers) or "nobody"
        yield f"  {cell.bug:{bug}}  {cell.scenario:{scene}}  {cell.played:6,}  {seed:>6}  {who}"


def _points(audit: Audit) -> Iterator[str]:
    width = max(len("crash point"), *map(len, audit.points))
    yield f"  {'crash point':{width}}  {'reached':>10}  {'power lost':>10}"
    for point, reached in audit.points.items():
        yield f"  {point:{width}}  {reached:10,}  {audit.crashes[point]:10,}"


def _replay(audit: Audit, cell: Cell) -> str | None:
    """The line that replays what found a bug; None where nothing did."""
    from simulation import Case

    if cell.seed is None:
        return None
    return Case(audit.system, cell.scenario, cell.seed, cell.bug).command("replay")


def _suites(audit: Audit, results: list[Result], path: Path) -> Path:
    """A suite for each scenario: it is sound, and it finds these bugs; and one for the rest."""
    import reports

    suites: dict[str, dict[str, Verdict]] = {}
    for name in audit.sound.counts:
        mine = [result for result in results if result.case.scenario == name]
        suites[f"{audit.system} {name}"] = {"without a bug": verdict_of(mine, len(mine))}
    for cell in audit.cells:
        if cell.seed is not None:
            suites[f"{audit.system} {cell.scenario}"][f"finds {cell.bug}"] = _held()
    missing = {each: _broken(each) for each in audit.missing}
    suites[f"{audit.system} audit"] = missing or {"nothing is missing": _held()}
    return reports.junit_suites(suites, path, unknown="error")


def _held() -> Verdict:
    from checker import Verdict

    return Verdict(True, "audit")


def _broken(sentence: str) -> Verdict:
    from checker import Counterexample, Verdict

    return Verdict(False, "audit", counterexamples=(Counterexample(sentence),))

"""``momus audit``: what of a simulated system nobody would notice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
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
    from simulation import Audit, Result


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
    if junit is not None:
        answer["junit"] = str(_suites(found_, results, junit))
    if as_json:
        print_json(answer)
    else:
        for line in _lines(found_, answer):
            click.echo(line)
    return ExitCode.INVALID if found_.missing else ExitCode.VALID


def _lines(audit: Audit, answer: dict[str, Any]) -> Iterator[str]:
    sound = audit.sound
    yield (
        f"{word(not audit.missing)}  audit of {printable(audit.system)}  ({sound.played:,} runs of "
        f"{len(sound.counts)} scenarios without a bug, {len({c.bug for c in audit.cells})} bugs, "
        f"{seconds_text(sound.seconds)} for the former)"
    )
    yield ""
    width = max(len("invariant"), *map(len, audit.covered), 0)
    yield f"  {'invariant':{width}}  scenarios  bugs that it finds"
    for checker, scenes in audit.covered.items():
        bugs = dict.fromkeys(cell.bug for cell in audit.cells if checker in cell.checkers)
        yield f"  {checker:{width}}  {len(scenes):9,}  {', '.join(bugs) or '-'}"
    if audit.cells:
        yield ""
        yield from _bugs(audit)
    if audit.points:
        yield ""
        width = max(len("crash point"), *map(len, audit.points))
        yield f"  {'crash point':{width}}  {'reached':>10}"
        yield from (f"  {point:{width}}  {count:10,}" for point, count in audit.points.items())
    yield ""
    yield from (f"  missing: {printable(each)}" for each in audit.missing)
    if not audit.missing:
        yield "  nothing is missing"
    if "junit" in answer:
        yield f"  JUnit: {answer['junit']}"


def _bugs(audit: Audit) -> Iterator[str]:
    bug = max(len("bug"), *(len(cell.bug) for cell in audit.cells))
    scene = max(len("scenario"), *(len(cell.scenario) for cell in audit.cells))
    yield f"  {'bug':{bug}}  {'scenario':{scene}}    runs    seed  found by"
    for cell in audit.cells:
        seed = "-" if cell.seed is None else str(cell.seed)
        who = ", ".join(cell.checkers) or "nobody"
        yield f"  {cell.bug:{bug}}  {cell.scenario:{scene}}  {cell.played:6,}  {seed:>6}  {who}"


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

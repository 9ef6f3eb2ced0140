"""``momus replay``: one simulated case again, and the same verdict, byte by byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from momus._answer import answer, print_json
from momus._cases import case_said, found
from momus._exits import Broken, ExitCode, Refusal, code_of, one_line
from momus._telling import drawing, headline, story

if TYPE_CHECKING:
    from simulation import Case, Played


def run_again(
    target: str,
    *,
    scenario: str | None,
    seed: int | None,
    bug: str | None,
    digest: str | None,
    store: Path | None,
    as_json: bool,
) -> int:
    """Play the case, print its verdict, return the exit code."""
    from simulation import digest_of, shown

    said = case_said(target, scenario, seed, bug)
    recorded = digest or said.digest
    played = play(said.case)
    verdict = shown(played)
    error = played.outcome.error
    whole: dict[str, Any] = {
        **answer(verdict, title(said.case)),
        "seed": said.case.seed,
        "digest": digest_of(played.history),
        "recorded": recorded,
        "broke": None if error is None else f"{type(error).__name__}: {error}",
        "deaths": {name: list(why) for name, why in played.deaths.items()},
    }
    if store is not None:
        from momus._sim_store import keep_run

        whole["run"] = str(keep_run(store, played).path)
    if as_json:
        print_json(whole)
    else:
        for line in _lines(whole, played):
            click.echo(line)
    if verdict.valid is False:
        return ExitCode.INVALID
    differs = recorded is not None and recorded != whole["digest"]
    return ExitCode.BROKEN if differs or error is not None else code_of(verdict.valid)


def play(case: Case) -> Played:
    """Play a case of whatever system it names; `Refusal` or `Broken` where that cannot be."""
    from simulation import play_case

    system = found(case.system)
    try:
        return play_case(system, case)
    except ValueError as error:
        raise Refusal(str(error)) from error
    except Exception as error:  # a system of the user's own may raise anything
        raise Broken(f"{title(case)} broke: {type(error).__name__}: {one_line(error)}") from error


def title(case: Case) -> str:
    """A case in a few words."""
    bug = f" with {case.bug}" if case.bug else ""
    return f"{case.system} {case.scenario}{bug}, seed {case.seed}"


def _lines(whole: dict[str, Any], played: Played) -> Iterator[str]:
    yield headline(whole)
    found = played.verdict.counterexamples
    yield from story(whole, drawing(played.history, found[0]) if found else None)
    yield ""
    if whole["broke"] is not None:
        yield f"  the run broke: {one_line(whole['broke'])}"
    for name, why in whole["deaths"].items():
        yield f"  note: {name} died of {one_line('; '.join(why))}"
    yield from identity(whole["digest"], whole["recorded"])
    if "run" in whole:
        yield f"  kept: {whole['run']}"
    elif whole["valid"] is False and _plain(played.case):
        yield f"  next: {played.case.command('shrink')}"


def _plain(case: Case) -> bool:
    """Whether system, scenario, bug and seed say all of it."""
    from simulation import Case

    return case == Case(case.system, case.scenario, case.seed, case.bug)


def identity(digest: str, recorded: str | None) -> Iterator[str]:
    """Whether the history is the one that was recorded."""
    yield f"  history {digest}"
    if recorded is None:
        return
    if recorded == digest:
        yield "  it is byte by byte the history that was recorded"
    else:
        yield f"  it is NOT the history that was recorded, {recorded}:"
        yield "  the system or momus has changed, or the system is not a function of its seed"

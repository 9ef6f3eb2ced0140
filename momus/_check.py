"""``momus check``: read everything, judge everything, answer once.

Bad input among the files means no verdict at all: standard output stays empty (also with
``--json``) and standard error holds one line.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from momus._answer import answer, merged, print_json
from momus._checkers import listed
from momus._exits import Refusal, code_of
from momus._judge import Request, assumed, judge
from momus._minimums import minimums_said
from momus._sources import Loaded, expand, load
from momus._telling import drawing, gist, headline, story, summary


def run_check(
    names: tuple[str, ...],
    *,
    model: str | None,
    initial: tuple[Any] | None,
    as_json: bool,
    time_limit: float | None,
    memory_limit: int | None,
    jobs: int | None,
    algorithm: str,
    consistency: str,
    format: str | None,
    report: Path | None,
    certificate: Path | None,
    progress: Path | None,
    minimums: str | None,
    checkers: tuple[str, ...],
) -> int:
    """Judge `names`, print the answer, return the exit code."""
    sources = expand(names)
    if report is not None and len(sources) > 1:
        raise Refusal("--report draws one history; try it with one file at a time")
    if report is not None and not _writable(report):
        raise Refusal(f"{report}: no report can be written there; try another --report")
    if certificate is not None and len(sources) > 1:
        raise Refusal("--certificate proves one history; try it with one file at a time")
    if certificate is not None and not _writable(certificate):
        raise Refusal(f"{certificate}: nothing can be written there; try another --certificate")
    if progress is not None and len(sources) > 1:
        raise Refusal("--progress is of one history; try it with one file at a time")
    if progress is not None and not _writable(progress):
        raise Refusal(f"{progress}: nothing can be written there; try another --progress")
    named = listed(checkers)
    if certificate is not None and named and model is None:
        raise Refusal("--certificate is of a model; name one with --model, or leave it out")
    asked = (model, initial, time_limit, memory_limit, algorithm, jobs, consistency, progress)
    request = Request(*asked, minimums=minimums_said(minimums), checkers=named)
    loaded = [load(source, format) for source in sources]
    if certificate is not None:
        _refuse_the_unprovable(loaded[0], request)
    answers: list[dict[str, Any]] = []
    drawings: list[str | None] = []
    for each in loaded:
        verdict = judge(each, request)
        answers.append(answer(verdict, each.source.name))
        drawings.append(None if as_json else _drawing(each, verdict))
        if report is not None:
            answers[-1]["report"] = str(_report(each, verdict, report))
        if certificate is not None and verdict.valid is True:
            answers[-1]["certificate"] = str(_certificate(each, verdict, request, certificate))
    whole = answers[0] if len(answers) == 1 else merged(answers)
    if as_json:
        print_json(whole)
    else:
        _print_text(whole, answers, drawings)
    return code_of(whole["valid"])


def _print_text(
    whole: dict[str, Any], answers: list[dict[str, Any]], drawings: list[str | None]
) -> None:
    for each, picture in zip(answers, drawings, strict=True):
        click.echo(headline(each))
        for line in story(each, picture) if len(answers) == 1 else gist(each):
            click.echo(line)
        if "report" in each:
            click.echo(f"\n  report: {each['report']}")
        if "certificate" in each:
            click.echo(f"  certificate: {each['certificate']} (see `momus verify`)")
    if len(answers) > 1:
        click.echo(summary(whole))
    elif whole["valid"] is False and "report" not in whole:
        click.echo("\n  next: --report FILE.html draws it, --json tells everything")


def _drawing(loaded: Loaded, verdict: Any) -> str | None:
    """The counterexample drawn in text; a verdict never fails for want of a picture."""
    if not verdict.counterexamples:
        return None
    return drawing(loaded.history, verdict.counterexamples[0])


def _writable(report: Path) -> bool:
    """Whether a report can be made; a long search should not end in finding out."""
    folder = next(parent for parent in report.absolute().parents if parent.exists())
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK) and not report.is_dir()


def _report(loaded: Loaded, verdict: Any, path: Path) -> Path:
    import reports

    return reports.render(loaded.history, verdict, path, meta=loaded.meta)


def _refuse_the_unprovable(loaded: Loaded, request: Request) -> None:
    from checker import MODELS

    model, _ = assumed(loaded, request)
    if model not in MODELS:
        raise Refusal(f"there are no certificate files for the model {model}; leave it out")


def _certificate(loaded: Loaded, verdict: Any, request: Request, path: Path) -> Path:
    """The certificates of a valid history in one file; where it is not valid there is none."""
    import checker
    from histories import write_whole

    model, initial = assumed(loaded, request)
    assert isinstance(model, str), "the command line knows models by name"
    found = verdict.certificates
    proof = checker.certificate(loaded.history, model, initial, found, request.consistency)
    write_whole(path, proof)
    return path

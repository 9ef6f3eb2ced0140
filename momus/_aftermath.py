"""After a run: seal the history, judge it, write the results and the report.

Everything here works from the run folder alone and is done in the order of importance:
a report that cannot be drawn does not cost the results, and results that cannot be
written do not cost the verdict.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from checker import Unknown, Verdict
from histories import History, Run
from momus._answer import answer
from momus._exits import one_line
from momus._judge import Request, judge_history
from momus._receipts import fault_notes

T = TypeVar("T")

_log = logging.getLogger("momus.run")


@dataclass
class Aftermath:
    """What became of a recorded run."""

    verdict: Verdict
    history: History
    report: Path | None = None
    troubles: list[str] = field(default_factory=list)


def aftermath(
    run: Run, request: Request, *, broke: str | None = None, interrupted: bool = False
) -> Aftermath | None:
    """Judge what `run` recorded; None if it recorded nothing.

    `broke` says that the run did not get to its end: then nothing can be valid, but what
    is invalid stays so.  A run that was `interrupted` got as far as somebody wanted.
    """
    if not (run.path / "history.jsonl").exists() and not (run.path / "history.parquet").exists():
        return None
    troubles: list[str] = []
    history = _attempt("seal the history", run.seal, troubles) or run.history()
    if len(history) == 0:
        return None
    verdict = _judged(run, history, request)
    notes = [*verdict.notes]
    if verdict.unknown is None or verdict.unknown.cause != "vacuous":  # which says so itself
        notes += fault_notes(history, run.meta)
    if interrupted:
        notes.append("a signal ended the run early; what was recorded until then is judged")
    verdict = msgspec.structs.replace(verdict, notes=tuple(notes))
    if broke is not None and verdict.valid is True:
        verdict = broken_off(verdict, broke)
    found = Aftermath(verdict, history, troubles=troubles)
    results = {
        **answer(verdict, str(run.path)),
        "load_seconds": round(int(history.time[-1] - history.time[0]) / 1e9, 3),
        "broke": broke,
        "troubles": list(troubles),
    }
    _attempt("write the results", lambda: run.write_results(results), troubles)
    found.report = _attempt("draw the report", lambda: _report(run, found), troubles)
    _attempt("draw the plots", lambda: _plots(run, history), troubles)
    return found


def _judged(run: Run, history: History, request: Request) -> Verdict:
    """The verdict; a checker that breaks leaves the history unjudged, and says so."""
    try:
        return judge_history(history, run.meta, request)
    except Exception as error:
        _log.error("the checker broke", exc_info=error)
        return Verdict(
            valid="unknown",
            checker=str(run.meta.get("workload")),
            unknown=Unknown(
                cause="harness",
                sentence=f"The history could not be judged: {one_line(error)}.",
                remedy=f"The history is kept; judge it again with `momus check {run.path}`.",
            ),
        )


def broken_off(verdict: Verdict, broke: str) -> Verdict:
    """The verdict over a run that did not get to its end: it proves nothing."""
    return msgspec.structs.replace(
        verdict,
        valid="unknown",
        unknown=Unknown(
            cause="harness",
            sentence=f"What was recorded is valid, but the run did not get to its end: {broke}.",
            remedy="Mend what broke, as momus.log and nodes/ of the run tell it, and run again.",
        ),
    )


def _report(run: Run, found: Aftermath) -> Path:
    import reports

    meta = dict(run.meta)
    return reports.render(found.history, found.verdict, run.report, meta=meta)


def _plots(run: Run, history: History) -> None:
    import reports

    reports.plots(history, run.path)


def _attempt(what: str, act: Callable[[], T], troubles: list[str]) -> T | None:
    try:
        return act()
    except Exception as error:
        _log.warning("could not %s", what, exc_info=error)
        troubles.append(one_line(f"could not {what}: {type(error).__name__}: {error}"))
        return None

"""Simulated runs in a store, where ``momus list``, ``momus check`` and the report find them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from momus._cases import case_text
from momus._exits import one_line
from momus._telling import printable

if TYPE_CHECKING:
    from histories import Run
    from simulation import Campaign, Played, System

RUNS_MAX = 12


def keep(store: Path, system: System, campaign: Campaign, answer: dict[str, Any]) -> list[str]:
    """Keep a campaign, and of each group of failures the first run, played once more."""
    from histories import Store
    from simulation import play_case

    with Store(store).create(f"{campaign.system}-campaign", {"seeds": campaign.planned}) as run:
        run.write_results(answer)
        paths = [str(run.path)]
    for group in campaign.groups[:RUNS_MAX]:
        if group.ending not in ("invalid", "unknown"):
            continue  # it would hang or break here, too
        try:
            paths.append(str(keep_run(store, play_case(system, group.first)).path))
        except Exception as error:
            click.echo(f"momus: could not keep {group.first}: {one_line(error)}", err=True)
    return paths


def keep_run(store: Path, played: Played) -> Run:
    """Keep a run: its history, its verdict, its report, and its case as `case.json`."""
    import reports
    from histories import Store
    from momus._answer import answer
    from simulation import digest_of, shown

    case = played.case
    meta = {"simulated": msgspec.to_builtins(case), "seed": case.seed, "system": case.system}
    name = "-".join(printable(part) for part in (case.system, case.scenario, case.bug) if part)
    with Store(store).create(name, meta) as run:
        played.history.write_parquet(run.path / "history.parquet")
        digest = digest_of(played.history)
        (run.path / "case.json").write_bytes(case_text(case, digest))
        verdict = shown(played)
        told = answer(verdict, str(run.path))
        run.write_results({**told, "digest": digest})
        reports.render(played.history, verdict, run.report, meta=run.meta)
    return run

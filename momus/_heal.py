"""``momus heal``: undo what killed runs left behind, and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

import click

from cluster import Healed, heal
from momus._answer import print_json
from momus._exits import ExitCode, Refusal
from momus._telling import printable


def run_heal(*, where: Path, as_json: bool) -> int:
    """Heal all journals at or below `where`; 4 if anything is left that could not be undone."""
    if not where.exists():
        raise Refusal(f"{where}: no such store or run; try --store with the folder of the runs")
    healed = asyncio.run(heal(where))
    if as_json:
        print_json([{**asdict(each), "settled": each.settled} for each in healed])
    else:
        _tell(healed, where)
    left = [each for each in healed if not each.settled and each.outcome != "running"]
    return ExitCode.BROKEN if left else ExitCode.VALID


def _tell(healed: list[Healed], where: Path) -> None:
    for each in healed:
        detail = f": {printable(each.detail)}" if each.detail else ""
        click.echo(f"{each.outcome}: {each.kind} on {each.host} (run {each.run}){detail}")
    if not healed:
        click.echo(f"nothing to heal in {where}")
    if any(each.outcome == "running" for each in healed):
        click.echo("runs that are still going on were left alone; end them first")

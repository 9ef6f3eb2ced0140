"""``momus list``: the runs of a store, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from histories import Run, Store
from momus._answer import print_json
from momus._exits import Refusal, one_line
from momus._quantities import seconds_text
from momus._telling import word


def run_list(*, store: Path, as_json: bool) -> int:
    """Print what is in `store`."""
    if not store.is_dir():
        raise Refusal(f"{store}: there is no store here yet; try --store, or `momus run` first")
    rows = [row_of(run) for run in reversed(Store(store).runs())]
    if as_json:
        print_json(rows)
    else:
        for line in lines_of(rows):
            click.echo(line)
    return 0


def row_of(run: Run) -> dict[str, Any]:
    """One run as a JSON object; a run that cannot be read says so, and hides no other."""
    row: dict[str, Any] = {"run": str(run.path), "test": run.path.parent.name}
    row["time"] = run.path.name
    try:
        row["state"] = run.state
        row["seed"] = run.meta.get("seed")
        results = run.results() if run.state == "judged" else {}
    except Exception as error:
        return {**row, "state": "corrupt", "error": one_line(error)}
    return {
        **row,
        "valid": results.get("valid"),
        "operations": results.get("operations"),
        "seconds": results.get("load_seconds"),
    }


def lines_of(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The rows as a table."""
    if not rows:
        yield "no runs yet"
        return
    width = max(len(row["test"]) for row in rows)
    times = max(len(row["time"]) for row in rows)
    yield f"{'time':{times}}  {'test':{width}}  verdict   operations  duration"
    for row in rows:
        valid = row.get("valid")
        verdict = word(valid) if valid in (True, False, "unknown") else row["state"].upper()
        plain = {True: 5, False: 7}.get(valid, 7) if valid is not None else len(verdict)
        operations = "" if row.get("operations") is None else f"{row['operations']:,}"
        duration = "" if row.get("seconds") is None else seconds_text(row["seconds"])
        yield (
            f"{row['time']:{times}}  {row['test']:{width}}  {verdict}{' ' * (8 - plain)}"
            f"  {operations:>10}  {duration}"
        )
        if "error" in row:
            yield f"    {row['error']}"

"""``momus lint``: mistakes of whoever recorded a history, one line each.

Files are read one after the other; one that cannot be read at all ends the command, as it does
everywhere else.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from momus._answer import print_json
from momus._exits import ExitCode
from momus._sources import Source, expand
from momus._telling import printable


def run_lint(names: tuple[str, ...], *, distinct: bool, as_json: bool, format: str | None) -> int:
    """Look, tell, return the exit code: 0 if nothing was found, else 1."""
    from histories import lint_file

    sources = expand(names)
    found = [
        (source.name, finding)
        for source in sources
        for finding in lint_file(_file_of(source), format=format, distinct=distinct)
    ]
    if as_json:
        told = [{"file": name, **asdict(finding)} for name, finding in found]
        print_json({"findings": told, "files": [source.name for source in sources]})
    else:
        for name, finding in found:
            line = f"event {finding.event}" if finding.line is None else str(finding.line)
            where = f"{printable(name)}:{line}"
            click.echo(f"{where}: {finding.kind}: {printable(finding.sentence)}")
        if not found:
            click.echo(f"nothing found in {', '.join(printable(each.name) for each in sources)}")
    return ExitCode.INVALID if found else ExitCode.VALID


def _file_of(source: Source) -> str:
    """The history of a run is looked at as it was recorded, if that is still there."""
    recorded = Path(source.name) / "history.jsonl"
    return str(recorded) if source.is_run and recorded.exists() else source.name

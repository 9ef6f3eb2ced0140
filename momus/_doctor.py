"""``momus doctor``: can these hosts do what momus may want of them?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from momus._answer import print_json
from momus._checkup import CAPABILITIES, Finding, check_up_all
from momus._exits import ExitCode
from momus._telling import printable
from momus._whereabouts import Whereabouts


def run_doctor(*, hosts: Whereabouts, as_json: bool) -> int:
    """Check all hosts and tell; the exit code says how bad it is."""
    found = asyncio.run(check_up_all(hosts.read()))
    if as_json:
        print_json(as_object(found))
    else:
        _tell(found)
    return exit_code(found)


def exit_code(found: Mapping[str, Sequence[Finding]]) -> ExitCode:
    """0: everything is there; 3: some faults will be refused; 4: some host cannot be used."""
    lacking = [each for findings in found.values() for each in findings if not each.yes]
    if any(each.required for each in lacking):
        return ExitCode.BROKEN
    return ExitCode.UNKNOWN if lacking else ExitCode.VALID


def as_object(found: Mapping[str, Sequence[Finding]]) -> dict[str, Any]:
    """The findings as the JSON object that programs read."""
    return {
        "usable": exit_code(found) != ExitCode.BROKEN,
        "complete": exit_code(found) == ExitCode.VALID,
        "hosts": {
            name: {
                each.capability: {k: v for k, v in asdict(each).items() if k != "capability"}
                for each in findings
            }
            for name, findings in found.items()
        },
    }


def _tell(found: Mapping[str, Sequence[Finding]]) -> None:
    """A table, and below it what is missing and how to mend it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    by_name = {name: {each.capability: each for each in rows} for name, rows in found.items()}
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for name in found:
        table.add_column(Text(name))
    table.add_column("for")
    for capability in CAPABILITIES:
        findings = [by_name[name].get(capability) for name in found]
        cells = [
            Text("-") if each is None else Text("yes", "green") if each.yes else Text("no", "red")
            for each in findings
        ]
        wanted = next((each.needed_by for each in findings if each is not None), "")
        table.add_row(capability, *cells, Text(wanted, "dim"))
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for (capability, detail, mend), names in _lacking(found).items():
        console.print()
        console.print(Text(f"{', '.join(names)}: no {capability}: {printable(detail)}"))
        console.print(Text(f"  {printable(mend)}", "bold"))


def _lacking(
    found: Mapping[str, Sequence[Finding]],
) -> dict[tuple[str, str, str], list[str]]:
    """What is missing and how to mend it, with the hosts of which that is true."""
    lacking: dict[tuple[str, str, str], list[str]] = {}
    for name, findings in found.items():
        for each in findings:
            if not each.yes:
                lacking.setdefault((each.capability, each.detail, each.mend), []).append(name)
    return lacking

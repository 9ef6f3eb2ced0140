"""``momus lab up`` and ``momus lab down``: SSH hosts that stand on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from cluster import NotALab, StandingLab, lab_down, lab_up
from momus._answer import print_json
from momus._exits import ExitCode, Refusal


def run_up(*, directory: Path, nodes: int, ssh: bool, as_json: bool) -> int:
    """Raise a lab and say how to use it."""
    if not ssh:
        raise Refusal(
            "`momus run --nodes N` raises plain namespaces by itself, for as long as it needs "
            "them; for hosts that stay try `momus lab up --ssh`"
        )
    try:
        lab = lab_up(directory, nodes)
    except NotALab as error:
        raise Refusal(str(error)) from error
    if as_json:
        print_json(_as_json(lab))
        return ExitCode.VALID
    click.echo(f"{nodes} SSH hosts are up in {lab.directory}")
    click.echo(f"  run:   momus run etcd --lab {lab.lab_toml}")
    click.echo(f"  check: momus doctor {lab.lab_toml}")
    click.echo(f"  down:  momus lab down {lab.directory}")
    return ExitCode.VALID


def run_down(*, directory: Path, as_json: bool) -> int:
    """Take a lab down; nothing to take down is no trouble."""
    try:
        was_there = lab_down(directory)
    except NotALab as error:
        raise Refusal(str(error)) from error
    if as_json:
        print_json({"directory": str(directory), "was_there": was_there})
    else:
        click.echo(f"{directory}: {'taken down' if was_there else 'there is no lab here'}")
    return ExitCode.VALID


def _as_json(lab: StandingLab) -> dict[str, object]:
    return {
        "directory": str(lab.directory),
        "lab": str(lab.lab_toml),
        "hosts": list(lab.hosts),
        "pid": lab.pid,
    }

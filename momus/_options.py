"""Options that several commands have, each declared once; a command takes them as decorators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from momus._sources import FORMATS

_F = TypeVar("_F", bound=Callable[..., Any])

EXITS: Final = (
    "Exit code: 0 valid, 1 invalid, 2 usage or bad input, 3 unknown, 4 the run itself broke."
)

FOLDER: Final = click.Path(file_okay=False, path_type=Path)
FILE: Final = click.Path(dir_okay=False, path_type=Path)
FOUND: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
"""A file that is there."""

as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
)
as_json_array = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON array and nothing else."
)
quiet = click.option("--quiet", "-q", is_flag=True, help="No progress.")
file_format = click.option(
    "--format", type=click.Choice(FORMATS), help="File format; guessed if not given."
)
seed_of_chance = click.option(
    "--seed", type=click.IntRange(min=0), help="Of all that momus decides by chance."
)
players = click.option(
    "--jobs", "-j", type=click.IntRange(min=1), help="Processes; default: the cores."
)
only_scenarios = click.option(
    "--scenario", "scenarios", metavar="NAME", multiple=True, help="Only this; may be repeated."
)
known_bug = click.option("--bug", metavar="NAME", help="Switch this known bug on.")


def in_store(help_: str) -> Callable[[_F], _F]:
    """The folder of runs, which is there unless another is named."""
    return click.option("--store", default="store", show_default=True, type=FOLDER, help=help_)


def minimums(of: str) -> Callable[[_F], _F]:
    """What has to succeed."""
    return click.option(
        "--minimums",
        metavar="LIST",
        help=f"What has to succeed for {of} to be valid: operation=10,node=5,window=1,clients=2.",
    )


def junit(suites: str) -> Callable[[_F], _F]:
    """A file of suites for CI."""
    return click.option(
        "--junit", type=FILE, metavar="FILE.xml", help=f"Also write JUnit XML: {suites}."
    )


def one_case(command: _F) -> _F:
    """The case of a simulated system that is played: by a file, a run, or what it is made of."""
    for option in (
        known_bug,
        click.option("--seed", type=click.IntRange(min=0), help="Of all that is drawn."),
        click.option("--scenario", metavar="NAME", help="Of SYSTEM."),
        click.argument("target", metavar="SYSTEM|FILE.json|RUN"),
    ):
        command = option(command)
    return command

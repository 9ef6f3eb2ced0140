"""``momus sim``: a campaign of many seeds, told as groups of failures, each with its replay."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from momus._answer import print_json
from momus._cases import found, seeds_said
from momus._exits import Broken, ExitCode, Refusal, code_of
from momus._interrupt import Ending, taken_over
from momus._quantities import seconds_text
from momus._sim_progress import Tally, showing
from momus._sim_suites import Suites
from momus._telling import printable, word

if TYPE_CHECKING:
    from simulation import Campaign, Case, Group, Result

GROUPS_SHOWN_MAX = 12
DEATHS_SHOWN_MAX = 5
"""More than these are in the JSON object."""

_ENDINGS = ("valid", "invalid", "hung", "broke", "unknown")


def run_sim(
    name: str,
    *,
    scenarios: tuple[str, ...],
    bug: str | None,
    seeds: str,
    jobs: int | None,
    scheduler: str | None,
    time_limit: float | None,
    seed_limit: float,
    junit: Path | None,
    store: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Play, print what came of it, return the exit code."""
    from simulation import PlayerFailed, cases_of, gathered

    system = found(name)
    chosen = list(dict.fromkeys(scenarios)) or None
    try:
        cases = list(cases_of(name, system, chosen, (bug,), seeds_said(seeds)))
    except ValueError as error:
        raise Refusal(str(error)) from error
    suites = Suites(name, cases)
    tally = Tally(len(cases))

    def tell(result: Result) -> None:
        tally.add(result)
        suites.add(result)

    ending = Ending()
    with (
        taken_over(ending.signalled),
        showing(tally, f"momus sim {name}", quiet=quiet),
        _played(cases, jobs, scheduler, time_limit, seed_limit) as results,
    ):
        try:
            campaign = gathered(name, cases, ending.until(results), tell)
        except PlayerFailed as error:
            raise Broken(str(error)) from error
    answer = _answer(campaign, ending.asked)
    if store is not None:
        from momus._sim_store import keep

        answer["runs"] = keep(store, system, campaign, answer)
    if junit is not None:
        answer["junit"] = str(suites.write(junit))
    if as_json:
        print_json(answer)
    else:
        for line in _lines(campaign, answer):
            click.echo(line)
    return _code(campaign, ending.asked)


@contextlib.contextmanager
def _played(
    cases: list[Case],
    jobs: int | None,
    scheduler: str | None,
    time_limit: float | None,
    seed_limit: float,
) -> Iterator[Iterator[Result]]:
    """The results, by processes of our own or by those of a Dask scheduler."""
    from simulation import Players, until

    upcoming = until(time_limit, cases)
    if scheduler is None:
        with Players(jobs, case_limit_s=seed_limit) as players:
            yield players.results(upcoming)
        return
    if jobs is not None:
        raise Refusal("--jobs is of this machine; with --scheduler leave it out")
    from simulation import NoScheduler, results_by_dask

    try:
        with results_by_dask(scheduler, upcoming, case_limit_s=seed_limit) as results:
            yield results
    except NoScheduler as error:
        raise Refusal(str(error)) from error


def _code(campaign: Campaign, interrupted: bool) -> ExitCode:
    if campaign.valid is False:
        return ExitCode.INVALID
    if interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.BROKEN if campaign.broke else code_of(campaign.valid)


def _answer(campaign: Campaign, interrupted: bool) -> dict[str, Any]:
    """The JSON object."""
    import msgspec

    whole: dict[str, Any] = msgspec.to_builtins(campaign)
    groups = [{**msgspec.to_builtins(group), "replay": group.replay} for group in campaign.groups]
    counts = {ending: campaign.count(ending) for ending in _ENDINGS}  # type: ignore[arg-type]
    return {
        "valid": campaign.valid,
        "played": campaign.played,
        "endings": counts,
        "interrupted": interrupted,
        **whole,
        "groups": groups,
    }


def _lines(campaign: Campaign, answer: dict[str, Any]) -> Iterator[str]:
    played, scenarios = campaign.played, len(campaign.counts)
    yield (
        f"{word(campaign.valid)}  {printable(campaign.system)}  ({played:,} runs of {scenarios} "
        f"scenario{'s' if scenarios != 1 else ''}, {campaign.operations:,} operations, "
        f"{campaign.faults:,} faults, {campaign.messages:,} messages; "
        f"{seconds_text(campaign.virtual_s)} of virtual time in {seconds_text(campaign.seconds)})"
    )
    if campaign.played < campaign.planned:
        why = "interrupted" if answer["interrupted"] else "the time was over"
        yield f"  {campaign.planned - played:,} of {campaign.planned:,} were not played: {why}"
    yield ""
    yield from _table(campaign)
    for group in campaign.groups[:GROUPS_SHOWN_MAX]:
        yield ""
        yield from _group(group)
    if len(campaign.groups) > GROUPS_SHOWN_MAX:
        yield f"\n  ... and {len(campaign.groups) - GROUPS_SHOWN_MAX} more groups; see --json"
    for why, count in list(campaign.deaths.items())[:DEATHS_SHOWN_MAX]:
        yield f"\n  note: in {count:,} runs a node died of {printable(why)}"
    for run in answer.get("runs", []):
        yield f"\n  kept: {run}"
    if "junit" in answer:
        yield f"\n  JUnit: {answer['junit']}"


def _table(campaign: Campaign) -> Iterator[str]:
    shown = [e for e in _ENDINGS if e == "valid" or campaign.count(e)]  # type: ignore[arg-type]
    width = max(len("scenario"), *map(len, campaign.counts))
    yield f"  {'scenario':{width}}" + "".join(f"  {ending:>7}" for ending in shown)
    for name, counts in campaign.counts.items():
        yield f"  {name:{width}}" + "".join(f"  {counts.get(e, 0):7,}" for e in shown)  # type: ignore[call-overload]


def _group(group: Group) -> Iterator[str]:
    valid: Any = False if group.ending == "invalid" else "unknown"
    ending = word(valid) if group.ending in ("invalid", "unknown") else group.ending.upper()
    yield f"  {ending}  {group.count:,} x {group.cause.checker}: {printable(group.cause.kind)}"
    yield f"    {printable(group.sentence)}"
    if group.also:
        also = "; ".join(f"{each.checker}: {each.kind} ({count:,})" for each, count in group.also)
        yield f"    also: {printable(also)}"
    if group.digest:
        yield f"    history {group.digest}"
    yield f"    {group.replay}"

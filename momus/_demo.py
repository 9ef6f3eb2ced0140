"""``momus demo``: a minute with etcd, judged twice.

The same load under the same kinds of faults, first with linearizable reads, which must be
valid, then with serializable ones, which etcd answers from whatever the asked member has:
a member that is cut off from the others answers with the past, and momus shows which read
did.  Whether a stale read shows in a given run is up to chance, though a kind one; a run
that shows none is repeated with another seed, a few times at most.

Network namespaces without root are not allowed everywhere.  Where they are not, the demo
says so and makes do with local processes and pauses: then stale reads are rarer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from cluster import HostError, namespaces
from momus._answer import print_json
from momus._exits import ExitCode
from momus._judge import Request
from momus._plan import Plan
from momus._progress import say
from momus._run import Played, finish, play_plan, tell

STALE_TRIES_MAX = 4
KNOWN_BUGS = (
    "etcd 3.5.1, the version on PyPI, has real bugs that can cause this: members killed under "
    "load can diverge (etcd issue 13766), and a badly timed pause can cause a stale read "
    "(etcd issue 20418). The verdict stands; the report shows what was seen."
)


@dataclass(frozen=True)
class Act:
    """One half of the demo: what is played, and the verdict that theory predicts."""

    title: str
    plan: Plan
    expected: bool
    tries_max: int


def acts(lab: str, seed: int, store: Path) -> tuple[Act, Act]:
    """The two acts; they differ in what a read asks for, and in nothing else that matters."""
    faults = ("partition", "pause") if lab == "namespaces" else ("pause",)
    plan = Plan(
        system="etcd",
        lab=lab,
        faults=faults,
        interval_s=2.0,
        schedule="turns",
        time_limit_s=17.0,
        rate_hz=150.0,
        op_timeout_s=1.5,
        seed=seed,
        store=store,
    ).settled()
    return (
        Act("etcd with linearizable reads", plan, True, 1),
        Act(
            "etcd with serializable reads",
            replace(plan, reads="serializable", time_limit_s=15.0),
            False,
            STALE_TRIES_MAX,
        ),
    )


def run_demo(*, seed: int | None, store: Path, as_json: bool, local: bool) -> int:
    """Play both acts; 0 if and only if both ended as predicted."""
    lab = "local" if local else asyncio.run(_possible_lab())
    played: list[tuple[Act, Played]] = []
    for act in acts(lab, -1 if seed is None else seed, store):
        say(f"\n{act.title}: {'valid' if act.expected else 'invalid'} is what theory predicts")
        result = _play(act)
        played.append((act, result))
        if not as_json:
            tell(result, failures_max=1)
            click.echo()
        finish(result)
        if result.conduct.interrupted:
            break
    if as_json:
        print_json(_answer(played))
    else:
        _conclude(played)
    return _code(played)


def _play(act: Act) -> Played:
    """Play an act until it ends as predicted, or as often as it may be tried."""
    plan = act.plan
    for left in reversed(range(act.tries_max)):
        result = play_plan(plan, Request())
        valid = result.after.verdict.valid if result.after else "unknown"
        if valid is act.expected or left == 0 or result.conduct.interrupted or result.conduct.broke:
            break
        say(f"no stale read showed this time; trying again with seed {plan.seed + 1}")
        plan = replace(plan, seed=plan.seed + 1)
    return result


async def _possible_lab() -> str:
    """Namespaces where they can be raised, else local processes, said loudly."""
    try:
        async with namespaces(1):
            return "namespaces"
    except HostError as error:
        say(f"WARNING: no network namespaces here: {error}")
        say("WARNING: going on with local processes and pauses; nothing can be partitioned")
        return "local"


def _as_expected(act: Act, played: Played) -> bool:
    return played.after is not None and played.after.verdict.valid is act.expected


def _code(played: list[tuple[Act, Played]]) -> ExitCode:
    if len(played) == 2 and all(_as_expected(*each) for each in played):
        return ExitCode.VALID
    act, first = played[0]
    if not _as_expected(act, first):
        return first.code
    return ExitCode.UNKNOWN


def _answer(played: list[tuple[Act, Played]]) -> dict[str, Any]:
    return {
        "as_expected": _code(played) is ExitCode.VALID,
        "runs": [
            {"title": act.title, "expected": act.expected, **result.answer()}
            for act, result in played
        ],
    }


def _conclude(played: list[tuple[Act, Played]]) -> None:
    for act, result in played:
        valid = result.after.verdict.valid if result.after else "unknown"
        wanted = "as predicted" if _as_expected(act, result) else "NOT as predicted"
        word = "valid" if valid is True else "invalid" if valid is False else "unknown"
        report = result.after.report if result.after else None
        click.echo(f"{act.title}: {word}, {wanted}; report: {report or 'none'}")
        if act.expected and valid is False:
            click.echo(f"  {KNOWN_BUGS}")

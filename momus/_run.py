"""``momus run``: carry a plan out, judge what was recorded, say where everything is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from histories import Event, Run, Store
from momus._aftermath import Aftermath, aftermath
from momus._answer import answer, print_json
from momus._assembly import asides_of, workload_of
from momus._conduct import Conduct, conduct, logging_to
from momus._exits import Broken, ExitCode, Refusal, code_of
from momus._faults import USUAL
from momus._judge import Request
from momus._minimums import minimums_said
from momus._plan import Plan
from momus._quantities import numbers_said
from momus._replay import plan_again
from momus._script import faults_of, steps_of
from momus._systems import kinds_of, scene_named
from momus._telling import FAILURES_SHOWN_MAX, drawing, headline, printable, story
from momus._whereabouts import Whereabouts
from nemesis import AT_ONCE

if TYPE_CHECKING:
    from simulation.real import Scene

NODES: Final = 3
INTERVAL_S: Final = 5.0
RATE_HZ: Final = 200.0


@dataclass(frozen=True)
class Played:
    """A run that has been carried out and judged, as far as it got."""

    plan: Plan
    run: Run
    conduct: Conduct
    after: Aftermath | None

    @property
    def troubles(self) -> list[str]:
        """What went wrong without breaking the run."""
        return [*self.conduct.troubles, *(self.after.troubles if self.after else [])]

    @property
    def code(self) -> ExitCode:
        """The exit code: a violation counts, whatever broke."""
        if self.after is not None and self.after.verdict.valid is False:
            return ExitCode.INVALID
        if self.conduct.broke is not None:
            return ExitCode.BROKEN
        if self.after is None:
            return ExitCode.INTERRUPTED if self.conduct.interrupted else ExitCode.BROKEN
        return code_of(self.after.verdict.valid)

    def answer(self) -> dict[str, Any]:
        """The run as the JSON object that programs read."""
        if self.after is None:
            found: dict[str, Any] = {"valid": "unknown", "failures": [], "operations": 0}
        else:
            found = answer(self.after.verdict, str(self.run.path))
        return {
            **found,
            "run": str(self.run.path),
            "report": str(self.after.report) if self.after and self.after.report else None,
            "seed": self.plan.seed,
            "command": self.plan.command(),
            "broke": self.conduct.broke,
            "interrupted": self.conduct.interrupted,
            "troubles": self.troubles,
        }


def meta_of(plan: Plan) -> dict[str, Any]:
    """What a run says of itself: the plan, and how its history is to be judged."""
    workload = workload_of(plan)
    return {
        **plan.meta(),
        "model": workload.model,
        "initial": workload.initial,
        "checkers": list(workload.checkers),
        "asides": list(asides_of(plan)),
        "options": dict(workload.meta),
    }


def play_plan(
    plan: Plan,
    request: Request,
    *,
    quiet: bool = False,
    on_event: Callable[[Event], object] | None = None,
) -> Played:
    """Carry out a settled plan and judge it; raises only what concerns the store itself.

    `on_event` is told of every event once the recorder has taken it.
    """
    with Store(plan.store).create(plan.name, meta_of(plan)) as run, logging_to(run.log):
        conducted = asyncio.run(conduct(plan, run, quiet=quiet, on_event=on_event))
        after = aftermath(run, request, broke=conducted.broke, interrupted=conducted.interrupted)
        return Played(plan, run, conducted, after)


def tell(played: Played, *, failures_max: int = FAILURES_SHOWN_MAX) -> None:
    """Say how it went, for people; the verdict first."""
    after = played.after
    if after is not None:
        found = answer(after.verdict, played.plan.name)
        click.echo(headline(found))
        cases = after.verdict.counterexamples
        picture = drawing(after.history, cases[0]) if cases else None
        for line in story(found, picture, failures_max=failures_max):
            click.echo(line)
        click.echo()
    for trouble in played.troubles:
        click.echo(f"  trouble: {printable(trouble)}")
    if after is not None and after.report is not None:
        click.echo(f"  report:  {after.report}")
    click.echo(f"  run:     {played.run.path}")
    click.echo(f"  again:   {played.plan.command()}")


def finish(played: Played) -> ExitCode:
    """The exit code; raises `Broken` where the run broke and nothing worse was found."""
    if played.code is ExitCode.BROKEN:
        raise Broken(
            f"{played.conduct.broke or 'the run recorded nothing'}; "
            f"see momus.log and nodes/ in {played.run.path}"
        )
    return played.code


def run_system(
    system: str,
    *,
    workload: str,
    bug: str | None,
    scenario: str | None,
    reads: str,
    nodes: int | None,
    hosts: Whereabouts | None,
    local: bool,
    faults: str | None,
    targets: str | None,
    interval: float | None,
    schedule: str | None,
    in_turns: bool,
    weights: str | None,
    at_once: int | None,
    script: Path | None,
    members: int | None,
    binary: Path | None,
    upgrade_to: Path | None,
    proxy: Path | None,
    replay: str | None,
    time_limit: float,
    rate: float | None,
    concurrency: int | None,
    keys: int | None,
    ops_per_key: int,
    op_timeout: float,
    observe: float,
    minimums: str | None,
    seed: int | None,
    store: Path,
    as_json: bool,
    quiet: bool,
) -> int:
    """The command: make the plan, play it, answer."""
    if replay is not None:
        again = Store(store).find(replay)
        plan = plan_again(again, system, hosts=hosts, seed=seed, store=store)
        return _play(plan.settled(), as_json=as_json, quiet=quiet)
    if hosts is not None and local:
        raise Refusal("--local and hosts that are there exclude each other; try one of them")
    lab = "hosts" if hosts is not None else "local" if local else "namespaces"
    scene = None if scenario is None else scene_named(system, scenario)
    if hosts is not None:
        nodes = len(hosts.read())
    elif nodes is None:
        nodes = NODES if scene is None else scene.scenario.nodes
    said = (faults, targets, interval, schedule, in_turns or None, weights, at_once, script)
    if scene is not None and said == (None,) * len(said):
        schedule = "scenario"
    if scene is not None and faults is None and script is None:
        faults = ",".join(scene.faults) or "none"
    if script is not None and (schedule, weights, at_once, in_turns) != (None, None, None, False):
        raise Refusal("a --script says itself when faults strike; leave the schedule out")
    plan = Plan(
        system=system,
        workload=workload,
        bug=bug,
        scenario=scenario,
        reads=reads,
        lab=lab,
        hosts=hosts,
        nodes=nodes,
        faults=(
            faults_of(steps_of(script, kinds_of(system)))
            if script is not None and faults is None
            else faults_named(faults, lab, nodes)
        ),
        targets=targets,
        script=script,
        members=members or 0,
        binary=binary,
        upgrade_to=upgrade_to,
        interval_s=INTERVAL_S if interval is None else interval,
        schedule=schedule_named(schedule, in_turns=in_turns, at_once=at_once),
        weights=weights_said(weights),
        at_once=AT_ONCE if at_once is None else at_once,
        proxy=proxy,
        time_limit_s=time_limit,
        rate_hz=rate if rate is not None else rate_of(scene),
        concurrency=concurrency or (0 if scene is None else scene.scenario.concurrency),
        keys=keys or 0,
        ops_per_key=ops_per_key,
        op_timeout_s=op_timeout,
        observe_hz=observe,
        minimums=tuple((minimums_said(minimums) or {}).items()),
        seed=-1 if seed is None else seed,
        store=store,
    )
    return _play(plan.settled(), as_json=as_json, quiet=quiet)


def rate_of(scene: Scene | None) -> float:
    """Operations a second, if nobody says otherwise: 0 stands for as fast as they can."""
    return RATE_HZ if scene is None else scene.scenario.rate_hz or 0.0


def _play(plan: Plan, *, as_json: bool, quiet: bool) -> int:
    played = play_plan(plan, Request(), quiet=quiet)
    if as_json:
        print_json(played.answer())
    else:
        tell(played)
    return finish(played)


def schedule_named(name: str | None, *, in_turns: bool, at_once: int | None) -> str:
    """The schedule that the options name; --in-turns is an older word for one of them."""
    if in_turns and name not in (None, "turns"):
        raise Refusal(f"--in-turns and --schedule {name} exclude each other; leave one out")
    chosen = "turns" if in_turns else name or "random"
    if at_once is not None and chosen != "chaos":
        raise Refusal(f"--at-once is for --schedule chaos, not for {chosen}; leave one out")
    return chosen


def weights_said(text: str | None) -> tuple[tuple[str, float], ...]:
    """The weights in a list like ``kill=3,partition=1``."""
    found = numbers_said(text or "", "weight of a fault", "--weights kill=3,partition=1")
    return tuple(found.items())


def faults_named(text: str | None, lab: str, nodes: int) -> tuple[str, ...]:
    """The faults in a list with commas; without one, all that the lab can do."""
    if text is None:
        whole = lab == "local" or nodes < 2
        return tuple(name for name in USUAL if not (whole and name == "partition"))
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    return () if names == ("none",) else names

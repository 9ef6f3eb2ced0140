"""`momus.run_scenario`: a scenario of the simulated world against real processes, from Python.

    run = momus.run_scenario("raftkv", "kill-primary", local=True, time_limit_s=10, store=tmp_path)
    assert run.valid is True, run.explained()

It is `momus run raftkv --scenario kill-primary` without the command line: the same run folder,
the same judgement.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from momus._exits import Broken
from momus._judge import Request
from momus._plan import Plan
from momus._run import Played, play_plan, rate_of
from momus._systems import scene_named

if TYPE_CHECKING:
    from checker import Valid, Verdict
    from histories import History

_COUNTEREXAMPLES_MAX = 5


class RealRun:
    """A run of real processes that was judged.

    `path` is its folder, `command` the line that makes it again, `troubles` are what went wrong
    without breaking it.
    """

    def __init__(self, played: Played) -> None:
        after = played.after
        if after is None or (played.conduct.broke is not None and after.verdict.valid is not False):
            raise Broken(f"{played.conduct.broke or 'nothing was recorded'}; see {played.run.path}")
        self.path: Path = played.run.path
        self.verdict: Verdict = after.verdict
        self.history: History = after.history
        self.report: Path | None = after.report
        self.troubles: Sequence[str] = played.troubles
        self.command: str = played.plan.command()

    @property
    def valid(self) -> Valid:
        """True, False or "unknown"."""
        return self.verdict.valid

    def explained(self) -> str:
        """What is wrong, where the run is and how to make another like it; for assertions."""
        lines = [f"{self.valid}: {self.path}"]
        if self.verdict.unknown is not None:
            lines += [self.verdict.unknown.sentence, self.verdict.unknown.remedy]
        for name, part in self.verdict.parts.items():
            found = part.counterexamples[:_COUNTEREXAMPLES_MAX]
            lines += [f"{name}: {each.sentence}" for each in found]
        return "\n".join([*lines, *self.troubles, self.command])


def run_scenario(
    system: str,
    scenario: str,
    *,
    bug: str | None = None,
    local: bool = False,
    nodes: int | None = None,
    faults: Sequence[str] | None = None,
    interval_s: float | None = None,
    time_limit_s: float = 30.0,
    rate_hz: float | None = None,
    seed: int = -1,
    store: str | os.PathLike[str] = "store",
) -> RealRun:
    """Play a scenario with real processes in network namespaces, or as `local` ones, and judge it.

    Faults strike as the scenario says, slowed down to fill `time_limit_s` (of load; the whole
    takes some seconds more); with `faults`, only these, at random about every `interval_s` (5 s).
    What is None, and a seed of -1, is left to the scenario and to chance.  Raises `Refusal` for
    what there is not or cannot be for real, and `Broken` where the run cannot be carried out here.
    """
    scene = scene_named(system, scenario)
    own = faults is None and interval_s is None
    plan = Plan(
        system=system,
        scenario=scenario,
        bug=bug,
        lab="local" if local else "namespaces",
        nodes=scene.scenario.nodes if nodes is None else nodes,
        faults=tuple(scene.faults if faults is None else faults),
        schedule="scenario" if own else "random",
        interval_s=5.0 if interval_s is None else interval_s,
        time_limit_s=time_limit_s,
        rate_hz=rate_of(scene) if rate_hz is None else rate_hz,
        concurrency=scene.scenario.concurrency,
        seed=seed,
        store=Path(store),
    )
    return RealRun(play_plan(plan.settled(), Request(), quiet=True))

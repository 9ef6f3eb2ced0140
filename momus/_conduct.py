"""Conducting a run: lab up, system up, load under faults, everything down again.

History first: each event is on disk before long, the recorder is closed as soon as the
load is over, and nothing that goes wrong afterwards can take the history away.  What this
module leaves behind is a run folder with a history; judging it is done elsewhere, from
the folder alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from cluster import Host, Journal, System
from generators import Outcome, play
from histories import Event, Run
from momus._assembly import assemble, lab_of, system_of
from momus._exits import Broken, one_line
from momus._interrupt import Interrupts
from momus._meter import Meter
from momus._plan import Plan
from momus._progress import say, showing
from momus._steps import CutShort, Steps

LAB_TIMEOUT_S = 60.0
SETUP_TIMEOUT_S = 180.0
LOAD_GRACE_S = 300.0
LOGS_TIMEOUT_S = 60.0
TEARDOWN_TIMEOUT_S = 60.0

_log = logging.getLogger("momus.run")


@dataclass
class Conduct:
    """How a run went.

    `broke` is why it could not be carried out to its end; `troubles` went wrong without
    breaking it; `interrupted` if somebody asked it to end early.
    """

    broke: str | None = None
    troubles: list[str] = field(default_factory=list)
    interrupted: bool = False
    outcome: Outcome | None = None


async def conduct(
    plan: Plan,
    run: Run,
    *,
    quiet: bool = False,
    on_event: Callable[[Event], object] | None = None,
) -> Conduct:
    """Carry `plan` out, recording into `run`; what goes wrong in the run is in the answer."""
    found = Conduct()
    tell = _silence if quiet else say
    interrupts = Interrupts(say=tell)
    steps = Steps(interrupts, found.troubles)
    with interrupts.listening():
        _log.info("the plan: %s", plan.meta())
        with Journal(run.faults) as journal:
            conductor = _Conductor(plan, run, journal, steps, found, tell, quiet, on_event)
            try:
                await conductor.in_lab(lab_of(plan, journal))
            except Broken as error:
                found.broke = str(error)
            except CutShort as step:
                steps.trouble(f"was stopped before it could {step}")
            except Exception as error:  # a defect of ours costs the run, never the history
                _log.error("the run broke", exc_info=error)
                found.broke = f"{type(error).__name__}: {one_line(error)}"
            if journal.open_ids:
                steps.trouble(
                    f"{len(journal.open_ids)} faults or processes may be left on the hosts; "
                    f"try `momus heal {run.path}`"
                )
        found.interrupted = interrupts.count > 0
        _log.info("the run is over; %s", found.broke or "it did not break")
    return found


@dataclass
class _Conductor:
    """One run on its way through the stages, each of them nested in the one before."""

    plan: Plan
    run: Run
    journal: Journal
    steps: Steps
    found: Conduct
    tell: Callable[[str], None]
    quiet: bool
    on_event: Callable[[Event], object] | None

    async def in_lab(self, lab: AbstractAsyncContextManager[Sequence[Host]]) -> None:
        """Raise the lab, run in it, take it down."""
        where = f"the lab ({self.plan.lab})"
        hosts = await self.steps.must(f"raise {where}", lab.__aenter__(), LAB_TIMEOUT_S)
        try:
            await self.on_hosts(hosts)
        finally:
            down = lab.__aexit__(None, None, None)
            await self.steps.should(f"take down {where}", down, TEARDOWN_TIMEOUT_S)

    async def on_hosts(self, hosts: Sequence[Host]) -> None:
        """Set the system up, load it, keep its logs, stop it."""
        system = system_of(self.plan)
        names = ", ".join(host.name for host in hosts)
        self.tell(f"{self.plan.name}: setting up {system.name} on {names} ({self.plan.lab})")
        try:
            what = f"set up {system.name} on {names}"
            await self.steps.must(what, system.setup(hosts), SETUP_TIMEOUT_S)
            await self.under_load(system, hosts)
        finally:
            what = "collect the logs of the nodes"
            await self.steps.should(what, self.collect(system, hosts), LOGS_TIMEOUT_S)
            what = f"stop {system.name}"
            await self.steps.should(what, self.end(system, hosts), TEARDOWN_TIMEOUT_S)

    async def under_load(self, system: System, hosts: Sequence[Host]) -> None:
        """Play the test; the recorder is closed, and so the history safe, whatever happens."""
        plan = self.plan
        test = assemble(plan, system, hosts, self.journal)
        meter = Meter(plan.time_limit_s)

        def saw(event: Event) -> None:
            meter.saw(event)
            if self.on_event is not None:
                self.on_event(event)

        self.tell(
            f"{plan.name}: {plan.time_limit_s:g} s of load by {plan.concurrency} clients, "
            f"faults: {', '.join(plan.faults) or 'none'}; seed {plan.seed}"
        )
        stop = self.steps.interrupts.stop
        with self.run.recorder() as recorder:
            async with showing(meter, plan.name, quiet=self.quiet):
                load = play(test, recorder, on_event=saw, stop=stop)
                limit_s = plan.time_limit_s + LOAD_GRACE_S
                try:
                    outcome = await self.steps.must("play the load", load, limit_s, at_signal=2)
                except CutShort:
                    self.steps.trouble("the load was cancelled")
                    return
        self.found.outcome = outcome
        for trouble in outcome.trouble:
            self.steps.trouble(trouble)
        _log.info("the load is over: %s", outcome)
        if outcome.error is not None:
            _log.error("the load broke", exc_info=outcome.error)
            raise Broken(
                f"the run broke in the {outcome.stage}: {type(outcome.error).__name__}: "
                f"{one_line(outcome.error)}; what was recorded until then is kept"
            )

    async def end(self, system: System, hosts: Sequence[Host]) -> None:
        """Kill the members, since their data go anyway, and remove what is theirs."""
        await asyncio.gather(*map(system.kill, hosts), return_exceptions=True)
        await system.teardown()

    async def collect(self, system: System, hosts: Sequence[Host]) -> None:
        """Copy each node's logs into ``nodes/<node>/`` of the run."""

        async def from_host(host: Host) -> None:
            folder = self.run.node_folder(host.name)
            for remote in system.logs(host):
                await host.download(remote, str(folder / PurePosixPath(remote).name))

        outcomes = await asyncio.gather(*map(from_host, hosts), return_exceptions=True)
        for host, outcome in zip(hosts, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                self.steps.trouble(f"{host.name}: its logs could not be kept: {outcome}")


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Append everything that is logged while the body runs to the file at `path`."""
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(
        logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
    )
    handler.setLevel(logging.INFO)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(min(before, logging.INFO) if before else logging.INFO)
    try:
        yield
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()


def _silence(_text: str) -> None: ...

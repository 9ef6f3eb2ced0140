"""Five SSH hosts on this machine, raised once, with a real etcd as each fault needs it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

import pytest

from cluster import Host, HostError, Journal, Unsupported, ssh
from cluster._sshlab import SshLab, ssh_lab
from momus._assembly import system_of
from momus._exits import Refusal
from momus._faults import KINDS
from momus._plan import Plan
from nemesis import Fault, Nemesis, targets
from tests.lab.driver import order_of
from tests.lab.fingerprint import Fingerprint, await_as_before, fingerprints
from tests.lab.foreign import quieten

T = TypeVar("T")

NODES: Final = 5
STEP_TIMEOUT_S: Final = 300.0
_IGNORED: Final = "|".join(
    (
        # A member that was removed and added again is told how it joined.
        r" --(?:initial-cluster|initial-cluster-state)=\S+",
        # The run's own books in its own directory, which goes with the run.
        r"strikes-undone|starts-barred|[\w-]+\.(?:log|pid)|disk/backing/probe(?:/.*)?",
    )
)


def in_groups(kinds: Sequence[str]) -> list[str]:
    """The kinds, those that want the same of the system side by side."""
    return sorted(kinds, key=lambda name: (repr(needs(name)), kinds.index(name)))


def needs(name: str) -> tuple[tuple[str, Any], ...]:
    """What a kind of fault wants of the system under test."""
    kind = dataclasses.asdict(KINDS[name])
    return tuple(sorted((key, str(value)) for key, value in kind.items() if key != "make"))


class Stage:
    """The lab, its hosts seen from outside (SSH) and from below, and the system on it.

    Its event loop lives as long as itself, so that hosts and systems outlive a test.
    """

    def __init__(self, directory: Path) -> None:
        self.seed = secrets.randbelow(10**6)
        self.random = Random(self.seed)
        self.directory = directory
        self._runner = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self._system: Any = None
        self._needs: Any = None
        self._clean: dict[str, Fingerprint] | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work`; nothing takes longer than `STEP_TIMEOUT_S`."""

        async def limited() -> T:
            async with asyncio.timeout(STEP_TIMEOUT_S):
                return await work

        return self._runner.run(limited())

    def open(self) -> None:
        """Raise the lab and log in; `Unsupported` where this machine lacks something."""

        async def enter() -> None:
            enter = self._stack.enter_async_context
            self.lab: SshLab = await enter(ssh_lab(NODES, directory=self.directory))
            await quieten(self.lab.hosts)
            self.journal = self._stack.enter_context(Journal(self.directory / "faults.jsonl"))
            self.hosts: Sequence[Host] = await enter(ssh(self.lab.lab_toml, journal=self.journal))

        self.run(enter())

    def close(self) -> None:
        """Whatever happened, nothing is left."""

        async def leave() -> None:
            try:
                await self.forget()
            finally:
                await self._stack.aclose()

        try:
            self.run(leave())
        finally:
            self._runner.close()

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.hosts)

    async def system(self, kind: str) -> Any:
        """etcd, set up as `momus run --faults KIND` has it, all members up."""
        if self._needs != needs(kind):
            await self.forget()
            plan = Plan("etcd", nodes=NODES, faults=(kind,), seed=self.seed)
            system = system_of(plan.settled())
            await system.setup(self.hosts)
            self._system, self._needs = system, needs(kind)
        await self.all_up(self._system)
        return self._system

    async def all_up(self, system: Any) -> None:
        """Start members that do not run, and wait until all agree."""
        for host in self.hosts:
            with contextlib.suppress(HostError):  # a spare node is no member; `ready` tells more
                await system.start(host)
        await system.ready()

    async def forget(self) -> None:
        """End the system; who needs one gets a fresh one."""
        system, self._system, self._needs, self._clean = self._system, None, None, None
        if system is not None:
            await asyncio.gather(*map(system.kill, self.hosts), return_exceptions=True)
            await system.teardown()

    async def nemesis(self, kind: str) -> tuple[Nemesis, Fault, Any]:
        """A nemesis with this one fault, ready; skips the test where hosts cannot do it."""
        try:
            system = await self.system(kind)
            fault = KINDS[kind].make(system, targets.one)
            nemesis = Nemesis([fault], self.hosts, self.journal)
            await nemesis.setup()
        except (Unsupported, Refusal) as error:
            pytest.skip(f"{kind}: {error}")
        return nemesis, fault, system

    def order(self, fault: Fault) -> Any:
        """What the fault chooses; gentle where all labs of this machine share what it takes."""
        return order_of(fault, self.nodes, self.random)

    async def look(self) -> dict[str, Fingerprint]:
        """The fingerprints of all hosts, as they have been since the system was set up."""
        if self._clean is None:
            self._clean = await fingerprints(self.hosts, **self._extent())
        return self._clean

    async def left(self) -> list[str]:
        """What is not as it was when we looked; then the next test starts afresh."""
        assert self._clean is not None
        left = await await_as_before(self._clean, self.hosts, **self._extent())
        if left:
            self._clean = None
        return left

    def _extent(self) -> dict[str, Any]:
        tops = [host.directory for host in self.hosts]
        return {"directories": tops, "marks": [self.journal.run], "ignore": _IGNORED}


@pytest.fixture(scope="session")
def opened_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("lab"))
    try:
        stage.open()
        yield stage
    except Unsupported as error:
        if error.host != "this machine":
            raise
        pytest.skip(str(error))
    finally:
        stage.close()


@pytest.fixture
def stage(opened_stage: Stage) -> Stage:
    """The lab of this session."""
    print(f"seed {opened_stage.seed}")
    return opened_stage

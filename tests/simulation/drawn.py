"""A system that fails exactly if certain things were done, and its seed is an unlucky one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from zlib import crc32

from checker import Counterexample, Verdict
from checker.evidence import Checker
from generators import Liftable
from histories import NEMESIS, History, Json, Op
from nemesis import script
from simulation import Bug, Case, Endpoint, Scenario, Setting, World, faults
from simulation.world import Program

CASE = Case("drawn", "only", 0)
WRITES = 9


@dataclass(frozen=True)
class Together:
    """Broken once all of these were written and struck, in any order, by an unlucky seed."""

    needed: frozenset[int]
    faults: frozenset[str]
    unlucky: bool

    @property
    def name(self) -> str:
        return "together"

    def check(self, history: History) -> Verdict:
        """Look for all of them."""
        written = {event.value for event in history.clients() if event.type == "invoke"}
        struck = {
            event.f.removeprefix("start-")
            for event in history.of_process(NEMESIS)
            if event.type == "invoke" and event.f.startswith("start-")
        }
        broken = self.unlucky and self.needed <= written and self.faults <= struck
        why = (Counterexample("All of it was done."),) if broken else ()
        return Verdict(valid=not broken, checker=self.name, counterexamples=why)


class _Client:
    """Sends the value to its node, which sends it back."""

    definite: tuple[type[BaseException], ...] = ()

    def __init__(self, setting: Setting, names: count[int], node: str = "") -> None:
        self._setting, self._names, self._node = setting, names, node
        self._answer: asyncio.Future[bytes] | None = None
        self._wire: Endpoint | None = None

    async def open(self, node: str) -> _Client:
        client = _Client(self._setting, self._names, node)
        client._wire = self._setting.cluster.endpoint(f"client-{next(self._names)}")
        client._wire.listen(client._heard)
        return client

    async def setup(self) -> None: ...

    async def teardown(self) -> None: ...

    async def close(self) -> None:
        if self._wire is not None:
            self._wire.close()

    async def invoke(self, op: Op) -> Op:
        assert self._wire is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._wire.send(self._node, b"x")
        await self._answer
        return op.ok()

    def _heard(self, sender: str, message: bytes) -> None:  # noqa: ARG002
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(message)


async def _echo(world: World) -> None:
    world.network.listen(lambda sender, message: world.network.send(sender, message))
    await world.forever()


@dataclass(frozen=True)
class Drawn:
    """Needs `needed` of the values 0 to 8 and `faults` to fail, and one seed in `luck`.

    Which seeds these are is another question for each number of operations.
    """

    needed: frozenset[int]
    faults: frozenset[str]
    luck: int

    name = "drawn"
    points: Sequence[str] = ()

    def lucky(self, seed: int, operations: int) -> bool:
        """Whether a run of so many operations fails with this seed."""
        return crc32(f"{seed}/{operations}".encode()) % self.luck == 0

    @property
    def bugs(self) -> Mapping[str, Bug]:
        return {}

    @property
    def scenarios(self) -> Mapping[str, Scenario]:
        return {
            "only": Scenario(
                "only",
                "Each value is written once, while nodes are killed and stand still.",
                load=lambda _: [Op("write", value) for value in range(WRITES)],
                checkers=self._checkers,
                faults=lambda s: [faults.kill(s.cluster), faults.pause(s.cluster)],
                schedule=lambda _setting, _faults: _schedule(),
                concurrency=3,
                time_limit_s=2.0,
                settle_s=0.1,
                rate_hz=20.0,
                op_timeout_s=0.1,
            )
        }

    def program(
        self,
        nodes: Sequence[str],  # noqa: ARG002
        bug: str | None,  # noqa: ARG002
        options: Mapping[str, Json],  # noqa: ARG002
    ) -> Program:
        return _echo

    def client(self, setting: Setting) -> _Client:
        return _Client(setting, count(1))

    def _checkers(self, setting: Setting) -> Mapping[str, Checker]:
        case = setting.case
        operations = WRITES if case.asks is None else len(case.asks) + len(case.final_asks or ())
        unlucky = self.lucky(case.seed, operations)
        return {"together": Together(self.needed, self.faults, unlucky)}


def _schedule() -> Liftable:
    return script(
        [
            (0.05, "start-kill", {"targets": ["n1"]}),
            (0.15, "start-pause", {"targets": ["n2"]}),
            (0.2, "stop-kill", None),
            (0.25, "stop-pause", None),
            (0.3, "start-kill", {"targets": ["n3"]}),
            (0.35, "stop-kill", None),
        ]
    )

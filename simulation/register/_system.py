"""The register as a system: its bugs, its client, and the scenarios that find the bugs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import msgspec

from checker.evidence import Checker
from checker.invariants import never_decreases
from generators import Liftable, mix, repeat
from histories import Json, Op
from nemesis import Fault, schedule, targets
from simulation import faults
from simulation._cluster import SimulatedCluster
from simulation._network import Endpoint, Weather
from simulation.judges import Linearizable
from simulation.register._node import POINTS, program
from simulation.scenario import Bug, Scenario, Setting
from simulation.world import Program

_encode, _decode = msgspec.json.encode, msgspec.json.decode

SLOW = Weather(delay_s=0.001, jitter_s=0.01)
"""A network so slow that operations overlap and messages overtake each other."""

BUGS = (
    Bug(
        "no-sync",
        "A replica acknowledges a value that is not on disk yet.",
        like="Redis with appendfsync everysec loses the writes of the last second with the power",
        scenarios=("crash", "crash-point"),
        checkers=("counts never go back", "linearizable"),
    ),
    Bug(
        "no-write-back",
        "A read answers what one node held, without storing it at a majority first.",
        like="Cassandra's tables with read_repair = NONE, whose quorum reads may go back in time",
        checkers=("linearizable",),
    ),
    Bug(
        "one-is-enough",
        "A write is acknowledged as soon as one replica has it.",
        like="MongoDB with write concern 1, which may roll back what it acknowledged",
        checkers=("linearizable",),
    ),
    Bug(
        "no-tie-break",
        "Two writes with the same count overwrite each other in whatever order they arrive.",
        like="Cassandra, where two writes with the same timestamp may be mixed cell by cell",
        checkers=("linearizable",),
    ),
)


class RegisterClient:
    """Sends an operation to its node and waits for the answer; the runner loses patience."""

    definite: tuple[type[BaseException], ...] = ()

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self._names = (f"client-{number}" for number in count(1))
        self._node = ""
        self._endpoint: Endpoint | None = None
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[Json]] = {}

    async def open(self, node: str) -> RegisterClient:
        """See `generators.Client`."""
        client = RegisterClient(self._cluster)
        client._node = node
        client._endpoint = self._cluster.endpoint(next(self._names))
        client._endpoint.listen(client._receive)
        return client

    async def setup(self) -> None:
        """See `generators.Client`."""

    async def teardown(self) -> None:
        """See `generators.Client`."""

    async def close(self) -> None:
        """See `generators.Client`."""
        if self._endpoint is not None:
            self._endpoint.close()

    async def invoke(self, op: Op) -> Op:
        """See `generators.Client`."""
        assert self._endpoint is not None, "open it first"
        self._asked += 1
        answer = self._waiting[self._asked] = asyncio.get_running_loop().create_future()
        question = {"do": op.f, "id": self._asked, "value": op.value}
        self._endpoint.send(self._node, _encode(question))
        return op.ok(await answer)

    def _receive(self, sender: str, message: bytes) -> None:  # noqa: ARG002
        told: dict[str, Any] = _decode(message)
        waiting = self._waiting.pop(told["id"], None)
        if waiting is not None and not waiting.done():
            waiting.set_result(told["value"])


def _load(setting: Setting) -> Liftable:  # noqa: ARG001
    return mix(repeat(Op("read")), (Op("write", value) for value in count(1)))


def _final(setting: Setting) -> Liftable:
    return [Op("read") for _ in setting.nodes]


def _checkers(setting: Setting) -> Mapping[str, Checker]:  # noqa: ARG001
    return {
        "counts never go back": never_decreases("count", per="node"),
        "linearizable": Linearizable("register"),
    }


def _strikes(setting: Setting, chosen: Sequence[Fault]) -> Liftable:  # noqa: ARG001
    return schedule(chosen, interval_s=0.3, first_s=0.2)


def _faults(
    setting: Setting, kinds: Iterable[Callable[[SimulatedCluster], Fault]]
) -> Sequence[Fault]:
    setting.cluster.network.fair = SLOW
    return [kind(setting.cluster) for kind in kinds]


def _scenario(name: str, sentence: str, *kinds: Callable[[SimulatedCluster], Fault]) -> Scenario:
    return Scenario(
        name,
        sentence,
        load=_load,
        final=_final,
        checkers=_checkers,
        faults=lambda setting: _faults(setting, kinds),
        schedule=_strikes,
        concurrency=9,
        time_limit_s=1.5,
        settle_s=1.0,
        rate_hz=150.0,
        op_timeout_s=0.3,
    )


_SCENARIOS = (
    _scenario("calm", "Nothing breaks."),
    _scenario("kill", "Processes are killed and started again.", faults.kill),
    _scenario(
        "crash",
        "Machines lose their power, and what was not synced.",
        lambda cluster: faults.crash(cluster, (targets.one, targets.majority, targets.all)),
    ),
    _scenario(
        "crash-point",
        "A machine loses its power just before or after it has synced or answers.",
        lambda cluster: faults.crash_point(cluster, POINTS, nth_max=3, patience_s=0.2),
    ),
    _scenario("pause", "Processes stand still and go on.", faults.pause),
    _scenario("partition", "Nodes do not hear each other.", faults.partition),
)


class RegisterSystem:
    """See `scenario.System`."""

    name = "register"
    bugs: Mapping[str, Bug] = {bug.name: bug for bug in BUGS}
    scenarios: Mapping[str, Scenario] = {each.name: each for each in _SCENARIOS}
    points: Sequence[str] = POINTS

    def program(
        self,
        nodes: Sequence[str],  # noqa: ARG002
        bug: str | None,
        options: Mapping[str, Json],  # noqa: ARG002
    ) -> Program:
        """See `scenario.System`."""
        if bug is not None and bug not in self.bugs:
            raise ValueError(f"the register has no bug {bug!r}; it has {', '.join(self.bugs)}")
        return program(bug)

    def client(self, setting: Setting) -> RegisterClient:
        """See `scenario.System`."""
        return RegisterClient(setting.cluster)


SYSTEM = RegisterSystem()

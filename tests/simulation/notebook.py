"""A notebook: one register on one node, kept in a file; the smallest system that can lose a write.

It is written against `World` and nothing else, so the same file runs simulated and real.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from checker import Verdict, linearizable
from checker.evidence import Checker
from generators import Liftable, mix, repeat
from histories import History, Json, Op
from nemesis import schedule
from simulation import Bug, Scenario, Setting, World, faults
from simulation.world import Program

FILE = "notebook"
BEFORE_SYNC = "before sync"


def program(_nodes: Sequence[str], bug: str | None, _options: Mapping[str, Json]) -> Program:
    """Keep what was written last; `no-sync` answers before it is on disk."""

    async def run(world: World) -> None:
        told = {"writes": 0}
        try:
            kept = (await world.disk.read(FILE)).splitlines()
            held = json.loads(kept[-1]) if kept else None
        except FileNotFoundError:
            held = None

        async def serve(sender: str, asked: dict[str, Any]) -> None:
            nonlocal held
            match asked["do"]:
                case "write":
                    held = asked["value"]
                    await world.disk.append(FILE, json.dumps(held).encode() + b"\n")
                    world.reach(BEFORE_SYNC)
                    if bug is None:
                        await world.disk.sync(FILE)
                    told["writes"] += 1
                    world.tell("wrote", value=held)
                case "break":
                    raise RuntimeError("nobody handles this")
            answer = {"id": asked["id"], "value": held}
            world.network.send(sender, json.dumps(answer).encode())

        def answer(path: str) -> Json:
            return {"/admin/state": {"role": "leader", **told}, "/admin/health": {}}[path]

        world.serve(answer)
        world.network.listen(lambda sender, said: world.spawn(serve(sender, json.loads(said))))
        await world.forever()

    return run


class NotebookClient:
    """Asks the first node, whichever it was opened for."""

    definite: tuple[type[BaseException], ...] = ()

    def __init__(self, setting: Setting, number: int = 0) -> None:
        self._setting = setting
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._endpoint = setting.cluster.endpoint(f"client-{number}") if number else None
        if self._endpoint is not None:
            self._endpoint.listen(self._heard)

    async def open(self, node: str) -> NotebookClient:  # noqa: ARG002
        return NotebookClient(self._setting, next(self._numbers))

    async def setup(self) -> None: ...

    async def teardown(self) -> None: ...

    async def close(self) -> None:
        assert self._endpoint is not None
        self._endpoint.close()

    async def invoke(self, op: Op) -> Op:
        assert self._endpoint is not None
        name = next(self._numbers)
        answered = self._waiting[name] = asyncio.get_running_loop().create_future()
        asked = {"do": op.f, "id": name, "value": op.value}
        self._endpoint.send(self._setting.nodes[0], json.dumps(asked).encode())
        return op.ok(await answered)

    def _heard(self, _sender: str, said: bytes) -> None:
        told = json.loads(said)
        answered = self._waiting.pop(told["id"], None)
        if answered is not None and not answered.done():
            answered.set_result(told["value"])


def _load(_setting: Setting) -> Liftable:
    return mix(repeat(Op("read")), (Op("write", value) for value in count(1)))


class Linearizable:
    """Is there an order that explains what was read?"""

    name = "linearizable"

    def check(self, history: History) -> Verdict:
        return linearizable(history, "register")


def _judges(_setting: Setting) -> Mapping[str, Checker]:
    return {"linearizable": Linearizable()}


class Notebook:
    """See `simulation.System`."""

    name = "notebook"
    points = (BEFORE_SYNC,)

    @property
    def bugs(self) -> Mapping[str, Bug]:
        return {"no-sync": Bug("no-sync", "A write is acknowledged before it is on disk.")}

    @property
    def scenarios(self) -> Mapping[str, Scenario]:
        crash = Scenario(
            "crash",
            "The machine loses its power again and again.",
            load=_load,
            checkers=_judges,
            faults=lambda setting: [faults.crash(setting.cluster)],
            schedule=lambda _, chosen: schedule(chosen, 1.0),
            nodes=1,
        )
        return {"crash": crash}

    def program(
        self, nodes: Sequence[str], bug: str | None, options: Mapping[str, Json]
    ) -> Program:
        return program(nodes, bug, options)

    def client(self, setting: Setting) -> NotebookClient:
        return NotebookClient(setting)


SYSTEM = Notebook()
PROGRAM = "tests.simulation.notebook:program"

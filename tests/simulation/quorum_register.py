"""A small system to try worlds on: one replicated register (Attiya, Bar-Noy and Dolev, 1995).

Every node keeps a value with a stamp, on disk.  Whoever is asked is coordinator: it asks a
majority for the highest stamp, then makes a majority store what it found (a read), or its own
value under a higher stamp (a write).  It needs no leader, no clock and no order of messages, so
it is linearizable whatever the world does, short of damage to its files.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from checker import linearizable
from generators import Client, mix, repeat
from histories import History, Json, Op
from nemesis import Fault, schedule, targets
from simulation import Bug, Endpoint, Program, Scenario, Setting, World
from simulation import faults as of

Stamp = tuple[int, str]


class Replica:
    """One node."""

    def __init__(self, world: World, bug: str | None) -> None:
        self.world = world
        self.bug = bug
        self.stamp: Stamp = (0, "")
        self.value: Json = None
        self.questions: dict[int, asyncio.Queue[Any]] = {}
        self.asked = 0
        self.storing = asyncio.Lock()
        self.life = world.random.random()

    async def run(self) -> None:
        await self.load()
        self.world.network.listen(self.hear)
        await self.world.forever()

    async def load(self) -> None:
        names = await self.world.disk.names()
        if "state" in names:
            crc, _, text = (await self.world.disk.read("state")).partition(b" ")
            assert int(crc) == zlib.crc32(text), "the state is damaged"
            (number, name), self.value = json.loads(text)
            self.stamp = (number, name)
            await self.store(self.stamp, self.value, anew=True)  # a failed sync may have lost it

    async def store(self, stamp: Stamp, value: Json, *, anew: bool = False) -> None:
        async with self.storing:
            if stamp <= self.stamp and not anew:
                return
            text = json.dumps([stamp, value]).encode()
            disk = self.world.disk
            await disk.write("new", b"%d %s" % (zlib.crc32(text), text))
            if self.bug != "no-sync":
                await disk.sync("new")
            self.world.reach("before rename")
            await disk.rename("new", "state")
            self.world.reach("after rename")
            if self.bug != "no-sync":
                await disk.sync("state")
            self.stamp, self.value = stamp, value
            self.world.tell("stored", stamp=list(stamp))

    def hear(self, sender: str, message: bytes) -> None:
        said = json.loads(message)
        if said["kind"] == "answer":
            queue = self.questions.get(said["id"])
            if queue is not None:
                queue.put_nowait(said)
        else:
            self.world.spawn(getattr(self, f"on_{said['kind']}")(sender, said), said["kind"])

    async def on_ask(self, sender: str, said: Any) -> None:
        self.answer(sender, said, stamp=self.stamp, value=self.value)

    async def on_store(self, sender: str, said: Any) -> None:
        await self.store((said["stamp"][0], said["stamp"][1]), said["value"])
        self.answer(sender, said)

    async def on_read(self, sender: str, said: Any) -> None:
        answers = await self.majority(kind="ask")
        if not answers:
            return
        newest = max(answers, key=lambda answer: list(answer["stamp"]))
        found = {"stamp": newest["stamp"], "value": newest["value"]}
        if self.bug == "no-write-back" or await self.majority(kind="store", **found):
            self.answer(sender, said, value=newest["value"])

    async def on_write(self, sender: str, said: Any) -> None:
        answers = await self.majority(kind="ask")
        if not answers:
            return
        number = max(answer["stamp"][0] for answer in answers) + 1
        stamp = [number, f"{self.world.name}/{self.world.random.getrandbits(40)}"]
        if await self.majority(kind="store", stamp=stamp, value=said["value"]):
            self.answer(sender, said, value=said["value"])

    async def majority(self, **question: Any) -> list[Any]:
        """The answers of a majority; none if it does not answer."""
        self.asked += 1
        asked = self.asked
        queue = self.questions[asked] = asyncio.Queue()
        message = json.dumps({**question, "id": asked, "life": self.life}).encode()
        answers: dict[str, Any] = {}
        try:
            for _ in range(5):
                for node in self.world.nodes:
                    if node not in answers:
                        self.world.network.send(node, message)
                try:
                    async with asyncio.timeout(0.2):
                        while len(answers) <= len(self.world.nodes) // 2:
                            answer = await queue.get()
                            if answer["life"] == self.life:
                                answers[answer["from"]] = answer
                        return list(answers.values())
                except TimeoutError:
                    continue
            return []
        finally:
            del self.questions[asked]

    def answer(self, to: str, said: Any, **facts: Any) -> None:
        answer = {"kind": "answer", "id": said["id"], "life": said.get("life"), **facts}
        self.world.network.send(to, json.dumps({**answer, "from": self.world.name}).encode())


class RegisterClient:
    """Asks one node; see `generators.Client`."""

    definite: tuple[type[BaseException], ...] = ()

    def __init__(self, setting: Setting, endpoint: Endpoint | None = None, node: str = "") -> None:
        self._setting = setting
        self._endpoint = endpoint
        self._node = node
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._asked = 0
        self._opened = [0]
        if endpoint is not None:
            endpoint.listen(self._hear)

    async def open(self, node: str) -> RegisterClient:
        self._opened[0] += 1
        endpoint = self._setting.cluster.endpoint(f"c{self._opened[0]}")
        return RegisterClient(self._setting, endpoint, node)

    async def setup(self) -> None: ...

    async def invoke(self, op: Op) -> Op:
        assert self._endpoint is not None
        self._asked += 1
        answer = self._answers[self._asked] = asyncio.get_running_loop().create_future()
        question = {"kind": op.f, "id": self._asked, "value": op.value}
        self._endpoint.send(self._node, json.dumps(question).encode())
        return op.ok((await answer)["value"])

    async def teardown(self) -> None: ...

    async def close(self) -> None:
        assert self._endpoint is not None
        self._endpoint.close()

    def _hear(self, sender: str, message: bytes) -> None:  # noqa: ARG002
        said = json.loads(message)
        answer = self._answers.get(said["id"])
        if answer is not None and not answer.done():
            answer.set_result(said)


Faults = Callable[[Setting], Sequence[Fault]]


def tolerated(setting: Setting) -> Sequence[Fault]:
    """Whatever does not damage synced files."""
    cluster = setting.cluster
    return [
        of.kill(cluster),
        of.crash(cluster),
        of.pause(cluster),
        of.slow_cpu(cluster),
        of.memory_limit(cluster),
        of.crash_point(cluster, QuorumRegister.points),
        of.partition(cluster),
        of.flapping(cluster),
        of.packet_loss(cluster, clients=True),
        of.packet_delay(cluster, tail=0.5),
        of.packet_duplicate(cluster, clients=True),
        of.packet_reorder(cluster),
        of.packet_rate(cluster),
        of.clock_skew(cluster),
        of.clock_jump(cluster),
        of.clock_drift(cluster),
        of.disk_fill(cluster),
        of.disk_slow(cluster),
        of.disk_read_errors(cluster),
        of.disk_write_errors(cluster),
        of.disk_sync_errors(cluster),
        of.objects_outage(cluster),
        of.objects_errors(cluster),
        of.objects_slow(cluster),
    ]


def everything(setting: Setting) -> Sequence[Fault]:
    """Damage to files, too."""
    cluster = setting.cluster
    return [
        *tolerated(setting),
        of.disk_bit_flips(cluster),
        of.disk_misdirect(cluster),
    ]


def scenario(name: str, sentence: str, faults: Faults) -> Scenario:
    return Scenario(
        name=name,
        sentence=sentence,
        load=lambda _: mix([repeat({"f": "read"}), _writes()]),
        checkers=lambda _: {"linearizable": Register()},
        faults=faults,
        schedule=lambda _, faults: schedule(faults, 0.7, strike_s=0.7, first_s=0.3),
        final=lambda _: [{"f": "read"}] * 5,
        time_limit_s=20.0,
        rate_hz=30.0,
    )


class Register:
    """The register is linearizable."""

    name = "linearizable"

    def check(self, history: History, **limits: Any) -> Any:
        return linearizable(history, "register", **limits)


def _writes() -> Any:
    return ({"f": "write", "value": value} for value in range(1, 100_000))


class QuorumRegister:
    """The system; see `scenario.System`."""

    name = "quorum-register"
    points = ("before rename", "after rename")
    bugs: Mapping[str, Bug] = {
        "no-sync": Bug("no-sync", "A write is acknowledged before it has been synced."),
        "no-write-back": Bug("no-write-back", "A read does not make a majority store it."),
    }
    scenarios: Mapping[str, Scenario] = {
        each.name: each
        for each in (
            scenario("calm", "Nothing happens.", lambda _: []),
            scenario(
                "crashes",
                "Power is lost.",
                lambda s: [of.crash(s.cluster, (targets.one, targets.all))],
            ),
            scenario("tolerated", "All that a correct register survives.", tolerated),
            scenario("everything", "All faults there are.", everything),
        )
    }

    def program(
        self,
        nodes: Sequence[str],  # noqa: ARG002
        bug: str | None,
        options: Mapping[str, Json],  # noqa: ARG002
    ) -> Program:
        if bug is not None and bug not in self.bugs:
            raise ValueError(f"the register has no bug {bug!r}")

        async def run(world: World) -> None:
            await Replica(world, bug).run()

        return run

    def client(self, setting: Setting) -> Client:
        return RegisterClient(setting)

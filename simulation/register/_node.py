"""What each node of the register runs.

A node has two parts.  The *replica* keeps the newest value it was given, in memory and in an
append-only file, and acknowledges a value once it is safe on disk.  The *coordinator* serves
clients: to write, it asks a majority for their newest stamps and stores the value under a
newer one at a majority; to read, it asks a majority and stores the newest value it heard of at
a majority before it answers, so that no later read can miss it.

A stamp is ``[count, nonce]``.  The nonce tells apart two writes that saw the same count.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from histories import Json
from simulation.world import Program, World

FILE = "register"
BEFORE_SYNC, AFTER_SYNC, BEFORE_ANSWER = "before sync", "after sync", "before answer"
POINTS = (BEFORE_SYNC, AFTER_SYNC, BEFORE_ANSWER)

Stamp: TypeAlias = tuple[int, int]
NEVER: Stamp = (0, 0)

_encode, _decode = msgspec.json.encode, msgspec.json.decode


def program(bug: str | None) -> Program:
    """The program of a node, with one of `_system.BUGS` or none."""

    async def run(world: World) -> None:
        node = _Node(world, bug)
        await node.load()
        world.network.listen(node.receive)
        await world.forever()

    return run


class _Node:
    """Invariant: `stamp` never goes back, and is that of `value`; `safe` is the greatest count
    that was promised to be on disk."""

    def __init__(self, world: World, bug: str | None) -> None:
        self.world = world
        self.bug = bug
        self.stamp: Stamp = NEVER
        self.safe = 0
        self.value: Json = None
        majority = len(world.nodes) // 2 + 1
        self.read_quorum = majority
        self.write_quorum = 1 if bug == "one-is-enough" else majority
        self._life = world.random.getrandbits(48)
        self._asked = 0
        self._waiting: dict[str, tuple[int, list[Any], asyncio.Future[list[Any]]]] = {}

    async def load(self) -> None:
        """Take up what the disk kept, and cut off what a crash has torn."""
        disk = self.world.disk
        try:
            data = await disk.read(FILE)
        except FileNotFoundError:
            data = b""
        whole = 0
        for line in data.splitlines(keepends=True):
            record = _record(line)
            if record is None:
                break
            whole += len(line)
            self._keep((record[0][0], record[0][1]), record[1])
        if whole < len(data):
            await disk.truncate(FILE, whole)
        self._promise(self.stamp)

    def receive(self, sender: str, message: bytes) -> None:
        """An answer to the coordinator, or something to be done."""
        told: dict[str, Any] = _decode(message)
        if told["do"] == "answer":
            self._answered(told)
        else:
            self.world.spawn(self._serve(sender, told), told["do"])

    async def _serve(self, sender: str, told: Mapping[str, Any]) -> None:
        match told["do"]:
            case "ask":
                answer: Json = [self.stamp, self.value]
            case "store":
                await self._store((told["stamp"][0], told["stamp"][1]), told["value"])
                answer = None
            case "read":
                answer = await self._read()
            case _:
                answer = await self._write(told["value"])
        if told["do"] in ("read", "write"):
            self.world.reach(BEFORE_ANSWER)
        reply = {"do": "answer", "id": told["id"], "value": answer}
        self.world.network.send(sender, _encode(reply))

    # The replica.

    async def _store(self, stamp: Stamp, value: Json) -> None:
        newer = stamp > self.stamp
        if self.bug == "no-tie-break":
            newer = stamp[0] >= self.stamp[0]
        if newer:
            self._keep(stamp, value)
            await self.world.disk.append(FILE, _line(stamp, value))
        if self.bug != "no-sync":
            # Also for what is not newer: it may be in memory already and not yet on disk.
            self.world.reach(BEFORE_SYNC)
            await self.world.disk.sync(FILE)
            self.world.reach(AFTER_SYNC)
        self._promise(stamp)

    def _promise(self, stamp: Stamp) -> None:
        self.safe = max(self.safe, stamp[0])
        self.world.tell("safe", count=self.safe)

    def _keep(self, stamp: Stamp, value: Json) -> None:
        self.stamp, self.value = stamp, value

    # The coordinator.

    async def _read(self) -> Json:
        stamp, value = await self._newest()
        if self.bug != "no-write-back" and stamp != NEVER:
            await self._store_everywhere(stamp, value)
        return value

    async def _write(self, value: Json) -> Json:
        (count, _), _ = await self._newest()
        await self._store_everywhere((count + 1, self.world.random.getrandbits(48)), value)
        return value

    async def _newest(self) -> tuple[Stamp, Json]:
        answers = await self._ask_all({"do": "ask"}, self.read_quorum)
        stamp, value = max(answers, key=lambda answer: answer[0])
        return (stamp[0], stamp[1]), value

    async def _store_everywhere(self, stamp: Stamp, value: Json) -> None:
        await self._ask_all({"do": "store", "stamp": stamp, "value": value}, self.write_quorum)

    async def _ask_all(self, question: dict[str, Json], quorum: int) -> list[Any]:
        """The first `quorum` answers; waits for ever if they do not come."""
        self._asked += 1
        name = f"{self._life:x}.{self._asked}"  # an answer to an earlier life is to nobody
        first: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting[name] = quorum, [], first
        message = _encode({**question, "id": name})
        for node in self.world.nodes:
            self.world.network.send(node, message)
        return await first

    def _answered(self, told: Mapping[str, Any]) -> None:
        waiting = self._waiting.get(told["id"])
        if waiting is None:
            return
        quorum, answers, first = waiting
        answers.append(told["value"])
        if len(answers) >= quorum:
            del self._waiting[told["id"]]
            first.set_result(answers)


def _line(stamp: Stamp, value: Json) -> bytes:
    body = _encode([stamp, value])
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _record(line: bytes) -> tuple[tuple[int, int], Json] | None:
    """What a line of the file says; None for one that is torn or damaged."""
    body = line[9:-1]
    if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(body):
        return None
    stamp, value = _decode(body)
    return (stamp[0], stamp[1]), value

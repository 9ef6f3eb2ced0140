"""A node: it finds the groups it has replicas of, and lets all that comes find its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from histories import Json
from simulation.raftkv import _snapshots
from simulation.raftkv._admin import answer
from simulation.raftkv._group import Group
from simulation.raftkv._messages import (
    ELSEWHERE,
    RAFT,
    Answer,
    Ask,
    Config,
    Message,
    Reply,
    Request,
    decode,
    encode,
)
from simulation.raftkv._options import Options, options_of
from simulation.raftkv._raft import Image, Raft
from simulation.raftkv._records import Record
from simulation.raftkv._recovery import recovered
from simulation.raftkv._shard import Shard, key_name, shard_of
from simulation.raftkv._wal import Wal
from simulation.world import Program, Timer, World

TIMER_S_MIN = 0.001


class Node:
    """One life of a node."""

    def __init__(self, world: World, options: Options, bug: str | None) -> None:
        self.world = world
        self.options = options
        self.bug = bug
        self.linger_s = options.linger_s
        self.snapshot_every = options.snapshot_every
        self.snapshot_keep = options.snapshot_keep
        self.wal = Wal(world, self._live, bug)
        self.groups: dict[str, Group] = {}
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._saves: list[tuple[Group, Image, tuple[str, int] | None]] = []

    async def run(self) -> None:
        """Begin where the last life ended."""
        images = await _snapshots.load(self.world)
        records = await self.wal.load()
        for shard, nodes in self.options.placements(self.world.nodes).items():
            if self.world.name in nodes:
                self._open(shard, shard, nodes, records, images)
        self.world.network.listen(self._receive)
        self.world.serve(lambda path: answer(self, path))
        for group in self.groups.values():
            group.flush()
        await self.world.forever()

    def _open(
        self,
        name: str,
        shard_name: str,
        nodes: tuple[str, ...],
        records: list[Record],
        images: Mapping[str, Image],
    ) -> None:
        world = self.world

        def replayed(log_group: str) -> None:
            world.tell("replay", shard=shard_name, log_shard=log_group, group=name)

        past = recovered(name, records, images.get(name), 0, replayed, self.bug)
        shard = Shard(bug=self.bug)
        config = Config(nodes)
        if past.image is not None:
            shard.load(past.image.data)
            config = past.image.config
        raft = Raft(
            world.name,
            name,
            past.hard,
            past.log,
            config,
            timing=self.options.timing,
            random=world.random,
            now=world.clock.monotonic(),
            wall=world.clock.wall,
            lease=self.options.reads == "lease",
            bug=self.bug,
        )
        group = Group(self, name, shard_name, shard, raft)
        if past.image is not None:
            raft.image = past.image
            raft.commit = max(raft.commit, past.image.index)
            group.applied = past.image.index
        self.groups[name] = group

    # -- what comes ---------------------------------------------------------------------

    def _receive(self, sender: str, data: bytes) -> None:
        try:
            message = decode(data)
        except msgspec.MsgspecError:
            return  # damaged on the way, or nobody we know
        if isinstance(message, RAFT):
            group = self.groups.get(message.group)
            if group is not None:
                group.receive(sender, message)
        elif isinstance(message, Request):
            self._request(sender, message)
        elif isinstance(message, Ask):
            try:
                body = answer(self, message.path)
            except LookupError as error:
                body = {"error": str(error)}
            self.send(sender, Answer(message.id, body))

    def _request(self, sender: str, m: Request) -> None:
        shard = shard_of(key_name(m.key), self.options.shards)
        group = self.groups.get(shard)
        if group is None:
            self.send(sender, Reply(m.id, ELSEWHERE, None, self.whereabouts(shard)))
        else:
            group.request(sender, m)

    def whereabouts(self, shard: str) -> tuple[str, ...]:
        """The nodes that have replicas of a shard, for all we know."""
        return self.options.placements(self.world.nodes).get(shard, ())

    # -- what groups need ---------------------------------------------------------------

    def send(self, to: str, message: Message) -> None:
        """Send a message."""
        self.world.network.send(to, encode(message))

    def arm(self, deadline: float) -> None:
        """Wake up for this deadline, if not before."""
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        delay_s = max(TIMER_S_MIN, deadline - self.world.clock.monotonic())
        self._timer_at = deadline
        self._timer = self.world.clock.later(delay_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        now = self.world.clock.monotonic()
        for group in list(self.groups.values()):
            group.tick(now)
        if self.groups:
            self.arm(min(group.raft.deadline for group in self.groups.values()))

    def save(self, group: Group, image: Image, arrived_from: tuple[str, int] | None) -> None:
        """Put a snapshot on disk, one after the other."""
        group.saving = True
        self._saves.append((group, image, arrived_from))
        if len(self._saves) == 1:
            self.world.spawn(self._save(), "snapshots")

    async def _save(self) -> None:
        while self._saves:
            group, image, arrived_from = self._saves[0]
            newest = group.raft.image
            if newest is None or image.index > newest.index or self.bug is not None:
                await _snapshots.save(self.world, group.name, image)
            group.saved(image, arrived_from)
            self._saves.pop(0)

    def _live(self) -> list[Record]:
        return [record for group in self.groups.values() for record in group.live()]


def program(
    nodes: Sequence[str],  # noqa: ARG001
    bug: str | None,
    options: Mapping[str, Json],
) -> Program:
    """What a node runs.  Raises ValueError for options that there are not."""
    chosen = options_of(options)

    async def run(world: World) -> None:
        await Node(world, chosen, bug).run()

    return run

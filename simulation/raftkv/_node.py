"""A node: it finds the groups it has replicas of, and lets all that comes find its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from histories import Json
from simulation.raftkv import _snapshots
from simulation.raftkv._admin import answer
from simulation.raftkv._group import Group
from simulation.raftkv._image import Image
from simulation.raftkv._map import (
    META,
    Place,
    ShardMap,
    first_term,
    generation_of,
    group_name,
    shard_name,
)
from simulation.raftkv._messages import (
    ELSEWHERE,
    RAFT,
    Answer,
    Ask,
    Config,
    Govern,
    Message,
    Reply,
    Request,
    decode,
    encode,
)
from simulation.raftkv._migration import Mover
from simulation.raftkv._options import Options, options_of
from simulation.raftkv._orders import obey
from simulation.raftkv._raft import Raft
from simulation.raftkv._records import Born, Gone, Record
from simulation.raftkv._recovery import recovered
from simulation.raftkv._shard import (
    ACTIVE,
    MIGRATING_IN,
    Command,
    Replicated,
    Shard,
    key_name,
    shard_of,
)
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
        self.follower_reads = options.follower_reads
        self.snapshot_every = options.snapshot_every
        self.snapshot_keep = options.snapshot_keep
        self.wal = Wal(world, self._live, bug)
        self.groups: dict[str, Group] = {}
        self.mover = Mover(
            self,
            self._leads_map,
            lambda: self._places,
            lambda shard, generation: self.govern_map("finish", [shard, generation]),
        )
        self._placements = options.placements(world.nodes)
        self._voters: dict[str, tuple[str, ...]] = {}
        self._gone: dict[str, None] = {}
        self._obeyed: dict[str, Place] = {}
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._saves: list[tuple[Group, Image, tuple[str, int] | None]] = []

    async def run(self) -> None:
        """Begin where the last life ended."""
        images = await _snapshots.load(self.world)
        records = await self.wal.load()
        for name, voters in self._replicas(records).items():
            self._open(name, voters, records, images)
        self.world.network.listen(self._receive)
        self.world.serve(
            lambda path: answer(self, path), lambda path, order: obey(self, path, order)
        )
        for group in self.groups.values():
            group.flush()
        await self.world.forever()

    def _replicas(self, records: Sequence[Record]) -> dict[str, tuple[str, ...]]:
        """The groups that have replicas here, with their first voters."""
        found: dict[str, tuple[str, ...]] = {}
        if self.options.movable:
            found[META] = tuple(sorted(self.world.nodes))
        for shard, nodes in self._placements.items():
            if self.world.name in nodes:
                found[group_name(shard, 1)] = nodes
        for record in records:
            if isinstance(record, Born):
                found[record.group] = record.voters
            elif isinstance(record, Gone):
                found.pop(record.group, None)
                self._gone[record.group] = None
        return found

    def _open(
        self,
        name: str,
        voters: tuple[str, ...],
        records: Sequence[Record] = (),
        images: Mapping[str, Image] = MappingProxyType({}),
    ) -> Group:
        world = self.world
        self._voters[name] = voters

        def replayed(log_group: str) -> None:
            log_shard = shard_name(log_group)
            world.tell("replay", shard=shard_name(name), log_shard=log_shard, group=name)

        past = recovered(name, records, images.get(name), first_term(name), replayed, self.bug)
        state = ACTIVE if generation_of(name) == 1 else MIGRATING_IN
        shard: Replicated = Shard(state, self.bug)
        if name == META:
            shard = ShardMap(self._placements)
        config = Config(voters)
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
        group = Group(self, name, shard_name(name), shard, raft)
        if past.image is not None:
            raft.image = past.image
            raft.commit = max(raft.commit, past.image.index)
            group.applied = past.image.index
        self.groups[name] = group
        return group

    def _found(self, name: str, voters: tuple[str, ...]) -> Group | None:
        """Begin with a replica of a group that is new here."""
        if name in self._gone or shard_name(name) not in (*self._placements, META):
            return None
        self.wal.submit([Born(name, voters)], _nothing)
        group = self._open(name, voters)
        group.flush()
        return group

    def _close(self, name: str) -> None:
        """Have no replica of this group any more."""
        group = self.groups.pop(name, None)
        self._gone[name] = None
        self._voters.pop(name, None)
        self.wal.submit([Gone(name)], _nothing)
        if group is not None:
            group.close()

    # -- what comes ---------------------------------------------------------------------

    def _receive(self, sender: str, data: bytes) -> None:
        try:
            message = decode(data)
        except msgspec.MsgspecError:
            return  # damaged on the way, or nobody we know
        if isinstance(message, RAFT):
            group = self.groups.get(message.group) or self._found(message.group, ())
            if group is not None:
                group.receive(sender, message)
        elif isinstance(message, Request):
            self._request(sender, message)
        elif isinstance(message, Govern):
            group = self.groups.get(message.group)
            if group is not None:
                group.govern(sender, message)
        elif isinstance(message, Reply):
            self.mover.replied(message)
        elif isinstance(message, Ask):
            try:
                if message.order:
                    body = obey(self, message.path, message.order)
                else:
                    body = answer(self, message.path)
            except LookupError as error:
                body = {"error": str(error)}
            self.send(sender, Answer(message.id, body))

    def _request(self, sender: str, m: Request) -> None:
        shard = shard_of(key_name(m.key), self.options.shards)
        groups = [group for group in self.groups.values() if group.shard_name == shard]
        if not groups:
            self.send(sender, Reply(m.id, ELSEWHERE, None, self.whereabouts(shard)))
            return
        if len(groups) > 1:  # it moves, and we have replicas on both sides
            groups.sort(key=lambda group: (not group.shard.readable, -generation_of(group.name)))
        groups[0].request(sender, m)

    def whereabouts(self, shard: str) -> tuple[str, ...]:
        """The nodes that have replicas of a shard, for all we know."""
        place = self._places.get(shard)
        return () if place is None else place.moving or place.nodes

    # -- the map ------------------------------------------------------------------------

    @property
    def _places(self) -> dict[str, Place]:
        meta = self.groups.get(META)
        if meta is None:
            return {shard: Place(1, nodes) for shard, nodes in self._placements.items()}
        assert isinstance(meta.shard, ShardMap)
        return dict(meta.shard.places)

    def applied(self, group: Group) -> None:
        """The map may have changed: have those replicas that it says, and no others."""
        if group.name != META:
            return
        places = self._places
        if places == self._obeyed:
            self.mover.look()
            return
        self._obeyed = places
        for shard, place in sorted(places.items()):
            for generation in range(1, place.generation):
                name = group_name(shard, generation)
                if name not in self._gone:
                    self._close(name)
            now, next = (group_name(shard, place.generation + more) for more in (0, 1))
            if self.world.name in place.nodes and now not in self.groups:
                self._found(now, place.nodes)
            if self.world.name in place.moving and next not in self.groups:
                self._found(next, place.moving)
        self.mover.look()

    def govern_map(self, f: str, value: list[Json]) -> None:
        """Propose a change of the map, if we lead its group."""
        meta = self.groups[META]
        if meta.raft.leading is not None:
            meta.propose(Command(f, value=value), self.world.name, 0)

    def _leads_map(self) -> bool:
        meta = self.groups.get(META)
        return meta is not None and meta.raft.leading is not None

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
            if not group.closed:
                group.saved(image, arrived_from)
            self._saves.pop(0)

    def _live(self) -> list[Record]:
        born: list[Record] = [Born(*each) for each in self._voters.items()]
        gone: list[Record] = [Gone(name) for name in self._gone]
        return [*born, *gone, *(r for group in self.groups.values() for r in group.live())]


def _nothing() -> None:
    """Nobody waits for it."""


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

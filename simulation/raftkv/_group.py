"""One group on one node: its `Raft`, the shard it replicates, and the clients who wait for it.

This is where the outputs of `Raft` meet the world: messages leave, records go to the log, what
is committed is applied, clients are answered.  `flush` does all of that, after every input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from histories import Json
from simulation.raftkv._follower_reads import FollowerReads, Read
from simulation.raftkv._image import Image
from simulation.raftkv._messages import (
    COMMAND,
    ELSEWHERE,
    IN_DOUBT,
    NOT_LEADER,
    OK,
    Asked,
    Entry,
    Govern,
    Message,
    Raftish,
    ReadGrant,
    ReadIndex,
    Reply,
    Request,
    VoteReply,
)
from simulation.raftkv._raft import PRIMARY, Raft
from simulation.raftkv._records import Based, Entries, Hard, Record
from simulation.raftkv._shard import (
    MIGRATING_OUT,
    READ_ONLY,
    REFUSED,
    Command,
    Replicated,
    encoded,
    key_name,
)
from simulation.raftkv._wal import Wal
from simulation.world import World

TELL_EVERY: Final = 16
"""Of every so many entries it is told what the state was after them."""


class Home(Protocol):
    """The node a group lives on."""

    world: World
    wal: Wal
    linger_s: float
    follower_reads: bool
    snapshot_every: int
    snapshot_keep: int
    bug: str | None

    def send(self, to: str, message: Message) -> None: ...
    def arm(self, deadline: float) -> None: ...
    def save(self, group: Group, image: Image, arrived_from: tuple[str, int] | None) -> None: ...
    def applied(self, group: Group) -> None: ...
    def whereabouts(self, shard: str) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Waiter:
    """Somebody waits for the entry of `term` that stands where we put it."""

    term: int
    client: str
    id: int


class Group:
    """Invariant: all up to `applied` is in `shard`, and `applied` is at most what is committed."""

    def __init__(
        self, home: Home, name: str, shard_name: str, shard: Replicated, raft: Raft
    ) -> None:
        self.home = home
        self.name = name
        self.shard_name = shard_name
        self.shard = shard
        self.raft = raft
        self.applied = raft.log.base
        self.saving = False
        self.closed = False
        self._waiting: dict[int, Waiter] = {}
        self._reads = FollowerReads(raft)
        self._lingering = False
        self._led = False
        self._told: tuple[str, int] | None = None
        self._accepted: tuple[str, str, int] | None = None
        self._state_told = ""
        self._served_in = 0

    # -- inputs -------------------------------------------------------------------------

    def receive(self, sender: str, message: Raftish) -> None:
        """A message of Raft."""
        if self.closed:
            return
        self.raft.step(self.home.world.clock.monotonic(), sender, message)
        if type(message) is ReadIndex:
            self._soon()
        self.flush()

    def tick(self, now: float) -> None:
        """The time may have come for something."""
        if now >= self.raft.deadline:
            self.raft.tick(now)
            self.flush()

    def request(self, sender: str, m: Request) -> None:
        """A client asks for something."""
        raft, shard = self.raft, self.shard
        leading = raft.leading
        self._led = self._led or leading is not None
        if self.home.bug == "read-from-deposed-leader" and m.f == "read" and self._led:
            self.home.send(sender, Reply(m.id, OK, shard.read(key_name(m.key))))
        elif leading is None and m.f == "read" and self.home.follower_reads:
            self._read_as_follower((sender, m))
        elif leading is None:
            self.refuse(sender, m.id)
        elif m.f == "read":
            leading.read(self.home.world.clock.monotonic(), (sender, m))
            self._soon()
        elif leading.handing_to is not None:
            self.refuse(sender, m.id)
        elif not shard.writable:
            self._elsewhere(sender, m.id)
        else:
            answered = shard.answered(m.client, m.seq)
            if answered is not None:
                status = OK if answered[0] == m.seq else IN_DOUBT
                self.home.send(sender, Reply(m.id, status, answered[1]))
                return
            command = Command(m.f, m.client, m.seq, key_name(m.key), m.value)
            self.propose(command, sender, m.id)

    def propose(self, command: Command, client: str, id: int) -> None:
        """Put a command into the log; the client hears of it when it has been applied."""
        raft = self.raft
        assert raft.leading is not None
        index = raft.leading.propose(Entry(raft.term, COMMAND, encoded(command)))
        self._waiting[index] = Waiter(raft.term, client, id)
        if command.client:
            accepted = (self.shard.state, raft.role, raft.term)
            if accepted != self._accepted:  # every kind of acceptance is told once
                self._accepted = accepted
                state, role, term = accepted
                self._tell("write-accepted", state=state, role=role, term=term)
        self._soon()

    def govern(self, sender: str, m: Govern) -> None:
        """A step of a migration."""
        shard = self.shard
        if m.f == "fetch":
            frozen = shard.state in (READ_ONLY, MIGRATING_OUT)
            if frozen or self.home.bug == "migration-drops-late-writes":
                self.home.send(sender, Reply(m.id, OK, shard.piece(m.value)))
            else:
                self.home.send(sender, Reply(m.id, NOT_LEADER))
        elif self.raft.leading is None:
            self.refuse(sender, m.id)
        else:
            self.propose(Command(m.f, value=m.value), sender, m.id)

    def refuse(self, client: str, id: int) -> None:
        """We cannot answer, perhaps others can."""
        known = self.raft.known
        hint = (known,) if known is not None and known != self.raft.me else ()
        self.home.send(client, Reply(id, NOT_LEADER, None, hint))

    def _elsewhere(self, client: str, id: int) -> None:
        where = self.home.whereabouts(self.shard_name)
        self.home.send(client, Reply(id, ELSEWHERE, None, where))

    def _soon(self) -> None:
        """What was asked goes out together with what else comes in the next moment."""
        if self.home.linger_s <= 0:
            self._pump()
        elif not self._lingering:
            self._lingering = True
            self.home.world.clock.later(self.home.linger_s, self._pump)

    def _pump(self) -> None:
        self._lingering = False
        now = self.home.world.clock.monotonic()
        if self.raft.leading is not None:
            self.raft.leading.broadcast(now)
        if self._reads:
            self._refuse_all(self._reads.ask(now))
        self.flush()

    # -- outputs ------------------------------------------------------------------------

    def flush(self) -> None:
        """Let out what has gathered in `raft`."""
        raft, home = self.raft, self.home
        if self.closed:
            return
        if raft.out:
            out, raft.out = raft.out, []
            for to, message in out:
                home.send(to, message)
        if raft.arrived is not None:
            image, sender, round = raft.arrived
            raft.arrived = None
            home.save(self, image, (sender, round))
        now_told = (raft.role, raft.term)
        if raft.records or raft.held or now_told != self._told:
            self._persist(now_told)
        if raft.commit > self.applied:
            self._apply()
        if raft.ready:
            self._answer_reads()
        if self._reads or raft.granted:
            self._serve_as_follower()
        if raft.leading is None:
            self._let_go()
        home.arm(raft.deadline)

    def _persist(self, role: tuple[str, int]) -> None:
        raft, home = self.raft, self.home
        records, raft.records = raft.records, []
        held, raft.held = raft.held, []
        changed = role != self._told
        self._told = role
        log = raft.log
        last, last_term = log.last, log.last_term
        voted = any(type(record) is Hard and record.vote for record in records) or any(
            type(m) is VoteReply and m.granted and not m.pre for _, m in held
        )
        if voted:
            home.world.reach("before vote persisted")

        def stored() -> None:
            if self.closed:
                return
            if voted:
                home.world.reach("after vote persisted")
            if changed:
                self._tell("role", role=role[0], term=role[1])
            for to, message in held:
                home.send(to, message)
            if voted:
                home.world.reach("after vote sent")
            if raft.leading is not None:
                raft.persisted(home.world.clock.monotonic(), last, last_term)
                self.flush()

        if home.bug == "ack-before-sync" and held:
            for to, message in held:
                home.send(to, message)
            held = []
        if records or not home.wal.idle:
            home.wal.submit(records, stored)
        else:
            stored()

    def _apply(self) -> None:
        raft, shard, home = self.raft, self.shard, self.home
        stop = min(raft.commit, raft.log.last)
        while self.applied < stop:
            if self.applied - self._snapshot_index() >= home.snapshot_every and not self.saving:
                self._snapshot()
            self.applied += 1
            entry = raft.log.entry(self.applied)
            result: Json = None
            if entry.kind == COMMAND:
                result = shard.apply(entry.term, entry.data)
            if self.applied % TELL_EVERY == 0:
                at = f"{self.name}@{self.applied}"
                self._tell("applied", applied=at, chain=shard.chain)
            waiter = self._waiting.pop(self.applied, None) if self._waiting else None
            if waiter is not None:
                self._answer(waiter, entry, result)
        if shard.state != self._state_told:
            self._state_told = shard.state
            self._tell("shard-state", state=shard.state)
        home.applied(self)

    def _answer(self, waiter: Waiter, entry: Entry, result: Json) -> None:
        home = self.home
        if waiter.term != entry.term:
            home.send(waiter.client, Reply(waiter.id, IN_DOUBT))
        elif result == REFUSED:
            self._elsewhere(waiter.client, waiter.id)
        else:
            home.world.reach("before ack")
            home.send(waiter.client, Reply(waiter.id, OK, result))

    def _answer_reads(self) -> None:
        raft = self.raft
        ready, raft.ready = raft.ready, []
        for sender, m in ready:
            if isinstance(m, ReadIndex):
                grant = ReadGrant(self.name, raft.term, m.id, True, raft.commit)
                self.home.send(sender, grant)
            else:
                self._read((sender, m))

    def _read(self, read: Read) -> None:
        sender, m = read
        if self.shard.readable:
            self.home.send(sender, Reply(m.id, OK, self.shard.read(key_name(m.key))))
        else:
            self._elsewhere(sender, m.id)

    def _read_as_follower(self, read: Read) -> None:
        if self.home.bug == "follower-reads-without-asking":
            self._serve([read])
            return
        self._reads.add(read)
        self._soon()

    def _serve_as_follower(self) -> None:
        """Answer clients who read here, as far as the leader let us."""
        raft, reads = self.raft, self._reads
        granted, raft.granted = raft.granted, []
        for grant in granted:
            self._refuse_all(reads.granted(grant))
        self._serve(reads.ready(self.applied))
        self._refuse_all(reads.hopeless(self.home.world.clock.monotonic()))

    def _serve(self, reads: Sequence[Read]) -> None:
        term = self.raft.term
        for read in reads:
            self._read(read)
        if reads and term != self._served_in:  # once in every term
            self._served_in = term
            self._tell("follower-read", term=term)

    def _refuse_all(self, reads: Sequence[Asked]) -> None:
        for sender, m in reads:
            if isinstance(m, ReadIndex):
                self.home.send(sender, ReadGrant(self.name, self.raft.term, m.id, False))
            else:
                self.refuse(sender, m.id)

    def _let_go(self) -> None:
        """We do not lead any more: whoever waits has to ask somebody else."""
        raft = self.raft
        if raft.dropped:
            dropped, raft.dropped = raft.dropped, []
            self._refuse_all(dropped)
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            for waiter in waiting.values():
                self.home.send(waiter.client, Reply(waiter.id, IN_DOUBT))

    def _tell(self, event: str, **facts: Json) -> None:
        self.home.world.tell(event, shard=self.shard_name, group=self.name, **facts)

    # -- snapshots ----------------------------------------------------------------------

    def _snapshot_index(self) -> int:
        image = self.raft.image
        return 0 if image is None else image.index

    def _snapshot(self) -> None:
        raft = self.raft
        index = self.applied
        if self.home.bug == "snapshot-forgets-last-entry":
            index += 1  # which the state below does not have in it
        term = raft.log.term(index)
        assert term is not None
        image = Image(index, term, raft.config_at(index), self.shard.dump())
        self.home.save(self, image, None)

    def saved(self, image: Image, arrived_from: tuple[str, int] | None) -> None:
        """A snapshot is on disk."""
        self.saving = False
        if arrived_from is None:
            self.raft.snapshotted(image, self.home.snapshot_keep)
        else:
            now = self.home.world.clock.monotonic()
            restored = self.raft.restored(now, image, *arrived_from)
            if restored or self.home.bug == "stale-snapshot-installed-over-newer":
                self.shard.load(image.data)
            if restored:
                self.applied = image.index
        self.flush()

    def close(self) -> None:
        """There is no replica here any more: who waits is told, and nothing else happens."""
        raft = self.raft
        if raft.leading is not None:
            raft.dropped += raft.leading.reads()
            raft.leading = None
        self._let_go()
        self._refuse_all(self._reads.give_up())
        self.closed = True

    def live(self) -> list[Record]:
        """What a log has to hold of this group."""
        raft, log = self.raft, self.raft.log
        records: list[Record] = [Hard(self.name, raft.term, raft.vote)]
        if log.base:
            records.append(Based(self.name, log.base, log.base_term))
        if log.entries:
            records.append(Entries(self.name, log.base + 1, list(log.entries)))
        return records

    @property
    def primary(self) -> str | None:
        """Who leads, for all we know."""
        return self.raft.me if self.raft.role == PRIMARY else self.raft.known

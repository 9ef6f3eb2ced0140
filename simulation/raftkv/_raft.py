"""Raft for one group: a state machine without a world.

Inputs are `step` (a message), `tick` (the time has come), `propose`, `read` and `persisted`;
each takes the time by the node's monotonic clock.  Outputs gather until whoever drives it
takes them:

- `out`: messages that may leave at once;
- `records`: what has to be on disk before anything in `held` leaves, and in this order;
- `held`: answers that promise what `records` say, and those before;
- `commit`: entries up to here may be applied;
- `ready` and `dropped`: reads that may be answered now, or not by this node;
- `granted`: what our leader said of the reads that we want to answer.

The algorithm is that of Ongaro's thesis with pre-votes (9.6), leader stickiness (6.4.1, which
leases rest on), read index (6.4) and joint consensus (4.3).  What only leaders do is in
`_leader`.  Invariants: the term never goes down; at most one vote in a term; `commit` never goes
down; what is committed is never cut; a promise never leaves before it is on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from simulation.raftkv._image import Image
from simulation.raftkv._leader import Leader
from simulation.raftkv._log import Log
from simulation.raftkv._messages import (
    CONFIG,
    Append,
    AppendReply,
    Asked,
    Config,
    Entry,
    Install,
    InstallReply,
    Raftish,
    ReadGrant,
    ReadIndex,
    Vote,
    VoteReply,
    config_of,
)
from simulation.raftkv._records import Based, Entries, Hard, Record
from simulation.raftkv._timing import Timing

FOLLOWER: Final = "follower"
CANDIDATE: Final = "candidate"
PRIMARY: Final = "primary"


class Raft:
    """One member of a group."""

    def __init__(
        self,
        me: str,
        group: str,
        hard: Hard,
        log: Log,
        config: Config,
        *,
        timing: Timing,
        random: Random,
        now: float,
        wall: Callable[[], float],
        lease: bool = False,
        bug: str | None = None,
    ) -> None:
        """`config` is that of the snapshot, or the first one; `wall` is only read by mistake."""
        self.me = me
        self.group = group
        self.term = hard.term
        self.vote = hard.vote
        self.log = log
        self.commit = log.base
        self.timing = timing
        self.lease = lease
        self.wall = wall
        self.bug = bug
        self.role = FOLLOWER
        self.known: str | None = None  # the leader of this term
        self.leading: Leader | None = None
        self.image: Image | None = None  # the last snapshot, for laggards
        self.incoming: tuple[int, int, bytearray] | None = None
        self.arrived: tuple[Image, str, int] | None = None  # whole, from whom, in which round
        self.out: list[tuple[str, Raftish]] = []
        self.held: list[tuple[str, Raftish]] = []
        self.records: list[Record] = []
        self.ready: list[Asked] = []
        self.dropped: list[Asked] = []
        self.granted: list[ReadGrant] = []
        self._random = random
        # Before it went down it may have heard of a leader, whose lease must not be broken.
        # Without leases there is none, and elections can be sooner.
        self._heard_at = now if lease else now - timing.election_s[0]
        self._votes: dict[str, int] = {}
        self._pre = False
        self._transferred = False
        self._configs: list[tuple[int, Config]] = [(log.base, config)]
        self._note_configs(log.base + 1, log.entries)
        self.deadline = now + self._patience()

    # -- what others ask of it ----------------------------------------------------------

    @property
    def config(self) -> Config:
        """The last configuration in the log; it counts as soon as it is there."""
        return self._configs[-1][1]

    def config_at(self, index: int) -> Config:
        """The configuration after the entry at `index`."""
        found = self._configs[0][1]
        for at, config in self._configs:
            if at > index:
                break
            found = config
        return found

    @property
    def config_index(self) -> int:
        """Where the last configuration stands."""
        return self._configs[-1][0]

    def tick(self, now: float) -> None:
        """Do what is due; to be called at `deadline`, or later."""
        if now < self.deadline:
            return
        if self.leading is not None:
            self.leading.tick(now)
        elif self.me in self.config.members:
            self._stand(now, pre=True)
        else:  # not a member any more: whoever led then may have been sent away, too
            self.known = None
            self.deadline = now + self._patience()

    def step(self, now: float, sender: str, message: Raftish) -> None:
        """Take a message."""
        if not self._right_term(now, sender, message):
            return
        if isinstance(message, Append):
            self._append(now, sender, message)
        elif isinstance(message, AppendReply):
            if self.leading is not None:
                self.leading.replied(now, sender, message)
        elif isinstance(message, Vote):
            self._asked(now, sender, message)
        elif isinstance(message, VoteReply):
            self._answered(now, sender, message)
        elif isinstance(message, Install):
            self._install(now, sender, message)
        elif isinstance(message, InstallReply):
            if self.leading is not None:
                self.leading.installed(now, sender, message)
        elif isinstance(message, ReadIndex):
            if self.leading is not None:
                self.leading.read(now, (sender, message))
            else:
                self.dropped.append((sender, message))
        elif isinstance(message, ReadGrant):
            self.granted.append(message)
        elif self.known == sender and self.me in self.config.members:
            self._stand(now, pre=False, transferred=True)

    def persisted(self, now: float, index: int, term: int) -> None:
        """All records up to the entry at `index`, of this term, are on disk."""
        if self.leading is not None and self.log.term(index) == term:
            self.leading.stored(now, index)

    def snapshotted(self, image: Image, keep: int) -> None:
        """A snapshot of our own is on disk: forget the log up to `keep` entries before it."""
        self.image = image
        index = max(self.log.base, min(image.index, image.index - keep))
        if index > self.log.base:
            term = self.log.term(index)
            assert term is not None
            self._rebase(index, term)

    def restored(self, now: float, image: Image, sender: str, round: int) -> bool:
        """A snapshot that came whole is on disk.  False if it is older than what we have."""
        if image.index <= self.commit:
            self._installed(sender, image, round)
            return False
        self.image = image
        self._configs = [(image.index, image.config)]
        kept = self.log.term(image.index) == image.term
        self._rebase(image.index, image.term)
        if kept:
            self._note_configs(self.log.base + 1, self.log.entries)
        self.commit = image.index
        self._installed(sender, image, round)
        self._hear(now)
        return True

    # -- terms and roles ----------------------------------------------------------------

    def _right_term(self, now: float, sender: str, message: Raftish) -> bool:
        """Follow whoever has a greater term; False if the message is out of date."""
        term = message.term
        if term > self.term:
            if self.bug == "dual-primary-after-heal" and self.leading is not None:
                self.term, self.vote = term, ""
                return True
            if isinstance(message, Vote):
                if self._content(now) and not message.transfer:
                    return False  # it is not our leader who is missing
                if message.pre:
                    return True
            elif isinstance(message, VoteReply) and message.pre and message.granted:
                return True
            leads = isinstance(message, (Append, Install))
            self.follow(now, term, sender if leads else None)
        elif term < self.term:
            # Whoever lives in the past is told so, that it may not stay there.
            if isinstance(message, Append):
                self.held.append((sender, self._refusal(message, 0)))
            elif isinstance(message, Install):
                self._reply_install(sender, message.index, 0, False, message.round)
            elif isinstance(message, Vote):
                self.held.append((sender, VoteReply(self.group, self.term, False, message.pre)))
            elif isinstance(message, VoteReply):
                return self.bug == "late-votes-counted"
            return False
        return True

    def follow(self, now: float, term: int, leader: str | None) -> None:
        """Be a follower in this term."""
        if term > self.term:
            self.term, self.vote = term, ""
            if self.bug != "term-goes-back-after-restart":
                self._write_hard()
        if self.leading is not None:
            self.dropped += self.leading.reads()
            self.leading = None
        self.role, self.known = FOLLOWER, leader
        self._votes = {}
        self.deadline = now + self._patience()

    def _content(self, now: float) -> bool:
        """A leader was heard of lately."""
        return self.leading is not None or now - self._heard_at < self.timing.election_s[0]

    def _hear(self, now: float) -> None:
        self._heard_at = now
        self.deadline = now + self._patience()

    def _patience(self) -> float:
        return self._random.uniform(*self.timing.election_s)

    def _write_hard(self) -> None:
        self.records.append(Hard(self.group, self.term, self.vote))

    # -- elections ----------------------------------------------------------------------

    def _stand(self, now: float, *, pre: bool, transferred: bool = False) -> None:
        self._pre, self._transferred = pre, transferred
        self._votes = {self.me: 1}
        self.known = None
        self.deadline = now + self._patience()
        if not pre:
            self.term += 1
            self.vote = self.me
            self.role = CANDIDATE
            self._write_hard()
        log = self.log
        term = self.term + 1 if pre else self.term
        question = Vote(self.group, term, log.last, log.last_term, pre, transferred)
        for name in self.config.members:
            if name != self.me:
                self.held.append((name, question))
        self._count(now)

    def _asked(self, now: float, sender: str, m: Vote) -> None:
        log = self.log
        current = (m.last_term, m.last_index) >= (log.last_term, log.last)
        if self.bug == "vote-granted-to-shorter-log":
            current = True
        if self.bug == "leader-transfer-without-catching-up" and m.transfer:
            current = True
        if m.pre:
            granted = m.term > self.term and current
            term = m.term if granted else self.term
            self.held.append((sender, VoteReply(self.group, term, granted, True)))
            return
        granted = current and self.vote in ("", sender) and self.leading is None
        if granted and self.vote != sender:
            self.vote = sender
            if self.bug != "vote-not-persisted":
                self._write_hard()
        if granted:
            self.deadline = now + self._patience()
        self.held.append((sender, VoteReply(self.group, self.term, granted, False)))

    def _answered(self, now: float, sender: str, m: VoteReply) -> None:
        if not self._votes or m.pre != self._pre:
            return
        late = m.term != (self.term + 1 if m.pre and m.granted else self.term)
        if late and self.bug != "late-votes-counted":
            return  # it is about an earlier election
        if m.granted:
            self._votes[sender] = 1
            self._count(now)

    def _count(self, now: float) -> None:
        if not self.config.agreed(self._votes):
            return
        if self._pre:
            self._stand(now, pre=False)
            return
        self._votes = {}
        self.role, self.known = PRIMARY, self.me
        self.leading = Leader(self, now)
        self.leading.begin(now)

    # -- replication, as a follower -----------------------------------------------------

    def _append(self, now: float, sender: str, m: Append) -> None:
        if self.leading is not None:
            return  # another leader in our term: only with bugs
        if self.role != FOLLOWER:
            self.follow(now, m.term, sender)
        self.known = sender
        self._votes = {}
        self._hear(now)
        log, entries, prev = self.log, m.entries, m.prev_index
        if prev < log.base:  # the beginning of it is in our snapshot
            entries = entries[log.base - prev :]
            if prev + len(m.entries) <= log.base:
                self.held.append((sender, self._approval(m, log.base)))
                return
            prev = log.base
        elif log.term(prev) != m.prev_term:
            self.held.append((sender, self._refusal(m, prev)))
            return
        last = prev + len(entries)
        if entries:
            self._take(prev + 1, entries)
        bound = log.last if self.bug == "commit-index-from-heartbeat-unchecked" else last
        commit = min(m.commit, bound)
        if commit > self.commit:
            self.commit = commit
        self.held.append((sender, self._approval(m, last)))

    def _take(self, first: int, entries: list[Entry]) -> None:
        """Make `entries` what stands from `first` on, without cutting what agrees with them."""
        log = self.log
        if self.bug == "truncates-committed-on-append":
            self._cut(first)
        for place, entry in enumerate(entries):
            index = first + place
            term = log.term(index)
            if term is not None and self.bug == "conflict-not-truncated":
                continue
            if term != entry.term:
                if term is not None:
                    self._cut(index)
                self.add(index, entries[place:])
                return

    def add(self, first: int, entries: list[Entry]) -> None:
        """Put entries at the end of the log."""
        self.log.entries += entries
        self.records.append(Entries(self.group, first, entries))
        self._note_configs(first, entries)

    def _cut(self, index: int) -> None:
        assert index > self.commit or self.bug, "what is committed would be cut"
        self.log.cut(index)
        while len(self._configs) > 1 and self._configs[-1][0] >= index:
            self._configs.pop()

    def _note_configs(self, first: int, entries: list[Entry]) -> None:
        for place, entry in enumerate(entries):
            if entry.kind == CONFIG:
                self._configs.append((first + place, config_of(entry)))

    def _rebase(self, index: int, term: int) -> None:
        config = self.config_at(index)
        later = [each for each in self._configs if each[0] > index]
        self.log.rebase(index, term)
        if not self.log.entries:
            later = []
        self._configs = [(index, config), *later]
        self.records.append(Based(self.group, index, term))

    def _approval(self, m: Append, index: int) -> AppendReply:
        return AppendReply(self.group, self.term, True, index, m.round)

    def _refusal(self, m: Append, prev: int) -> AppendReply:
        log = self.log
        term = log.term(prev)
        if term is None or prev == 0:
            hint, term = log.last + 1, 0
        else:
            hint = log.first_of_term(prev)
        return AppendReply(self.group, self.term, False, m.prev_index, m.round, hint, term)

    # -- snapshots, as a follower -------------------------------------------------------

    def _install(self, now: float, sender: str, m: Install) -> None:
        if self.leading is not None:
            return
        if self.role != FOLLOWER:
            self.follow(now, m.term, sender)
        self.known = sender
        self._votes = {}
        self._hear(now)
        if m.index <= self.commit and self.bug != "stale-snapshot-installed-over-newer":
            self._reply_install(sender, m.index, m.total, True, m.round)
            return
        key = (m.index, m.index_term)
        if self.incoming is None or self.incoming[:2] != key:
            self.incoming = (*key, bytearray())
        got = self.incoming[2]
        if m.offset == len(got):
            got += m.data
        if len(got) >= m.total and self.arrived is None:
            self.arrived = Image(m.index, m.index_term, m.config, bytes(got)), sender, m.round
            self.incoming = None
            return
        self._reply_install(sender, m.index, len(got), False, m.round)

    def _installed(self, sender: str, image: Image, round: int) -> None:
        self._reply_install(sender, image.index, len(image.data), True, round)

    def _reply_install(self, to: str, index: int, offset: int, done: bool, round: int) -> None:
        reply = InstallReply(self.group, self.term, index, offset, done, round)
        self.held.append((to, reply))

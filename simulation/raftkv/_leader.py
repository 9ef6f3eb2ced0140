"""What only a leader does: feed its followers, count them, confirm reads, hand over.

Every message to a follower bears the number of a *round*.  A follower that answers a round
was our follower after the round began: so a majority of answers confirms reads that came
before it, and a lease from the time it was sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulation.raftkv._messages import (
    NOOP,
    Append,
    AppendReply,
    Asked,
    Config,
    Entry,
    Install,
    InstallReply,
    TimeoutNow,
    entry_of,
)

if TYPE_CHECKING:
    from simulation.raftkv._raft import Raft

ENTRIES_MAX: Final = 64
BYTES_MAX: Final = 256 * 1024
FLYING_MAX: Final = 8
PIECE_BYTES: Final = 64 * 1024
CATCH_UP: Final = 16
"""A new member may vote when it lacks no more entries than this."""


class Peer:
    """What the leader knows of a follower.

    `match`: its log is ours up to here.  `next`: what to send next; sent on before it was
    acknowledged unless `probing`.  `offset`: it gets our snapshot (`image`), up to here so far.
    """

    __slots__ = (
        "flying", "heard_at", "image", "match", "next", "offset", "probing", "round", "sent_at",
    )  # fmt: skip

    def __init__(self, next: int, now: float) -> None:
        self.match = 0
        self.next = next
        self.probing = True
        self.flying = 0
        self.round = 0
        self.heard_at = now
        self.sent_at = 0.0
        self.image = 0
        self.offset = 0


class Leader:
    """The leader of a term, for as long as it leads."""

    def __init__(self, raft: Raft, now: float) -> None:
        self.raft = raft
        self.peers: dict[str, Peer] = {}
        self.stored_up_to = 0
        self.round = 0
        self.handing_to: str | None = None
        self.newcomers: tuple[str, ...] = ()
        self._wanted: tuple[str, ...] = ()
        self._handed = False  # in this term
        self._told = False  # the one we hand over to
        self._handing_until = 0.0
        self._sent_at: dict[int, float] = {}
        self._early: list[Asked] = []  # reads that came before our term committed anything
        self._reads: list[tuple[int, Asked]] = []  # and those that wait for their round
        self._meet(now)

    def begin(self, now: float) -> None:
        """Say so to everybody, with an entry of our own term."""
        raft = self.raft
        if raft.bug != "earlier-term-committed-by-counting":
            raft.add(raft.log.last + 1, [Entry(raft.term, NOOP)])
        self.broadcast(now, beat=True)
        raft.deadline = now + raft.timing.heartbeat_s

    def tick(self, now: float) -> None:
        """Heartbeats; and an end to it if a majority is silent."""
        raft, timing = self.raft, self.raft.timing
        patience_s = timing.election_s[1]
        alive = {n: 1 for n, peer in self.peers.items() if now - peer.heard_at < patience_s}
        alive[raft.me] = 1
        if not raft.config.agreed(alive):
            raft.follow(now, raft.term, None)
            return
        if self.handing_to is not None and now >= self._handing_until:
            self.handing_to = None
        self.broadcast(now, beat=True)
        raft.deadline = now + timing.heartbeat_s

    # -- proposals ----------------------------------------------------------------------

    def propose(self, entry: Entry) -> int:
        """Put an entry into the log; it travels with the next `broadcast`."""
        raft = self.raft
        index = raft.log.last + 1
        raft.add(index, [entry])
        return index

    def change(self, now: float, voters: tuple[str, ...]) -> str | None:
        """Begin a change of the members; says why not, if it cannot."""
        raft = self.raft
        busy = self.newcomers or raft.config.joint or raft.config_index > raft.commit
        if raft.bug == "two-membership-changes-at-once":
            self.propose(entry_of(raft.term, Config(tuple(sorted(voters)))))
            self._meet(now)
            return None
        if busy:
            return "another change is under way"
        if raft.log.term(raft.commit) != raft.term:
            return "the leader is too new"
        if not voters or tuple(sorted(voters)) == raft.config.voters:
            return "there is nothing to change"
        self._wanted = tuple(sorted(voters))
        self.newcomers = tuple(n for n in self._wanted if n not in raft.config.members)
        self._meet(now)
        self._welcome(now)
        return None

    def hand_over(self, now: float, to: str) -> None:
        """Let `to` lead: once it has all we have, it stands for election at once."""
        if to != self.raft.me and to in self.peers and to in self.raft.config.members:
            self.handing_to, self._told = to, False
            self._handing_until = now + self.raft.timing.election_s[1]
            self._hand(to)

    def _hand(self, to: str) -> None:
        raft = self.raft
        behind = self.peers[to].match < raft.log.last
        if self._told:
            return
        if behind and raft.bug != "leader-transfer-without-catching-up":
            return
        # From now on somebody may be elected though we were heard of: no leases in this term.
        self._handed = self._told = True
        raft.out.append((to, TimeoutNow(raft.group, raft.term)))

    # -- feeding ------------------------------------------------------------------------

    def broadcast(self, now: float, *, beat: bool = False) -> None:
        """Send everybody what they lack; with `beat`, or if reads wait, in any case something."""
        self.round += 1
        self._sent_at[self.round] = self._lease_time(now)
        beat = beat or bool(self._reads and self._reads[-1][0] == self.round)
        for name, peer in self.peers.items():
            self._feed(now, name, peer, beat)
        if not self.peers:
            self._confirm(now)

    def _feed(self, now: float, name: str, peer: Peer, beat: bool) -> None:
        raft, log = self.raft, self.raft.log
        if peer.next <= log.base:
            self._send_image(now, name, peer, beat)
            return
        last = log.last
        room = FLYING_MAX
        if peer.probing:
            room = 1 if now >= peer.sent_at + raft.timing.heartbeat_s or not peer.flying else 0
        while beat or (peer.next <= last and peer.flying < room):
            prev = peer.next - 1
            fits = peer.flying < room
            entries = log.slice(peer.next, min(peer.next + ENTRIES_MAX, last + 1)) if fits else []
            if len(entries) > 1:
                entries = _within(entries, BYTES_MAX)
            prev_term = log.term(prev)
            assert prev_term is not None
            raft.out.append(
                (
                    name,
                    Append(
                        raft.group, raft.term, prev, prev_term, entries, raft.commit, self.round
                    ),
                )
            )
            peer.sent_at = now
            beat = False
            if entries:
                peer.flying += 1
                if not peer.probing:
                    peer.next += len(entries)

    def _send_image(self, now: float, name: str, peer: Peer, beat: bool) -> None:
        raft, image = self.raft, self.raft.image
        if image is None or (peer.flying and not beat):
            return
        if peer.image != image.index:
            peer.image, peer.offset = image.index, 0
        piece = image.data[peer.offset : peer.offset + PIECE_BYTES]
        peer.flying, peer.sent_at = 1, now
        raft.out.append(
            (
                name,
                Install(
                    raft.group,
                    raft.term,
                    image.index,
                    image.term,
                    image.config,
                    peer.offset,
                    len(image.data),
                    piece,
                    self.round,
                ),
            )
        )

    def replied(self, now: float, sender: str, m: AppendReply) -> None:
        """A follower took entries, or could not."""
        peer = self.peers.get(sender)
        if peer is None:
            return
        log = self.raft.log
        peer.heard_at = now
        if m.round > peer.round:
            peer.round = m.round
        if m.ok:
            if peer.flying:
                peer.flying -= 1
            peer.probing = False
            if m.index > peer.match:
                peer.match = m.index
                if peer.next <= m.index:
                    peer.next = m.index + 1
                self._advance(now)
                if self.raft.leading is not self:
                    return
                if self.newcomers:
                    self._welcome(now)
                if self.handing_to == sender:
                    self._hand(sender)
            if peer.next <= log.last:
                self._feed(now, sender, peer, False)
        elif m.index > peer.match and m.index < peer.next:
            peer.probing, peer.flying = True, 0
            next = m.hint_index
            if m.hint_term:
                ours = log.last_of_term(m.hint_term, m.index)
                next = m.hint_index if ours is None else ours + 1
            peer.next = max(peer.match + 1, min(next, m.index))
            self._feed(now, sender, peer, False)
        if self._reads:
            self._confirm(now)

    def installed(self, now: float, sender: str, m: InstallReply) -> None:
        """A follower took a piece of a snapshot."""
        peer = self.peers.get(sender)
        if peer is None:
            return
        peer.heard_at = now
        peer.round = max(peer.round, m.round)
        peer.flying = 0
        if m.done and m.index > peer.match:
            peer.match = m.index
            peer.next = max(peer.next, m.index + 1)
            peer.probing = True
            self._advance(now)
        elif m.index == peer.image and not m.done:
            peer.offset = m.offset
        if self.raft.leading is self:
            self._feed(now, sender, peer, False)
            if self._reads:
                self._confirm(now)

    def stored(self, now: float, index: int) -> None:
        """Our own log is on disk up to here."""
        if index > self.stored_up_to:
            self.stored_up_to = index
            self._advance(now)

    # -- committing ---------------------------------------------------------------------

    def _advance(self, now: float) -> None:
        raft, log = self.raft, self.raft.log
        reached = {name: peer.match for name, peer in self.peers.items()}
        reached[raft.me] = self.stored_up_to
        index = raft.config.agreed(reached)
        if raft.bug == "ack-before-majority":
            index = max(index, self.stored_up_to)
        if index <= raft.commit:
            return
        if log.term(index) != raft.term and raft.bug != "earlier-term-committed-by-counting":
            return  # only by an entry of our own term (figure 8 of the paper)
        raft.commit = index
        if self._early:
            early, self._early = self._early, []
            for token in early:
                self.read(now, token)
            self.broadcast(now)
        if raft.config_index <= index:
            self._settle(now)

    def _settle(self, now: float) -> None:
        """The last configuration is committed: leave the joint one, or leave ourselves."""
        raft = self.raft
        if raft.config.joint:
            self.propose(entry_of(raft.term, Config(raft.config.incoming)))
            self.broadcast(now)
            self._meet(now)
        elif raft.me not in raft.config.voters:
            self.broadcast(now, beat=True)  # that they know of it
            raft.follow(now, raft.term, None)
        elif len(self.peers) + 1 > len(raft.config.voters) and not self.newcomers:
            self._meet(now)

    def _meet(self, now: float) -> None:
        """Keep a `Peer` for everybody who has to be fed, and for nobody else."""
        raft = self.raft
        names = sorted({*raft.config.members, *self.newcomers})
        if raft.config_index > raft.commit:  # who is to leave has to learn of it
            names = sorted({*names, *self.peers})
        self.peers = {
            name: self.peers.get(name) or Peer(raft.log.last + 1, now)
            for name in names
            if name != raft.me
        }

    def _welcome(self, now: float) -> None:
        """Once the newcomers have caught up, they become members: begin the joint configuration."""
        raft = self.raft
        if any(self.peers[n].match < raft.log.last - CATCH_UP for n in self.newcomers):
            self.broadcast(now)
            return
        self.newcomers = ()
        self.propose(entry_of(raft.term, Config(raft.config.voters, self._wanted)))
        self._meet(now)
        self.broadcast(now)

    # -- reading ------------------------------------------------------------------------

    def read(self, now: float, token: Asked) -> None:
        """A read came: it is `ready` when it is certain that we still lead."""
        raft = self.raft
        new = raft.log.term(raft.commit) != raft.term
        if new and raft.bug not in (
            "earlier-term-committed-by-counting",
            "read-before-own-term-committed",
        ):
            self._early.append(token)
        elif raft.bug == "read-index-without-confirming" or (raft.lease and self._leased(now)):
            raft.ready.append(token)
        else:
            self._reads.append((self.round + 1, token))

    def reads(self) -> list[Asked]:
        """Those that have not been answered."""
        return [*self._early, *(token for _, token in self._reads)]

    def _leased(self, now: float) -> bool:
        if self._handed and self.raft.bug != "lease-through-transfer":
            return False
        began = self._sent_at.get(self._answered_round())
        return began is not None and self._lease_time(now) < began + self.raft.timing.lease_s

    def _lease_time(self, now: float) -> float:
        return self.raft.wall() if self.raft.bug == "lease-through-clock-jump" else now

    def _confirm(self, now: float) -> None:  # noqa: ARG002
        round = self._answered_round()
        reads = self._reads
        done = 0
        while done < len(reads) and reads[done][0] <= round:
            self.raft.ready.append(reads[done][1])
            done += 1
        del reads[:done]

    def _answered_round(self) -> int:
        """The last round that a majority has answered."""
        answered = {name: peer.round for name, peer in self.peers.items()}
        answered[self.raft.me] = self.round
        round = self.raft.config.agreed(answered)
        sent_at = self._sent_at
        if len(sent_at) > 64:
            for old in [each for each in sent_at if each < round]:
                del sent_at[old]
        return round


def _within(entries: list[Entry], bytes_max: int) -> list[Entry]:
    size = 0
    for place, entry in enumerate(entries):
        size += len(entry.data)
        if size > bytes_max and place:
            return entries[:place]
    return entries

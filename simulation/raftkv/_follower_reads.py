"""Reads that a follower answers from what it has, once it has enough.

It asks the leader how far it has to be: the leader answers with what is committed, after it has
made sure that it still leads (`Leader.read`), and whoever has applied that much has seen every
write that was acknowledged before the question (Ongaro's thesis, 6.4).  Only reads that came
before a question was sent rest on its answer, so questions are numbered and each has its own
reads.  Once an index is granted it stays good, whoever leads then: what is committed stays
committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulation.raftkv._messages import ReadGrant, ReadIndex, Request
from simulation.raftkv._raft import Raft

PATIENCE_S: Final = 1.0
"""After this long nobody waits for the answer any more: clients have asked again."""

Read = tuple[str, Request]
"""A client and what it asks for."""


@dataclass
class _Question:
    """Reads that wait for one answer of the leader of `term`; `index` is what it granted."""

    term: int
    leader: str
    at: float
    reads: list[Read]
    index: int | None = None


class FollowerReads:
    """Invariant: a read is in `_new`, or in exactly one question, or was answered or refused."""

    def __init__(self, raft: Raft) -> None:
        self._raft = raft
        self._new: list[Read] = []
        self._questions: dict[int, _Question] = {}
        self._number = 0

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._new or self._questions)

    def add(self, read: Read) -> None:
        """A client asks; `ask` is to be called soon."""
        self._new.append(read)

    def ask(self, now: float) -> list[Read]:
        """Ask the leader on behalf of all who came since the last time; those who cannot be."""
        raft = self._raft
        new, self._new = self._new, []
        leader = raft.known
        if not new or leader is None or leader == raft.me:
            return new
        self._number += 1
        self._questions[self._number] = _Question(raft.term, leader, now, new)
        raft.out.append((leader, ReadIndex(raft.group, raft.term, self._number)))
        return []

    def granted(self, grant: ReadGrant) -> list[Read]:
        """The leader answered; those reads for which it could not."""
        question = self._questions.get(grant.id)
        if question is None or question.term != grant.term:
            return []
        if not grant.ok:
            del self._questions[grant.id]
            return question.reads
        question.index = grant.index
        return []

    def ready(self, applied: int) -> list[Read]:
        """Reads that may be answered by who has applied so much."""
        unready = self._raft.bug == "follower-answers-before-applied"
        found: list[Read] = []
        for number, question in list(self._questions.items()):
            if question.index is not None and (applied >= question.index or unready):
                found += question.reads
                del self._questions[number]
        return found

    def hopeless(self, now: float) -> list[Read]:
        """Reads whose leader was asked in vain: it leads no more, or is silent for too long."""
        raft = self._raft
        found: list[Read] = []
        for number, question in list(self._questions.items()):
            deposed = (raft.term, raft.known) != (question.term, question.leader)
            if (deposed and question.index is None) or now - question.at > PATIENCE_S:
                found += question.reads
                del self._questions[number]
        return found

    def give_up(self) -> list[Read]:
        """All who wait; nobody does after that."""
        found = [*self._new, *(read for each in self._questions.values() for read in each.reads)]
        self._new, self._questions = [], {}
        return found

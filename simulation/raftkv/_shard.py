"""The state of one shard: keys and values, and what each client was answered last.

It is changed only by commands from the group's log, in their order, so it is the same in every
replica.  A client's command bears a number that grows; the answer to the last one is kept, in
snapshots, too, so a retry is answered and not done again.
"""

from __future__ import annotations

import zlib
from typing import Any, Final, Protocol

import msgspec

from histories import Json

ACTIVE: Final = "ACTIVE"
READ_ONLY: Final = "READ_ONLY"
MIGRATING_OUT: Final = "MIGRATING_OUT"
MIGRATING_IN: Final = "MIGRATING_IN"

PIECE_BYTES: Final = 32 * 1024

INSTALLED: Final = "installed"
REFUSED: Final = "refused"
"""The result of a write that came too late: the shard was not active any more."""


class Command(msgspec.Struct, array_like=True, frozen=True):
    """What is to be done with a key; or, without a client, with the shard."""

    f: str
    client: str = ""
    seq: int = 0
    key: str = ""
    value: Json = None


class Kept(msgspec.Struct, array_like=True):
    """All there is in a shard, as a snapshot has it; `chain` stands for all that was applied."""

    state: str
    data: dict[str, Json]
    sessions: dict[str, tuple[int, Json]]
    chain: int
    pieces: list[bytes] = []
    whole: bool = True
    """Whether all that moves in has come."""


_encoder: Final = msgspec.msgpack.Encoder()
_command: Final = msgspec.msgpack.Decoder(Command)
_kept: Final = msgspec.msgpack.Decoder(Kept)


def encoded(command: Command) -> bytes:
    """A command as an entry of the log has it."""
    return _encoder.encode(command)


def key_name(key: Json) -> str:
    """A key of a client as shards know it."""
    return key if isinstance(key, str) else msgspec.json.encode(key).decode()


def shard_of(key: str, shards: int) -> str:
    """The shard that a key belongs to: one of ``s1``, ``s2``, ..."""
    return f"s{zlib.crc32(key.encode()) % shards + 1}"


class Replicated(Protocol):
    """What a group keeps the same on all its nodes: a shard, or the map of all shards."""

    @property
    def state(self) -> str: ...
    @property
    def chain(self) -> int: ...
    @property
    def writable(self) -> bool: ...
    @property
    def readable(self) -> bool: ...
    def read(self, key: str) -> Json: ...
    def answered(self, client: str, seq: int) -> tuple[int, Json] | None: ...
    def apply(self, term: int, data: bytes) -> Json: ...
    def piece(self, number: int) -> list[Any]: ...
    def dump(self) -> bytes: ...
    def load(self, data: bytes) -> None: ...


class Shard:
    """One replica of a shard."""

    def __init__(self, state: str = ACTIVE, bug: str | None = None) -> None:
        self._bug = bug
        self._kept = Kept(state, {}, {}, 0, whole=state != MIGRATING_IN)

    @property
    def state(self) -> str:
        """One of `ACTIVE`, `READ_ONLY`, `MIGRATING_OUT` and `MIGRATING_IN`."""
        return self._kept.state

    @property
    def chain(self) -> int:
        """The same in two replicas that applied the same, else (most likely) another."""
        return self._kept.chain

    @property
    def writable(self) -> bool:
        """Whether clients may write."""
        state = self._kept.state
        if self._bug == "migrating-in-accepts-write" and state == MIGRATING_IN:
            return True
        return state == ACTIVE

    @property
    def readable(self) -> bool:
        """Whether clients may read."""
        return self._kept.state in (ACTIVE, READ_ONLY) or self.writable

    def read(self, key: str) -> Json:
        """The value of a key; None if there is none."""
        return self._kept.data.get(key)

    def answered(self, client: str, seq: int) -> tuple[int, Json] | None:
        """The number and the answer of the client's last command, if it was this one or later."""
        session = self._kept.sessions.get(client)
        if session is None or session[0] < seq or self._bug == "no-dedup-on-retry":
            return None
        return session

    def apply(self, term: int, data: bytes) -> Json:
        """Apply an entry of the log; what its client is to be told."""
        kept = self._kept
        kept.chain = zlib.crc32(data, kept.chain + term & 0xFFFFFFFF)
        command = _command.decode(data)
        if not command.client:
            return self._governed(command)
        session = self.answered(command.client, command.seq)
        if session is not None:
            return session[1]
        if not self.writable:
            return REFUSED
        done: Json = True
        if command.f == "write":
            kept.data[command.key] = command.value
        else:
            expected, value = _pair(command.value)
            done = kept.data.get(command.key) == expected
            if done:
                kept.data[command.key] = value
        kept.sessions[command.client] = (command.seq, done)
        return done

    def _governed(self, command: Command) -> Json:
        """A step of a migration.  Each may come twice, and late."""
        kept = self._kept
        if command.f == "freeze" and kept.state == ACTIVE:
            kept.state = READ_ONLY
        elif command.f == "close" and kept.state == READ_ONLY:
            kept.state = MIGRATING_OUT
        elif command.f == "install" and kept.state == MIGRATING_IN:
            return self._installed(command.value)
        elif command.f == "activate" and kept.state == MIGRATING_IN and kept.whole:
            kept.state = ACTIVE
        return kept.state

    def _installed(self, value: Any) -> Json:
        """A piece of the data that moves in: [number of the piece, of how many, bytes]."""
        kept = self._kept
        number, of, piece = value
        if number == 0:
            kept.pieces = []
        if number == len(kept.pieces):
            kept.pieces = [*kept.pieces, piece]
        if len(kept.pieces) == of:
            moved = _kept.decode(b"".join(kept.pieces))
            kept.data, kept.sessions = moved.data, moved.sessions
            kept.pieces, kept.whole = [], True
            if self._bug == "dedup-lost-in-migration":
                kept.sessions = {}
            return INSTALLED
        return kept.state

    def piece(self, number: int) -> list[Any]:
        """One piece of the data, for another group: [its number, of how many, bytes]."""
        whole = _encoder.encode(self._kept)
        pieces = [whole[at : at + PIECE_BYTES] for at in range(0, len(whole), PIECE_BYTES)]
        return [number, len(pieces), pieces[number]]

    def dump(self) -> bytes:
        """All of it, for a snapshot."""
        kept = self._kept
        if self._bug == "dedup-lost-in-snapshot":
            kept = Kept(kept.state, kept.data, {}, kept.chain, kept.pieces, kept.whole)
        return _encoder.encode(kept)

    def load(self, data: bytes) -> None:
        """Be what a snapshot says."""
        self._kept = _kept.decode(data)


def _pair(value: Any) -> tuple[Json, Json]:
    expected, wanted = value
    return expected, wanted

"""What nodes and clients say to each other, and how it is put into bytes.

All messages are arrays of MessagePack with a number for their kind in front.  Those of Raft name
the group they are about and the term of their sender.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from histories import Json

NOOP: Final = 0
COMMAND: Final = 1
CONFIG: Final = 2


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An entry of a log: `kind` is one of `NOOP`, `COMMAND` and `CONFIG`, `data` depends on it."""

    term: int
    kind: int = NOOP
    data: bytes = b""


class Config(msgspec.Struct, array_like=True, frozen=True):
    """Who votes.  While `incoming` is not empty the configuration is joint: both must agree."""

    voters: tuple[str, ...] = ()
    incoming: tuple[str, ...] = ()

    @property
    def joint(self) -> bool:
        """Whether two majorities are needed."""
        return bool(self.incoming)

    @property
    def members(self) -> tuple[str, ...]:
        """All who vote, sorted."""
        return tuple(sorted({*self.voters, *self.incoming}))

    def agreed(self, of: dict[str, int]) -> int:
        """The greatest number that a majority (of each half) has reached; 0 for who is missing."""
        reached = _majority(self.voters, of)
        return min(reached, _majority(self.incoming, of)) if self.incoming else reached


def _majority(voters: tuple[str, ...], of: dict[str, int]) -> int:
    if not voters:
        return 0
    numbers = sorted([of.get(name, 0) for name in voters])
    return numbers[(len(numbers) - 1) // 2]


class Vote(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """May I lead?  With `pre` it is only asked whether that would be so, in `term`.

    `transfer`: the old leader wishes it, so that it was heard of lately is no reason to refuse.
    """

    group: str
    term: int
    last_index: int
    last_term: int
    pre: bool = False
    transfer: bool = False


class VoteReply(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """Yes or no, from somebody of this term; a granted `pre` vote has the term asked for."""

    group: str
    term: int
    granted: bool
    pre: bool


class Append(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """Entries that follow `prev_index`; none in a heartbeat.  `round` comes back in the reply."""

    group: str
    term: int
    prev_index: int
    prev_term: int
    entries: list[Entry]
    commit: int
    round: int


class AppendReply(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """`ok`: the log is the leader's up to `index`, and on disk.

    Otherwise `index` is the `prev_index` that did not fit, and `hint_index` the first entry of
    the term (`hint_term`) that stands there instead, or the end of the log (0).
    """

    group: str
    term: int
    ok: bool
    index: int
    round: int
    hint_index: int = 0
    hint_term: int = 0


class Install(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """A piece of a snapshot, which holds all up to `index`; `total` bytes in all."""

    group: str
    term: int
    index: int
    index_term: int
    config: Config
    offset: int
    total: int
    data: bytes
    round: int


class InstallReply(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """So many bytes of the snapshot are there; `done` once it is installed."""

    group: str
    term: int
    index: int
    offset: int
    done: bool
    round: int


class TimeoutNow(msgspec.Struct, array_like=True, frozen=True, tag=7):
    """Stand for election at once: the leader of this term hands over."""

    group: str
    term: int


class ReadIndex(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """A follower asks its leader how far it has to be before it may answer reads itself."""

    group: str
    term: int
    id: int


class ReadGrant(msgspec.Struct, array_like=True, frozen=True, tag=9):
    """Who has applied all up to `index` may answer; without `ok` whoever was asked cannot tell."""

    group: str
    term: int
    id: int
    ok: bool
    index: int = 0


class Request(msgspec.Struct, array_like=True, frozen=True, tag=10):
    """A client asks: ``read``, ``write``, ``cas``.

    `id` names this try, (`client`, `seq`) what is asked for, the same in every try.
    """

    id: int
    client: str
    seq: int
    f: str
    key: Json
    value: Json = None


class Reply(msgspec.Struct, array_like=True, frozen=True, tag=11):
    """The answer to a try: `status` is one of those in `OK`, `ELSEWHERE`, ...

    `hint` are nodes that are more likely to know.
    """

    id: int
    status: str
    value: Json = None
    hint: tuple[str, ...] = ()


OK: Final = "ok"
NOT_LEADER: Final = "not-leader"
ELSEWHERE: Final = "wrong-shard"
IN_DOUBT: Final = "in-doubt"


class Govern(msgspec.Struct, array_like=True, frozen=True, tag=14):
    """A step of a migration, for the leader of a group; or ``fetch``, for any replica.

    It is answered by a `Reply`.
    """

    id: int
    group: str
    f: str
    value: Any = None


class Ask(msgspec.Struct, array_like=True, frozen=True, tag=12):
    """A question to the admin surface (`path`), or an order to it."""

    id: int
    path: str
    order: dict[str, Json] = {}


class Answer(msgspec.Struct, array_like=True, frozen=True, tag=13):
    """What the admin surface says."""

    id: int
    body: Json


Raftish = (
    Vote
    | VoteReply
    | Append
    | AppendReply
    | Install
    | InstallReply
    | TimeoutNow
    | ReadIndex
    | ReadGrant
)
Message = Raftish | Request | Reply | Govern | Ask | Answer

Asked = tuple[str, Request | ReadIndex]
"""A read that waits, and who asked for it: a client, or a follower."""

RAFT: Final = (
    Append,
    AppendReply,
    Vote,
    VoteReply,
    Install,
    InstallReply,
    TimeoutNow,
    ReadIndex,
    ReadGrant,
)

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Message)
_config: Final = msgspec.msgpack.Decoder(Config)


def encode(message: Message) -> bytes:
    """A message as bytes."""
    return _encoder.encode(message)


def decode(data: bytes) -> Message:
    """What `encode` was given; raises msgspec.MsgspecError for anything else."""
    found: Any = _decoder.decode(data)
    return found  # type: ignore[no-any-return]


def config_of(entry: Entry) -> Config:
    """The configuration in an entry of the kind `CONFIG`."""
    return _config.decode(entry.data)


def entry_of(term: int, config: Config) -> Entry:
    """An entry that makes `config` the configuration."""
    return Entry(term, CONFIG, _encoder.encode(config))

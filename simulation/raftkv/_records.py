"""What a log on disk says; each record names the group, and by that the shard, it belongs to."""

from __future__ import annotations

import msgspec

from simulation.raftkv._messages import Entry


class Hard(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """The group's term, and who was voted for in it (nobody: empty)."""

    group: str
    term: int = 0
    vote: str = ""


class Entries(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """From `first` on the log is this, and nothing more."""

    group: str
    first: int
    entries: list[Entry]


class Based(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """All up to `index` is in a snapshot that was on disk before this was written."""

    group: str
    index: int
    term: int


class Born(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """There is a replica of the group here; `voters` were its first configuration."""

    group: str
    voters: tuple[str, ...]


class Gone(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """There is no replica of the group here any more, and there must never be one again."""

    group: str


Record = Hard | Entries | Based | Born | Gone

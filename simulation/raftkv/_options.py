"""What of a raftkv cluster can be chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from histories import Json
from simulation.raftkv._timing import Timing


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """With `movable` there is a map of the shards, and they can move.

    `replicas` are those of each shard (0: on all nodes).

    `reads`: by asking a majority (``index``), or by a lease of the leader.  With `follower_reads`
    clients read at the nodes they are at, and followers ask the leader how far they have to be.
    Requests that come within `linger_s` travel together.  A snapshot is taken every
    `snapshot_every` entries, and so many as `snapshot_keep` before it stay in the log for those
    who are only a little behind.
    """

    shards: int = 1
    movable: bool = False
    replicas: int = 0
    reads: Literal["index", "lease"] = "index"
    follower_reads: bool = False
    linger_s: float = 0.004
    snapshot_every: int = 500
    snapshot_keep: int = 50
    heartbeat_s: float = 0.1
    election_s: tuple[float, float] = (0.3, 0.6)

    @property
    def timing(self) -> Timing:
        """The times that Raft needs."""
        return Timing(self.heartbeat_s, self.election_s)

    def placements(self, nodes: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Which nodes have replicas of which shard at the beginning."""
        count = self.replicas or len(nodes)
        return {
            f"s{i + 1}": tuple(sorted(nodes[(i + j) % len(nodes)] for j in range(count)))
            for i in range(self.shards)
        }


def options_of(given: Mapping[str, Json]) -> Options:
    """Options by name; raises ValueError for what is not one of them."""
    return msgspec.convert(dict(given), Options)

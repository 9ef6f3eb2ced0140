"""A snapshot as it travels between nodes, disks and `Raft`."""

from __future__ import annotations

from dataclasses import dataclass

from simulation.raftkv._messages import Config


@dataclass(frozen=True)
class Image:
    """A snapshot: the state after the entry at `index`, and the configuration then."""

    index: int
    term: int
    config: Config
    data: bytes

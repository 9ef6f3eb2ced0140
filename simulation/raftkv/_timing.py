"""How patient the members of a group are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds.  A follower that heard of a leader votes for nobody else for `election_s[0]`."""

    heartbeat_s: float = 0.1
    election_s: tuple[float, float] = (0.3, 0.6)
    drift: float = 0.2
    """Clocks run at most so much apart: a lease is shorter than a follower's patience by it."""

    @property
    def lease_s(self) -> float:
        """For so long after a round nobody else can be elected, if a majority saw it."""
        return self.election_s[0] * (1 - self.drift)

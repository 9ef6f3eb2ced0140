"""The clocks of one machine: they stay when its process goes.

The monotonic clock is a straight line through an anchor, so that it goes on from where it is
when its pace changes.  Where it begins is drawn for every machine and boot: whoever compares the
monotonic clocks of two machines, or of two boots, shall be found out.
"""

from __future__ import annotations

from random import Random
from typing import Final

WALL_AT_BEGINNING_S: Final = 1_700_000_000.0
_UPTIME_S_MAX: Final = 10_000.0


class MachineClock:
    """`rate` is how fast the clocks run, `skew_s` by how much the wall clock is off.

    All methods take or give virtual seconds; invariant: `monotonic` never goes back during
    one boot.
    """

    def __init__(self, random: Random) -> None:
        self.skew_s = 0.0
        self.rate = 1.0
        self._random = random
        self._anchor_s = 0.0
        self._monotonic_s = random.uniform(0, _UPTIME_S_MAX)
        self._wall_s = WALL_AT_BEGINNING_S

    def monotonic(self, now_s: float) -> float:
        """What the monotonic clock shows at this moment."""
        return self._monotonic_s + (now_s - self._anchor_s) * self.rate

    def moment(self, monotonic_s: float) -> float:
        """The moment at which the monotonic clock will show this, if its pace stays."""
        return self._anchor_s + (monotonic_s - self._monotonic_s) / self.rate

    def wall(self, now_s: float) -> float:
        """What the wall clock shows."""
        return self._wall_s + (now_s - self._anchor_s) * self.rate + self.skew_s

    def pace(self, rate: float, now_s: float) -> None:
        """Run at this rate from now on."""
        if rate <= 0:
            raise ValueError(f"a clock runs forwards: its rate is above 0, not {rate:g}")
        self._monotonic_s, self._wall_s = self.monotonic(now_s), self.wall(now_s) - self.skew_s
        self._anchor_s, self.rate = now_s, rate

    def set_right(self, now_s: float) -> None:
        """Step the wall clock to the right time; the monotonic clock is not touched."""
        self.skew_s = 0.0
        self._wall_s = WALL_AT_BEGINNING_S + now_s - (now_s - self._anchor_s) * self.rate

    def off_s(self, now_s: float) -> float:
        """By how much the wall clock is wrong at this moment."""
        return self.wall(now_s) - WALL_AT_BEGINNING_S - now_s

    def boot(self, now_s: float) -> None:
        """The machine starts anew: its monotonic clock begins somewhere else."""
        self.pace(self.rate, now_s)
        self._monotonic_s = self._random.uniform(0, _UPTIME_S_MAX)

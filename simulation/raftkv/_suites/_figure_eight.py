"""Figure 8 of the Raft paper, acted out: why nobody may commit by counting alone.

A leader is cut off and takes writes that nobody else gets.  Another is elected by a voter that
dies right then, so it, too, takes writes for itself, in a newer term; then it is killed.  The first
one leads again, and its old writes reach a majority: if it takes them for committed now, and dies,
the second one comes back and is elected, for its last entry is newer than theirs.  What was
committed is overwritten.

Clients are silent from when the second leader is killed until it leads again: an entry of the
first leader's own new term would keep the second from being elected.

(Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014, section 5.4.2)
"""

from __future__ import annotations

from functools import partial
from typing import Final

from nemesis import targets
from simulation import faults
from simulation.raftkv._suites._load import bursts
from simulation.raftkv._suites._story import Trouble, again, story, trouble
from simulation.raftkv._suites._whom import (
    Choose,
    at,
    at_point,
    cut,
    followers,
    leader_alone,
    leader_and,
)

POINTS: Final = ("after vote sent",)
LEADER: Final = at(leader_and(0))
TIMES: Final = 3
ROUND_S: Final = 3.0


def _exactly(fault: str, whom: Choose, at_s: float, lasts_s: float) -> Trouble:
    return trouble(fault, whom, at_s, lasts_s, spread_s=0.03, lasting=(0.97, 1.03))


FIGURE_EIGHT: Final = story(
    "figure-eight",
    "What a leader took while it was cut off reaches a majority late, and then somebody leads "
    "whose own entries are newer.",
    *again(
        TIMES,
        ROUND_S,
        _exactly("partition", cut("leader alone", leader_alone), 0.65, 0.75),
        _exactly("crash-point", at_point(followers(1), POINTS), 0.72, 0.68),
        _exactly("kill", LEADER, 1.3, 1.08),
        _exactly("crash", LEADER, 2.35, 0.55),
    ),
    load=lambda _: bursts(5, TIMES, 1.2, ROUND_S - 1.3),
    rate_hz=80.0,
    concurrency=12,
    op_timeout_s=0.25,
    time_limit_s=TIMES * ROUND_S + 0.5,
    options={"heartbeat_s": 0.05, "election_s": [0.3, 0.4]},
    makes={
        "crash-point": partial(
            faults.crash_point, points=POINTS, among=targets.one, nth_max=1, patience_s=0.5
        )
    },
)

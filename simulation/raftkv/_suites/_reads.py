"""Reads that followers answer: cut off, behind, just back, and while their leaders change."""

from __future__ import annotations

from typing import Any, Final

from nemesis import targets
from simulation.raftkv._suites._leaders import PRIMARY, SMALL
from simulation.raftkv._suites._serving import recovered_followers_serve
from simulation.raftkv._suites._story import again, story, trouble
from simulation.raftkv._suites._whom import at, cut, follower_alone, followers, leader_alone
from simulation.scenario import Scenario

FOLLOWERS_READ: Final[dict[str, Any]] = {"follower_reads": True}

READS: Final[tuple[Scenario, ...]] = (
    story(
        "follower-reads",
        "Followers answer reads while one of them is cut off or slow to hear, and leaders change.",
        trouble("partition", cut("follower alone", follower_alone), at_s=1.0, lasts_s=1.2),
        trouble("packet-delay", at(followers(1)), at_s=3.2, lasts_s=1.5),
        trouble("partition", cut("leader alone", leader_alone), at_s=4.0, lasts_s=1.2),
        trouble("kill", PRIMARY, at_s=6.4, lasts_s=1.0),
        options=FOLLOWERS_READ,
        nodes=5,
    ),
    story(
        "follower-recovery-serves-reads",
        "A follower fails, comes back, gets a snapshot, and serves reads again itself.",
        trouble("crash", at(followers(1)), at_s=0.9, lasts_s=1.5),
        trouble("kill", at(followers(1)), at_s=3.6, lasts_s=1.0),
        trouble("pause", PRIMARY, at_s=6.6, lasts_s=0.8),
        options={**FOLLOWERS_READ, **SMALL},
        also={"recovered-followers-serve": recovered_followers_serve()},
        concurrency=9,  # three at each node, so that somebody reads where the follower comes back
        time_limit_s=9.0,
    ),
    story(
        "follower-reads-by-leases",
        "Followers read by the leader's lease, while leaders hang and all nodes start again.",
        *again(2, 3.4, trouble("pause", PRIMARY, at_s=1.0, lasts_s=1.0)),
        trouble("crash", at(targets.all), at_s=2.8, lasts_s=0.2),
        trouble("kill", PRIMARY, at_s=6.4, lasts_s=0.8),
        options={**FOLLOWERS_READ, "reads": "lease"},
    ),
)

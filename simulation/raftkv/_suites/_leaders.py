"""Leaders and followers that fail: alone, together, one after the other, over and over."""

from __future__ import annotations

from typing import Final

from nemesis import targets
from simulation.raftkv._suites._judging import NoProgress
from simulation.raftkv._suites._story import SLOW, again, story, trouble
from simulation.raftkv._suites._whom import (
    at,
    cut,
    follower_alone,
    followers,
    leader_alone,
    leader_and,
    some,
)
from simulation.scenario import Scenario

PRIMARY: Final = at(targets.primaries)
SMALL: Final = {"snapshot_every": 25, "snapshot_keep": 5}
"""Snapshots so often that whoever was away for a second needs one."""

LEADERS: Final[tuple[Scenario, ...]] = (
    story(
        "leader-failure",
        "The leader is killed, and what it acknowledged stays.",
        trouble("kill", PRIMARY, at_s=2.0, lasts_s=2.0),
        trouble("crash", PRIMARY, at_s=5.5, lasts_s=1.5),
    ),
    story(
        "leader-failure-under-load",
        "The leader is killed while many clients write as fast as they may.",
        *again(3, 2.2, trouble("kill", PRIMARY, at_s=1.0, lasts_s=1.0)),
        rate_hz=150.0,
        concurrency=10,
        keys=12,
        time_limit_s=7.0,
    ),
    story(
        "uncommitted-entries",
        "A leader that nobody follows takes writes and is killed: none of them is done twice, "
        "or half.",
        *again(
            2,
            3.5,
            trouble("partition", cut("leader alone", leader_alone), at_s=1.0, lasts_s=1.6),
            trouble("crash", PRIMARY, at_s=1.4, lasts_s=0.8),
        ),
    ),
    story(
        "rejoin-and-lead",
        "A node that was away for long catches up, and leads when the others fail.",
        trouble("kill", at(followers(1)), at_s=0.8, lasts_s=2.5),
        trouble("crash", PRIMARY, at_s=4.3, lasts_s=1.5),
        trouble("pause", PRIMARY, at_s=6.6, lasts_s=1.2),
        options=SMALL,
    ),
    story(
        "laggard-cannot-lead",
        "A node that missed a lot hears of the others again only when the leader is gone.",
        *again(
            2,
            3.6,
            trouble("partition", cut("follower alone", follower_alone), 0.9, 1.2, spread_s=0.1),
            trouble("kill", PRIMARY, at_s=1.4, lasts_s=2.0, spread_s=0.1),
        ),
    ),
    story(
        "restart-after-leader-changes",
        "Leaders change while some are away, and then all nodes start again.",
        *again(
            2,
            3.6,
            trouble("kill", PRIMARY, at_s=0.9, lasts_s=0.9),
            trouble("crash", at(targets.all), at_s=2.8, lasts_s=0.2),
        ),
    ),
    story(
        "leader-and-follower",
        "The leader and a follower fail together, and a majority is left.",
        trouble("kill", at(leader_and(1)), at_s=1.5, lasts_s=2.0),
        trouble("crash", at(leader_and(1)), at_s=5.0, lasts_s=1.5),
        nodes=5,
    ),
    story(
        "follower-recovery",
        "A follower fails and comes back, while clients read through all nodes.",
        *again(2, 3.0, trouble("crash", at(followers(1)), at_s=1.0, lasts_s=1.5)),
        trouble("pause", PRIMARY, at_s=6.6, lasts_s=1.2),
    ),
    story(
        "snapshot-after-failure",
        "Who was down for long gets a snapshot, and then has to prove it.",
        trouble("kill", at(followers(1)), at_s=0.8, lasts_s=2.0),
        trouble("crash", at(leader_and(1)), at_s=4.2, lasts_s=0.6),
        trouble("crash", at(leader_and(1)), at_s=6.2, lasts_s=0.6),
        options=SMALL,
        rate_hz=70.0,
    ),
    story(
        "rapid-leader-changes",
        "One leader after the other is lost, four times and more.",
        *again(5, 1.4, trouble("kill", PRIMARY, at_s=0.9, lasts_s=0.7)),
    ),
    story(
        "compaction-during-leader-changes",
        "Logs are cut short all the time, while leaders change.",
        *again(4, 1.7, trouble("crash", PRIMARY, at_s=1.0, lasts_s=0.8)),
        options={"snapshot_every": 12, "snapshot_keep": 2},
        rate_hz=80.0,
    ),
    story(
        "cascading-failures",
        "Of five nodes one falls after the other until too few are left; then all come back.",
        trouble("kill", PRIMARY, at_s=1.0),
        trouble("kill", PRIMARY, at_s=2.6),
        trouble("kill", PRIMARY, at_s=4.2, lasts_s=1.5),
        nodes=5,
    ),
    story(
        "simultaneous-failures",
        "All nodes lose power at the same moment, or most of them.",
        trouble("crash", at(targets.all), at_s=1.5, lasts_s=0.4),
        trouble("crash", at(targets.majority), at_s=4.0, lasts_s=0.6),
        trouble("crash", at(targets.all), at_s=6.5, lasts_s=0.2),
    ),
    story(
        "lose-two-of-five",
        "Two of five nodes are down, and the others go on.",
        trouble("kill", at(some(2)), at_s=1.5, lasts_s=3.0),
        trouble("crash", at(leader_and(1)), at_s=6.0, lasts_s=1.5),
        nodes=5,
    ),
    story(
        "lose-three-of-five",
        "Three of five nodes are down: nothing goes on, until they are back.",
        trouble("kill", at(some(3)), at_s=1.5, lasts_s=2.0),
        trouble("crash", at(followers(3)), at_s=5.0, lasts_s=1.5),
        nodes=5,
        also={
            "no-progress-without-majority": NoProgress("crash", 3),
        },
    ),
    story(
        "election-timeouts-short",
        "Elections come quickly, and leaders fail.",
        *again(3, 2.2, trouble("kill", PRIMARY, at_s=1.0, lasts_s=1.0)),
        trouble("packet-delay", at(targets.all), at_s=0.5, lasts_s=6.0),
        options={"heartbeat_s": 0.05, "election_s": [0.12, 0.25]},
    ),
    story(
        "election-timeouts-long",
        "Elections come slowly, and leaders fail.",
        *again(2, 3.5, trouble("crash", PRIMARY, at_s=1.0, lasts_s=2.0)),
        options={"heartbeat_s": 0.3, "election_s": [1.0, 2.0]},
        recovery_s=6.0,
    ),
    story(
        "election-timeouts-alike",
        "All nodes lose patience at nearly the same time, so votes are split.",
        *again(3, 2.2, trouble("kill", PRIMARY, at_s=1.0, lasts_s=1.2)),
        options={"heartbeat_s": 0.1, "election_s": [0.3, 0.33]},
        nodes=5,
        recovery_s=5.0,
    ),
    story(
        "client-retries",
        "Messages are lost, doubled and late while leaders change, and clients try again.",
        trouble("packet-loss", at(targets.all), at_s=0.5, lasts_s=6.0),
        trouble("packet-duplicate", at(targets.all, duplication=0.3), at_s=0.6, lasts_s=6.0),
        trouble("packet-reorder", at(targets.all, reordering=0.15), at_s=0.7, lasts_s=6.0),
        *again(2, 3.0, trouble("kill", PRIMARY, at_s=1.5, lasts_s=1.0)),
        options=SMALL,
    ),
    story(
        "retries-after-restart",
        "Answers are lost, all nodes start again from snapshots, and clients try again.",
        trouble("packet-loss", at(targets.all, loss=0.3), at_s=0.4, lasts_s=7.0),
        *again(6, 1.2, trouble("crash", at(targets.all), at_s=0.8, lasts_s=0.05)),
        options={
            "snapshot_every": 3,
            "snapshot_keep": 0,
            "election_s": [0.1, 0.2],
            "heartbeat_s": 0.04,
        },
        rate_hz=100.0,
        keys=2,
    ),
    story(
        "snapshots-in-a-slow-network",
        "Snapshots come late and out of order to nodes that were cut off again and again.",
        trouble("packet-reorder", at(targets.all, reordering=0.3), at_s=0.4, lasts_s=7.0),
        *again(
            5, 1.4, trouble("partition", cut("follower alone", follower_alone), 0.8, lasts_s=0.6)
        ),
        options={"snapshot_every": 8, "snapshot_keep": 0},
        rate_hz=100.0,
        keys=3,
        weather=SLOW,
    ),
)

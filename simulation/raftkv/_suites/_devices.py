"""Disks that are full or fail, clocks that are wrong, messages that are large, slow processes."""

from __future__ import annotations

from typing import Final

from nemesis import targets
from simulation import faults
from simulation.raftkv._suites._story import SLOW, again, story, trouble
from simulation.raftkv._suites._whom import (
    at,
    cut,
    followers,
    leader_alone,
    leader_and,
    leader_beside_bridge,
)
from simulation.scenario import Scenario

PRIMARY: Final = at(targets.primaries)
ALONE: Final = cut("leader alone", leader_alone)
LEASE: Final = {"reads": "lease"}

DEVICES: Final[tuple[Scenario, ...]] = (
    story(
        "disk-full",
        "Disks are full for a while, also the leader's, and then some lose power.",
        trouble("disk-fill", PRIMARY, at_s=1.2, lasts_s=1.5),
        trouble("disk-fill", at(targets.all), at_s=4.0, lasts_s=1.0),
        trouble("crash", at(targets.majority), at_s=6.2, lasts_s=0.5),
    ),
    story(
        "disk-slow",
        "Disks take a hundred times as long, and the power goes while they write.",
        trouble("disk-slow", at(targets.all), at_s=0.5, lasts_s=6.5),
        *again(2, 2.7, trouble("crash", at(targets.majority), at_s=2.0, lasts_s=0.5)),
    ),
    story(
        "disk-sync-errors",
        "Disks fail to sync, and whoever is told so stops rather than promise anything.",
        *again(3, 2.3, trouble("disk-sync-errors", at(followers(1)), at_s=1.0, lasts_s=0.7)),
        *again(2, 2.5, trouble("crash", at(targets.majority), at_s=2.4, lasts_s=0.3)),
        may_die=("OSError",),
    ),
    story(
        "clock-skew",
        "Clocks are wrong by minutes and step, and leaders with a lease are cut off.",
        trouble("clock-skew", at(targets.minority), at_s=0.5, lasts_s=6.5),
        *again(
            3,
            2.2,
            trouble("clock-jump", PRIMARY, at_s=1.1, lasts_s=1.2),
            trouble("partition", ALONE, at_s=1.0, lasts_s=1.3),
        ),
        options=LEASE,
        rate_hz=80.0,
        makes={"clock-jump": lambda cluster: faults.clock_jump(cluster, offset_s=-5.0)},
    ),
    story(
        "clock-drift",
        "Clocks run apart as far as leases allow for, and leaders with a lease are cut off.",
        trouble("clock-drift", at(followers(1)), at_s=0.5, lasts_s=7.0),
        *again(3, 2.2, trouble("partition", ALONE, at_s=1.2, lasts_s=1.3)),
        options=LEASE,
        rate_hz=80.0,
        makes={"clock-drift": lambda cluster: faults.clock_drift(cluster, rate=0.15)},
    ),
    story(
        "leases-and-pauses",
        "Leaders with a lease stand still, and go on when others lead.",
        *again(3, 2.3, trouble("pause", PRIMARY, at_s=1.0, lasts_s=1.2)),
        options=LEASE,
        rate_hz=80.0,
    ),
    story(
        "leases-across-a-bridge",
        "A leader with a lease and a node that does not hear it have one voter between them.",
        *again(
            4, 1.8, trouble("partition", cut("bridge", leader_beside_bridge), at_s=0.8, lasts_s=1.0)
        ),
        options=LEASE,
        rate_hz=120.0,
        weather=SLOW,
    ),
    story(
        "large-messages",
        "Values of more than a megabyte travel, while the leader and others fail.",
        trouble("kill", PRIMARY, at_s=1.5, lasts_s=1.0),
        trouble("crash", at(leader_and(1)), at_s=4.0, lasts_s=0.8),
        keys=2,
        bytes_each=1_050_000,
        rate_hz=4.0,
        time_limit_s=5.5,
        without=("same-at-same-place",),  # nodes tell it of every 64th entry, and there are fewer
        options={"snapshot_every": 6, "snapshot_keep": 2},
    ),
    story(
        "slow-nodes",
        "Processors of leaders and others are slow.",
        *again(2, 3.5, trouble("slow-cpu", at(leader_and(1)), at_s=1.0, lasts_s=2.0)),
        trouble("pause", at(followers(1)), at_s=3.5, lasts_s=1.5),
        nodes=5,
    ),
)

"""Networks that are cut: in two, in many, on one way only, again and again."""

from __future__ import annotations

from typing import Final

from nemesis import targets
from simulation.raftkv._suites._story import again, story, trouble
from simulation.raftkv._suites._whom import (
    at,
    cut,
    leader_alone,
    leader_deaf,
    leader_in_majority,
    leader_in_minority,
    leader_mute,
    pieces,
    shaped,
)
from simulation.scenario import Scenario

ALONE: Final = cut("leader alone", leader_alone)
IN_MINORITY: Final = cut("leader in the minority", leader_in_minority)
IN_MAJORITY: Final = cut("leader in the majority", leader_in_majority)

PARTITIONS: Final[tuple[Scenario, ...]] = (
    story(
        "majority-partition",
        "The leader is cut off with a majority, which goes on.",
        *again(2, 3.5, trouble("partition", IN_MAJORITY, at_s=1.2, lasts_s=2.0)),
        nodes=5,
    ),
    story(
        "minority-partition",
        "The leader is cut off with a minority, and the others elect another.",
        *again(2, 3.5, trouble("partition", IN_MINORITY, at_s=1.2, lasts_s=2.0)),
        nodes=5,
    ),
    story(
        "isolated-leader",
        "The leader hears no other node, but its clients.",
        *again(4, 1.8, trouble("partition", ALONE, at_s=1.0, lasts_s=1.1)),
        rate_hz=100.0,
        keys=3,
        concurrency=8,
    ),
    story(
        "split-brain",
        "The cluster is cut in two over and over, with a leader here or there, and heals to one.",
        *again(
            2,
            3.4,
            trouble("partition", IN_MINORITY, at_s=1.0, lasts_s=1.2),
            trouble("partition", IN_MAJORITY, at_s=2.6, lasts_s=1.0),
        ),
        nodes=5,
        options={"shards": 2},
    ),
    story(
        "symmetric-partition",
        "Two equal halves do not hear each other, so neither has a majority.",
        *again(2, 3.5, trouble("partition", shaped("halves"), at_s=1.2, lasts_s=1.8)),
        nodes=4,
    ),
    story(
        "asymmetric-partition",
        "A leader is heard and hears nobody, or hears all and is not heard.",
        trouble("partition", cut("leader deaf", leader_deaf), at_s=1.2, lasts_s=1.8),
        trouble("partition", cut("leader mute", leader_mute), at_s=4.0, lasts_s=1.2),
        trouble("partition", shaped("random"), at_s=6.2, lasts_s=1.5),
    ),
    story(
        "bridged-partition",
        "Halves meet in one node only, or everybody hears another majority.",
        trouble("partition", shaped("bridge"), at_s=1.2, lasts_s=2.2),
        trouble("partition", shaped("majority-ring"), at_s=4.8, lasts_s=2.2),
        nodes=5,
    ),
    story(
        "cascading-partition",
        "The network falls apart piece by piece, until nobody hears anybody, and is mended.",
        trouble("partition", ALONE, at_s=1.0),
        trouble("partition", IN_MINORITY, at_s=2.4),
        trouble("partition", cut("pieces", pieces), at_s=3.8, lasts_s=1.5),
        trouble("partition", IN_MINORITY, at_s=6.8, lasts_s=1.0),
        nodes=5,
    ),
    story(
        "flapping-partition",
        "Links of the leader come and go, faster than elections do.",
        trouble("flapping", ALONE, at_s=0.8, lasts_s=3.0),
        trouble("flapping", cut("leader deaf", leader_deaf), at_s=5.0, lasts_s=2.5),
    ),
    story(
        "partition-and-crash",
        "The network is cut, and machines lose power on both sides of it.",
        *again(
            2,
            3.6,
            trouble("partition", IN_MINORITY, at_s=1.0, lasts_s=2.0),
            trouble("crash", at(targets.primaries), at_s=2.0, lasts_s=0.7),
        ),
        nodes=5,
    ),
)

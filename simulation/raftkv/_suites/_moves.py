"""Shards that move, groups that change their members, leaders that hand over."""

from __future__ import annotations

from typing import Any, Final

from nemesis import targets
from simulation import faults
from simulation.raftkv import _faults as orders
from simulation.raftkv._suites._story import ON_TIME, SLOW, again, story, trouble
from simulation.raftkv._suites._whom import (
    at,
    at_point,
    cut,
    leader_alone,
    leader_in_minority,
    ordered,
    shaped,
    some,
)
from simulation.scenario import Scenario

SHARDED: Final = {"shards": 2, "replicas": 3, "movable": True}
POINTS: Final = (
    "mid migration: source frozen",
    "mid migration: target installed",
    "mid migration: source closed",
    "mid migration: target active",
)
SOON: Final[dict[str, Any]] = {"spread_s": 0.03, "lasting": (0.9, 1.1)}
PRIMARY: Final = at(targets.primaries)
ALONE: Final = cut("leader alone", leader_alone)

MOVE: Final = ordered(
    lambda nodes, random: {
        "shard": f"s{random.randint(1, 2)}",
        "nodes": sorted(random.sample(nodes, 3)),
    }
)
CHANGE: Final = ordered(
    lambda nodes, random: {
        "shard": "s1",
        "nodes": sorted(random.sample(nodes, 3)),
    }
)
HAND_OVER: Final = ordered(lambda nodes, random: {"shard": "s1", "to": random.choice(nodes)})

MOVES: Final[tuple[Scenario, ...]] = (
    story(
        "rebalance",
        "Shards move to other nodes one after the other, under write load.",
        *again(5, 1.4, trouble("move", MOVE, at_s=0.8, lasts_s=0.6)),
        trouble("packet-delay", at(targets.all), at_s=0.5, lasts_s=6.0),
        trouble("kill", PRIMARY, at_s=4.0, lasts_s=1.0),
        nodes=5,
        options=SHARDED,
        makes={"move": lambda cluster: orders.move(cluster, 2)},
    ),
    story(
        "crash-during-migration",
        "Whoever moves a shard loses power in the middle of it, and somebody else goes on.",
        trouble("packet-delay", at(targets.all), at_s=0.4, lasts_s=7.0),
        *again(
            3,
            2.3,
            trouble("move", MOVE, at_s=1.0, lasts_s=1.5, spread_s=0.0),
            trouble("crash-point", at_point(targets.all, POINTS), 1.01, lasts_s=1.6, spread_s=0.0),
        ),
        nodes=5,
        options=SHARDED,
        makes={
            "move": lambda cluster: orders.move(cluster, 2),
            "crash-point": lambda cluster: faults.crash_point(
                cluster, POINTS, targets.all, nth_max=1, patience_s=0.5
            ),
        },
        restarts=False,
    ),
    story(
        "crash-at-each-step-of-a-move",
        "Four times a shard moves, and whoever moves it loses power at the next of its steps.",
        trouble("packet-delay", at(targets.all), at_s=0.5, lasts_s=9.0, **ON_TIME),
        *(
            each
            for number, point in enumerate(POINTS)
            for each in (
                trouble("move", MOVE, 0.8 + 2.3 * number, lasts_s=1.6, **ON_TIME),
                trouble(
                    "crash-point",
                    at_point(targets.all, [point]),
                    0.81 + 2.3 * number,
                    lasts_s=1.6,
                    **ON_TIME,
                ),
            )
        ),
        nodes=5,
        options=SHARDED,
        time_limit_s=10.0,
        makes={
            "move": lambda cluster: orders.move(cluster, 2),
            "crash-point": lambda cluster: faults.crash_point(
                cluster, POINTS, targets.all, nth_max=1, patience_s=1.0
            ),
            "packet-delay": lambda cluster: faults.packet_delay(
                cluster, delay_s=0.015, jitter_s=0.005
            ),
        },
        restarts=False,
    ),
    story(
        "partition-during-migration",
        "The network is cut while shards move.",
        *again(
            3,
            2.3,
            trouble("move", MOVE, at_s=0.8, lasts_s=1.0),
            trouble("partition", shaped("halves"), at_s=0.9, lasts_s=1.0),
        ),
        nodes=5,
        options=SHARDED,
        makes={"move": lambda cluster: orders.move(cluster, 2)},
    ),
    story(
        "answers-lost-in-moves",
        "Answers get lost while shards move, and clients ask again where the shard has gone.",
        *again(
            5,
            1.5,
            trouble("packet-loss", at(targets.all, loss=0.3), 0.8, 0.5, **SOON),
            trouble("move", MOVE, 0.85, 0.6, **SOON),
        ),
        nodes=5,
        options=SHARDED,
        keys=3,
        rate_hz=100.0,
        concurrency=10,
        makes={"move": lambda cluster: orders.move(cluster, 2)},
    ),
    story(
        "membership-changes",
        "Members come and go while leaders fail and are cut off.",
        *again(5, 1.4, trouble("change", CHANGE, at_s=0.7, lasts_s=0.5)),
        trouble("kill", PRIMARY, at_s=2.2, lasts_s=1.0),
        trouble("partition", cut("minority", leader_in_minority), at_s=4.8, lasts_s=1.2),
        nodes=5,
        options={"replicas": 3},
        makes={"change": orders.change},
    ),
    story(
        "hasty-membership-changes",
        "One change of the members is ordered right after the other, in a network that is cut.",
        *again(
            3,
            2.4,
            trouble("partition", shaped("random"), at_s=0.9, lasts_s=1.2, spread_s=0.1),
            trouble("change", CHANGE, at_s=0.8, spread_s=0.1),
            trouble("change", CHANGE, at_s=0.95, spread_s=0.1),
            trouble("change", CHANGE, at_s=1.2, lasts_s=0.8, spread_s=0.1),
        ),
        nodes=5,
        options={"replicas": 3},
        makes={"change": orders.change},
    ),
    story(
        "leader-hands-over",
        "Leaders with leases hand over under load, and are cut off right then.",
        *again(
            4,
            1.7,
            trouble("transfer", HAND_OVER, at_s=0.9, lasts_s=0.4, spread_s=0.1),
            trouble("partition", ALONE, at_s=1.0, lasts_s=0.8, spread_s=0.1),
        ),
        trouble("packet-delay", at(targets.all), at_s=0.4, lasts_s=7.0),
        options={"reads": "lease"},
        makes={"transfer": orders.transfer},
        rate_hz=80.0,
    ),
    story(
        "crash-during-election",
        "Votes come late, and from nodes that have just lost power.",
        trouble("packet-reorder", at(targets.all, reordering=0.3), at_s=0.4, lasts_s=7.0),
        *again(
            5,
            1.4,
            trouble("partition", shaped("random"), at_s=0.8, lasts_s=1.0),
            trouble("kill", PRIMARY, at_s=0.8, lasts_s=0.6, spread_s=0.1),
            trouble("crash", at(some(2)), at_s=1.1, lasts_s=0.05, spread_s=0.1),
        ),
        options={"election_s": [0.15, 0.19], "heartbeat_s": 0.05},
        weather=SLOW,
    ),
)

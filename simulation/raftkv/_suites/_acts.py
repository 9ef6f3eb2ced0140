"""Rare coincidences, acted out: what chance brings once in a hundred runs comes in every fourth.

*Figure 8* of the Raft paper shows why nobody may commit by counting alone.  A leader is cut off and
takes writes that nobody else gets.  Another is elected by a voter that dies right then, so it, too,
takes writes for itself, in a newer term; then it is killed.  The first one leads again, and its old
writes reach a majority: if it takes them for committed now, and dies, the second one comes back and
is elected, for its last entry is newer than theirs.  What was committed is overwritten.
(Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014, section 5.4.2)

*Votes come late*: two candidates hear of each other through one voter alone, and one of them hears
it late.  Its vote of the last term arrives when the voter has given that of this term to the other.

*A hand-over goes unheard*: a leader that has handed over hears nothing for less than its lease, and
the new one takes writes meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Final

from nemesis import Grudge, targets
from simulation import faults
from simulation.raftkv import _faults as orders
from simulation.raftkv._suites._load import bursts
from simulation.raftkv._suites._story import ON_TIME, Trouble, again, story, trouble
from simulation.raftkv._suites._whom import (
    Choose,
    at,
    at_point,
    cut,
    followers,
    leader_alone,
    leader_and,
    ordered,
)
from simulation.scenario import Scenario

LEADER: Final = at(leader_and(0))
HAND_OVER: Final = ordered(lambda nodes, random: {"shard": "s1", "to": random.choice(nodes)})
VOTED: Final = ("after vote sent",)
FIGURE_EIGHT_S: Final = 3.0
VOTES_S: Final = 1.5
HAND_OVER_S: Final = 2.0


def _soon(fault: str, whom: Choose, at_s: float, lasts_s: float) -> Trouble:
    return trouble(fault, whom, at_s, lasts_s, spread_s=0.03, lasting=(0.97, 1.03))


def leader_between(nodes: Sequence[str], random: Random, leader: str) -> Grudge:  # noqa: ARG001
    """Of three nodes the two that do not lead do not hear each other."""
    one, other = (node for node in nodes if node != leader)
    return {one: frozenset([other]), other: frozenset([one])}


ACTS: Final[tuple[Scenario, ...]] = (
    # Clients are silent from when the second leader is killed until it leads again: an entry of
    # the first leader's own new term would keep the second from being elected.
    story(
        "figure-eight",
        "What a leader took while it was cut off reaches a majority late, and then somebody leads "
        "whose own entries are newer.",
        *again(
            3,
            FIGURE_EIGHT_S,
            _soon("partition", cut("leader alone", leader_alone), 0.65, 0.75),
            _soon("crash-point", at_point(followers(1), VOTED), 0.72, 0.68),
            _soon("kill", LEADER, 1.3, 1.08),
            _soon("crash", LEADER, 2.35, 0.55),
        ),
        load=lambda _: bursts(5, 3, 1.2, FIGURE_EIGHT_S - 1.3),
        rate_hz=80.0,
        concurrency=12,
        op_timeout_s=0.25,
        time_limit_s=3 * FIGURE_EIGHT_S + 0.5,
        options={"heartbeat_s": 0.05, "election_s": [0.3, 0.4]},
        makes={
            "crash-point": partial(
                faults.crash_point, points=VOTED, among=targets.one, nth_max=1, patience_s=0.5
            )
        },
    ),
    # The voter is the last leader, so that it starts again and follows nobody.  Who is paused would
    # be elected before the other has stood at all.
    story(
        "votes-come-late",
        "Two stand again and again before one voter, and to one of them its votes come late.",
        *again(
            5,
            VOTES_S,
            trouble("partition", cut("leader between", leader_between), 0.8, 0.9, **ON_TIME),
            trouble("kill", LEADER, 0.82, 0.03, **ON_TIME),
            trouble("packet-delay", at(followers(1), direction="to"), 0.825, 0.8, **ON_TIME),
            trouble("pause", at(followers(1)), 0.83, 0.4, spread_s=0.01, lasting=(0.95, 1.05)),
        ),
        time_limit_s=5 * VOTES_S + 0.5,
        recovery_s=5.0,
        options={"heartbeat_s": 0.05, "election_s": [0.15, 0.17]},
        makes={"packet-delay": partial(faults.packet_delay, delay_s=0.2, jitter_s=0.005)},
    ),
    story(
        "hand-over-unheard",
        "A leader hands over, and hears of it later than the others, while it reads by its lease.",
        *again(
            4,
            HAND_OVER_S,
            _soon("packet-delay", at(leader_and(0), direction="to"), 0.7, 0.9),
            _soon("transfer", HAND_OVER, 1.0, 0.5),
        ),
        time_limit_s=4 * HAND_OVER_S + 0.5,
        keys=3,
        rate_hz=80.0,
        concurrency=8,
        options={"reads": "lease"},
        makes={
            "transfer": orders.transfer,
            "packet-delay": partial(faults.packet_delay, delay_s=0.1, jitter_s=0.02),
        },
    ),
)

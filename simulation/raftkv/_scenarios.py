"""Stories in which raftkv has to keep its promises."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any, Final

from generators import Liftable, register
from nemesis import Fault, schedule, targets
from simulation import faults
from simulation.raftkv import _faults as orders
from simulation.raftkv._judges import judges
from simulation.scenario import Scenario, Setting

PRIMARIES: Final = (targets.primaries,)
MOVE_POINTS: Final = (
    "mid migration: source frozen",
    "mid migration: target installed",
    "mid migration: source closed",
    "mid migration: target active",
)
DISK_POINTS: Final = ("before wal sync", "after wal sync")


def registers(
    setting: Setting, *, ops_per_key: int = 150, values: int = 5, distinct: bool = False
) -> Liftable:
    """Reads, writes and compare-and-sets, for as long as the scenario lasts."""
    return register(
        (f"k{i}" for i in count()),
        ops_per_key,
        values,
        threads_per_key=5,
        processes_per_key=None,
        distinct=distinct,
        seed=setting.case.seed,
    ).generator


def _often(setting: Setting, chosen: Sequence[Fault]) -> Liftable:  # noqa: ARG001
    return schedule(chosen, 1.0, strike_s=0.7, first_s=0.8)


def _scenario(name: str, sentence: str, *, restarts: bool = True, **more: Any) -> Scenario:
    usual: dict[str, Any] = {
        "load": registers,
        "checkers": lambda _: judges(restarts=restarts),
        "schedule": _often,
        "rate_hz": 100.0,
        "time_limit_s": 8.0,
        "settle_s": 1.0,
        **more,
    }
    return Scenario(name, sentence, **usual)


_ALL: Final = (
    _scenario("calm", "Nothing breaks.", restarts=False, settle_s=0.0),
    _scenario(
        "kill-primary",
        "The primary is killed under write load, again and again.",
        faults=lambda s: [faults.kill(s.cluster, PRIMARIES)],
    ),
    _scenario(
        "crash-wal",
        "Machines lose power while they write their logs.",
        faults=lambda s: [faults.crash_point(s.cluster, DISK_POINTS, targets.one)],
        schedule=lambda _, chosen: schedule(chosen, 0.4, strike_s=0.3, first_s=0.5),
    ),
    _scenario(
        "crash-all",
        "All machines lose power at once, or most of them.",
        faults=lambda s: [faults.crash(s.cluster, (targets.all, targets.majority))],
        schedule=lambda _, chosen: schedule(chosen, 0.8, strike_s=0.1, first_s=0.6),
    ),
    _scenario(
        "partition-heal",
        "The network is cut in many shapes, and mended.",
        restarts=False,
        faults=lambda s: [faults.partition(s.cluster)],
        nodes=5,
    ),
    _scenario(
        "migration",
        "Shards move while machines crash, also in the middle of a move.",
        restarts=False,
        faults=lambda s: [
            orders.move(s.cluster, shards=2),
            faults.crash_point(s.cluster, MOVE_POINTS, targets.primaries, nth_max=1),
        ],
        schedule=lambda _, chosen: schedule(chosen, 0.5, strike_s=0.5, first_s=0.8),
        nodes=5,
        options={"shards": 2, "replicas": 3, "movable": True},
    ),
    _scenario(
        "crash-shards",
        "Machines with several shards lose power, and replay the log that these share.",
        faults=lambda s: [faults.crash(s.cluster)],
        options={"shards": 3},
    ),
    _scenario(
        "membership",
        "The members of the group change, and its leader, while processes are killed.",
        faults=lambda s: [
            orders.change(s.cluster),
            orders.transfer(s.cluster),
            faults.kill(s.cluster, (targets.primaries, targets.one)),
        ],
        schedule=lambda _, chosen: schedule(chosen, 0.4, strike_s=0.4, first_s=0.8),
        nodes=5,
        options={"replicas": 3},
    ),
    _scenario(
        "snapshots",
        "Snapshots are taken all the time, and sent to who was away.",
        faults=lambda s: [faults.crash(s.cluster), faults.partition(s.cluster, "one")],
        options={"snapshot_every": 25, "snapshot_keep": 2},
    ),
    _scenario(
        "leases",
        "Reads by leases, while clocks drift and jump, and the network is cut.",
        restarts=False,
        faults=lambda s: [
            faults.partition(s.cluster, "one", targets.primaries),
            faults.clock_drift(s.cluster, rate=0.1),
            faults.clock_jump(s.cluster),
        ],
        options={"reads": "lease"},
    ),
    _scenario(
        "bad-weather",
        "Messages are lost, late, doubled and out of order.",
        restarts=False,
        faults=lambda s: [
            faults.packet_loss(s.cluster, targets.all),
            faults.packet_duplicate(s.cluster, targets.all),
            faults.packet_reorder(s.cluster, targets.all),
            faults.packet_delay(s.cluster, targets.all),
        ],
    ),
    _scenario(
        "pause",
        "Processes stand still and go on later.",
        restarts=False,
        faults=lambda s: [faults.pause(s.cluster, (targets.primaries, targets.minority))],
    ),
)

SCENARIOS: Final = {scenario.name: scenario for scenario in _ALL}

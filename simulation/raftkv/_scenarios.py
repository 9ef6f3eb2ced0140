"""Stories in which raftkv has to keep its promises."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from random import Random
from typing import Any, Final

from checker.evidence import Checker
from generators import Liftable, register
from histories import Json
from nemesis import Fault, schedule, script, targets
from simulation import Weather, faults
from simulation.raftkv import _faults as orders
from simulation.raftkv._judges import covered, judges
from simulation.raftkv._suites._judging import nobody_died
from simulation.scenario import Scenario, Setting

PRIMARIES: Final = (targets.primaries,)
MOVE_POINTS: Final = (
    "mid migration: source frozen",
    "mid migration: target installed",
    "mid migration: source closed",
    "mid migration: target active",
)
CUT_OFF: Final[Json] = {"kind": "one", "choice": "primaries"}
VOTE_POINTS: Final = ("before vote persisted", "after vote sent", "after vote sent")
DISK_POINTS: Final = ("before wal sync", "after wal sync")
KEEPING_POINTS: Final = (
    "before wal rename",
    "after wal rename",
    "before snapshot rename",
    "after snapshot rename",
    "after vote persisted",
)


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


def _slow(setting: Setting, *chosen: Fault, jitter_s: float = 0.02) -> Sequence[Fault]:
    weather = Weather(delay_s=0.001, jitter_s=jitter_s, reordering=0.05, hold_s=0.6)
    setting.cluster.network.fair = weather
    return chosen


def _slow_disks(setting: Setting, *chosen: Fault) -> Sequence[Fault]:
    for machine in setting.cluster.machines.values():
        machine.disk.sync_s = 0.02
    return chosen


def _clock_jumps(setting: Setting, chosen: Sequence[Fault]) -> Liftable:  # noqa: ARG001
    """The leader is cut off, and right then its clock goes back; again and again."""
    steps: list[tuple[float, str, Json]] = []
    for number in range(6):
        at_s = 0.8 + 1.2 * number
        steps += [
            (at_s, "start-clock-drift", {"targets": ["n1"], "rate": 0.1 - 0.04 * number}),
            (at_s + 0.1, "start-partition", CUT_OFF),
            (at_s + 0.15, "start-clock-jump", {"targets": "primaries", "offset_s": -30.0}),
            (at_s + 0.8, "stop-partition", None),
            (at_s + 0.8, "stop-clock-jump", None),
            (at_s + 0.8, "stop-clock-drift", None),
        ]
    return script(steps)


def _primary_ends(
    at_s: float, down_s: float, crash: Json, between_s: tuple[float, float]
) -> list[tuple[float, str, Json]]:
    """It is down for `down_s`; from then and until then, in s, power may be lost at a point."""
    from_s, until_s = between_s
    return [
        (at_s, "start-kill", {"targets": "primaries"}),
        (at_s + down_s, "stop-kill", None),
        (at_s + from_s, "start-crash-point", crash),
        (at_s + until_s, "stop-crash-point", None),
    ]


def _voters_crash(setting: Setting, chosen: Sequence[Fault]) -> Liftable:  # noqa: ARG001
    """The primary ends for a moment; and in the election that follows, somebody who votes."""
    random = Random(f"{setting.case.seed}/voters")
    steps: list[tuple[float, str, Json]] = []
    for number in range(6):
        at_s = 0.6 + 1.2 * number
        voter = {
            "targets": [random.choice(setting.nodes)],
            "point": random.choice(VOTE_POINTS),
            "nth": 1,
        }
        steps += _primary_ends(at_s, 0.02, voter, (0.04, 0.05))
    return script(steps)


def _keepers_crash(setting: Setting, chosen: Sequence[Fault]) -> Liftable:  # noqa: ARG001
    """The primary ends for a moment; then power is lost where it starts, or others go on."""
    random = Random(f"{setting.case.seed}/keepers")
    steps: list[tuple[float, str, Json]] = []
    for number, name in enumerate(random.sample(KEEPING_POINTS, len(KEEPING_POINTS))):
        at_s = 0.6 + 1.4 * number
        point = {"targets": "all", "point": name, "nth": 1}
        steps += _primary_ends(at_s, 0.05, point, (0.05, 1.0))
    return script(steps)


def _hand_overs(setting: Setting, chosen: Sequence[Fault]) -> Liftable:  # noqa: ARG001
    """A leader is told to hand over, and is cut off while it does."""
    random = Random(f"{setting.case.seed}/hand-overs")
    steps: list[tuple[float, str, Json]] = []
    for number in range(7):
        at_s = 0.6 + 1.0 * number
        order = {"shard": "s1", "to": random.choice(setting.nodes)}
        steps += [
            (at_s, "start-transfer", order),
            (at_s + random.uniform(0.05, 0.1), "start-partition", CUT_OFF),
            (at_s + 0.45, "stop-partition", None),
            (at_s + 0.45, "stop-transfer", None),
        ]
    return script(steps)


def _often(setting: Setting, chosen: Sequence[Fault]) -> Liftable:  # noqa: ARG001
    return schedule(chosen, 1.0, strike_s=0.7, first_s=0.8)


def _scenario(
    name: str, sentence: str, *, restarts: bool = True, deaths: bool = False, **more: Any
) -> Scenario:
    def checkers(setting: Setting | None = None) -> dict[str, Checker]:  # noqa: ARG001
        died = nobody_died(("OSError",) if deaths else ())
        return {**judges(restarts=restarts), "nobody-died": died}

    usual: dict[str, Any] = {
        "load": registers,
        "checkers": checkers,
        "invariants": covered(checkers(), more.get("options", {})),
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
        faults=lambda s: _slow_disks(s, faults.crash(s.cluster, (targets.all, targets.majority))),
        schedule=lambda _, chosen: schedule(chosen, 0.8, strike_s=0.1, first_s=0.6),
    ),
    _scenario(
        "crash-elections",
        "Voters lose power right after they voted, in a slow network where many stand at once.",
        faults=lambda s: _slow(
            s,
            faults.kill(s.cluster, PRIMARIES),
            faults.crash_point(s.cluster, VOTE_POINTS, targets.one, nth_max=1, patience_s=0.4),
            jitter_s=0.035,
        ),
        schedule=_voters_crash,
        options={"election_s": [0.3, 0.34], "heartbeat_s": 0.05},
    ),
    _scenario(
        "crash-keeping",
        "Machines lose power where a log, a snapshot or a vote takes the place of the last one.",
        faults=lambda s: _slow_disks(
            s,
            faults.kill(s.cluster, PRIMARIES),
            faults.crash_point(s.cluster, KEEPING_POINTS, targets.all, nth_max=1, patience_s=0.95),
        ),
        schedule=_keepers_crash,
        options={"snapshot_every": 10, "snapshot_keep": 2},
    ),
    _scenario(
        "rapid-leaders",
        "Leader after leader is cut off or ends, in a slow network.",
        faults=lambda s: _slow(
            s,
            faults.partition(s.cluster, ("one", "halves"), targets.primaries),
            faults.kill(s.cluster, PRIMARIES),
        ),
        schedule=lambda _, chosen: schedule(chosen, 0.3, strike_s=0.3, first_s=0.5),
        nodes=5,
        options={"election_s": [0.15, 0.3], "heartbeat_s": 0.05, "snapshot_every": 60},
    ),
    _scenario(
        "disks",
        "Disks are full, or fail to sync, and machines lose power.",
        faults=lambda s: [
            faults.disk_fill(s.cluster),
            faults.disk_sync_errors(s.cluster, (targets.one, targets.all)),
            faults.crash(s.cluster, (targets.one, targets.all)),
        ],
        deaths=True,
        schedule=lambda _, chosen: schedule(chosen, 0.5, strike_s=0.4, first_s=0.5),
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
        "Shards move while machines crash, also in the middle of a move, and answers get lost.",
        load=lambda s: registers(s, distinct=True),
        restarts=False,
        faults=lambda s: [
            orders.move(s.cluster, shards=2),
            faults.crash_point(s.cluster, MOVE_POINTS, targets.primaries, nth_max=1),
            faults.packet_loss(s.cluster, targets.all, loss=0.25, clients=True),
        ],
        schedule=lambda _, chosen: schedule(chosen, 0.3, strike_s=0.5, first_s=0.6),
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
            faults.partition(s.cluster, ("halves", "one")),
        ],
        schedule=lambda _, chosen: schedule(chosen, 0.4, strike_s=0.4, first_s=0.8),
        nodes=5,
        options={"replicas": 3},
    ),
    _scenario(
        "snapshots",
        "Snapshots are taken all the time, and sent to who was away.",
        faults=lambda s: [
            faults.crash(s.cluster),
            faults.partition(s.cluster, "one"),
            faults.packet_duplicate(s.cluster, targets.all),
            faults.packet_reorder(s.cluster, targets.all, hold_s=0.4),
        ],
        schedule=lambda _, chosen: schedule(chosen, 0.5, strike_s=0.5, first_s=0.5),
        options={"snapshot_every": 25, "snapshot_keep": 2},
    ),
    _scenario(
        "leases",
        "Reads by leases, while the leader is cut off and its clocks drift and jump.",
        faults=lambda s: [
            faults.partition(s.cluster, "one", targets.primaries),
            faults.clock_drift(s.cluster, rate=0.1),
            faults.clock_jump(s.cluster, targets.primaries, offset_s=-30.0),
        ],
        schedule=_clock_jumps,
        restarts=False,
        options={"reads": "lease"},
    ),
    _scenario(
        "lease-transfer",
        "Leaders hand over and are cut off while they read by leases.",
        faults=lambda s: _slow(s, orders.transfer(s.cluster), faults.partition(s.cluster)),
        schedule=_hand_overs,
        restarts=False,
        options={"reads": "lease"},
    ),
    _scenario(
        "retries",
        "Answers get lost, so clients try again, at nodes that have their state from snapshots.",
        load=lambda s: registers(s, distinct=True),
        faults=lambda s: [
            faults.crash_point(s.cluster, ("before ack",), targets.primaries, patience_s=0.5),
            faults.kill(s.cluster, targets.all),
            faults.packet_loss(s.cluster, targets.all, loss=0.1, clients=True),
        ],
        schedule=lambda _, chosen: schedule(chosen, 0.3, strike_s=0.1, first_s=0.4),
        options={
            "snapshot_every": 8,
            "snapshot_keep": 2,
            "election_s": [0.1, 0.2],
            "heartbeat_s": 0.03,
        },
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

"""Scenarios of the simulation for real processes: the twins of their faults, and their judges."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from checker.evidence import compose
from generators import Context
from histories import NEMESIS, OBSERVER, History, Json, Op
from nemesis import CLOCK_FAULTS, DISK_RULES, PACKET_FAULTS, ClockFault, DiskFault, PacketFault
from simulation import Case, system_of
from simulation.real import Scene, judges_of, scene_of, strikes_of, twins_of
from simulation.real._twins import TWINS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "real-processes.md"
NODES = ("n1", "n2", "n3", "n4", "n5")
RAFTKV = system_of("raftkv")


def orders(scene: Scene, slower: float, seed: int = 1) -> list[tuple[float, str, Any]]:
    """All that a scenario orders, if each order is carried out at once."""
    case = Case(scene.system, scene.scenario.name, seed)
    gen: Any = strikes_of(scene, case, NODES[: scene.scenario.nodes], slower)
    meta: dict[str, Json] = {"nodes": list(NODES[: scene.scenario.nodes])}
    found: list[tuple[float, str, Any]] = []
    now = 0
    while gen is not None:
        ctx = Context(now, 0b11, 0b11, (0, NEMESIS), Random(0), 1, meta)
        emitted = gen.op(ctx)
        if emitted is None:
            break
        op, gen = emitted
        assert op.time >= now
        now = op.time
        found.append((op.time / 1e9, op.f, op.value))
    return found


@pytest.mark.parametrize("slower", [1.0, 3.0])
def test_a_scenario_orders_the_same_for_real_only_slower(slower: float) -> None:
    told = orders(scene_of("raftkv", "rebalance"), slower)
    usual = orders(scene_of("raftkv", "rebalance"), 1.0)
    assert [f for _, f, _ in told] == [f for _, f, _ in usual]
    assert [at for at, _, _ in told] == pytest.approx([slower * at for at, _, _ in usual])
    faults = ("kill", "move", "packet-delay")
    assert {f for _, f, _ in told} == {f"{verb}-{f}" for verb in ("start", "stop") for f in faults}
    assert told != orders(scene_of("raftkv", "rebalance"), slower, seed=2)


def test_orders_are_in_the_words_of_the_lab() -> None:
    told = {f: value for _, f, value in orders(scene_of("raftkv", "crash-during-migration"), 1.0)}
    assert told["start-packet-delay"] == {
        "targets": list(NODES),
        "choice": "all",
        "attributes": {"delay_ms": 65, "jitter_ms": 45},
    }
    assert told["start-crash-point"]["ambush"] is True
    assert len(told["start-move"]["nodes"]) == 3


def twin(name: str, value: dict[str, Json]) -> dict[str, Json]:
    return {"targets": ["n1"], "choice": "one", **TWINS[name].said({"targets": ["n1"], **value})}


@pytest.mark.parametrize(
    ("name", "value", "attributes"),
    [
        ("packet-loss", {"loss": 0.1, "direction": "both"}, {"percent": 10}),
        ("packet-duplicate", {"duplication": 0.3}, {"percent": 30}),
        ("packet-reorder", {"reordering": 0.1, "hold_s": 0.6}, {"percent": 10, "hold_ms": 600}),
        ("packet-delay", {"delay_s": 0.1, "jitter_s": 0.05}, {"delay_ms": 135, "jitter_ms": 50}),
        ("packet-delay", {"delay_s": 0.02, "jitter_s": 0.0}, {"delay_ms": 20, "jitter_ms": 0}),
        ("disk-sync-errors", {"share": 0.2}, {"probability": 0.2}),
        ("disk-fill", {}, {}),
        ("disk-slow", {"slowness": 50.0}, {}),
    ],
)
def test_numbers_of_an_order_are_those_that_the_lab_knows(
    name: str, value: dict[str, Json], attributes: dict[str, Json]
) -> None:
    assert twin(name, value) == {"targets": ["n1"], "choice": "one", "attributes": attributes}
    kind = TWINS[name].name
    if kind in PACKET_FAULTS:
        PacketFault(kind, attributes=attributes)
    else:
        assert kind in DISK_RULES
        DiskFault(kind, Disks(), attributes=attributes)  # type: ignore[arg-type]


class Disks:
    """A system by its name alone."""

    name = "raftkv"


@pytest.mark.parametrize("name", ["clock-skew", "clock-jump"])
def test_clocks_go_wrong_by_as_much(name: str) -> None:
    kind = TWINS[name].name
    assert kind in CLOCK_FAULTS
    assert twin(name, {"offset_s": -30.0})["offset_s"] == -30.0
    ClockFault(kind, Disks(), settings={"offset_s": -30.0})


def test_links_flap_no_faster_than_can_be_proven() -> None:
    flapping = twin("flapping", {"grudge": {}, "cut_s": 0.5, "open_s": 0.4})
    assert (flapping["cut_s"], flapping["open_s"]) == (0.5, 0.5)


def test_a_system_brings_twins_of_its_own() -> None:
    brought = twins_of(RAFTKV)
    assert {*brought} - {*TWINS} == {"move", "change", "transfer"}
    assert all(brought[name].make is not None for name in ("move", "change", "transfer"))

    class Bare:
        """Brings none."""

    assert twins_of(Bare()) == TWINS


def row_of(name: str) -> str:
    """The row of a scenario in the table of docs/real-processes.md."""
    try:
        scene = scene_of("raftkv", name)
    except ValueError as error:
        why = str(error).split(" needs ", 1)[1].split(",", 1)[0]
        return f"| `{name}` | no | needs `{why}` |"
    faults = ", ".join(f"`{each}`" for each in sorted(scene.faults)) or "none"
    return f"| `{name}` | {faults} | {'; '.join(scene.unlike)} |"


def test_the_page_says_which_scenarios_are_for_real_processes() -> None:
    page = {*PAGE.read_text().splitlines()}
    wrong = [row for row in map(row_of, RAFTKV.scenarios) if row not in page]
    assert not wrong, "\n".join(["these rows belong in docs/real-processes.md:", *wrong])


def observed(seconds: float, value: dict[str, Json]) -> Op:
    return Op("observe", value, None, "ok", OBSERVER, round(seconds * 1e9), None, "n1")


def accepted(seconds: float, state: str) -> Op:
    facts = {"shard": "s1", "group": "s1.2", "role": "primary", "state": state, "term": 1}
    return observed(seconds, {"event": "write-accepted", **facts})


def test_a_run_is_judged_by_what_nodes_told_and_not_by_what_they_were_asked() -> None:
    case = Case("raftkv", "rebalance", 1)
    judges = judges_of(scene_of("raftkv", "rebalance"), case, NODES)
    assert "migrating-in-never-accepts" in judges
    assert not {"linearizable", "recovers"} & {*judges}, "one has its own, one virtual time"
    found = compose({name: judges[name] for name in ("migrating-in-never-accepts",)})

    def verdict(*ops: Op) -> Any:
        return found.check(History.from_ops(ops)).valid

    asked = {"asked": 1, "shards": {"s1": {"event": "write-accepted", "state": "MIGRATING_IN"}}}
    assert verdict(observed(1, asked), accepted(2, "ACTIVE")) is True
    assert verdict(observed(1, asked), accepted(2, "MIGRATING_IN")) is False


def test_answers_to_questions_leave_their_places_in_the_history() -> None:
    judges = judges_of(scene_of("raftkv", "rebalance"), Case("raftkv", "rebalance", 1), NODES)
    ops = [observed(1, {"asked": 1, "role": "follower"}), accepted(2, "MIGRATING_IN")]
    verdict = judges["migrating-in-never-accepts"].check(History.from_ops(ops))
    [found] = verdict.counterexamples
    assert [each.index for each in found.operations] == [1]

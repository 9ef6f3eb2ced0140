"""Scenes: what is shown, and that order is exact."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from checker import Counterexample
from histories import History
from reports._faults import bands
from reports._operations import operations
from reports._scene import Style, focus_on, focus_on_load, scene

MakeHistory = Callable[..., History]

PLAIN = Style(lambda label: float(len(label) + 2), 2, 2, 1, 5, 300, 300)


def busy(seed: int, operations: int) -> list[tuple[Any, ...]]:
    """Five clients, some of whose operations crash."""
    source = random.Random(seed)
    rows: list[tuple[Any, ...]] = []
    process = list(range(5))
    active: dict[int, str] = {}
    time = 0
    while len(rows) < operations * 2:
        time += source.choice([0, 1, 1, 50, 10_000])
        worker = source.randrange(5)
        if worker in active:
            kind = source.choice(["ok"] * 9 + ["info", "fail"])
            rows.append((time, process[worker], kind, active.pop(worker), 1, "x"))
            process[worker] += 5 if kind == "info" else 0
        else:
            active[worker] = source.choice(["read", "write"])
            rows.append((time, process[worker], "invoke", active[worker], None, "x"))
    return rows


def test_bars_keep_the_order_of_all_beginnings_and_ends(history: MakeHistory) -> None:
    for seed in range(30):
        h = history(*busy(seed, 60))
        ops = operations(h)
        focus = focus_on_load(ops)
        assert focus is not None
        bars = scene(ops, focus, PLAIN).bars
        for a in bars:
            assert a.right - a.left > len(a.label) + 1.99
            for b in bars:
                assert (ops.start[a.row] < ops.start[b.row]) == (a.left < b.left)
                if not ops.crashed[a.row]:
                    assert (ops.end[a.row] < ops.start[b.row]) == (a.right < b.left)
                if a is not b and a.lane == b.lane and a.track == b.track:
                    assert a.right < b.left or b.right < a.left


def test_the_culprit_and_its_evidence_are_shown_however_far_apart(history: MakeHistory) -> None:
    rows = busy(1, 4000)
    h = history(*rows)
    ops = operations(h)
    last = max(row for row in range(len(ops)) if ops.outcome[row] == 0)
    first = min(row for row in range(len(ops)) if ops.outcome[row] == 0)
    found = Counterexample("…", "x", int(ops.invoke[last]), (h[int(ops.complete[first])],))
    focus = focus_on(ops, found)
    assert focus is not None
    drawn = scene(ops, focus, PLAIN)
    assert {bar.row: bar.role for bar in drawn.bars}[last] == "culprit"
    assert {bar.row: bar.role for bar in drawn.bars}[first] == "evidence"
    assert drawn.width <= PLAIN.width_max
    assert any(gap.hidden > 1000 for gap in drawn.gaps)
    failed = sum(ops.outcome == 1)
    assert sum(gap.hidden for gap in drawn.gaps) <= len(ops) - len(drawn.bars) - failed


def test_other_keys_stay_out_of_the_picture(history: MakeHistory) -> None:
    h = history(
        (0, 0, "invoke", "write", 1, "x"),
        (1, 1, "invoke", "write", 1, "y"),
        (2, 0, "ok", "write", 1, "x"),
        (3, 1, "ok", "write", 1, "y"),
        (4, 0, "invoke", "read", None, "x"),
        (5, 0, "ok", "read", 2, "x"),
    )
    ops = operations(h)
    focus = focus_on(ops, Counterexample("…", "x", 4))
    assert focus is not None
    drawn = scene(ops, focus, PLAIN)
    assert [bar.label for bar in drawn.bars] == ["write 1", "read → 2"]


def test_closed_intervals_that_touch_overlap(history: MakeHistory) -> None:
    h = history(
        (0, 0, "invoke", "write", 1),
        (9, 0, "ok", "write", 1),
        (9, 1, "invoke", "read", None),
        (12, 1, "ok", "read", 1),
    )
    ops = operations(h)
    focus = focus_on_load(ops)
    assert focus is not None
    write, read = scene(ops, focus, PLAIN).bars
    assert read.left < write.right


def test_a_fault_covers_the_operations_it_covers(history: MakeHistory) -> None:
    h = history(
        (0, 0, "invoke", "write", 1),
        (1, 0, "ok", "write", 1),
        (2, "nemesis", "invoke", "start-kill", None),
        (3, "nemesis", "ok", "start-kill", None),
        (4, 0, "invoke", "write", 2),
        (5, 0, "ok", "write", 2),
    )
    ops = operations(h)
    focus = focus_on_load(ops)
    assert focus is not None
    drawn = scene(ops, focus, PLAIN, bands(h))
    (shade,) = drawn.shades
    before, after = drawn.bars
    assert before.right < shade.left < after.left
    assert shade.right == drawn.width


def test_what_crashed_long_ago_begins_at_the_left_edge_and_crashed_reads_stay_out(
    history: MakeHistory,
) -> None:
    h = history(
        (0, 0, "invoke", "write", 1),
        (100, 1, "invoke", "write", 2),
        (200, 2, "invoke", "read", None),
        (9000, 3, "invoke", "write", 3),
        (9001, 3, "ok", "write", 3),
        (9002, 3, "invoke", "read", None),
        (9003, 3, "ok", "read", 4),
    )
    ops = operations(h)
    focus = focus_on(ops, Counterexample("…", None, 5, tuple(h)))
    assert focus is not None
    drawn = scene(ops, focus, PLAIN)
    assert [bar.label for bar in drawn.bars] == ["write 1 ?", "write 2 ?", "write 3", "read → 4"]
    assert [bar.early for bar in drawn.bars] == [True, True, False, False]
    assert drawn.bars[0].left == drawn.bars[1].left == 0

"""Mistakes of harnesses, each with the nearest history that has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from histories import Event, History, HistoryError, Json, Op, lint, lint_file
from momus._cli import cli

Row = tuple[Any, ...]


def found(*rows: Row, distinct: bool = False, **meta: Any) -> list[tuple[str, int]]:
    """Kinds and events of the findings; a row is (process, type, f, value[, key])."""
    history = History.from_events(
        (
            Event(index, index, process, kind, f, key[0] if key else None, value)
            for index, (process, kind, f, value, *key) in enumerate(rows)
        ),
        meta,
    )
    return [(each.kind, each.event) for each in lint(history, distinct=distinct)]


def done(process: int, f: str, value: Any, *key: Any, type: str = "ok") -> tuple[Row, Row]:
    return (process, "invoke", f, value, *key), (process, type, f, value, *key)


def read(process: int, value: Any, *key: Any) -> tuple[Row, Row]:
    return (process, "invoke", "read", None, *key), (process, "ok", "read", value, *key)


def test_a_process_that_goes_on_after_an_info() -> None:
    doubtful = done(0, "write", 1, type="info")
    assert found(*doubtful, *done(0, "write", 2)) == [("reused-after-info", 2)]
    assert found(*doubtful, *done(1, "write", 2)) == []
    assert found(*done(0, "write", 1, type="fail"), *done(0, "write", 2)) == []


def test_a_completion_that_changes_its_arguments() -> None:
    changed = ((0, "invoke", "write", 3), (0, "ok", "write", 4))
    assert found(*done(0, "write", 1), *done(1, "write", 2), *changed) == [("changed-arguments", 5)]
    assert found(*done(0, "write", 1), *done(1, "write", 2), *done(0, "write", 3)) == []


def test_an_operation_whose_answer_is_something_else_changes_nothing() -> None:
    versions = [
        ((0, "invoke", "write", value), (0, "ok", "write", [value, value])) for value in range(3)
    ]
    assert found(*(row for pair in versions for row in pair)) == []
    swapped = ((0, "invoke", "cas", [1, 2]), (0, "ok", "cas", False))
    assert found(*done(0, "cas", [0, 1]), *done(0, "cas", [1, 2]), *swapped) == []


def test_a_failed_write_that_was_read() -> None:
    failed = done(0, "write", 7, type="fail")
    assert found(*failed, *read(1, 7)) == [("failed-but-read", 3)]
    assert found(*failed, *read(1, 8)) == []
    assert found(*done(0, "write", 7, type="info"), *read(1, 7)) == []


def test_a_value_that_somebody_else_wrote_proves_nothing() -> None:
    failed = done(0, "write", 7, type="fail")
    assert found(*failed, *done(1, "write", 7), *read(1, 7)) == []
    assert found(*read(1, 7), *failed, *read(1, 7)) == [], "it was there before"
    assert found(*failed, *read(1, 7), initial=7) == []
    assert found(*done(0, "write", 7, "x", type="fail"), *read(1, 7, "y")) == []


def test_a_failed_cas_that_was_read() -> None:
    failed = done(0, "cas", [1, 9], type="fail")
    assert found(*done(0, "write", 1), *failed, *read(1, 9)) == [("failed-but-read", 5)]
    assert found(*done(0, "write", 1), *failed, *read(1, 1)) == []


def test_a_failed_element_in_a_set_or_queue() -> None:
    failed = done(0, "add", 2, type="fail")
    assert found(*done(0, "add", 1), *failed, *read(1, [1, 2])) == [("failed-but-read", 5)]
    assert found(*done(0, "add", 1), *failed, *read(1, [1])) == []
    queued = done(0, "enqueue", 2, type="fail")
    taken = ((1, "invoke", "dequeue", None), (1, "ok", "dequeue", 2))
    assert found(*queued, *taken) == [("failed-but-read", 3)]


def test_an_element_that_is_put_in_twice() -> None:
    assert found(*done(0, "enqueue", 1), *done(1, "enqueue", 1)) == [("written-twice", 2)]
    assert found(*done(0, "enqueue", 1), *done(1, "enqueue", 2)) == []
    assert found(*done(0, "enqueue", 1, type="fail"), *done(0, "enqueue", 1)) == []
    assert found(*done(0, "enqueue", 1, "a"), *done(1, "enqueue", 1, "b")) == []


def test_a_set_wants_distinct_elements_and_a_counter_does_not() -> None:
    twice = (*done(0, "add", 1), *done(0, "add", 1))
    assert found(*twice, *read(0, [1])) == [("written-twice", 2)]
    assert found(*twice, *read(0, 2)) == []


def test_values_of_a_register_may_repeat_unless_they_shall_not() -> None:
    twice = (*done(0, "write", 1), *done(0, "write", 1))
    assert found(*twice) == []
    assert found(*twice, distinct=True) == [("written-twice", 2)]


LINES = [
    {"momus": "history", "version": 1},
    {"process": 0, "type": "invoke", "f": "write", "value": 1, "time": 100},
    {"process": 0, "type": "ok", "f": "write", "value": 1, "time": 200},
    {"process": 1, "type": "invoke", "f": "read", "value": None, "time": 300},
    {"process": 1, "type": "ok", "f": "read", "value": 1, "time": 400},
]


def written(path: Path, *lines: Any) -> str:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return str(path)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({3: {"time": 150}}, [("clock-jump", 4)]),
        ({1: None}, [("no-invocation", 2)]),
        ({3: {"process": 0, "f": "write"}, 4: {"process": 0}}, [("changed-operation", 5)]),
        ({2: None, 3: {"process": 0}, 4: {"process": 0}}, [("two-at-once", 3)]),
        ({3: {"time": 150}, 1: None}, [("no-invocation", 2), ("clock-jump", 3)]),
        ({2: {"type": "fail"}, 4: {"time": 0}}, [("clock-jump", 5), ("failed-but-read", 5)]),
    ],
)
def test_what_no_reader_accepts_is_told_line_by_line(
    tmp_path: Path, changes: dict[int, Any], expected: list[tuple[str, int]]
) -> None:
    rows = [
        row if number not in changes else {**row, **changes[number]}
        for number, row in enumerate(LINES)
        if changes.get(number, {}) is not None
    ]
    path = written(tmp_path / "history.jsonl", *rows)
    assert [(each.kind, each.line) for each in lint_file(path)] == expected


def test_what_is_no_history_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"history\.jsonl:1"):
        lint_file(written(tmp_path / "history.jsonl", 1, 2))


def test_the_command_tells_the_line_and_exits_by_what_it_found(tmp_path: Path) -> None:
    good = written(tmp_path / "good.jsonl", *LINES)
    bad = written(tmp_path / "bad.jsonl", *LINES, {**LINES[2], "time": 500})
    fine = CliRunner().invoke(cli, ["lint", good])
    assert (fine.exit_code, fine.stdout) == (0, f"nothing found in {good}\n")
    told = CliRunner().invoke(cli, ["lint", good, bad])
    assert told.exit_code == 1
    assert told.stdout.startswith(f"{bad}:6: no-invocation: process 0 completes write (ok)")
    as_json = json.loads(CliRunner().invoke(cli, ["lint", "--json", bad]).stdout)
    assert as_json["findings"][0]["line"] == 6
    assert as_json["findings"][0]["blame"] == "harness"
    none = CliRunner().invoke(cli, ["lint", written(tmp_path / "no.jsonl", 1)])
    assert none.exit_code == 2


def txn(process: int, asked: Json, told: Json, outcome: str = "ok") -> list[Op]:
    return [
        Op("txn", asked, process=process),
        Op("txn", told, process=process, type=outcome),  # type: ignore[arg-type]
    ]


def kinds(*ops: list[Op], distinct: bool = False) -> list[str]:
    history = History.from_ops(op for some in ops for op in some)
    return [finding.kind for finding in lint(history, distinct=distinct)]


@pytest.mark.parametrize(
    ("asked", "told", "expected"),
    [
        ([["r", 1, None]], [["r", 1, 5]], []),
        ([["r", 1, None]], [["r", 2, 5]], ["changed-arguments"]),
        ([["w", 1, 5], ["r", 1, None]], [["w", 1, 5], ["r", 1, 5]], []),
        ([["w", 1, 5], ["r", 1, None]], [["w", 1, 6], ["r", 1, 5]], ["changed-arguments"]),
        ([["append", "x", 5]], [["append", "y", 5]], ["changed-arguments"]),
        ([["append", "x", 1.5]], [["append", "x", 2.5]], ["changed-arguments"]),
        ([["w", 1, [1, {"a": 2}]]], [["w", 1, [1, {"a": 3}]]], ["changed-arguments"]),
        ([["r", 1, None]], [["r", 1, 5], ["r", 2, 5]], ["changed-arguments"]),
        ([["send", 1, 5], ["poll"]], [["send", 1, [0, 5]], ["poll", {"1": [[0, 5]]}]], []),
        ([["r", 1, None]], [7, [["r", 1, 5]]], []),
    ],
)
def test_a_transaction_answers_its_own_steps(asked: Json, told: Json, expected: list[str]) -> None:
    assert kinds(txn(0, asked, told)) == expected


def test_what_transactions_append_is_distinct() -> None:
    one: Json = [["append", 1, 5], ["r", 2, None]]
    other: Json = [["r", 3, None], ["append", 1, 5]]
    assert kinds(txn(0, one, one), txn(1, other, other)) == ["written-twice"]
    assert kinds(txn(0, one, one, "fail"), txn(1, other, other)) == []
    elsewhere: Json = [["append", 2, 5]]
    assert kinds(txn(0, one, one), txn(1, elsewhere, elsewhere)) == []


def test_what_transactions_write_is_distinct_if_it_shall_be() -> None:
    write: Json = [["w", "x", 1.5]]
    twice = txn(0, write, write), txn(1, write, write)
    assert kinds(*twice) == []
    assert kinds(*twice, distinct=True) == ["written-twice"]


@pytest.mark.parametrize("seen", [5, [4, 5], [[5]]])
def test_a_failed_transaction_whose_value_was_read(seen: Json) -> None:
    failed = txn(0, [["w", 1, 5], ["append", 2, 6]], [["w", 1, 5], ["append", 2, 6]], "fail")
    read = txn(1, [["r", 1, None]], [["r", 1, seen]])
    expected = [] if seen == [[5]] else ["failed-but-read"]
    assert kinds(failed, read) == expected
    assert kinds(read, failed) == [], "it was there before anybody tried to write it"
    assert kinds(failed, txn(2, [["w", 1, 5]], [["w", 1, 5]]), read) == []
    assert kinds(failed, txn(1, [["r", 2, None]], [["r", 2, seen]])) == [], "another key"

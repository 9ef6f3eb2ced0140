"""The drawing for the terminal, and the labels of all drawings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import reports
from checker import Counterexample
from histories import History
from reports import _labels

MakeHistory = Callable[..., History]


def test_a_stale_read_as_text(history: MakeHistory) -> None:
    h = history(
        (1_000_000, 0, "invoke", "write", 1),
        (2_000_000, 0, "ok", "write", 1),
        (3_000_000, 1, "invoke", "write", 2),
        (5_000_000, 0, "invoke", "read", None),
        (6_000_000, 0, "ok", "read", 7),
    )
    found = Counterexample("7 was never written.", None, 3, (h[0], h[1], h[2]))
    drawing = reports.text(h, found, width=72)
    assert drawing.splitlines() == [
        "process 0  [write 1 ===]   [✗ read → 7 #]",
        "process 1                [write 2 ? ········>",
        "           ^0.001 s        ^0.005 s     ^0.006 s",
        "3 of 3 operations   # cannot be placed   = evidence   [··> nobody knows",
    ]


def test_text_is_empty_where_no_operation_is_named(history: MakeHistory) -> None:
    assert reports.text(history(), Counterexample("…")) == ""
    assert reports.text(history((0, 0, "invoke", "read", None)), Counterexample("…")) == ""


@pytest.mark.parametrize("value", ["日本語日本語", "\x1b[31mred\x1b[0m", "\u202eabc", "é" * 90])
@pytest.mark.parametrize("width", [1, 40, 100])
def test_values_cannot_break_the_lines(value: str, width: int, history: MakeHistory) -> None:
    rows: list[tuple[Any, ...]] = []
    for n in range(40):
        rows.append((n * 10, n % 4, "invoke", "write", value, "k"))
        rows.append((n * 10 + 5, n % 4, "ok", "write", value, "k"))
    h = history(*rows)
    found = Counterexample("…", "k", 70, tuple(h)[:60])
    for line in reports.text(h, found, width=width).splitlines():
        assert _labels.cells(line) <= max(width, 40)
        assert line.isprintable()
    assert reports.text(h, found, width=width, ascii=True).isascii()


@pytest.mark.parametrize(
    ("f", "given", "answer", "outcome", "label"),
    [
        ("read", None, 3, "ok", "read → 3"),
        ("read", None, None, "ok", "read → null"),
        ("read", None, None, "info", "read ?"),
        ("write", 3, 3, "ok", "write 3"),
        ("write", 3, None, "ok", "write 3"),
        ("write", 1, True, "ok", "write 1"),
        ("write", 3, 3, "pending", "write 3 ?"),
        ("cas", [1, 2], [1, 2], "ok", "cas 1⇒2"),
        ("cas", [1, 2], False, "ok", "cas 1⇒2 → false"),
        ("cas", [1, 2], [1, 2], "fail", "cas 1⇒2"),
        ("dequeue", None, "a b", "ok", 'dequeue → "a b"'),
        ("f" * 99, "v" * 99, "w" * 99, "ok", 'fffffffffffffff… → "wwwwwwwwwww…'),
    ],
)
def test_an_operation_in_one_breath(
    f: str, given: Any, answer: Any, outcome: str, label: str
) -> None:
    assert _labels.operation(f, given, answer, outcome) == label


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("x", "x"),
        ("null", '"null"'),
        (5, "5"),
        ("5", '"5"'),
        ("a b", '"a b"'),
        (None, "null"),
        ({"b": [1, True]}, '{"b": [1, true]}'),
        ("\n", '"\\n"'),
        (1.5, "1.5"),
        ("x\n", '"x\\n"'),
    ],
)
def test_names_are_bare_only_where_nobody_can_mistake_them(value: Any, label: str) -> None:
    assert _labels.name(value) == label


@pytest.mark.parametrize(
    ("ns", "label"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_500, "1.5 µs"),
        (2_100_000, "2.1 ms"),
        (999_900_000, "1000 ms"),
        (43_000_000_000, "43 s"),
        (3_600_000_000_000, "60 min"),
    ],
)
def test_durations_have_three_digits_and_a_unit(ns: int, label: str) -> None:
    assert _labels.duration(ns) == label

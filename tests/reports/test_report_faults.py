"""Fault bands: from the ok of start-X to the ok of stop-X."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from histories import History
from reports._faults import Band, bands, coalesced

MakeHistory = Callable[..., History]


def nemesis(*rows: tuple[int, str, str]) -> list[tuple[Any, ...]]:
    return [(time, "nemesis", kind, f, None) for time, kind, f in rows]


def test_a_fault_lasts_from_the_ok_of_its_start_to_the_ok_of_its_stop(
    history: MakeHistory,
) -> None:
    h = history(
        (1, "nemesis", "invoke", "start-kill", None),
        (
            2,
            "nemesis",
            "ok",
            "start-kill",
            {"targets": ["n1"], "choice": "one", "receipt": {"ok": True}},
        ),
        (5, "nemesis", "invoke", "stop-kill", None),
        (6, "nemesis", "ok", "stop-kill", None),
    )
    assert bands(h) == (Band("kill", 2, 6, True, "n1 (one)", True, ordered=1),)


def test_a_fault_never_stopped_stays_open(history: MakeHistory) -> None:
    h = history(*nemesis((1, "invoke", "start-pause"), (2, "ok", "start-pause")))
    assert bands(h) == (Band("pause", 2, None, ordered=1),)


def test_a_start_that_failed_is_no_fault_and_one_in_doubt_is_marked(history: MakeHistory) -> None:
    h = history(
        *nemesis(
            (1, "invoke", "start-kill"),
            (2, "fail", "start-kill"),
            (3, "invoke", "start-kill"),
            (4, "info", "start-kill"),
            (5, "invoke", "stop-kill"),
            (6, "ok", "stop-kill"),
        )
    )
    assert bands(h) == (Band("kill", 4, 6, sure=False, ordered=3),)


def test_an_order_that_was_declined_is_no_fault(history: MakeHistory) -> None:
    declined = {"receipt": {"ok": False, "declined": True}}
    h = history(
        (1, "nemesis", "invoke", "start-member-remove", None),
        (2, "nemesis", "info", "start-member-remove", declined),
        *nemesis((3, "invoke", "stop-member-remove"), (4, "ok", "stop-member-remove")),
    )
    assert bands(h) == ()


def test_different_faults_overlap_and_one_that_starts_again_replaces_itself(
    history: MakeHistory,
) -> None:
    h = history(
        *nemesis(
            (1, "invoke", "start-a"),
            (2, "ok", "start-a"),
            (3, "invoke", "start-b"),
            (4, "ok", "start-b"),
            (5, "invoke", "start-a"),
            (6, "ok", "start-a"),
            (7, "invoke", "stop-a"),
            (8, "ok", "stop-a"),
        )
    )
    assert [(b.name, b.start, b.stop) for b in bands(h)] == [
        ("a", 2, 6),
        ("b", 4, None),
        ("a", 6, 8),
    ]


def test_the_words_of_jepsen_are_understood(history: MakeHistory) -> None:
    h = history(
        *nemesis(
            (1, "info", "start"),
            (2, "info", "start"),
            (5, "info", "stop"),
            (6, "info", "stop"),
            (7, "info", "kill"),
            (8, "info", "kill"),
            (9, "info", "start"),
            (9, "info", "start"),
        )
    )
    assert [(b.name, b.start, b.stop, b.sure) for b in bands(h)] == [
        ("fault", 1, 5, True),
        ("kill", 7, 9, True),
    ]


def test_bands_too_close_to_be_told_apart_become_one() -> None:
    found = (Band("a", 0, 10), Band("b", 3, 4), Band("a", 11, 20), Band("a", 90, None))
    assert coalesced(found, 5) == (Band("a", 0, 20), Band("a", 90, None), Band("b", 3, 4))

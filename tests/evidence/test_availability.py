"""Availability: shares, recovery and latency around faults, with bounds and without."""

from __future__ import annotations

from typing import Any

import pytest

from checker.evidence import Availability
from checker.evidence._vacuity import Vacuity
from histories import History
from tests.evidence.test_vacuity import Play, load


def measured(play: Play, **bounds: Any) -> tuple[bool | str, dict[str, Any]]:
    verdict = Availability(**bounds).check(play.history())
    for found in verdict.counterexamples:
        assert found.operations
    return verdict.valid, verdict.details


def outage(recovers: float = 12.1) -> Play:
    """Node n1 is always there; n2 fails from 5 s until it recovers; a fault from 5 to 10 s."""
    play = load(0).fault("pause", 5, 10)
    for second in range(20):
        begin = second + 0.1
        play.op(
            1,
            begin,
            second + 0.9,
            node="n2",
            outcome="ok" if begin < 5 or begin >= recovers else "info",
        )
    return play


def test_without_bounds_it_measures_and_is_never_invalid() -> None:
    valid, details = measured(load(0, 1, outcome="fail"))
    assert valid is True
    assert (details["attempted"], details["ok"], details["fraction"]) == (40, 0, 0.0)


def test_nothing_tried_is_vacuous() -> None:
    assert measured(Play())[0] == "unknown"
    assert measured(load(0), recovery_s=1)[0] == "unknown", "nothing was healed"


def test_shares_by_node_and_by_operation() -> None:
    _, details = measured(outage())
    assert details["nodes"]["n1"]["fraction"] == 1.0
    assert details["nodes"]["n2"] == {
        "attempted": 20, "ok": 13, "fail": 0, "info": 7, "fraction": 0.65
    }  # fmt: skip
    assert details["operations"]["write"]["attempted"] == 40


def test_a_fault_is_seen_before_during_and_after() -> None:
    [window] = measured(outage())[1]["windows"]
    assert (window["fault"], window["start"], window["stop"]) == ("pause", 5 * 10**9, 10 * 10**9)
    assert window["before"]["fraction"] == 1.0
    assert window["during"]["fraction"] == 0.5
    assert window["after"]["fraction"] == 0.8
    assert window["during"]["per_second"] == 1.0
    assert window["before"]["latencies_ms"]["0.5"] == pytest.approx(800)
    assert window["nodes"]["n2"]["fraction"] == 0.0


def test_recovery_is_from_healing_to_the_first_success_of_each_node() -> None:
    [window] = measured(outage())[1]["windows"]
    assert window["recovery_s"] == {"n1": pytest.approx(0.9), "n2": pytest.approx(2.9)}
    [window] = measured(outage(recovers=99))[1]["windows"]
    assert window["recovery_s"]["n2"] is None


@pytest.mark.parametrize(
    ("bounds", "valid"),
    [
        ({"fraction": 0.82}, True),
        ({"fraction": 0.83}, False),
        ({"fraction_on_node": 0.65}, True),
        ({"fraction_on_node": 0.66}, False),
        ({"fraction_during": 0.5}, True),
        ({"fraction_during": 0.51}, False),
        ({"recovery_s": 3.0}, True),
        ({"recovery_s": 2.5}, False),
        ({"latency_ms": 801.0}, True),
        ({"latency_ms": 799.0}, False),
    ],
)
def test_bounds_make_it_invalid(bounds: dict[str, float], valid: bool) -> None:
    assert measured(outage(), **bounds)[0] is valid


def test_a_node_that_does_not_recover_breaks_the_bound_if_it_had_the_time() -> None:
    assert measured(outage(recovers=99), recovery_s=5)[0] is False
    assert measured(outage(recovers=99), recovery_s=15)[0] is True
    soon = outage(recovers=99).fault("kill", 11, 20)
    assert measured(soon, recovery_s=1.5)[0] is True, "the next fault came before"


def test_a_history_without_a_clock_has_shares_only() -> None:
    events = [event for event in outage().history()]
    timeless = History.from_events(type(e)(e.index, 0, *_rest(e)) for e in events)
    details = Availability().check(timeless).details
    assert (details["fraction"], details["windows"], details["latencies_ms"]) == (0.825, [], {})


def test_both_checkers_of_runs_see_the_same_windows() -> None:
    history = outage().history()
    windows = Vacuity().check(history).details["windows"]
    assert [each["start"] for each in windows] == [5 * 10**9]


def _rest(event: Any) -> tuple[Any, ...]:
    return (event.process, event.type, event.f, None, event.value, None, event.node)

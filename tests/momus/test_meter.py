"""The figures of a run in progress."""

from __future__ import annotations

from histories import Event
from momus._meter import Meter


def meter_after(*events: Event) -> Meter:
    meter = Meter(time_limit_s=60)
    for event in events:
        meter.saw(event)
    return meter


MS = 1_000_000


def test_completions_are_counted_by_type_and_timed() -> None:
    meter = meter_after(
        Event(0, 0, 0, "invoke", "read"),
        Event(1, 0, 1, "invoke", "write"),
        Event(2, 3 * MS, 0, "ok", "read"),
        Event(3, 9 * MS, 1, "info", "write"),
        Event(4, 9 * MS, 3, "invoke", "read"),
    )
    figures = meter.figures(1.0)
    assert (figures.ok, figures.fail, figures.info, figures.open) == (1, 0, 1, 1)
    assert figures.rate_hz == 2
    assert figures.median_ms == 9
    assert figures.left_s == 59


def test_a_fault_is_shown_from_its_start_to_its_stop() -> None:
    start = Event(0, 0, "nemesis", "info", "start-partition", value={"targets": ["n1", "n2"]})
    assert meter_after(start).figures(1.0).faults == "partition n1 n2"
    stop = Event(1, 1, "nemesis", "info", "stop-partition")
    assert meter_after(start, stop).figures(1.0).faults == ""


def test_a_line_says_it_all_before_anything_happened() -> None:
    line = meter_after().figures(0.0).line()
    assert "no completions" in line
    assert "fault: none" in line

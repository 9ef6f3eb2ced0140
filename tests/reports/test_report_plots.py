"""Plots: bounded in size, safe in their labels, without a display or a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import reports
from histories import History
from reports._faults import bands
from reports._operations import operations
from reports._plots import latency, rate

MakeHistory = Callable[..., History]


def test_a_run_folder_gets_two_pictures(history: MakeHistory, tmp_path: Path) -> None:
    h = history((0, 0, "invoke", "write", 1), (9, 0, "ok", "write", 1))
    paths = reports.plots(h, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "plots/latency.png",
        "plots/rate.png",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert len(list((tmp_path / "plots").iterdir())) == 2


def test_a_history_without_completions_has_no_pictures(
    history: MakeHistory, tmp_path: Path
) -> None:
    assert reports.plots(history((0, 0, "invoke", "write", 1)), tmp_path) == ()
    assert reports.plots(history(), tmp_path) == ()
    assert not (tmp_path / "plots").exists()


def test_labels_are_text_not_formulas_or_markup(history: MakeHistory) -> None:
    mean = "$\\frac{a$ <script> & \x00"
    h = history(
        (0, "nemesis", "invoke", "start-" + mean, None),
        (1, "nemesis", "ok", "start-" + mean, None),
        (2, 0, "invoke", mean, 1),
        (3, 0, "ok", mean, 1),
    )
    ops = operations(h)
    for draw in (latency, rate):
        picture = draw(ops, bands(h))
        assert picture is not None
        svg = unquote(picture.data_uri().partition(",")[2])
        root = ElementTree.fromstring(svg)
        words = ["".join(e.itertext()) for e in root.iter("{http://www.w3.org/2000/svg}text")]
        assert any(("$" in word and "<" in word) or "$\\frac" in word for word in words)
        assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_hundreds_of_thousands_of_operations_make_a_picture_of_ordinary_size(
    million: Any,
) -> None:
    ops = operations(million)
    picture = latency(ops, bands(million))
    assert picture is not None
    assert len(picture.data_uri()) < 1_500_000


def test_a_report_of_a_million_events_stays_small(million: Any, tmp_path: Path) -> None:
    from checker import Counterexample, Verdict

    found = Counterexample("Late.", None, 900_000, (million[5], million[899_000]))
    verdict = Verdict(False, "linearizable", counterexamples=(found,))
    path = reports.render(million, verdict, tmp_path / "report.html")
    assert path.stat().st_size < 3_000_000

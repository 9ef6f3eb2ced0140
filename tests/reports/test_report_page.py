"""The HTML report: what it says, that it never breaks, that no value becomes markup."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

import reports
from checker import Counterexample, Unknown, Verdict
from histories import History
from reports._pictures import Image

MakeHistory = Callable[..., History]

STALE_READ = (
    (0, 0, "invoke", "write", 1, "x"),
    (1_000_000, 0, "ok", "write", 1, "x"),
    (2_000_000, 0, "invoke", "write", 2, "x"),
    (3_000_000, 0, "ok", "write", 2, "x"),
    (5_000_000, 1, "invoke", "read", None, "x"),
    (6_000_000, 1, "ok", "read", 1, "x"),
)


def stale_read(history: Any) -> Verdict:
    found = Counterexample(
        sentence="The read of 1 began after write 2 had completed.",
        key="x",
        operation=4,
        operations=tuple(history[i] for i in (2, 3, 4, 5)),
        states=(2,),
    )
    return Verdict(False, "linearizable", "cas-register", "test", 3, 0.1, (found,))


class Page(HTMLParser):
    """Every tag and attribute of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def assert_harmless(self) -> None:
        allowed = {
            "html",
            "head",
            "meta",
            "link",
            "title",
            "style",
            "body",
            "header",
            "main",
            "section",
            "aside",
            "footer",
            "div",
            "span",
            "p",
            "h1",
            "h2",
            "h3",
            "dl",
            "dt",
            "dd",
            "ul",
            "li",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "bdi",
            "a",
            "em",
            "strong",
            "code",
            "img",
            "details",
            "summary",
            "svg",
            "g",
            "rect",
            "path",
            "line",
            "text",
            "circle",
        }
        assert set(self.tags) <= allowed
        for tag, name, value in self.attributes:
            assert not name.startswith("on"), (tag, name, value)
            if name in ("href", "src"):
                assert value.startswith(("#", "data:")), (tag, name, value)


def rendered(history: Any, verdict: Verdict, tmp_path: Path, **meta: Any) -> tuple[str, Page]:
    path = reports.render(history, verdict, tmp_path / "report.html", meta=meta)
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    page.assert_harmless()
    return html, page


def test_an_invalid_history_shows_why_at_the_top(history: MakeHistory, tmp_path: Path) -> None:
    h = history(*STALE_READ)
    html, page = rendered(h, stale_read(h), tmp_path, name="my test", seed=7)
    assert page.text.index("Invalid") < page.text.index("The read of 1 began after write 2")
    assert page.text.index("Possible states just before") < page.text.index("The run")
    assert "read → 1" in page.text
    assert 'class="bar culprit ok"' in html
    assert 'class="bar evidence ok"' in html
    assert html.count('id="c1-4"') == 1
    assert 'href="#c1-4"' in html


def test_the_drawing_marks_what_the_violation_can_do_without(
    history: MakeHistory, tmp_path: Path
) -> None:
    h = history(*STALE_READ)
    [found] = (verdict := stale_read(h)).counterexamples
    core = [
        {"index": 2, "optional": True, "widened": []},
        {"index": 4, "optional": False, "widened": ["invoked", "returned"]},
    ]
    relaxed = msgspec.structs.replace(found, details={"core": {"operations": core}})
    html, page = rendered(h, msgspec.structs.replace(verdict, counterexamples=(relaxed,)), tmp_path)
    assert 'class="bar evidence ok optional"' in html
    assert "the violation stands even if this did not happen" in page.text
    assert "the violation stands even if this had begun earlier or ended later" in page.text
    assert "wrong even if this did not happen" in page.text
    assert "optional" not in rendered(h, verdict, tmp_path)[0].partition("<body")[2]


def test_a_valid_history_says_so_and_shows_the_run(history: MakeHistory, tmp_path: Path) -> None:
    h = history(*STALE_READ)
    _, page = rendered(h, Verdict(True, "linearizable", operations=3), tmp_path)
    assert "No violation was found; 3 operations judged." in page.text
    assert "The first moments of the run" in page.text
    assert page.tags.count("img") == 2


def test_unknown_says_why_and_what_would_settle_it(history: MakeHistory, tmp_path: Path) -> None:
    unknown = Unknown("time", "Half of key x is open.", "Allow 60 s.")
    verdict = Verdict("unknown", "linearizable", unknown=unknown)
    _, page = rendered(history(*STALE_READ), verdict, tmp_path)
    for words in ("Unknown", "The time allowed ran out.", "Half of key x", "Allow 60 s."):
        assert words in page.text


def test_composed_checkers_are_listed_and_the_reason_found_in_a_part_leads(
    history: MakeHistory, tmp_path: Path
) -> None:
    h = history(*STALE_READ)
    inner = {"register": stale_read(h), "stats": Verdict(True, "stats")}
    _, page = rendered(
        h, Verdict(False, "all", parts={"group": Verdict(False, "g", parts=inner)}), tmp_path
    )
    assert "group / register" in page.text
    assert "group / stats" in page.text
    assert page.text.count("Counterexample") == 1
    assert page.text.index("The read of 1 began") < page.text.index("Checkers")


def test_the_reason_for_unknown_may_sit_in_a_part(history: MakeHistory, tmp_path: Path) -> None:
    part = Verdict("unknown", "set", unknown=Unknown("vacuous", "Nothing was read.", "Read."))
    _, page = rendered(history(), Verdict("unknown", "all", parts={"set": part}), tmp_path)
    assert "Nothing was read." in page.text


def test_the_first_failing_keys_are_shown_in_full_and_the_rest_counted(
    history: MakeHistory, tmp_path: Path
) -> None:
    h = history(*STALE_READ)
    found = tuple(Counterexample(f"Key {n} is wrong.", f"k{n}", 4, (h[4], h[5])) for n in range(90))
    html, page = rendered(h, Verdict(False, "linearizable", counterexamples=found), tmp_path)
    assert "Counterexample 3 of 90" in page.text
    assert "Counterexample 4 of 90" not in page.text
    assert "87 more counterexamples" in page.text
    assert "and 27 more" in page.text
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert len(html) < 600_000


MEAN = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "' onmouseover='alert(1)",
    "]]></title></style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "$\\frac{1}{0}$ $x",
    "\u202egnp.exe \u2066 \u200b",
    "\x00\x01\x1b[31m\x7f",
    "\ufffe\uffff\ue000",
    "שלום עולם مرحبا",
    "日本語 🎉 é",
    "javascript:alert(1)",
    "a" * 1_000_000,
    "\n\n\n",
    "",
]


@pytest.mark.parametrize("mean", MEAN, ids=range(len(MEAN)))
def test_no_value_becomes_markup_wherever_it_stands(
    mean: str, history: MakeHistory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The plots have a test of their own, and take their time.
    picture = Image("Latency", "data:,", "Latency")
    monkeypatch.setattr("reports._page.images", lambda _ops, _bands: (picture,))
    h = history(
        (0, "nemesis", "invoke", "start-" + mean, None),
        (10, "nemesis", "ok", "start-" + mean, {"targets": [mean], "receipt": {"ok": True}}),
        (20, 0, "invoke", mean, {mean: [mean]}, mean),
        (30, 0, "ok", mean, [mean], mean),
        (40, 1, "invoke", "read", None, mean),
        (50, 1, "info", "read", mean, mean),
        **{"name": mean, "seed": mean, "nodes": [mean], mean or "empty": {mean: mean}},
    )
    found = Counterexample(
        sentence=mean,
        key=mean,
        operation=4,
        operations=tuple(h),
        states=(mean,),
        configurations=({"state": {mean: mean}, "linearized": [2], "crashed": []},),
        details={mean: mean},
    )
    part = Verdict(False, mean, mean, mean, 1, 0.1, (found,), Unknown("time", mean, mean), (mean,))
    html, page = rendered(h, Verdict(False, mean, notes=(mean,), parts={mean: part}), tmp_path)
    assert "alert(1)</script>" not in html
    assert "49" not in page.text or "{{" not in mean
    assert not any(char in page.text for char in "\x00\x01\x1b\x7f\u202e\u2066\u200b")
    assert len(html) < 600_000


def test_the_page_forbids_itself_scripts_and_network(history: MakeHistory, tmp_path: Path) -> None:
    _, page = rendered(history(*STALE_READ), Verdict(True, "c"), tmp_path)
    policy = next(v for tag, name, v in page.attributes if tag == "meta" and "default-src" in v)
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


ODD: dict[str, tuple[tuple[Any, ...], ...]] = {
    "empty": (),
    "only the nemesis": (
        (0, "nemesis", "invoke", "start-kill", None),
        (1, "nemesis", "ok", "start-kill", {"targets": None}),
    ),
    "one invocation": ((0, 0, "invoke", "read", None),),
    "all at once": (
        (0, 0, "invoke", "write", 1),
        (0, 0, "ok", "write", 1),
        (0, 0, "invoke", "write", 2),
        (0, 0, "ok", "write", 2),
    ),
    "only failures": ((5, 0, "invoke", "write", 1), (9, 0, "fail", "write", 1)),
    "the first ok is the bad one": ((0, 0, "invoke", "read", None), (1, 0, "ok", "read", 7)),
    "everything crashed": tuple(
        row
        for p in range(70)
        for row in ((p * 2, p, "invoke", "write", p), (p * 2 + 1, p, "info", "write", p))
    ),
    "days apart": (
        (0, 0, "invoke", "read", None),
        (9 * 10**18, 0, "ok", "read", 1),
        (9 * 10**18, 1, "invoke", "read", None),
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_histories_are_reported_like_others(
    name: str, history: MakeHistory, tmp_path: Path
) -> None:
    h = history(*ODD[name])
    found = tuple(
        Counterexample(f"It is odd {n}.", None, n, events, (None,))
        for n, events in ((0, tuple(h)[:4]), (1, ()), (-1, tuple(h)[:4]))
    )
    _, page = rendered(h, Verdict(False, "c", counterexamples=found), tmp_path)
    for n in (0, 1, -1):
        assert f"It is odd {n}." in page.text
    assert "Could not be drawn" not in page.text
    lost = Counterexample("It is nowhere.", None, 99)
    assert all(isinstance(reports.text(h, one), str) for one in (*found, lost))
    for verdict in (Verdict("unknown", "c"), Verdict(False, "c", counterexamples=(lost,))):
        _, page = rendered(h, verdict, tmp_path)
        assert "Could not be drawn" not in page.text


def test_a_history_without_times_counts_events(history: MakeHistory, tmp_path: Path) -> None:
    rows = [(index, *row[1:]) for index, row in enumerate(STALE_READ)]
    h = history(*rows)
    _, page = rendered(h, stale_read(h), tmp_path)
    assert "event 4" in page.text
    assert "Duration" not in page.text


def test_a_report_replaces_the_old_one_whole(history: MakeHistory, tmp_path: Path) -> None:
    h = history(*STALE_READ)
    rendered(h, Verdict(True, "c"), tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        reports.render(h, Verdict(True, "c"), tmp_path / "folder")
    rendered(h, stale_read(h), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "report.html"]


def test_the_same_history_gives_the_same_bytes(history: MakeHistory, tmp_path: Path) -> None:
    h = history(*STALE_READ)
    first, _ = rendered(h, stale_read(h), tmp_path)
    second, _ = rendered(h, stale_read(h), tmp_path)
    assert first == second


def test_deep_and_huge_values_are_cut(history: MakeHistory, tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    huge = [deep, 10**5000, {str(n): n for n in range(50_000)}]
    h = history((0, 0, "invoke", "write", huge[2]), (9, 0, "ok", "write", huge[2]))
    found = Counterexample("big", huge, 0, tuple(h), (huge,), details={"all": huge})
    html, _ = rendered(h, Verdict(False, "c", counterexamples=(found,)), tmp_path, big=huge)
    assert len(html) < 500_000

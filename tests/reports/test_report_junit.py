"""JUnit XML: what a CI server is told."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import reports
from checker import Counterexample, Unknown, Verdict

INVALID = Verdict(False, "linearizable", counterexamples=(Counterexample("It is stale.", "x"),))
UNKNOWN = Verdict("unknown", "linearizable", unknown=Unknown("time", "Too slow.", "Wait."))


def written(verdicts: dict[str, Verdict], path: Path, **options: str) -> ElementTree.Element:
    reports.junit(verdicts, path, **options)  # type: ignore[arg-type]
    suite = ElementTree.parse(path).getroot().find("testsuite")
    assert suite is not None
    return suite


def test_invalid_fails_valid_passes_and_unknown_is_skipped(tmp_path: Path) -> None:
    verdicts = {"a": Verdict(True, "c"), "b": INVALID, "c": UNKNOWN}
    suite = written(verdicts, tmp_path / "junit.xml")
    assert [suite.get(n) for n in ("tests", "failures", "errors", "skipped")] == list("3101")
    assert [child.tag for case in suite for child in case] == ["failure", "skipped"]
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "key x: It is stale."


def test_unknown_may_be_an_error_by_policy(tmp_path: Path) -> None:
    suite = written({"c": UNKNOWN}, tmp_path / "junit.xml", unknown="error")
    assert suite.get("errors") == "1"
    assert "Wait." in "".join(suite.itertext())


def test_parts_are_cases_of_their_own(tmp_path: Path) -> None:
    whole = Verdict(False, "all", parts={"reg": INVALID, "stats": Verdict(True, "stats")})
    suite = written({"run": whole}, tmp_path / "junit.xml")
    assert [case.get("name") for case in suite] == ["run / reg", "run / stats"]


def test_any_text_is_well_formed_xml(tmp_path: Path) -> None:
    mean = "\x00\x1b]]><b>&\ud800\ufffe" + "x" * 10_000
    bad = Verdict(False, mean, counterexamples=(Counterexample(mean, mean),))
    suite = written({mean: bad}, tmp_path / "junit.xml")
    assert suite.get("failures") == "1"


def test_several_suites_stand_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    reports.junit_suites({"calm": {"a": Verdict(True, "c")}, "crash": {"b": INVALID}}, path)
    suites = ElementTree.parse(path).getroot().findall("testsuite")
    assert [(s.get("name"), s.get("failures")) for s in suites] == [("calm", "0"), ("crash", "1")]

"""Verdicts as JUnit XML, which every CI server can read.

Each verdict is a test case, and so is each part of a verdict that has parts.  Invalid is
a failure.  Unknown is neither a pass nor a failure; JUnit's word for that is *skipped*,
unless the caller's policy is that a run without a verdict must not pass.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal
from xml.etree import ElementTree

from checker import Counterexample, Verdict
from reports import _labels
from reports._file import replace_file

_COUNTEREXAMPLES_MAX: Final = 20


def junit(
    verdicts: Mapping[str, Verdict],
    path: str | os.PathLike[str],
    *,
    suite: str = "momus",
    unknown: Literal["skipped", "error"] = "skipped",
) -> Path:
    """Write one test suite with a case for each named verdict, as a whole or not at all."""
    return junit_suites({suite: verdicts}, path, unknown=unknown)


def junit_suites(
    suites: Mapping[str, Mapping[str, Verdict]],
    path: str | os.PathLike[str],
    *,
    unknown: Literal["skipped", "error"] = "skipped",
) -> Path:
    """Write several test suites by name, each like `junit` does."""
    root = ElementTree.Element("testsuites")
    for suite, verdicts in suites.items():
        _write_suite(root, suite, verdicts, unknown)
    ElementTree.indent(root)
    xml = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return replace_file(path, xml + b"\n")


def _write_suite(
    root: ElementTree.Element, suite: str, verdicts: Mapping[str, Verdict], unknown: str
) -> None:
    cases = [case for name, verdict in verdicts.items() for case in _cases(name, verdict)]
    tags = [_case_tag(verdict, unknown) for _, verdict in cases]
    element = ElementTree.SubElement(
        root,
        "testsuite",
        name=_labels.prose(suite, 200),
        tests=str(len(cases)),
        failures=str(tags.count("failure")),
        errors=str(tags.count("error")),
        skipped=str(tags.count("skipped")),
        time=f"{sum(verdict.seconds for _, verdict in cases):.6f}",
    )
    for (name, verdict), tag in zip(cases, tags, strict=True):
        _write_case(element, _labels.prose(suite, 200), name, verdict, tag)


def _cases(name: str, verdict: Verdict) -> Iterator[tuple[str, Verdict]]:
    """The verdict itself, or its parts if it is made of parts."""
    if not verdict.parts:
        yield name, verdict
    for part_name, part in verdict.parts.items():
        yield from _cases(f"{name} / {part_name}", part)


def _case_tag(verdict: Verdict, unknown: str) -> str:
    if verdict.valid is True:
        return ""
    return "failure" if verdict.valid is False else unknown


def _write_case(
    suite: ElementTree.Element, classname: str, name: str, verdict: Verdict, tag: str
) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=classname,
        name=_labels.prose(name, 300),
        time=f"{verdict.seconds:.6f}",
    )
    if not tag:
        return
    message, body = _explanation(verdict)
    outcome = ElementTree.SubElement(case, tag, message=message)
    if tag != "skipped":
        outcome.set(
            "type", "unknown" if verdict.valid == "unknown" else _labels.prose(verdict.checker, 200)
        )
    outcome.text = body


def _explanation(verdict: Verdict) -> tuple[str, str]:
    if verdict.valid == "unknown":
        why = verdict.unknown
        if why is None:
            return "unknown", "The checker does not say why."
        return _labels.prose(why.sentence, 500), f"{why.cause}: {_labels.prose(why.remedy)}"
    sentences = [_sentence(found) for found in verdict.counterexamples[:_COUNTEREXAMPLES_MAX]]
    more = len(verdict.counterexamples) - len(sentences)
    if more > 0:
        sentences.append(f"and {_labels.count(more, 'more counterexample')}")
    first = sentences[0] if sentences else f"{verdict.checker} does not hold"
    return _labels.clip(first, 500), "\n".join(sentences)


def _sentence(found: Counterexample) -> str:
    key = "" if found.key is None else _labels.name(found.key)
    prefix = f"key {key}: " if key and key not in found.sentence else ""
    return _labels.prose(prefix + found.sentence)
